import type { WebSocket } from "ws";
import { encodeJsonFrame, FrameKind } from "../protocol/frame.ts";
import type { Control } from "../protocol/requests.ts";

/** So much may wait to be sent before the kernel has to wait. */
const HIGH_WATER_BYTES = 1024 * 1024;
const LOW_WATER_BYTES = 256 * 1024;

/** So much may be on its way: what is lost with a connection must still be there to be sent again. */
const WINDOW_BYTES = 8 * 1024 * 1024;

/** Clients give a sign of life every few seconds. One that gave none for so long has vanished, or is stopped in a debugger. */
const VANISHED_AFTER_MS = 10 * 60 * 1000;

/** Who holds up the output for others is waited for less long. */
const HOLDS_UP_AFTER_MS = 30_000;

/** A client's WebSocket, from the agent's side. */
export class Connection {
  readonly #socket: WebSocket;
  readonly #onDrain: () => void;
  #full = false;
  #sentBytes = 0;
  #receivedBytes = 0;
  #signAt: number = performance.now();

  constructor(socket: WebSocket, onDrain: () => void) {
    this.#socket = socket;
    this.#onDrain = onDrain;
    for (const sign of ["message", "ping"] as const) socket.on(sign, () => (this.#signAt = performance.now()));
  }

  /** Whether the client reads slower than the kernel writes. */
  get full(): boolean {
    return this.#full;
  }

  /** Whether the client seems to have vanished; `alone` when nobody else waits for the kernel's output. */
  hasVanished(alone: boolean, now: number = performance.now()): boolean {
    return now - this.#signAt > (this.#full && !alone ? HOLDS_UP_AFTER_MS : VANISHED_AFTER_MS);
  }

  /** Sends a block of whole frames. */
  send(block: Uint8Array): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#sentBytes += block.length;
    this.#socket.send(block, { binary: true }, () => this.#drain());
    if (this.#socket.bufferedAmount > HIGH_WATER_BYTES || this.#onItsWay > WINDOW_BYTES) this.#full = true;
  }

  /** The client has told how much has arrived since the connection was made. */
  received(bytes: number): void {
    this.#receivedBytes = Math.min(Math.max(this.#receivedBytes, bytes), this.#sentBytes);
    this.#drain();
  }

  control(control: Control): void {
    this.send(encodeJsonFrame(FrameKind.control, control));
  }

  /** Ends the connection at once. */
  terminate(): void {
    this.#socket.terminate();
  }

  get #onItsWay(): number {
    return this.#sentBytes - this.#receivedBytes;
  }

  #drain(): void {
    if (!this.#full || this.#socket.bufferedAmount >= LOW_WATER_BYTES || this.#onItsWay > WINDOW_BYTES / 2) return;
    this.#full = false;
    this.#onDrain();
  }

  /** Ends the connection; `code` tells the client why. */
  close(code: string, message: string): void {
    this.control({ type: "closed", code, message });
    this.#socket.close();
  }
}
