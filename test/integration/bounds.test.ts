import { describe, expect, it } from "vitest";
import { ExecutionClient, ExecutionContainer, ExecutionError, IpyboxError, KernelDiedError } from "ipybox";
import { verifies } from "../requirements.ts";
import { inspect, ownContainers } from "./docker.ts";
import { eventually, rejection, useContainer } from "./sandbox.ts";

const MIB = 2 ** 20;

/** Another kernel of the same container has lost nothing and goes on. */
async function notices(neighbour: ExecutionClient): Promise<void> {
  const { text, freshKernel } = await neighbour.execute("open('/tmp/neighbour', 'w').write(str(kept)); kept");
  expect([text, freshKernel]).toEqual(["7", false]);
}

describe("bounds of processes", () => {
  const sandbox = useContainer({ openFilesLimit: 1_024, coreBytes: 4 * MIB, logBytes: MIB });

  it("end opening files, sockets and pipes; the neighbour goes on", async () => {
    verifies("SEC-03");
    await using neighbour = await sandbox.connect();
    await neighbour.execute("kept = 7");
    await using client = await sandbox.connect();
    for (const open of ["open('/dev/null')", "socket.socket()", "socket.socket(socket.AF_UNIX)", "os.memfd_create('x')"]) {
      const code = `import os, socket\nheld = []\ntry:\n    while len(held) < 5000: held.append(${open})\nexcept OSError as error:\n    print(error.errno, 900 < len(held) < 1024)\ndel held`;
      expect((await client.execute(code)).text).toBe("24 True");
    }
    await notices(neighbour);
    await using another = await sandbox.connect();
    expect((await another.execute("40 + 2")).text).toBe("42");
  });

  it("bound a core dump by what was asked for, and by default leave none", async () => {
    verifies("SEC-03");
    const code = "import resource; resource.getrlimit(resource.RLIMIT_CORE)";
    await using client = await sandbox.connect();
    expect((await client.execute(code)).text).toBe(`(${4 * MIB}, ${4 * MIB})`);
    await using plain = await ExecutionContainer.create();
    await using other = await clientOf(plain);
    const crash =
      "import os, resource, subprocess\nos.chdir('/tmp')\nsubprocess.run(['/bin/sh', '-c', 'kill -SEGV $$']).returncode, os.listdir('/tmp')";
    expect((await other.execute(crash)).text).toBe("(-11, [])");
  });

  it("bound locked memory and message queues", async () => {
    verifies("SEC-03");
    await using client = await sandbox.connect();
    const lock = "import ctypes, mmap\nlibc = ctypes.CDLL(None, use_errno=True)\nlibc.mlockall(3), ctypes.get_errno()";
    expect((await client.execute(lock)).text).toBe("(-1, 12)");
    const queue = [
      "import ctypes",
      "class Attributes(ctypes.Structure): _fields_ = [(name, ctypes.c_long) for name in ('flags', 'maxmsg', 'msgsize', 'curmsgs')] + [('rest', ctypes.c_long * 4)]",
      "opened = 0",
      "while opened < 100 and libc.mq_open(f'/probe-{opened}'.encode(), 0o102, 0o600, ctypes.byref(Attributes(0, 10, 8192, 0))) >= 0: opened += 1",
      "for number in range(opened): libc.mq_unlink(f'/probe-{number}'.encode())",
      "0 < opened < 10, ctypes.get_errno()",
    ].join("\n");
    expect((await client.execute(queue)).text).toBe("(True, 24)");
  });

  it("show in docker inspect: the log's size, too", async () => {
    verifies("SEC-03");
    const config = (await inspect(sandbox.container.id))?.HostConfig;
    expect(config?.LogConfig).toEqual({ Type: "json-file", Config: { "max-size": String(MIB / 2), "max-file": "2" } });
    expect(config?.Ulimits).toContainEqual({ Name: "nofile", Soft: 1_024, Hard: 1_024 });
  });
});

