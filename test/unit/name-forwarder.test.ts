import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { getServers, setServers } from "node:dns";
import { syncBuiltinESMExports } from "node:module";
import { connect, createServer, type Socket as TcpSocket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { NameForwarder } from "../../src/agent/network/forwarder.ts";
import { verifies } from "../requirements.ts";

const before = getServers();
let resolver: Socket;
let resolverPort: number;

/** A resolver that answers each question with itself, in capital letters. */
beforeEach(async () => {
  resolver = createSocket("udp4");
  resolver.on("message", (question, from) => resolver.send(question.toString().toUpperCase(), from.port, from.address));
  resolver.bind(0, "127.0.0.1");
  await once(resolver, "listening");
  resolverPort = resolver.address().port;
});
afterEach(() => {
  resolveBy(...before);
  resolver.close();
});

/** Has the sandbox ask these resolvers. */
function resolveBy(...servers: readonly string[]): void {
  setServers(servers);
  syncBuiltinESMExports(); // else importers go on with the functions of before
}

/** What comes back for a question, or undefined when nothing does. */
async function ask(port: number, question: string, waitMs = 300): Promise<string | undefined> {
  const socket = createSocket("udp4");
  try {
    return await new Promise((resolve) => {
      socket.once("message", (answer) => resolve(answer.toString()));
      socket.send(question, port, "127.0.0.1");
      setTimeout(() => resolve(undefined), waitMs);
    });
  } finally {
    socket.close();
  }
}

describe("questions about names", () => {
  it("are passed on only while the policy has that", async () => {
    verifies("NET-02", "NET-08");
    resolveBy(`127.0.0.1:${resolverPort}`);
    const forwarder = new NameForwarder();
    const port = await forwarder.listen(0);
    expect(await ask(port, "early")).toBeUndefined();
    forwarder.serve(true);
    expect(await ask(port, "served", 5_000)).toBe("SERVED");
    forwarder.serve(false);
    expect(await ask(port, "late")).toBeUndefined();
    const stream = connect({ host: "127.0.0.1", port });
    await once(stream, "close");
    expect(stream.bytesRead).toBe(0);
  });

  it("end with the policy, those under way too", async () => {
    verifies("NET-02", "NET-08");
    // Nothing listens there by TCP: it is a server that accepts and stays silent.
    const silent = createServer(() => undefined).listen(0, "127.0.0.1");
    await once(silent, "listening");
    resolveBy(`127.0.0.1:${(silent.address() as { port: number }).port}`);
    const forwarder = new NameForwarder();
    const port = await forwarder.listen(0);
    forwarder.serve(true);
    const accepted = once(silent, "connection") as Promise<[TcpSocket]>;
    const stream = connect({ host: "127.0.0.1", port });
    const [relayed] = await accepted;
    relayed.resume();
    forwarder.serve(false);
    await Promise.all([once(stream, "close"), once(relayed, "close")]);
    silent.close();
  });

  it("go to the next resolver when there is no way to one", async () => {
    verifies("NET-02", "NET-08");
    // A broadcast address can't be connected to.
    resolveBy("255.255.255.255:53", `127.0.0.1:${resolverPort}`);
    const forwarder = new NameForwarder();
    const port = await forwarder.listen(0);
    forwarder.serve(true);
    expect(await ask(port, "served", 5_000)).toBe("SERVED");
  });
});
