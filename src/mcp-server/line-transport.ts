import type { Readable, Writable } from "node:stream";
import {
  isJSONRPCRequest,
  type JSONRPCMessage,
  type JSONRPCRequest,
  PROTOCOL_VERSION_META_KEY,
  ProtocolErrorCode,
  serializeMessage,
  type Transport,
} from "@modelcontextprotocol/server";
import { deferred } from "../internal/deferred.ts";
import { readMessage, refusedAnswer, type RefusedAnswer } from "./json-rpc.ts";

/** What a client may ask for before it has said hello. */
const BEFORE_INITIALIZE: ReadonlySet<string> = new Set(["initialize", "ping", "server/discover"]);

/**
 * MCP's stdio transport: a message a line. Where the SDK's own drops what is no message, this one answers it; it ends when its
 * input does, and reads no further while its reader is behind.
 */
export class LineTransport implements Transport {
  readonly #input: Readable;
  readonly #output: Writable;
  readonly #maxBytes: number;
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** The rest of a line that is too long is passed over. */
  #isSkipping = false;
  #isClosed = false;
  #isInitialized = false;
  readonly #closed = deferred<void>();
  /** Resolves when the connection is closed, by whomever. */
  readonly closed: Promise<void> = this.#closed.promise;
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;

  constructor(input: Readable, output: Writable, { maxMessageBytes }: { readonly maxMessageBytes: number }) {
    this.#input = input;
    this.#output = output;
    this.#maxBytes = maxMessageBytes;
  }

  async start(): Promise<void> {
    this.#input.on("data", this.#onData).on("end", this.#onEnd).on("close", this.#onEnd).on("error", this.#onEnd);
    this.#output.on("error", this.#onEnd).on("drain", this.#onDrain);
  }

  async send(message: JSONRPCMessage): Promise<void> {
    if (this.#isClosed) throw new Error("The connection is closed.");
    await this.#write(serializeMessage(message));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#input.off("data", this.#onData).off("end", this.#onEnd).off("close", this.#onEnd).off("error", this.#onEnd);
    this.#output.off("error", this.#onEnd).off("drain", this.#onDrain);
    this.#input.pause();
    this.onclose?.();
    this.#closed.resolve();
  }

  readonly #onEnd = (): void => void this.close();
  readonly #onDrain = (): void => void this.#input.resume();

  readonly #onData = (chunk: Buffer): void => {
    let from = 0;
    for (let at = chunk.indexOf(10); at !== -1 && !this.#isClosed; at = chunk.indexOf(10, from)) {
      this.#keep(chunk.subarray(from, at));
      this.#endLine();
      from = at + 1;
    }
    this.#keep(chunk.subarray(from));
  };

  #keep(part: Buffer): void {
    if (this.#isSkipping || part.length === 0) return;
    this.#bytes += part.length;
    if (this.#bytes <= this.#maxBytes) {
      this.#chunks.push(part);
      return;
    }
    this.#isSkipping = true;
    this.#chunks = [];
    this.#refuse(refusedAnswer(null, ProtocolErrorCode.InvalidRequest, `Invalid request: longer than ${this.#maxBytes} bytes`));
  }

  #endLine(): void {
    const line = Buffer.concat(this.#chunks).toString("utf8").trim();
    this.#chunks = [];
    this.#bytes = 0;
    this.#isSkipping = false;
    if (line === "") return;
    const received = readMessage(line);
    if (received.kind === "refused") this.#refuse(received.answer);
    else this.#deliver(received.message);
  }

  #deliver(message: JSONRPCMessage): void {
    if (isJSONRPCRequest(message) && !this.#isInitialized) {
      // Since 2026-07-28 each request says by itself which version it speaks.
      if (!BEFORE_INITIALIZE.has(message.method) && !saysItsVersion(message)) {
        this.#refuse(refusedAnswer(message.id, ProtocolErrorCode.InvalidRequest, "Invalid request: initialize comes first"));
        return;
      }
      this.#isInitialized = message.method === "initialize";
    }
    this.onmessage?.(message);
  }

  #refuse(answer: RefusedAnswer): void {
    this.#write(`${JSON.stringify(answer)}\n`).catch(() => undefined);
  }

  #write(line: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const isFlowing = this.#output.write(line, (error) => (error ? reject(error) : resolve()));
      if (!isFlowing) this.#input.pause();
    });
  }
}

function saysItsVersion({ params }: JSONRPCRequest): boolean {
  const { _meta: meta } = params ?? {};
  return meta?.[PROTOCOL_VERSION_META_KEY] !== undefined;
}
