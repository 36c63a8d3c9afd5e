import type { Server } from "node:http";
import type { Duplex } from "node:stream";

/** Of connections that have not shown the token, so many are kept. Descriptors are bounded, and a cell can connect, too. */
const MAX_STRANGERS = 4_096;

/** Connections that have not shown the token yet. The oldest has to make room: who knows it shows it at once. */
export class Strangers {
  readonly #sockets = new Set<Duplex>();

  constructor(server: Server) {
    server.on("connection", (socket: Duplex) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      const [oldest] = this.#sockets;
      if (this.#sockets.size > MAX_STRANGERS) oldest?.destroy();
    });
  }

  /** It has shown the token. */
  know(socket: Duplex): void {
    this.#sockets.delete(socket);
  }
}
