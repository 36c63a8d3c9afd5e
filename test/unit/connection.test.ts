import { describe, expect, it } from "vitest";
import type { WebSocket } from "ws";
import { Connection } from "../../src/agent/connection.ts";
import { verifies } from "../requirements.ts";

const MIB = 1024 * 1024;

/** A WebSocket of which the test says how much waits in it. */
function fakeSocket(): { bufferedAmount: number; flush(): void; emit(name: string): void; asSocket: WebSocket } {
  const sent: (() => void)[] = [];
  const listeners = new Map<string, () => void>();
  const socket = {
    readyState: 1,
    OPEN: 1,
    bufferedAmount: 0,
    send: (_: Uint8Array, __: object, callback: () => void) => sent.push(callback),
    on: (name: string, listener: () => void) => listeners.set(name, listener),
  };
  return Object.assign(socket, {
    emit: (name: string) => listeners.get(name)?.(),
    flush: () => sent.splice(0).forEach((callback) => callback()),
    asSocket: socket as unknown as WebSocket,
  });
}

describe("the agent's connection to a client", () => {
  it("is full when much waits to be sent, until little does", () => {
    verifies("STREAM-02");
    const socket = fakeSocket();
    let drained = 0;
    const connection = new Connection(socket.asSocket, () => (drained += 1));
    socket.bufferedAmount = 2 * MIB;
    connection.send(Buffer.alloc(1));
    expect(connection.full).toBe(true);
    socket.bufferedAmount = MIB / 2;
    socket.flush();
    expect([connection.full, drained]).toEqual([true, 0]);
    connection.send(Buffer.alloc(1));
    socket.bufferedAmount = 0;
    socket.flush();
    expect([connection.full, drained]).toEqual([false, 1]);
  });

  it("is full when much is on its way, until half of that has arrived", () => {
    verifies("KERN-08");
    const socket = fakeSocket();
    let drained = 0;
    const connection = new Connection(socket.asSocket, () => (drained += 1));
    for (let sent = 0; sent < 9; sent += 1) connection.send(Buffer.alloc(MIB));
    socket.flush();
    expect(connection.full).toBe(true);
    connection.received(4 * MIB);
    expect(connection.full).toBe(true);
    connection.received(5 * MIB);
    expect([connection.full, drained]).toEqual([false, 1]);
  });

  it("believes no client that claims more than it was sent, or less than before", () => {
    const socket = fakeSocket();
    const connection = new Connection(socket.asSocket, () => undefined);
    connection.send(Buffer.alloc(MIB));
    connection.received(1e15);
    connection.received(-5);
    for (let sent = 0; sent < 9; sent += 1) connection.send(Buffer.alloc(MIB));
    expect(connection.full).toBe(true);
  });

  it("takes a client for vanished that gave no sign for long, sooner when it holds up others", () => {
    verifies("KERN-10");
    const socket = fakeSocket();
    const connection = new Connection(socket.asSocket, () => undefined);
    const at = (seconds: number): number => performance.now() + seconds * 1000;
    expect([connection.hasVanished(false, at(31)), connection.hasVanished(true, at(590))]).toEqual([false, false]);
    expect(connection.hasVanished(true, at(601))).toBe(true);
    for (let sent = 0; sent < 9; sent += 1) connection.send(Buffer.alloc(MIB));
    expect([connection.hasVanished(false, at(29)), connection.hasVanished(false, at(31))]).toEqual([false, true]);
    expect(connection.hasVanished(true, at(31))).toBe(false);
  });
});
