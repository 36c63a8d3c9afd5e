// Sends back what it gets by WebSocket, on the port given as `PORT`, or a free one; prints the port once it listens.
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";

const server = new WebSocketServer({ port: Number(process.env["PORT"] ?? 0), perMessageDeflate: false });
server.on("listening", () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
server.on("connection", (socket) => {
  socket.on("message", (data) => socket.send(data, { binary: true }));
});
