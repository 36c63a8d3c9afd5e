import { deserializeMessage, type JSONRPCMessage, SdkError, SdkErrorCode, type Transport } from "@modelcontextprotocol/client";
import { MAX_MESSAGE_BYTES } from "./bounded-fetch.ts";
import { deferred, type Deferred } from "../internal/deferred.ts";
import type { StderrTail } from "./stderr-tail.ts";

/** A process to start in the sandbox. */
export interface RelayedProcess {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string | undefined;
}

/** A kernel of its own that a server runs in: what is needed of an `ExecutionClient`. */
export interface RelayKernel {
  submit(
    code: string,
    options: { readonly timeoutMs: null; readonly maxOutputBytes: 0; readonly onInput: () => Promise<string> },
  ): {
    events(options: { readonly timeoutMs: null }): AsyncIterable<{ readonly type: string }>;
  };
  disconnect(): Promise<void>;
}

/** The server has so long to end by itself. */
const CLOSE_MS = 2_000;

/**
 * Speaks to a server in the sandbox: a cell starts it in a hidden kernel, with the rights of all cells. What is sent is the answer
 * to the cell's `input()`, what the server writes is the cell's output. So the path has all that a cell's has: order,
 * back-pressure, connections that come back.
 */
export class RelayTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly #process: RelayedProcess;
  readonly #openKernel: () => Promise<RelayKernel>;
  readonly #stderr: StderrTail;
  readonly #outgoing: string[] = [];
  #kernel: RelayKernel | undefined;
  #asked: Deferred<string> | undefined;
  #reading: Promise<void> | undefined;
  #line = "";
  #closed = false;

  constructor(process: RelayedProcess, openKernel: () => Promise<RelayKernel>, stderr: StderrTail) {
    this.#process = process;
    this.#openKernel = openKernel;
    this.#stderr = stderr;
  }

  async start(): Promise<void> {
    const kernel = await this.#openKernel();
    this.#kernel = kernel;
    if (this.#closed) {
      await kernel.disconnect();
      throw new Error("it was closed while it started");
    }
    this.#outgoing.push(JSON.stringify(this.#process));
    const execution = kernel.submit("from ipybox_kernel.stdio_relay import relay\nrelay()", {
      timeoutMs: null,
      maxOutputBytes: 0,
      onInput: () => this.#next(),
    });
    this.#reading = this.#read(execution.events({ timeoutMs: null })).finally(() => this.#end());
  }

  async send(message: JSONRPCMessage): Promise<void> {
    if (this.#closed || this.#kernel === undefined) throw new SdkError(SdkErrorCode.NotConnected, "Not connected");
    const line = JSON.stringify(message);
    const asked = this.#asked;
    this.#asked = undefined;
    if (asked === undefined) this.#outgoing.push(line);
    else asked.resolve(line);
  }

  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      // The cell sees the end of its input, and lets the server see it.
      this.#asked?.reject(new Error("closed"));
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise((resolve) => (timer = setTimeout(resolve, CLOSE_MS)));
      await Promise.race([this.#reading, late]);
      clearTimeout(timer);
      await this.#kernel?.disconnect();
    }
    await this.#reading;
  }

  #next(): Promise<string> {
    const line = this.#outgoing.shift();
    if (line !== undefined) return Promise.resolve(line);
    if (this.#closed) return Promise.reject(new Error("closed"));
    this.#asked = deferred();
    return this.#asked.promise;
  }

  async #read(events: AsyncIterable<{ readonly type: string }>): Promise<void> {
    try {
      for await (const event of events) {
        const { type, name, text } = event as { type: string; name?: string; text?: string };
        if (type !== "stream" || text === undefined) continue;
        if (name === "stderr") this.#stderr.add(text);
        else this.#take(text);
      }
    } catch (error) {
      if (this.#closed) return;
      // An exception of the cell tells why the process could not be started; its own end says nothing more.
      if ("errorName" in (error as object)) this.#stderr.add((error as Error).message);
      this.onerror?.(error as Error);
    }
  }

  #take(text: string): void {
    this.#line += text;
    if (!text.includes("\n")) {
      if (this.#line.length > MAX_MESSAGE_BYTES)
        throw new Error(`the server's answer is longer than ${MAX_MESSAGE_BYTES} characters`);
      return;
    }
    const lines = this.#line.split("\n");
    this.#line = lines.pop() ?? "";
    for (const line of lines) {
      if (line.trim() === "") continue;
      try {
        this.onmessage?.(deserializeMessage(line));
      } catch (error) {
        this.onerror?.(error as Error); // something printed beside the protocol
      }
    }
  }

  #end(): void {
    const wasOpen = !this.#closed;
    this.#closed = true;
    if (wasOpen) void this.#kernel?.disconnect().catch(() => undefined);
    this.onclose?.();
  }
}
