// @jupyterlab/services, measured: `jupyter-services.ts PACKAGES URL TOKEN`. It is installed for the benchmark only,
// so its types are not at hand; what is used of it stands here.
import { Console } from "node:console";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import type { Operation } from "../peer.ts";
import { Measurer, type Session } from "../session.ts";

interface Message {
  readonly header: { readonly msg_type: string };
  readonly content: { readonly text?: string; readonly data?: Readonly<Record<string, unknown>>; readonly ename?: string };
}

interface KernelConnection {
  requestExecute(content: { code: string }): { onIOPub: (message: Message) => void; readonly done: Promise<unknown> };
  shutdown(): Promise<void>;
}

interface Services {
  readonly ServerConnection: { makeSettings(settings: Readonly<Record<string, unknown>>): unknown };
  readonly KernelManager: new (options: { serverSettings: unknown }) => {
    readonly ready: Promise<void>;
    startNew(options: { name: string }): Promise<KernelConnection>;
  };
}

// It logs; stdout is for the answers.
globalThis.console = new Console(process.stderr);
const [packages = "", url = "", token = ""] = process.argv.slice(2);
const { KernelManager, ServerConnection } = createRequire(`${packages}/package.json`)("@jupyterlab/services") as Services;
const serverSettings = ServerConnection.makeSettings({
  baseUrl: url,
  wsUrl: url.replace("http", "ws"),
  token,
  appendToken: true,
});
const manager = new KernelManager({ serverSettings });

async function start(): Promise<Session> {
  const kernel = await manager.startNew({ name: "python3" });
  return {
    execute: async (code) => {
      const texts: string[] = [];
      let images = 0;
      await outputs(kernel, code, ({ text, data }) => {
        if (text !== undefined) texts.push(text);
        if (typeof data?.["text/plain"] === "string") texts.push(data["text/plain"]);
        if (data?.["image/png"] !== undefined) images += 1;
      });
      return { text: texts.length === 0 ? null : texts.join("").trim(), images };
    },
    stream: (code) => streamed(kernel, code),
    close: () => kernel.shutdown(),
  };
}

/** Runs a cell; it is done when the kernel is idle and has replied. */
async function outputs(kernel: KernelConnection, code: string, onOutput: (content: Message["content"]) => void): Promise<void> {
  let failure: string | undefined;
  const future = kernel.requestExecute({ code });
  future.onIOPub = ({ header, content }) => {
    if (["stream", "execute_result", "display_data"].includes(header.msg_type)) onOutput(content);
    if (header.msg_type === "error") failure = content.ename;
  };
  await future.done;
  if (failure !== undefined) throw new Error(failure);
}

/** Its callbacks as an iterator. */
async function* streamed(kernel: KernelConnection, code: string): AsyncGenerator<string> {
  const waiting: (string | undefined)[] = [];
  let wake = (): void => undefined;
  const put = (text: string | undefined): void => {
    waiting.push(text);
    wake();
  };
  const end = outputs(kernel, code, ({ text = "" }) => put(text)).finally(() => put(undefined));
  for (;;) {
    if (waiting.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    const text = waiting.shift();
    if (text === undefined) break;
    yield text;
  }
  await end;
}

await manager.ready;
const measurer = new Measurer({ start });
for await (const line of createInterface({ input: process.stdin })) {
  const { operation, parameters } = JSON.parse(line) as { operation: Operation | "close"; parameters: never };
  try {
    const value = operation === "close" ? await measurer.close() : await measurer.handlers[operation](parameters);
    process.stdout.write(`${JSON.stringify({ value: value ?? null })}\n`);
  } catch (error) {
    process.stdout.write(
      `${JSON.stringify({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) })}\n`,
    );
  }
  if (operation === "close") break;
}
process.exit();
