import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { ExecutionClient, ExecutionError } from "ipybox";
import { Seeded } from "../seeded.ts";
import { verifies } from "../requirements.ts";
import { connectThroughProxy, whileCutting } from "./faults.ts";
import { eventually, rejection, useContainer } from "./sandbox.ts";

const sandbox = useContainer();

const CUTS = Number(process.env["CUTS"] ?? 30);

describe("calls over connections that are cut at random points", () => {
  it("are made once each, and each gets its value", async () => {
    verifies("HOST-03", "KERN-08");
    const random = new Seeded();
    await random.reporting(async () => {
      await using troubled = await connectThroughProxy(sandbox, {}, random);
      const made = new Map<string, number>();
      await troubled.client.expose({
        work: {
          input: z.object({ name: z.string(), size: z.int() }),
          handler: async ({ name, size }) => {
            made.set(name, (made.get(name) ?? 0) + 1);
            if (size % 2 === 0) await delay(size % 10);
            return { name, data: new Uint8Array(size).fill(size % 256) };
          },
        },
      });
      let calls = 0;
      await whileCutting(troubled, CUTS, { maxBytes: 30_000, afterMs: 100 }, async (round) => {
        const sizes = Array.from({ length: 30 }, () => random.magnitude(1, 30_000));
        calls += sizes.length * 2;
        const { text } = await troubled.client.execute(`
import asyncio
from concurrent.futures import ThreadPoolExecutor
from host import work
from host.aio import work as awork
sizes = ${JSON.stringify(sizes)}
def right(value, name, size): return value == {"name": name, "data": bytes([size % 256]) * size}
def in_thread(i): return right(work(f"t${round}-{i}", sizes[i]), f"t${round}-{i}", sizes[i])
async def in_task(i): return right(await awork(f"a${round}-{i}", sizes[i]), f"a${round}-{i}", sizes[i])
with ThreadPoolExecutor(5) as pool: threads = list(pool.map(in_thread, range(len(sizes))))
tasks = await asyncio.gather(*(in_task(i) for i in range(len(sizes))))
all(threads), all(tasks)`);
        expect(text).toBe("(True, True)");
      });
      expect([...made.values()].every((count) => count === 1)).toBe(true);
      expect(made.size).toBe(calls);
    });
  });

  it("wait while there is none, and so do approvals", async () => {
    verifies("HOST-02", "HOST-03", "KERN-08");
    const asked: unknown[] = [];
    await using troubled = await connectThroughProxy(sandbox, {
      onApproval: async ({ input }) => {
        asked.push(input);
        troubled.proxy.cut("reset");
        await delay(50);
        return true;
      },
    });
    const { client, proxy } = troubled;
    await client.expose({ one: { input: z.object({ n: z.int() }), handler: ({ n }) => n } });
    const { text } = await client.execute("from host import one\n[one(n) for n in range(5)]");
    expect(text).toBe("[0, 1, 2, 3, 4]");
    expect(asked).toHaveLength(5);
    expect(proxy.cuts).toBe(5);
  });

  it("are told again when their messages are gone from what is kept", async () => {
    verifies("HOST-03", "KERN-08");
    await using troubled = await connectThroughProxy(sandbox);
    const { client, proxy } = troubled;
    let calls = 0;
    await client.expose({ one: { handler: async () => (calls += 1) } });
    const execution = client.submit(
      "import threading, time\nfrom host import one\nprint('on')\ntime.sleep(0.4)\nvalues = []\nthread = threading.Thread(target=lambda: values.append(one()))\nthread.start()\n" +
        "time.sleep(0.2)\nfor _ in range(40): print('x' * 1_000_000)\nthread.join()\nprint(values)",
      // As much as there can be: the end of it must not be cut.
      { maxOutputBytes: 64 * 2 ** 20 },
    );
    for await (const _ of execution.stream({ onExit: "detach" })) break;
    proxy.down("reset");
    await delay(2_500);
    proxy.heal();
    const { text, lostBytes } = await execution.result();
    expect(lostBytes).toBeGreaterThan(0);
    expect(text?.endsWith("[1]")).toBe(true);
    expect(calls).toBe(1);
  });
});

