import type { WebSocket } from "ws";
import type { ControlEvent, ControlReply, ControlRequest, NumberedRequest } from "../protocol/control.ts";
import { readControlRequest } from "./control-request.ts";
import type { Lease } from "./lease.ts";

/** Does what a request asks for; its reply lacks only the id. What it throws becomes an `error_reply`. */
export type ControlHandler = (request: ControlRequest) => Promise<Omit<ControlReply, "id">> | Omit<ControlReply, "id">;

/** An owner who does not read is let go at so much that waits. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

/** Those who hold the container: they ask for things, and are told what happens in it. */
export class Owners {
  readonly #sockets = new Set<WebSocket>();
  readonly #handle: ControlHandler;
  readonly #lease: Lease;

  constructor(handle: ControlHandler, lease: Lease) {
    this.#handle = handle;
    this.#lease = lease;
  }

  /** How many are there. */
  get count(): number {
    return this.#sockets.size;
  }

  /** Takes an owner's connection until it closes. */
  join(socket: WebSocket): void {
    this.#sockets.add(socket);
    this.#lease.hold();
    socket.on("message", (data) => void this.#answer(socket, (data as Buffer).toString()));
    socket.on("error", () => socket.terminate());
    socket.on("close", () => {
      this.#sockets.delete(socket);
      if (this.#sockets.size === 0) this.#lease.release();
    });
  }

  /** Tells all of them. */
  tell(event: ControlEvent): void {
    for (const socket of this.#sockets) send(socket, event);
  }

  async #answer(socket: WebSocket, text: string): Promise<void> {
    let request: NumberedRequest;
    try {
      request = readControlRequest(text);
    } catch {
      socket.close(1002, "no request that this agent knows: was the image made by another version of ipybox?");
      return;
    }
    const reply = await Promise.resolve(request)
      .then(this.#handle)
      .catch((error: unknown) => ({ type: "error_reply", message: error instanceof Error ? error.message : String(error) }));
    send(socket, { ...reply, id: request.id });
  }
}

function send(socket: WebSocket, message: object): void {
  if (socket.readyState !== socket.OPEN) return;
  socket.send(JSON.stringify(message));
  if (socket.bufferedAmount > MAX_WAITING_BYTES) socket.terminate();
}
