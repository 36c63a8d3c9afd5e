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

/**
 * Follows what Linux tells of denied packets, by way of a process of the zygote's; for as long as the agent runs. Resolves when
 * the zygote has been asked for that process: it does what it is asked in turn, so that none of a cell's can be there before.
 */
export async function watchDenied(zygote: Zygote, events: WatchEvents): Promise<void> {
  await zygote.started();
  const { asked, ended } = follow(zygote.firstSocketPath, events);
  void ended.then(() => keepFollowing(zygote, events));
  await asked;
}

async function keepFollowing(zygote: Zygote, events: WatchEvents): Promise<void> {
  for (;;) {
    await delay(RETRY_MS, undefined, { ref: false });
    await follow(zygote.firstSocketPath, events).ended;
  }
}

/** Both resolve when the connection ends, however it does. */
function follow(path: string, events: WatchEvents): { readonly asked: Promise<void>; readonly ended: Promise<void> } {
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
  socket.on("data", (chunk) => {
    try {
      reader.push(chunk);
    } catch (error) {
      socket.destroy(error as Error);
    }
  });
  socket.on("error", () => undefined);
  const ended = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  const asked = new Promise<void>((resolve) => {
    socket.write(encodeJsonFrame(FrameKind.request, { watch: true }), () => resolve());
  });
  return { asked, ended };
}