/** How many directories of the name `d` are below each other at the most. */
const DEEPEST = `
import os
def depth(path):
    deep, here = 0, os.open(path, os.O_RDONLY)
    while True:
        try: below = os.open('d', os.O_RDONLY, dir_fd=here)
        except FileNotFoundError: below = None
        os.close(here)
        if below is None: return deep
        deep, here = deep + 1, below
max(depth(entry.path) for entry in os.scandir('/home/ipybox') if entry.is_dir(follow_symlinks=False))`;

const LIMIT = 48 * MIB;

describe("the bound of the disk", () => {
  const sandbox = useContainer({ diskBytes: LIMIT });

  it("refuses a file that is larger than all of it, at once, and the kernel lives on", async () => {
    verifies("SEC-03");
    await using client = await sandbox.connect();
    await client.execute("kept = 7");
    const error = await rejection(client.execute(`open('/tmp/large', 'wb').write(bytes(${LIMIT + MIB}))`), ExecutionError);
    expect(error.message).toContain("File too large");
    const sparse = await rejection(client.execute("open('/tmp/sparse', 'wb').truncate(1 << 50)"), ExecutionError);
    expect(sparse.message).toContain("File too large");
    // Longer than it takes until a full disk ends whoever has filled it.
    const { text, freshKernel } = await client.execute("import time; time.sleep(2); kept");
    expect([text, freshKernel]).toEqual(["7", false]);
    await client.execute("!rm -f /tmp/large /tmp/sparse");
  });

  it.each([
    ["many files", "for i in range(10_000):\n    open(f'/home/ipybox/{i}', 'wb').write(bytes(1 << 20)); time.sleep(0.005)"],
    [
      "files in the virtual environment",
      "for i in range(10_000):\n    open(f'/venv/{i}', 'wb').write(bytes(1 << 20)); time.sleep(0.005)",
    ],
    ["many empty files", "for i in range(1_000_000): open(f'/home/ipybox/{i}', 'w').close()"],
    [
      "files in a directory that is closed",
      "os.mkdir('/home/ipybox/closed'); os.chdir('/home/ipybox/closed'); os.chmod('.', 0o300)\nfor i in range(10_000):\n    open(f'{i}', 'wb').write(bytes(1 << 20)); time.sleep(0.005)",
    ],
    [
      "files that have no name any more",
      "held = []\nfor i in range(1_000):\n    held.append(open('/tmp/gone', 'w+b')); os.remove('/tmp/gone'); held[-1].write(bytes(1 << 20)); held[-1].flush(); time.sleep(0.005)",
    ],
    [
      "room that is only reserved",
      "for i in range(3): os.posix_fallocate(os.open(f'/home/ipybox/{i}', os.O_CREAT | os.O_WRONLY), 0, 40 << 20)",
    ],
    [
      "a process that it started",
      "import subprocess\nsubprocess.run(['/bin/sh', '-c', 'i=0; while :; do i=$((i+1)); head -c 1000000 /dev/zero > /home/ipybox/$i; done'])",
    ],
  ])("ends a kernel that fills it with %s, and no other", async (_, code) => {
    verifies("SEC-03", "KERN-05");
    await using neighbour = await sandbox.connect();
    await neighbour.execute("kept = 7");
    await using client = await sandbox.connect();
    const cell = `import os, time\nprint('begun')\n${code}\nprint('done')\ntime.sleep(30)`;
    const error = await rejection(client.execute(cell, { timeoutMs: 40_000 }), KernelDiedError);
    expect(error).toMatchObject({ reason: "disk", limitBytes: LIMIT, stateLost: true });
    expect(error.peakBytes).toBeGreaterThan(LIMIT);
    expect(error.message).toContain("diskBytes");
    expect(error.result.text).toContain("begun");
    await notices(neighbour);
    // The disk stays full until somebody makes room: who does, is not ended.
    const clean =
      "!chmod -R u+rwx /home/ipybox; find /home/ipybox /venv/[0-9]* -mindepth 0 -path /home/ipybox -o -delete 2> /dev/null; ls /home/ipybox";
    const { text, freshKernel } = await client.execute(clean, { timeoutMs: 40_000 });
    expect([text, freshKernel]).toEqual([null, true]);
    await new Promise((resolve) => setTimeout(resolve, 500)); // so that the room is seen before the next takes it
  });

  it("ends a kernel that nests directories deeper than any path, and they can still be removed", async () => {
    verifies("SEC-03", "LIFE-04");
    const container = await ExecutionContainer.create({ diskBytes: LIMIT });
    await using client = await clientOf(container);
    const code = "import os\nos.chdir('/home/ipybox')\nfor i in range(1_000_000):\n    os.mkdir('d'); os.chdir('d')";
    const error = await rejection(client.execute(code, { timeoutMs: 50_000 }), KernelDiedError);
    expect(error.reason).toBe("disk");
    // Once nobody adds to them they are cut, so that each piece is within what an engine can open at a time.
    await eventually(async () => Number((await client.execute(DEEPEST, { timeoutMs: 20_000 })).text) <= 2_048, 40_000);
    const { id } = container;
    await container.kill();
    expect(await inspect(id)).toBeUndefined();
  }, 120_000);

  it("deletes directories that are nested deeper than the daemon may open, also where nothing has cut them", async () => {
    verifies("SEC-03", "LIFE-04");
    const before = await ownContainers();
    const container = await ExecutionContainer.create();
    await using client = await clientOf(container);
    // Files without rights, links and names that are taken are no obstacle.
    const code =
      "import os\nos.chdir('/home/ipybox')\nos.mkdir('0'); os.symlink('/', '1'); os.mkdir('d', 0o700); os.chmod('0', 0)\n" +
      "os.chdir('d')\nfor i in range(25_000):\n    os.mkdir('d'); os.chdir('d')\n" +
      "open('file', 'w').close(); os.chmod('file', 0); os.mkdir('empty', 0); os.chmod('.', 0o500)";
    await client.execute(code, { timeoutMs: 50_000 });
    const { id } = container;
    await container.kill();
    expect(await inspect(id)).toBeUndefined();
    expect(await ownContainers()).toEqual(before);
  }, 180_000);

  it("ends a process that was set apart from its kernel, and leaves the kernel", async () => {
    verifies("SEC-03");
    await using client = await sandbox.connect();
    const start =
      "import subprocess\nwriter = subprocess.Popen(['/bin/sh', '-c', 'i=0; while :; do i=$((i+1)); head -c 1000000 /dev/zero > /home/ipybox/$i; done'], start_new_session=True)\nwriter.wait(40)";
    const { text, freshKernel } = await client.execute(start, { timeoutMs: 60_000 });
    expect([text, freshKernel]).toEqual(["-9", false]);
    await client.execute("!find /home/ipybox -mindepth 1 -delete");
  });

  it("does not count what was there before, or what is not on it", async () => {
    verifies("SEC-03");
    await using client = await sandbox.connect();
    const used =
      "import subprocess, time\nsubprocess.run(['du', '-sm', '/usr', '/venv'], capture_output=True, text=True).stdout.split()[0], open('/dev/shm/x', 'wb').write(bytes(40 << 20)), time.sleep(12)";
    const { text, freshKernel } = await client.execute(used);
    expect(Number(/\d+/.exec(text ?? "")?.[0])).toBeGreaterThan(100);
    expect(freshKernel).toBe(false);
    await client.execute("import os; os.remove('/dev/shm/x')");
  });
});

