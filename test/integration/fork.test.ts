import { describe, expect, it } from "vitest";
import { ExecutionClient, ExecutionError, IpyboxError, KernelDiedError } from "ipybox";
import { verifies } from "../requirements.ts";
import { eventually, rejection, settled, useContainer } from "./sandbox.ts";

const sandbox = useContainer();

async function texts(clients: readonly ExecutionClient[], code: string): Promise<(string | null)[]> {
  return (await Promise.all(clients.map((client) => client.execute(code)))).map(({ text }) => text);
}

describe("fork()", () => {
  it("gives a client whose kernel has all state; from then on the two differ", async () => {
    verifies("KERN-03");
    await using parent = await sandbox.connect();
    await parent.execute("import os\nx = [1]\nclass Point: pass\np = Point(); p.x = 5\nfrom math import pi");
    await using fork = await parent.fork();
    expect(fork.kernelId).not.toBe(parent.kernelId);
    expect((await fork.execute("x.append(2)\nprint(x, p.x, type(p).__name__, round(pi, 2), len(In))")).text).toBe(
      "[1, 2] 5 Point 3.14 3",
    );
    expect((await parent.execute("x.append(3); x")).text).toBe("[1, 3]");
    const [one, other] = await texts([parent, fork], "os.getpid(), os.environ['IPYBOX_KERNEL_ID']");
    expect(one).not.toBe(other);
    expect(other).toContain(fork.kernelId);
  });

  it("waits for what was submitted before it", async () => {
    verifies("KERN-03");
    await using parent = await sandbox.connect();
    const slow = parent.submit("import time; time.sleep(0.3); done = True");
    const forking = parent.fork();
    const after = parent.submit("done = 'changed'");
    await using fork = await forking;
    expect((await fork.execute("done")).text).toBe("True");
    await Promise.all([slow.result(), after.result()]);
  });

  it("has output of its own: streams, descriptors, subprocesses, displays, old references", async () => {
    verifies("KERN-03");
    await using parent = await sandbox.connect();
    await parent.execute("import sys, os, logging\nold = sys.stdout\nlogging.basicConfig(stream=sys.stderr)");
    await using fork = await parent.fork();
    const code =
      "print('print')\nos.write(1, b'descriptor\\n')\nos.system('echo subprocess')\nold.write('old\\n')\nlogging.error('log')\ndisplay('shown')";
    const { text } = await fork.execute(`${code};`);
    expect(text).toBe("print\ndescriptor\nsubprocess\nold\nERROR:root:log\n'shown'");
    expect((await parent.execute(`${code};`)).text).toBe(text);
  });

  it("can be interrupted, reset, forked and killed apart from its parent", async () => {
    verifies("KERN-03", "KERN-04");
    await using parent = await sandbox.connect();
    await parent.execute("x = 1");
    await using fork = await parent.fork();
    const endless = fork.submit("print('on')\nwhile True: pass");
    for await (const _ of endless.stream({ onExit: "detach" })) break;
    await endless.interrupt();
    expect((await rejection(endless.result(), ExecutionError)).errorName).toBe("KeyboardInterrupt");
    expect((await fork.execute("x")).text).toBe("1");
    const died = await rejection(fork.execute("import os; os._exit(9)"), KernelDiedError);
    expect(died).toMatchObject({ reason: "exited", exitCode: 9 });
    expect((await fork.execute("'x' in globals()")).freshKernel).toBe(true);
    await fork.reset();
    expect((await parent.execute("x")).text).toBe("1");
  });

  it("reseeds Python's random, and leaves open files as os.fork() does", async () => {
    verifies("KERN-03");
    await using parent = await sandbox.connect();
    await parent.execute(
      "import random\nrandom.seed(1)\nfile = open('/tmp/shared.txt', 'w+')\n_ = file.write('from the parent\\n'); file.flush()",
    );
    await using fork = await parent.fork();
    const [one, other] = await texts([parent, fork], "random.random()");
    expect(one).not.toBe(other);
    await fork.execute("_ = file.write('from the fork\\n'); file.flush()");
    expect((await parent.execute("print(open('/tmp/shared.txt').read())")).text).toBe("from the parent\nfrom the fork");
  });

  it.each(["%%bash\necho first", "%%bash --bg --out kept\necho first; sleep 60"])(
    "can run scripts, though its parent has: %j",
    async (first) => {
      verifies("KERN-03");
      await using parent = await sandbox.connect();
      await parent.execute(first);
      await using fork = await parent.fork();
      for (const client of [fork, parent, fork]) {
        expect((await client.execute("%%bash\necho a script", { timeoutMs: 20_000 })).stdout).toBe("a script\n");
      }
      const inChild =
        "import os\npid = os.fork()\nif pid == 0:\n    get_ipython().run_cell_magic('bash', '', 'echo of a child')\n    os._exit(0)\nos.waitpid(pid, 0)[1]";
      const { stdout, text } = await fork.execute(inChild, { timeoutMs: 20_000 });
      expect([stdout, text]).toEqual(["of a child\n", expect.stringMatching(/0$/)]);
    },
  );

  it("leaves threads and pending tasks to its parent", async () => {
    verifies("KERN-03");
    await using parent = await sandbox.connect();
    await parent.execute(
      "import asyncio, threading, time\nticks = 0\nrunning = True\ndef tick():\n    global ticks\n    while running: ticks += 1; time.sleep(0.001)\n" +
        "thread = threading.Thread(target=tick); thread.start()\nasync def later():\n    await asyncio.sleep(0.1)\n    return 'done'\ntask = asyncio.ensure_future(later())\nawait asyncio.sleep(0)",
    );
    await using fork = await parent.fork();
    expect((await fork.execute("before = ticks\ntime.sleep(0.05)\nticks - before, thread.is_alive()")).text).toBe("(0, False)");
    expect((await fork.execute("await asyncio.sleep(0.01)\n'a loop of its own'")).text).toBe("'a loop of its own'");
    expect((await parent.execute("await task")).text).toBe("'done'");
    expect((await parent.execute("running = False\nthread.join()\nticks > 0")).text).toBe("True");
  });
});