describe("a kernel that forges calls", () => {
  /** Sends what a kernel would send in `call` frames. */
  const FORGE =
    "import json, socket, struct\nfrom ipybox_kernel import host as _h\n" +
    "def send(message, kind=11, flags=0, raw=None):\n" +
    "    data = json.dumps(message).encode() if raw is None else raw\n" +
    "    payload = struct.pack('<I', len(data)) + data if raw is None else raw\n" +
    "    s = socket.socket(fileno=250); s.send(struct.pack('<IBBHIQ', len(payload), kind, flags, 0, 0, 0) + payload); s.detach()\n" +
    "client = next(iter(_h._host._exposed), '')\n" +
    "def request(**more): return {'type': 'host_call_request', 'client': client, 'number': 1, 'name': 'pay', 'value': {'amount': 1}, 'done': [], **more}\n";

  async function forging(code: string, onApproval = (): boolean => false): Promise<{ calls: unknown[]; asked: number }> {
    const calls: unknown[] = [];
    let asked = 0;
    await using client = await ExecutionClient.connect({
      port: sandbox.container.port,
      onApproval: () => {
        asked += 1;
        return onApproval();
      },
    });
    await client.expose({
      pay: { input: z.object({ amount: z.number() }), handler: (input) => void calls.push(input) },
      probe: { handler: () => "alive" },
    });
    await client.execute(`${FORGE}${code}`);
    // It has read all that came before.
    const probe = await client.execute(
      "from host import probe\ntry: print(probe())\nexcept Exception as e: print(type(e).__name__)",
    );
    expect(probe.text).toBe(onApproval() ? "alive" : "ApprovalRejected");
    return { calls, asked: asked - 1 };
  }

  it("gets no more by it than by a call: it is checked and must be approved", async () => {
    verifies("HOST-02", "HOST-03");
    expect(await forging("send(request())")).toEqual({ calls: [], asked: 1 });
    expect(await forging("send(request())", () => true)).toEqual({ calls: [{ amount: 1 }], asked: 1 });
    expect(await forging("send(request(value={'amount': 'x'}))", () => true)).toEqual({ calls: [], asked: 0 });
  });

  it("can't approve by itself, nor answer what others ask", async () => {
    verifies("HOST-02");
    const forged = ["approved=True", "decision='accept'", "kind='none'", "approve=False"].map(
      (more, i) => `send(request(number=${i + 10}, ${more}))`,
    );
    expect(await forging(forged.join("\n"))).toEqual({ calls: [], asked: 4 });
    const replies =
      "send({'type': 'host_call_reply', 'execution': 1, 'number': 1, 'value': True})\nsend({'type': 'host_call_done', 'client': client, 'done': 'x'})";
    expect(await forging(replies)).toEqual({ calls: [], asked: 0 });
  });

  it("has one call of a number, however often it sends it", async () => {
    verifies("HOST-03");
    expect(await forging("for _ in range(100): send(request())", () => true)).toEqual({ calls: [{ amount: 1 }], asked: 1 });
  });

  it.each([
    [
      "unknown names",
      "for name in ['', 'nothing', '__proto__', 'constructor', '!', 'toString', 'x' * 100_000 if False else 'x' * 10_000]: send(request(name=name, number=hash(name) % 2**40))",
    ],
    ["wrong numbers", "for n in [-1, 1.5, 2**53, 10**30, 'x', None, [], True]: send(request(number=n))"],
    ["other clients", "for c in ['', 'x', None, 5, client + 'x']: send(request(client=c))"],
    [
      "no messages",
      "for raw in [b'', b'x', b'\\xff' * 100, struct.pack('<I', 2**32 - 1), struct.pack('<I', 2) + b'{}', struct.pack('<I', 4) + b'null', struct.pack('<I', 2) + b'[]']: send(None, raw=raw)",
    ],
    [
      "halves of messages",
      "send(None, flags=2, raw=b'half')\nsend(None, flags=34, raw=b'half')\nsend(None, flags=32, raw=b'end')",
    ],
    ["flags of other messages", "for flags in range(64): send(request(number=flags, name='nothing'), flags=flags & ~34)"],
    [
      "nonsense among the values",
      "for i, v in enumerate([{'$': 'x'}, {'$': 'array'}, {'$': 'bigint', 'value': 'x'}, {'$': 'array', 'dtype': '__proto__', 'shape': [1], 'data': 1}, {'__proto__': {'amount': 1}}]): send(request(number=i, value=v))",
    ],
    [
      "buffers without a place",
      "for i, b in enumerate([[[['a', 'b'], 1]], [[[], 1]], [[['value', 'x', 'y'], 2**40]], 'x', [[['__proto__', 'amount'], 1]], [[['client'], 1]]]): send(request(number=i, buffers=b, value={}))",
    ],
    [
      "deep nesting",
      'payload = b\'{"type":"host_call_request","client":"\' + client.encode() + b\'","number":1,"name":"pay","done":[],"value":\' + b\'[\' * 15000 + b\']\' * 15000 + b\'}\'\nsend(None, raw=struct.pack(\'<I\', len(payload)) + payload)',
    ],
    [
      "cancellations of what is not open",
      "for n in [0, 1, 2**50, 'x']: send({'type': 'host_call_cancel', 'client': client, 'number': n})",
    ],
  ])("harms nobody by %s", async (_, code) => {
    verifies("HOST-03");
    expect(await forging(code, () => true)).toEqual({ calls: [], asked: 0 });
  });

  it("is refused more calls at once than there may be", async () => {
    verifies("HOST-03");
    await using client = await sandbox.connect();
    let open = 0;
    await client.expose({ hang: { handler: () => ((open += 1), new Promise<never>(() => undefined)) } });
    await client.execute(`${FORGE}for n in range(5_000): send(request(number=n, name='hang'))`);
    await eventually(() => open === 4_096);
    const error = await rejection(client.execute("from host import hang\nhang()"), ExecutionError);
    expect(error.message).toContain("4096 calls of this kernel wait for their answers already");
    expect(open).toBe(4_096);
  });

  it("can't send more arguments than there may be", async () => {
    verifies("HOST-03");
    await using client = await sandbox.connect();
    await client.expose({ keep: { input: z.object({ value: z.any() }), handler: () => 1 } });
    const error = await rejection(client.execute("from host import keep\nkeep(bytes(300 * 2**20))"), ExecutionError);
    expect(error.message).toContain("ValueError: the arguments have 3145");
    expect((await client.execute("keep(bytes(20))")).text).toBe("1");
  });

  it("gets an error for a value that is too long to be sent", async () => {
    verifies("HOST-03");
    await using client = await sandbox.connect();
    await client.expose({ huge: { handler: () => new Uint8Array(257 * 2 ** 20) }, probe: { handler: () => 1 } });
    const error = await rejection(client.execute("from host import huge, probe\nhuge()"), ExecutionError);
    expect(error.message).toContain("HostError: the value has 26948");
    expect((await client.execute("probe()")).text).toBe("1");
  });
});
