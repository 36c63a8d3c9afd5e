import { EventEmitter, once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type Docker from "dockerode";
import type { SandboxLog } from "../engine.ts";

/** So much of the log's end is kept. */
const KEPT_BYTES = 64 * 1024;

/** Docker sends each piece behind a header: the stream, three zeros, a length. */
const HEADER_BYTES = 8;

/** Keeps the end of what a container logs, which goes with the container. */
export async function watchLog(container: Docker.Container): Promise<SandboxLog> {
  const stream = await container.attach({ stream: true, stdout: true, stderr: true });
  const log = new LogTail();
  const more = new EventEmitter<{ data: [] }>();
  let isNew = false;
  stream.on("data", (chunk: Buffer) => {
    log.add(chunk);
    isNew = true;
    more.emit("data");
  });
  stream.on("error", () => undefined); // what has come is all there is
  return {
    tail: (lines) => log.tail(lines),
    more: async (timeoutMs) => {
      const ended = new AbortController();
      const { signal } = ended;
      if (!isNew) await Promise.race([once(more, "data", { signal }), delay(timeoutMs, undefined, { signal })]);
      isNew = false;
      ended.abort();
    },
    close: () => (stream as NodeJS.ReadWriteStream & { destroy(): void }).destroy(),
  };
}

/** The end of what comes in pieces behind headers. */
export class LogTail {
  #rest: Buffer = Buffer.alloc(0);
  #kept: Buffer = Buffer.alloc(0);
  /** Bytes of the current piece that are still to come. */
  #missing = 0;

  add(chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (bytes.length > 0) {
      if (this.#missing === 0) {
        if (bytes.length < HEADER_BYTES) break;
        this.#missing = bytes.readUInt32BE(4);
        bytes = bytes.subarray(HEADER_BYTES);
      }
      const piece = bytes.subarray(0, this.#missing);
      this.#kept = Buffer.concat([this.#kept, piece]).subarray(-KEPT_BYTES);
      this.#missing -= piece.length;
      bytes = bytes.subarray(piece.length);
    }
    this.#rest = Buffer.from(bytes);
  }

  tail(lines: number): string {
    return this.#kept.toString().trimEnd().split("\n").slice(-lines).join("\n");
  }
}