describe("forks", () => {
  it("come in numbers, and outlive their parent; forks of forks, too", async () => {
    verifies("KERN-04");
    const parent = await sandbox.connect();
    await parent.execute("x = 'root'");
    const forks = await parent.fork({ count: 8 });
    expect(forks).toHaveLength(8);
    await parent.disconnect();
    await Promise.all(forks.map((fork, index) => fork.execute(`x += '-${index}'`)));
    expect(await texts(forks, "print(x)")).toEqual(forks.map((_, index) => `root-${index}`));
    await using grandchild = await (forks[3] ?? parent).fork();
    await Promise.all(forks.map((fork) => fork.disconnect()));
    expect((await grandchild.execute("print(x)")).text).toBe("root-3");
  });

  it("go on for more than 16 generations, and stay what Linux ends first", async () => {
    verifies("KERN-04", "SEC-04");
    let client = await sandbox.connect();
    await client.execute("generation = 0");
    for (let generation = 1; generation <= 20; generation += 1) {
      const next = await client.fork();
      await client.disconnect();
      client = next;
      expect((await client.execute("generation += 1; generation")).text).toBe(String(generation));
      expect((await client.execute("!echo 500 > /proc/self/oom_score_adj; cat /proc/self/oom_score_adj")).text).toMatch(
        /\b1000$/,
      );
    }
    await client.disconnect();
  });

  it("leave no process behind", async () => {
    verifies("KERN-04");
    await using watcher = await sandbox.connect();
    // Its own, and whatever other kernels this file's tests leave to be reaped; not root's, of which one may wait to be a kernel.
    const count = async (): Promise<number> =>
      Number(
        (
          await watcher.execute(
            "len([p for p in os.listdir('/proc') if p.isdigit() and os.stat(f'/proc/{p}').st_uid == os.getuid()])",
          )
        ).text,
      );
    await watcher.execute("import os");
    const before = await settled(count);
    const parent = await sandbox.connect();
    const forks = await parent.fork({ count: 6 });
    expect(await count()).toBe(before + 7);
    await Promise.all([...forks, parent].map((client) => client.disconnect()));
    await eventually(async () => (await count()) === before);
  });

  it("are errors where there is no room for them, and nothing else breaks", async () => {
    verifies("KERN-03");
    await using client = await sandbox.connect();
    await client.execute("x = 1\nimport resource\nresource.setrlimit(resource.RLIMIT_NPROC, (0, 0))");
    const error = await rejection(client.fork({ timeoutMs: 5_000 }), IpyboxError);
    expect(error.code).toBe("kernel_start_failed");
    expect(error.message).toContain("can't be forked");
    expect((await client.execute("x")).text).toBe("1");
    for (const options of [{ count: 0 }, { count: 1.5 }, { count: "2" }, { number: 2 }]) {
      expect((await rejection(client.fork(options as object), IpyboxError)).code).toBe("invalid_option");
    }
  });
});