it("the bound of the disk holds while a cell has all the processes that there may be, so that none can measure", async () => {
  verifies("SEC-03", "LIFE-04");
  await using container = await ExecutionContainer.create({ diskBytes: LIMIT, pidsLimit: 100 });
  await using neighbour = await ExecutionClient.connect({ port: container.port });
  await neighbour.execute("kept = 1");
  await using client = await ExecutionClient.connect({ port: container.port });
  const filling = client.execute(
    `
import os, time
try:
    while True:
        if os.fork() == 0:
            time.sleep(120)
            os._exit(0)
except OSError:
    pass
for number in range(2_000):
    with open(f"/app/{number}", "wb") as file:
        file.write(os.urandom(1 << 20))
    time.sleep(0.01)`,
    { timeoutMs: 60_000 },
  );
  const error = await rejection(filling, KernelDiedError);
  expect(error).toMatchObject({ reason: "disk", limitBytes: LIMIT });
  expect((await neighbour.execute("kept")).text).toBe("1");
});

it("without a bound of the disk, files may be as large as they like", async () => {
  verifies("SEC-03");
  await using container = await ExecutionContainer.create({ diskBytes: null });
  await using client = await clientOf(container);
  expect((await client.execute("import resource; resource.getrlimit(resource.RLIMIT_FSIZE)")).text).toBe("(-1, -1)");
});

