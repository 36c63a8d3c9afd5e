import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { NetworkPolicy } from "ipybox";
import { readPolicy } from "../../src/network/policy.ts";
import type { NetworkRuleId } from "../../src/network/rules.ts";
import { networkScript } from "../../src/network/script.ts";
import { ADDRESSES, FakeInternet, internetObstacle } from "../fakes/internet.ts";
import { type CreateRequest, mutatingDaemon } from "../fakes/mutating-daemon.ts";
import { verifies } from "../requirements.ts";
import { inspect, SOCKET } from "./docker.ts";
import { PRELUDE } from "./network-probes.ts";
import { type Networked, openNetworked, resolversOfContainers } from "./networked.ts";

const NAME = "files.example.org";
const PORT = 7_777;

/** What must hold; undefined when it does, else what was seen. */
type Check = (box: Networked) => Promise<string | undefined>;

interface NetworkMutation {
  readonly rule: NetworkRuleId;
  readonly policy: NetworkPolicy;
  readonly check: Check;
}

const outcome = async (box: Networked, code: string): Promise<string> => {
  const { text } = await box.client.execute(
    `${PRELUDE}\nimport urllib.request\ntry:\n    ${code}\n    print("done")\nexcept Exception as error:\n    print(repr(error))`,
  );
  return text ?? "nothing";
};

const stays: Check = async (box) => {
  const before = await box.packets();
  await outcome(box, `tcp("${ADDRESSES.private}")`);
  const packets = (await box.packets()) - before;
  return packets === 0 ? undefined : `${packets} packets got out`;
};

const works =
  (code: string): Check =>
  async (box) => {
    const seen = await outcome(box, code);
    return seen.endsWith("done") ? undefined : seen;
  };

const isRefused: Check = async (box) => {
  const seen = await outcome(box, `tcp("${ADDRESSES.private}")`);
  return seen.includes("ConnectionRefusedError") ? undefined : seen;
};