describe("a fork that takes too long", () => {
  const SLOW = "import os, time\nos.register_at_fork(after_in_child=lambda: time.sleep(3))";

  it.each([
    { what: "its time limit", options: () => ({ timeoutMs: 300 }), name: "ExecutionTimeoutError" },
    { what: "a signal", options: () => ({ signal: AbortSignal.timeout(300) }), name: "TimeoutError" },
  ])("is given up after $what, and goes when it is there; its parent goes on", async ({ options, name }) => {
    verifies("KERN-03", "TIME-01");
    await using watcher = await sandbox.connect();
    const kernels = async (): Promise<string | null> =>
      (await watcher.execute("!grep -lzs ^IPYBOX_KERNEL_ID= /proc/[0-9]*/environ | wc -l")).text;
    await using parent = await sandbox.connect();
    await parent.execute(SLOW);
    const before = await settled(kernels);
    const startedAt = performance.now();
    expect(await rejection(parent.fork(options()), Error)).toMatchObject({ name });
    // The fork takes 3 s.
    expect(performance.now() - startedAt).toBeLessThan(2_500);
    expect((await parent.execute("'goes on'")).text).toBe("'goes on'");
    await eventually(async () => (await kernels()) === before);
  });

  it("is waited for without a limit", async () => {
    verifies("KERN-03", "TIME-01");
    await using parent = await sandbox.connect();
    await parent.execute(`x = 1\n${SLOW}`);
    await using fork = await parent.fork({ timeoutMs: null });
    expect((await fork.execute("x")).text).toBe("1");
  });
});

describe("a fork of several that fails", () => {
  const failAfter = (forks: number): string =>
    `import sys, errno\nforking = sys.modules['ipybox_kernel.forking']\nreal, left = forking.fork_orphan, ${forks}\n` +
    "def limited():\n    global left\n    left -= 1\n    if left < 0: raise OSError(errno.EAGAIN, 'full')\n    return real()\n" +
    "forking.fork_orphan = limited";

  it.each([0, 1, 2])("after %d ends those that there are, and leaves nothing in the way of later ones", async (forks) => {
    verifies("KERN-03", "KERN-04");
    await using watcher = await sandbox.connect();
    const kernels = async (): Promise<string | null> =>
      (await watcher.execute("!grep -lzs ^IPYBOX_KERNEL_ID= /proc/[0-9]*/environ | wc -l; ls /proc | grep -c '^[0-9]'")).text;
    await using parent = await sandbox.connect();
    await parent.execute(`x = 'kept'\n${failAfter(forks)}`);
    const before = await settled(kernels);
    expect((await rejection(parent.fork({ count: 3 }), IpyboxError)).code).toBe("kernel_start_failed");
    await eventually(async () => (await kernels()) === before);
    await parent.execute("forking.fork_orphan = real");
    for (let round = 0; round < 2; round += 1) {
      await using fork = await parent.fork();
      expect((await fork.execute("x")).text).toBe("'kept'");
    }
  });
});

describe("fresh kernels", () => {
  it("never share a random seed", async () => {
    verifies("KERN-03");
    await using one = await sandbox.connect();
    await using other = await sandbox.connect();
    const code = "import random, uuid, secrets\nprint(random.random(), uuid.uuid4(), uuid.uuid1(), secrets.token_hex())";
    const [a, b] = await texts([one, other], code);
    const parts = [...(a ?? "").split(" "), ...(b ?? "").split(" ")];
    expect(new Set(parts).size).toBe(8);
  });
});

describe("reset()", () => {
  it("gives a fresh process; files stay", async () => {
    verifies("KERN-02");
    await using client = await sandbox.connect();
    await client.execute("x = 1\n_ = open('/app/kept.txt', 'w').write('kept')");
    await client.reset();
    const result = await client.execute("print('x' in globals(), open('/app/kept.txt').read())");
    expect(result).toMatchObject({ text: "False kept", freshKernel: true, executionCount: 1 });
  });

  it("ends what runs and aborts what waits", async () => {
    verifies("KERN-02");
    await using client = await sandbox.connect();
    const running = client.submit("print('on')\nwhile True: pass");
    for await (const _ of running.stream({ onExit: "detach" })) break;
    const waiting = client.submit("print('never')");
    const asked = client.get("x");
    const [failed, aborted, unanswered] = [
      rejection(running.result(), KernelDiedError),
      rejection(waiting.result(), IpyboxError),
      rejection(asked, IpyboxError),
    ];
    await client.reset();
    expect((await failed).reason).toBe("reset");
    expect((await failed).result.text).toBe("on");
    expect((await aborted).code).toBe("execution_aborted");
    expect((await unanswered).code).toBe("execution_aborted");
    expect((await client.execute("40 + 2")).text).toBe("42");
  });

  it("leaves alone what is submitted after it", async () => {
    verifies("KERN-02");
    await using client = await sandbox.connect();
    for (let round = 0; round < 5; round += 1) {
      const running = client.submit("while True: pass");
      const failed = rejection(running.result(), KernelDiedError);
      const reset = client.reset();
      const after = client.execute("print('after')");
      await reset;
      expect(await after).toMatchObject({ text: "after", freshKernel: true });
      expect((await failed).reason).toBe("reset");
    }
  });

  it("may be called at once and again", async () => {
    verifies("KERN-02");
    await using client = await sandbox.connect();
    await Promise.all([client.reset(), client.reset(), client.reset()]);
    expect((await client.execute("40 + 2")).text).toBe("42");
  });
});
