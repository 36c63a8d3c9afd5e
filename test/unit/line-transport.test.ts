import { PassThrough } from "node:stream";
import { McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { LineTransport } from "../../src/mcp-server/line-transport.ts";
import { eventually } from "../integration/sandbox.ts";
import { verifies } from "../requirements.ts";

const HELLO = {
  jsonrpc: "2.0",
  id: "hello",
  method: "initialize",
  params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "test", version: "1" } },
};

describe("MCP in lines", () => {
  it("answers each request once, and outlives 10,000 lines of anything", { timeout: 120_000 }, async () => {
    verifies("MCP-03", "LIFE-05");
    const server = serve();
    server.send(JSON.stringify(HELLO));
    await server.answers(1);
    const lines = fc.sample(line(), { numRuns: 10_000, seed: 13 });
    for (const [index, text] of lines.entries()) {
      server.send(text);
      // So that the output's buffer does not fill up.
      if (index % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    server.send(JSON.stringify({ jsonrpc: "2.0", id: "end", method: "ping" }));
    await eventually(() => server.received.some(({ id }) => id === "end"), 60_000);
    for (const answer of server.received) {
      expect(answer.jsonrpc).toBe("2.0");
      expect(("result" in answer ? 1 : 0) + ("error" in answer ? 1 : 0)).toBe(1);
    }
    const lineCount = lines.filter((text) => text.trim() !== "").length;
    expect(server.received.length).toBeLessThanOrEqual(lineCount + 2);
    server.input.end();
    await server.closed;
  });

  it("passes over a line that is too long, in whatever pieces it comes", async () => {
    verifies("MCP-03", "LIFE-05");
    const server = serve(1_000);
    for (let piece = 0; piece < 100; piece += 1) server.input.write("x".repeat(100));
    server.send("");
    server.send(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" }));
    await server.answers(2);
    expect(server.received).toEqual([
      { jsonrpc: "2.0", id: null, error: { code: -32600, message: "Invalid request: longer than 1000 bytes" } },
      { jsonrpc: "2.0", id: 1, result: {} },
    ]);
  });

  it("reads characters that come in two pieces", async () => {
    verifies("MCP-03");
    const server = serve();
    const bytes = Buffer.from(`${JSON.stringify({ jsonrpc: "2.0", id: "é日", method: "ping" })}\r\n`);
    for (const byte of bytes) server.input.write(Buffer.from([byte]));
    await server.answers(1);
    expect(server.received[0]?.id).toBe("é日");
  });

  it("reads no further while nobody reads its answers", async () => {
    verifies("MCP-03");
    const output = new PassThrough({ highWaterMark: 100 });
    const input = new PassThrough({ highWaterMark: 100 });
    serveStdio(() => new McpServer({ name: "test", version: "1" }), {
      transport: new LineTransport(input, output, { maxMessageBytes: 1_000 }),
    });
    const ping = `${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" })}\n`;
    for (let count = 0; count < 200; count += 1) {
      input.write(ping);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(input.isPaused()).toBe(true);
    expect(output.readableLength + output.writableLength).toBeLessThan(1_000);
    let read = 0;
    output.on("data", (chunk: Buffer) => (read += chunk.toString().split("\n").length - 1));
    await eventually(() => read === 200);
  });
});

interface Answer {
  readonly jsonrpc: string;
  readonly id: unknown;
}

function serve(maxMessageBytes = 100_000): {
  readonly input: PassThrough;
  readonly received: readonly Answer[];
  readonly closed: Promise<void>;
  send(line: string): void;
  answers(count: number): Promise<void>;
} {
  const input = new PassThrough();
  const output = new PassThrough();
  const received: Answer[] = [];
  let rest = "";
  output.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) received.push(JSON.parse(line) as Answer);
  });
  const transport = new LineTransport(input, output, { maxMessageBytes });
  serveStdio(
    () => {
      const server = new McpServer({ name: "test", version: "1" });
      server.registerTool("echo", { inputSchema: z.strictObject({ text: z.string() }) }, ({ text }) => ({
        content: [{ type: "text", text }],
      }));
      return server;
    },
    { transport },
  );
  return {
    input,
    received,
    closed: transport.closed,
    send: (line) => void input.write(`${line}\n`),
    answers: (count) => eventually(() => received.length >= count),
  };
}

/** Lines from what is nearly right to what is nothing at all. */
function line(): fc.Arbitrary<string> {
  const id = fc.oneof(fc.integer(), fc.string(), fc.constantFrom(null, true, {}, [], 1.5, "__proto__"));
  const method = fc.oneof(
    fc.constantFrom("ping", "tools/list", "tools/call", "initialize", "notifications/cancelled", "notifications/initialized"),
    fc.constantFrom("server/discover", "resources/list", "logging/setLevel", "completion/complete", "__proto__"),
    fc.string(),
  );
  const params = fc.oneof(
    fc.record({ name: fc.constantFrom("echo", "none", "constructor"), arguments: fc.object() }, { requiredKeys: [] }),
    fc.record({ name: fc.constant("echo"), arguments: fc.record({ text: fc.string() }), _meta: fc.object() }),
    fc.record({ requestId: id, reason: fc.string(), _meta: fc.record({ progressToken: id }) }, { requiredKeys: [] }),
    fc.jsonValue(),
  );
  const message = fc.record(
    {
      jsonrpc: fc.constantFrom("2.0", "2.0", "2.0", "1.0", 2),
      id,
      method,
      params,
      result: fc.jsonValue(),
      error: fc.jsonValue(),
    },
    { requiredKeys: [] },
  );
  const text = fc.oneof(
    { weight: 4, arbitrary: message.map((value) => JSON.stringify(value)) },
    { weight: 1, arbitrary: fc.array(message).map((value) => JSON.stringify(value)) },
    { weight: 1, arbitrary: fc.json() },
    { weight: 1, arbitrary: fc.string({ unit: "binary" }) },
  );
  return text.map((line) => line.replace(/[\r\n]/g, " "));
}
