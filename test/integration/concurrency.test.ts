import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { verifies } from "../requirements.ts";
import { eventually, useContainer } from "./sandbox.ts";

const sandbox = useContainer();

describe("many clients of one container", () => {
  it("have kernels of their own, all at once: 64", async () => {
    verifies("KERN-01");
    const clients = await Promise.all(Array.from({ length: 64 }, () => sandbox.connect()));
    await Promise.all(clients.map((client, index) => client.execute(`mine = ${index}`)));
    const answers = await Promise.all(
      clients.map((client) => client.execute("print(mine, len([n for n in globals() if n == 'mine']))")),
    );
    expect(answers.map(({ text }) => text)).toEqual(clients.map((_, index) => `${index} 1`));
    await Promise.all(clients.map((client) => client.disconnect()));
  });

  it("run their cells side by side: none waits for another's", async () => {
    verifies("KERN-01");
    const clients = await Promise.all(Array.from({ length: 8 }, () => sandbox.connect()));
    // Each waits until all have come: one after the other they never would.
    const code =
      "import os, time\nopen(f'/tmp/here-{os.getpid()}', 'w').close()\nwhile sum(n.startswith('here-') for n in os.listdir('/tmp')) < 8: time.sleep(0.01)\nprint('all here')";
    const answers = await Promise.all(clients.map((client) => client.execute(code, { timeoutMs: 20_000 })));
    expect(answers.map(({ text }) => text)).toEqual(Array(8).fill("all here"));
    await Promise.all(clients.map((client) => client.disconnect()));
  });

  it("each get the output of their own 100 executions", async () => {
    verifies("KERN-01", "EXEC-10");
    const clients = await Promise.all(Array.from({ length: 16 }, () => sandbox.connect()));
    await Promise.all(
      clients.map(async (client, index) => {
        const executions = Array.from({ length: 100 }, (_, round) => client.submit(`print('${index}', '${round}' * 3)`));
        const texts = (await Promise.all(executions.map((execution) => execution.result()))).map(({ text }) => text);
        expect(texts).toEqual(executions.map((_, round) => `${index} ${String(round).repeat(3)}`));
      }),
    );
    await Promise.all(clients.map((client) => client.disconnect()));
  });

  it("share with each other what they do not change: at most 4 MB are a kernel's own after small cells", async () => {
    verifies("KERN-01");
    const cells = [
      "x = 1",
      "print(x)",
      "def f(n): return [i * i for i in range(n)]",
      "sum(f(100))",
      "import json; json.dumps(f(3))",
    ];
    const own = "sum(int(line.split()[1]) for line in open('/proc/self/smaps_rollup') if line.startswith('Private')) / 1024";
    const ownOfFresh = async (): Promise<number> => {
      await using client = await sandbox.connect();
      for (const cell of cells) await client.execute(cell);
      return Number((await client.execute(own)).text);
    };
    // Those that came before the zygote had time to warm up have more.
    await eventually(async () => {
      await delay(500);
      return (await ownOfFresh()) <= 4;
    });
  });

  it("begin alike, whether a process has waited for them or was forked for them", async () => {
    verifies("KERN-01");
    await using watcher = await sandbox.connect();
    // What is root's, and leads a session of its own as kernels do.
    const code = `
import glob, os
zygote = open("/proc/self/stat").read().split()[3]
def waiting():
    for path in glob.glob("/proc/[0-9]*/stat"):
        try: pid, _, _, parent, _, session = open(path).read().split()[:6]
        except OSError: continue  # it has ended
        if parent == zygote and session == pid and os.stat(os.path.dirname(path)).st_uid == 0: return pid`;
    await watcher.execute(code);
    const waiting = async (): Promise<string> => (await watcher.execute("print(waiting())")).text ?? "";
    let expected = "";
    await eventually(async () => {
      expected = await waiting();
      await delay(300); // within which the zygote warms up further, and makes another one
      return /^\d+$/.test(expected) && expected === (await waiting());
    });
    const clients = await Promise.all([sandbox.connect(), sandbox.connect()]);
    const look =
      "import os, random, sys\n" +
      "shell = get_ipython()\n" +
      "names = sorted(set(globals()) - {'os', 'random', 'sys', 'shell'})\n" +
      "print(os.getpid(), [names, _, __, ___, Out, len(In), shell.execution_count, shell.displayhook._, os.nice(0), sys.argv])";
    const answers = await Promise.all(clients.map(async (client) => (await client.execute(look)).text ?? ""));
    const pids = answers.map((answer) => answer.split(" ", 1)[0]);
    const [first, second] = answers.map((answer) => answer.slice(answer.indexOf(" ")));
    expect(pids.filter((pid) => pid === expected)).toHaveLength(1);
    expect(first).toBe(second);
    expect(first).toContain("'', '', '', {}, 2, 2, ''");
    for (const client of clients) {
      await client.execute("11");
      expect((await client.execute("_, get_ipython().user_ns_hidden.get('_')")).text).toBe("(11, 11)");
    }
    await Promise.all(clients.map((client) => client.disconnect()));
  });
});
