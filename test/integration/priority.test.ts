import { describe, expect, it } from "vitest";
import { verifies } from "../requirements.ts";
import { useContainer } from "./sandbox.ts";

const sandbox = useContainer();

/** `nice` of the kernel, of a thread and of processes that it starts, and of the agent. */
const LOOK = `
import os, subprocess, threading
nice = lambda pid=0: os.getpriority(os.PRIO_PROCESS, pid)
seen = [nice()]
thread = threading.Thread(target=lambda: seen.append(nice(threading.get_native_id())))
thread.start(); thread.join()
read, write = os.pipe()
if os.fork() == 0:
    os.write(write, str(nice()).encode()); os._exit(0)
seen.append(int(os.read(read, 10)))
seen.append(int(subprocess.check_output(["nice"])))
seen.append(nice(next(int(pid) for pid in os.listdir("/proc") if pid.isdigit() and b"agent.cjs" in open(f"/proc/{pid}/cmdline", "rb").read())))
seen`;

const PRIORITIES = "[-10, 0, 0, 0, -12]";

/** `nice` of the agent's threads: its own, and how many have which. */
const AGENT_THREADS = `
import collections, os
agent = next(pid for pid in os.listdir("/proc") if pid.isdigit() and b"agent.cjs" in open(f"/proc/{pid}/cmdline", "rb").read())
names = {thread: open(f"/proc/{agent}/task/{thread}/comm").read().strip() for thread in os.listdir(f"/proc/{agent}/task")}
print(sorted({(names[thread] == "libuv-worker", os.getpriority(os.PRIO_PROCESS, int(thread))) for thread in names if thread != agent}))`;

describe("priorities in a container", () => {
  it("put the threads in which the agent's code is compiled behind kernels, and its file threads not", async () => {
    verifies("LIFE-04");
    await using client = await sandbox.connect();
    expect((await client.execute(AGENT_THREADS)).text).toBe("[(False, -5), (True, -12)]");
  });

  it("are the agent's first, then a kernel's, a fork's too, then those of what a kernel starts", async () => {
    verifies("LIFE-04", "SEC-04");
    await using client = await sandbox.connect();
    expect((await client.execute(LOOK)).text).toBe(PRIORITIES);
    await using fork = await client.fork();
    expect((await fork.execute(LOOK)).text).toBe(PRIORITIES);
    await using forkOfFork = await fork.fork();
    expect((await forkOfFork.execute(LOOK)).text).toBe(PRIORITIES);
    await client.reset();
    expect((await client.execute(LOOK)).text).toBe(PRIORITIES);
  });

  it.each([
    ["a higher one", "os.setpriority(os.PRIO_PROCESS, 0, -11)"],
    ["one for its children", "os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))"],
    ["real time", "os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))"],
    ["the agent's, lowered", "os.setpriority(os.PRIO_PROCESS, 1, 19)"],
  ])("can't be had by a cell: %s", async (_, statement) => {
    verifies("LIFE-04", "SEC-04");
    await using client = await sandbox.connect();
    const code = `import os\ntry: ${statement}\nexcept PermissionError as error: print(type(error).__name__)`;
    expect((await client.execute(code)).text).toBe("PermissionError");
  });
});
