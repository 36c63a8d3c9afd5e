import type { Socket } from "node:net";
import type { Authority } from "../../network/host.ts";
import { type Opening, readOpening } from "./opening.ts";

/** How long a client may take for the rest of its first message. */
const OPENING_MS = 10_000;

export interface TunnelEvents {
  /** What the client says does not fit the target. */
  onRefused(rule: string, reason: string): void;
  /** The client speaks HTTP: from here on each request is judged by itself. */
  onHttp(): void;
}

/** Joins a client with its target, once the client's first bytes have been looked at. What the target says passes at once. */
export function tunnel(client: Socket, upstream: Socket, target: Authority, events: TunnelEvents): void {
  let opening: Buffer = Buffer.alloc(0);
  let timer: NodeJS.Timeout | undefined;
  const release = destroyTogether(client, upstream);
  const stop = (): void => {
    clearTimeout(timer);
    client.off("data", read);
    client.off("end", end);
  };
  const settle = (found: Opening): void => {
    if (found.kind === "incomplete") {
      timer ??= setTimeout(() => settle(LATE), OPENING_MS);
      return;
    }
    stop();
    client.pause();
    if (found.kind === "refused") {
      events.onRefused(found.rule, found.reason);
      client.destroy();
      upstream.destroy();
      return;
    }
    if (found.kind === "http") {
      upstream.unpipe(client);
      release();
      client.unshift(opening);
      events.onHttp();
      return;
    }
    if (opening.length > 0) client.unshift(opening);
    client.pipe(upstream);
  };
  const read = (chunk: Buffer): void => {
    opening = opening.length === 0 ? chunk : Buffer.concat([opening, chunk]);
    settle(readOpening(opening, target, { serverHasSpoken: upstream.bytesRead > 0 }));
  };
  // A client that says nothing, or not enough to tell, has said what it can.
  const end = (): void => {
    stop();
    upstream.end(opening);
  };
  client.on("data", read);
  client.on("end", end);
  client.resume();
  upstream.pipe(client);
  if (client.readableEnded) end();
}

const LATE: Opening = {
  kind: "refused",
  rule: "malformed",
  reason: `the first message was not complete within ${OPENING_MS / 1000} s`,
};

/** Joins two sockets for good. */
export function splice(one: Socket, other: Socket): void {
  one.pipe(other);
  other.pipe(one);
  destroyTogether(one, other);
}

/** An end passes by itself; anything worse ends both. Gives what lets them go their own ways. */
function destroyTogether(one: Socket, other: Socket): () => void {
  const releases = [[one, other] as const, [other, one] as const].map(([socket, peer]) => {
    const onClose = (): void => {
      if (!socket.readableEnded || socket.errored !== null) peer.destroy();
    };
    const onError = (): void => void peer.destroy();
    socket.on("close", onClose).on("error", onError);
    return () => socket.off("close", onClose).off("error", onError);
  });
  return () => releases.forEach((release) => release());
}
