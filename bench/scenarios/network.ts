import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { ExecutionClient, type NetworkPolicy } from "ipybox";
import { type Bench, createContainer, samples } from "../bench.ts";
import type { Figure, Scenario, Unit } from "../scenario.ts";
import { atMost } from "../scenario.ts";
import { median } from "../statistics.ts";

const MIB = 1_048_576;
const DOWNLOAD_BYTES = 256 * MIB;

/** The address of this machine, as a container sees it. */
const GATEWAY = `
import socket, struct
with open("/proc/net/route") as file:
    gateways = [line.split()[2] for line in list(file)[1:] if line.split()[1] == "00000000"]
print(socket.inet_ntoa(struct.pack("<I", int(gateways[0], 16))))`;

/** Fetches a URL \`count\` times, each over a connection of its own, and prints how long each took and how much came. */
const FETCH = (url: string, count: number, proxied: boolean): string => `
import json, time, urllib.request
opener = urllib.request.build_opener(${proxied ? "" : "urllib.request.ProxyHandler({})"})
taken = []
for _ in range(${count}):
    started, received = time.perf_counter(), 0
    with opener.open("${url}") as response:
        while part := response.read(${MIB}):
            received += len(part)
    taken.append([(time.perf_counter() - started) * 1000, received])
print(json.dumps(taken))`;

export const network: Scenario = {
  name: "network",
  title: "What a network policy costs",
  about:
    "A new container to its first result under each policy, in turns. Then a cell fetches from an HTTP server on this machine, each time over " +
    "a new connection: directly, by an address that is listed, and through the sandbox's proxy, which is what a listed name takes.",
  limitMs: 300_000,
  async run(bench) {
    const policies: readonly (readonly [string, NetworkPolicy])[] = [
      ["internet", "internet"],
      ["public", "public"],
      ["none", "none"],
      ["a list", { allow: ["example.com", "10.1.2.3:5432"] }],
    ];
    const starts = policies.map(([name]) => figure(`create, connect and \`1+1\`, ${name}`, "ms"));
    for (let round = -1; round < samples(bench, 15); round += 1) {
      for (const [index, [, policy]] of policies.entries()) {
        const ms = await createToResult(bench, policy);
        if (round >= 0) starts[index]?.samples.push(ms);
      }
    }
    const [internet = figure("", "ms"), ...others] = starts;
    const fetched = await fetches(bench);
    return {
      figures: [...starts, ...fetched],
      goals: others.map(({ what, samples: taken }) =>
        atMost(`what the policy adds: ${what}`, 150, "ms", median(taken) - median(internet.samples)),
      ),
    };
  },
};

type Samples = Figure & { readonly samples: number[] };

function figure(what: string, unit: Unit): Samples {
  return { what, subject: "ipybox", unit, samples: [] };
}

async function createToResult(bench: Bench, policy: NetworkPolicy): Promise<number> {
  const startedAt = performance.now();
  await using container = await createContainer(bench, { network: policy });
  await using client = await ExecutionClient.connect({ port: container.port });
  await client.execute("1+1");
  return performance.now() - startedAt;
}

async function fetches(bench: Bench): Promise<readonly Figure[]> {
  const server = createServer((request, response) => {
    response.end(request.url === "/large" ? Buffer.alloc(DOWNLOAD_BYTES) : "small");
  });
  await new Promise<void>((resolve) => server.listen(0, resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const host = await gateway(bench);
    await using container = await createContainer(bench, { network: { allow: [`${host}:${port}`] } });
    await using client = await ExecutionClient.connect({ port: container.port });
    const measured: Figure[] = [];
    for (const [how, proxied] of [
      ["directly", false],
      ["through the proxy", true],
    ] as const) {
      const small = figure(`a small answer, ${how}`, "ms");
      const large = figure(`a download of 256 MiB, ${how}`, "MB/s");
      for (const [ms] of await fetch(client, `http://${host}:${port}/small`, samples(bench, 200), proxied))
        small.samples.push(ms);
      for (const [ms, bytes] of await fetch(client, `http://${host}:${port}/large`, samples(bench, 5), proxied)) {
        large.samples.push(bytes / 1e6 / (ms / 1000));
      }
      measured.push(small, large);
    }
    return measured;
  } finally {
    await close(server);
  }
}

async function gateway(bench: Bench): Promise<string> {
  await using container = await createContainer(bench);
  await using client = await ExecutionClient.connect({ port: container.port });
  return (await client.execute(GATEWAY)).text ?? "";
}

async function fetch(
  client: ExecutionClient,
  url: string,
  count: number,
  proxied: boolean,
): Promise<readonly (readonly [ms: number, bytes: number])[]> {
  const { text } = await client.execute(FETCH(url, count, proxied));
  return JSON.parse(text ?? "[]") as [number, number][];
}

function close(server: Server): Promise<unknown> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(resolve));
}