it.each([
  [{ openFilesLimit: 1_023 }, "openFilesLimit", "1024 or more"],
  [{ coreBytes: -1 }, "coreBytes", "0 bytes or more"],
  [{ logBytes: 1 }, "logBytes", "65536 bytes or more"],
  [{ diskBytes: 1 }, "diskBytes", "16777216 bytes or more"],
  [{ readonlyRoot: 1 }, "readonlyRoot", "true or false"],
  [{ runtime: "../x" }, "runtime", "name of a runtime"],
  [{ dangerouslyAllowSyscalls: ["Not A Call"] }, "dangerouslyAllowSyscalls.0", "name of a system call"],
])("%j is refused", (options, field, text) => {
  verifies("SEC-03", "SEC-05");
  expect(() => new ExecutionContainer(options as never)).toThrow(new RegExp(`"${field}".*${text}`));
});

it("a runtime that the daemon does not have is an error before the start, and nothing is left", async () => {
  verifies("SEC-08");
  const error = await rejection(ExecutionContainer.create({ runtime: "runsc-absent" }), IpyboxError);
  expect(error).toMatchObject({ code: "invalid_option", details: { field: "runtime", given: "runsc-absent" } });
  expect(error.message).toContain("runc");
  expect(await ownContainers()).toEqual([]);
  await using container = await ExecutionContainer.create({ runtime: "runc" });
  expect((await inspect(container.id))?.HostConfig.Runtime).toBe("runc");
});

describe("a read-only root", () => {
  const sandbox = useContainer({ readonlyRoot: true });

  it("leaves cells their directories, in memory, and nothing else", async () => {
    verifies("SEC-03", "SEC-05");
    expect((await inspect(sandbox.container.id))?.HostConfig.ReadonlyRootfs).toBe(true);
    await using client = await sandbox.connect();
    const code = [
      "import os, pathlib",
      "for place in ('/app', '/home/ipybox', '/tmp', '/var/tmp', '/dev/shm'):",
      "    path = pathlib.Path(place, 'x'); path.write_text('x'); path.unlink()",
      "for place in ('/venv', '/etc', '/usr', '/opt', '/run/lock'):",
      "    try: pathlib.Path(place, 'x').write_text('x'); print(place)",
      "    except OSError: pass",
      "print(os.getcwd())",
    ].join("\n");
    expect((await client.execute(code)).text).toBe("/app");
    expect((await client.execute("!pip install --no-index /venv 2>&1 | tail -1; touch /venv/x")).text).toContain(
      "Read-only file system",
    );
  });

  it("can import and run what the image has, and start programs", async () => {
    verifies("SEC-03");
    await using client = await sandbox.connect();
    expect((await client.execute("import pip, subprocess; subprocess.run(['/bin/sh', '-c', 'exit 3']).returncode")).text).toBe(
      "3",
    );
    expect((await client.execute("!printf 'print(6 * 7)' > job.py && python job.py")).text).toBe("42");
    const forked = await client.fork();
    expect((await forked.execute("40 + 2")).text).toBe("42");
    await forked.disconnect();
    await client.reset();
    expect((await client.execute("1")).text).toBe("1");
  });

  it("can't be combined with certificates, and the error says what to do", () => {
    verifies("SEC-05");
    expect(() => new ExecutionContainer({ readonlyRoot: true, caCertificates: ["x.pem"] })).toThrow(
      /ipybox build --ca-certificates/,
    );
  });
});

async function clientOf({ host, port, token }: ExecutionContainer): Promise<ExecutionClient> {
  return ExecutionClient.connect({ host, port, token });
}
