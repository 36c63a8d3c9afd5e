import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import { expect, it } from "vitest";
import { RecentEvents } from "../../src/mcp-server/recent-events.ts";
import { verifies } from "../requirements.ts";

const message = (id: number, text = ""): JSONRPCMessage => ({ jsonrpc: "2.0", id, result: { text } });

async function replay(events: RecentEvents, lastEventId: string): Promise<unknown[]> {
  const sent: unknown[] = [];
  await events.replayEventsAfter(lastEventId, {
    send: (id, message) => {
      sent.push([id, "id" in message ? message.id : undefined]);
      return Promise.resolve();
    },
  });
  return sent;
}

it("gives what came behind an event on the same stream", async () => {
  verifies("MCP-03");
  const events = new RecentEvents({ maxBytes: 10_000 });
  const opened = await events.storeEvent("a", {} as JSONRPCMessage);
  const first = await events.storeEvent("a", message(1));
  await events.storeEvent("b", message(2));
  const last = await events.storeEvent("a", message(3));
  expect(await replay(events, opened)).toEqual([
    [first, 1],
    [last, 3],
  ]);
  expect(await replay(events, first)).toEqual([[last, 3]]);
  expect(await replay(events, last)).toEqual([]);
  expect(await events.getStreamIdForEventId(last)).toBe("a");
});

it("keeps no more than its bytes, and knows a stream whose events are gone", async () => {
  verifies("MCP-03");
  const events = new RecentEvents({ maxBytes: 1_000 });
  const opened = await events.storeEvent("a", {} as JSONRPCMessage);
  for (let id = 1; id <= 5; id += 1) await events.storeEvent("a", message(id, "x".repeat(350)));
  expect((await replay(events, opened)).length).toBe(2);
  await events.storeEvent("a", message(6, "x".repeat(5_000)));
  expect(await replay(events, opened)).toEqual([]);
  const next = await events.storeEvent("a", message(7));
  expect(await replay(events, opened)).toEqual([[next, 7]]);
});

it("takes no id that it has not given", async () => {
  verifies("MCP-03");
  const events = new RecentEvents({ maxBytes: 1_000 });
  for (const id of ["", "1", "x.a", ".a", "1.", `${"9".repeat(30)}.a`]) {
    expect(await events.getStreamIdForEventId(id)).toBeUndefined();
    await expect(replay(events, id)).rejects.toThrow("This is no id of an event.");
  }
});