const isTold: Check = async (box) => {
  await outcome(box, `tcp("${ADDRESSES.private}")`);
  for (let waited = 0; waited < 30; waited += 1) {
    if (box.denied.some(({ host }) => host === ADDRESSES.private)) return undefined;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return "nobody was told";
};

// A datagram: the answers that a connection needs are a cell's own packets, and denied as such.
const isClosed: Check = async (box) => {
  await box.client.execute(
    `import socket\nsock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nsock.bind(("", ${PORT}))\nsock.settimeout(2)`,
  );
  const host = (await inspect(box.container.id))?.NetworkSettings.Networks["bridge"]?.IPAddress ?? "";
  const sender = createSocket("udp4");
  await new Promise((resolve) => sender.send("hello", PORT, host, resolve));
  sender.close();
  const { text } = await box.client.execute("try:\n    print(sock.recv(10))\nexcept TimeoutError:\n    pass");
  return text ?? undefined;
};

/** Connections to the agent take no room in Linux's table of connections, which cells can fill. */
const isUntracked: Check = async (box) => {
  const tracked = async (): Promise<number> =>
    Number((await box.client.execute("int(open('/proc/sys/net/netfilter/nf_conntrack_count').read())")).text);
  const before = await tracked();
  const { host, port } = box.container;
  const sockets = await Promise.all(
    Array.from({ length: 10 }, async () => {
      const socket = connect({ host, port });
      await once(socket, "connect");
      return socket;
    }),
  );
  const more = (await tracked()) - before;
  for (const socket of sockets) socket.destroy();
  return more < 10 ? undefined : `${more} connections are tracked`;
};

const fetches = works(`urllib.request.urlopen("http://${NAME}/", timeout=3).read()`);
const talksToItself = works(
  `server = socket.create_server(("127.0.0.1", 0)); socket.create_connection(server.getsockname(), timeout=2).close()`,
);
const byName: NetworkPolicy = { allow: [NAME] };

const MUTATIONS: readonly NetworkMutation[] = [
  { rule: "output-default", policy: "none", check: stays },
  { rule: "special-ranges", policy: "public", check: stays },
  { rule: "input-default", policy: "none", check: isClosed },
  { rule: "public", policy: "public", check: works(`tcp("${ADDRESSES.public}")`) },
  { rule: "input-answers", policy: "public", check: works(`udp("${ADDRESSES.public}", 99)`) },
  { rule: "listed", policy: { allow: [ADDRESSES.private] }, check: works(`tcp("${ADDRESSES.private}")`) },
  { rule: "resolve-through-agent", policy: "public", check: works(`socket.getaddrinfo("${NAME}", 80)`) },
  { rule: "agent", policy: byName, check: fetches },
  { rule: "agent-answers", policy: byName, check: fetches },
  { rule: "loopback", policy: "none", check: talksToItself },
  { rule: "input-loopback", policy: "none", check: talksToItself },
  { rule: "cells-denied", policy: "none", check: isRefused },
  { rule: "refuse-tcp", policy: "none", check: isRefused },
  { rule: "tell", policy: "none", check: isTold },
  { rule: "agent-untracked", policy: "none", check: isUntracked },
];

/** Rules whose absence nothing here can show, and why. */
const UNSEEN: Readonly<Partial<Record<NetworkRuleId, string>>> = {
  internet: "only after another policy: network-change.test.ts has it",
  "input-streams": "only of connections that are older than the policy: network-change.test.ts has it",
  near: "only in networks of public addresses: network-start.test.ts has it",
  "agent-port": "without it no container starts: every other test shows it",
  "cells-by-uid": "held twice: by rest-as-cells",
  "rest-as-cells": "held twice: by the default of the chain",
  "agent-without-socket": "packets of connections that the agent has closed",
  "docker-dns": "only in networks that a user has made",
  "source-routes": "Linux refuses most of them by itself",
  neighbours: "the neighbours of the stand-in are static",
  "input-neighbours": "the neighbours of the stand-in are static",
  "input-errors": "only slow networks show it",
};

/** The helper's request, without the lines of one rule. */
function without(rule: NetworkRuleId): (request: CreateRequest) => void {
  return (request) => {
    if (request.HostConfig.NetworkMode?.startsWith("container:") !== true) return;
    const task = JSON.parse((request.Cmd ?? []).join("")) as { rules: string[] };
    const kept = task.rules.filter((line) => !line.endsWith(` # ${rule}`));
    if (kept.length === task.rules.length) throw new Error(`the script has no rule ${rule}`);
    request.Cmd = [JSON.stringify({ ...task, rules: kept })];
  };
}

const obstacle = internetObstacle();
if (obstacle !== undefined) process.stderr.write(`network-mutation.test.ts is skipped: ${obstacle}\n`);

describe.skipIf(obstacle !== undefined)("without one rule of the network, a probe tells:", () => {
  let internet: FakeInternet;
  beforeAll(async () => {
    internet = await FakeInternet.start(await resolversOfContainers(), [NAME]);
    await internet.setZone({ [NAME]: [[ADDRESSES.public, ADDRESSES.public6]] });
  });
  afterAll(async () => {
    await internet?.[Symbol.asyncDispose]();
  });

  it.each(MUTATIONS)("$rule", async ({ rule, policy, check }) => {
    verifies("SEC-06", "NET-02");
    await using daemon = await mutatingDaemon(SOCKET, { create: without(rule) });
    await using box = await openNetworked(internet, policy, { dockerHost: daemon.dockerHost });
    expect(await check(box)).toEqual(expect.any(String));
  });

  it("and with all of them, none does", async () => {
    verifies("SEC-06", "NET-02");
    for (const policy of new Set(MUTATIONS.map((mutation) => mutation.policy))) {
      await using box = await openNetworked(internet, policy);
      for (const { check } of MUTATIONS.filter((mutation) => mutation.policy === policy))
        expect(await check(box)).toBeUndefined();
    }
  });
});

it("every rule is taken away, or there is a reason why that can't be seen", () => {
  verifies("SEC-06");
  const known = new Set([...MUTATIONS.map(({ rule }) => rule), ...Object.keys(UNSEEN)]);
  const policies: readonly NetworkPolicy[] = ["internet", "public", "none", { allow: [NAME, ADDRESSES.private] }];
  const lines = policies.flatMap((policy) => networkScript(readPolicy(policy), "7f", { agentPort: 1, resolverPort: 2 }).rules);
  const ids = lines.map((line) => / # (\S+)$/.exec(line)?.[1]).filter((id) => id !== undefined);
  expect([...new Set(ids)].filter((id) => !known.has(id))).toEqual([]);
});
