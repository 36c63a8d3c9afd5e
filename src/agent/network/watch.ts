import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { encodeJsonFrame, FrameKind } from "../../protocol/frame.ts";
import type { Zygote } from "../zygote.ts";
import { type DeniedPacket, readDeniedPacket } from "./denied-packet.ts";
import { PacketLogReader } from "./packet-log.ts";

const RETRY_MS = 1_000;

export interface WatchEvents {
  onDenied(packet: DeniedPacket): void;
  /** So many were too many to tell each. */
  onLost(count: number): void;
}

/** Follows what Linux tells of denied packets, by way of a process of the zygote's; for as long as the agent runs. */
export async function watchDenied(zygote: Zygote, events: WatchEvents): Promise<void> {
  for (;;) {
    await follow(zygote.firstSocketPath, events);
    await delay(RETRY_MS, undefined, { ref: false });
  }
}

/** Resolves when the connection ends, however it does. */
function follow(path: string, events: WatchEvents): Promise<void> {
  let next: number | undefined;
  const reader = new PacketLogReader(({ sequence, packet }) => {
    if (sequence !== undefined) {
      if (next !== undefined && sequence > next) events.onLost(sequence - next);
      next = sequence + 1;
    }
    const denied = readDeniedPacket(packet);
    if (denied !== undefined) events.onDenied(denied);
  });
  const socket: Socket = connect(path);
  socket.write(encodeJsonFrame(FrameKind.request, { watch: true }));
  socket.on("data", (chunk) => {
    try {
      reader.push(chunk);
    } catch (error) {
      socket.destroy(error as Error);
    }
  });
  return new Promise((resolve) => {
    socket.on("error", () => undefined);
    socket.on("close", () => resolve());
  });
}
