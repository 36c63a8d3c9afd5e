import { describe, expect, it } from "vitest";
import { IpyboxError } from "ipybox";
import { pythonTool as aiSdkTool } from "ipybox/ai-sdk";
import { pythonTool as langchainTool } from "ipybox/langchain";
import { pythonTool as agentsTool } from "ipybox/openai-agents";
import { RunContext } from "@openai/agents";
import { verifies } from "../requirements.ts";
import { eventually, rejection, useContainer } from "./sandbox.ts";

const sandbox = useContainer();

describe("a tool for models", () => {
  it("gives what was printed before a time limit, and why the cell has ended", async () => {
    verifies("AI-01", "TIME-01");
    await using client = await sandbox.connect();
    const tool = langchainTool(client, { timeoutMs: 500 });
    const given: unknown = await tool.invoke({ code: "print('before')\nwhile True: pass" });
    expect(given).toEqual([
      { type: "text", text: "before" },
      { type: "text", text: expect.stringMatching(/^The cell ran longer than timeoutMs \(500 ms\) and was interrupted/) },
    ]);
  });

  it("cuts what is more than its limits, and says so", async () => {
    verifies("AI-01");
    await using client = await sandbox.connect();
    const tool = langchainTool(client, { maxTextCharacters: 100, maxImages: 0 });
    const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
    const image = `import base64; from IPython.display import Image; Image(data=base64.b64decode("${png}"))`;
    expect(await tool.invoke({ code: "'x' * 1000" })).toEqual([
      { type: "text", text: expect.stringMatching(/^'x{69}\n\[… 902 characters left out …\]\nx{29}'$/) },
    ]);
    expect(await tool.invoke({ code: image })).toEqual([
      { type: "text", text: "[image/png left out: too many or too large images]" },
    ]);
  });

  it.each([
    {
      framework: "the AI SDK",
      run: (client: Parameters<typeof aiSdkTool>[0], code: string, signal: AbortSignal): unknown =>
        aiSdkTool(client).execute?.({ code }, { toolCallId: "1", messages: [], abortSignal: signal, context: {} }),
    },
    {
      framework: "LangChain",
      run: (client: Parameters<typeof aiSdkTool>[0], code: string, signal: AbortSignal): unknown =>
        langchainTool(client).invoke({ code }, { signal }),
    },
    {
      framework: "OpenAI's Agents SDK",
      run: (client: Parameters<typeof aiSdkTool>[0], code: string, signal: AbortSignal): unknown =>
        agentsTool(client).invoke(new RunContext(), JSON.stringify({ code }), { signal }),
    },
  ])("interrupts its cell when $framework gives up", async ({ run }) => {
    verifies("AI-01", "TIME-02");
    await using client = await sandbox.connect();
    await using watcher = await sandbox.connect();
    const file = crypto.randomUUID();
    const code = `open('${file}', 'w').close()\nwhile True: pass`;
    const controller = new AbortController();
    const running = Promise.resolve(run(client, code, controller.signal)).catch(() => undefined);
    await eventually(async () => (await watcher.execute(`import os; os.path.exists('${file}')`)).text === "True");
    controller.abort(new Error("enough"));
    await running;
    // It would wait for ever behind the loop.
    expect((await client.execute("1 + 1", { timeoutMs: 10_000 })).text).toBe("2");
  });

  it("checks its options and its input", async () => {
    verifies("AI-01");
    await using client = await sandbox.connect();
    for (const make of [aiSdkTool, langchainTool, agentsTool]) {
      expect(() => make(client, { timeout: 1 } as never)).toThrow(/pythonTool has no option "timeout"/);
      expect(() => make(client, { maxImages: -1 })).toThrow(IpyboxError);
    }
    await rejection(langchainTool(client).invoke({ code: "1", network: "internet" }), Error);
  });

  it("rejects with what is none of the cell's doing", async () => {
    verifies("AI-01");
    const client = await sandbox.connect();
    await client.disconnect();
    const error = await rejection(langchainTool(client).invoke({ code: "1" }), IpyboxError);
    expect(error.code).toBe("invalid_state");
  });
});
