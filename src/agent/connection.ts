import type { WebSocket } from "ws";
import { encodeJsonFrame, FrameKind } from "../protocol/frame.ts";
import type { Control } from "../protocol/requests.ts";

/** So much may wait to be sent before the kernel has to wait. */
const HIGH_WATER_BYTES = 1024 * 1024;
const LOW_WATER_BYTES = 256 * 1024;

/** A client's WebSocket, from the agent's side. */
export class Connection {
  readonly #socket: WebSocket;
  readonly #onDrain: () => void;
  #full = false;

  constructor(socket: WebSocket, onDrain: () => void) {
    this.#socket = socket;
    this.#onDrain = onDrain;
  }

  /** Whether the client reads slower than the kernel writes. */
  get full(): boolean {
    return this.#full;
  }

  /** Sends a block of whole frames. */
  send(block: Uint8Array): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.send(block, { binary: true }, () => {
      if (this.#full && this.#socket.bufferedAmount < LOW_WATER_BYTES) {
        this.#full = false;
        this.#onDrain();
      }
    });
    if (this.#socket.bufferedAmount > HIGH_WATER_BYTES) this.#full = true;
  }

  control(control: Control): void {
    this.send(encodeJsonFrame(FrameKind.control, control));
  }

  /** Ends the connection; `code` tells the client why. */
  close(code: string, message: string): void {
    this.control({ type: "closed", code, message });
    this.#socket.close();
  }
}
