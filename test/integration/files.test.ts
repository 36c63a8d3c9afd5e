import { describe, expect, it } from "vitest";
import { ContainerDiedError, ExecutionContainer, FileError } from "ipybox";
import { verifies } from "../requirements.ts";
import { eventually, rejection, useContainer } from "./sandbox.ts";

const SHM_BYTES = 8 * 1024 * 1024;
const sandbox = useContainer({ shmBytes: SHM_BYTES });

/** Runs a cell and gives what it prints. */
async function cell(code: string): Promise<string | null> {
  await using client = await sandbox.connect();
  return (await client.execute(code)).text;
}

describe("files", () => {
  it("are written and read as text and as bytes, with the directories to them", async () => {
    verifies("FILE-01");
    const { files } = sandbox.container;
    const text = "grün, 日本, 🌍, \r\n, \0, \u2028";
    await files.write("new/directories/text.txt", text);
    expect(await files.read("new/directories/text.txt", { encoding: "utf8" })).toBe(text);
    const bytes = Uint8Array.from({ length: 70_000 }, (_, index) => index % 251);
    await files.write("/app/new/bytes", bytes);
    expect(await files.read("new/bytes")).toEqual(bytes);
    await files.write("new/pieces", pieces(["a", Buffer.from("b"), "", "é"]));
    expect(await files.read("new/pieces", { encoding: "utf8" })).toBe("abé");
    await files.write("new/pieces", "");
    expect(await files.read("new/pieces")).toEqual(new Uint8Array(0));
  });

  it("are those of cells, in both directions, with their rights", async () => {
    verifies("FILE-01");
    const { files } = sandbox.container;
    await files.write("from-host", "one", { mode: 0o600 });
    await cell(`import os
assert open("from-host").read() == "one"
open("from-cell", "w").write("two")
os.chmod("from-cell", 0o600)`);
    expect(await files.read("from-cell", { encoding: "utf8" })).toBe("two");
    expect(await files.stat("from-host")).toMatchObject({ type: "file", sizeBytes: 3, mode: 0o600, uid: 1000, gid: 1000 });
    const { modifiedAt } = await files.stat("from-cell");
    expect(Math.abs(modifiedAt.getTime() - Date.now())).toBeLessThan(60_000);
  });

  it("are there for clients, too, until they are disconnected", async () => {
    verifies("FILE-01");
    const client = await sandbox.connect();
    const { files } = client;
    await files.write("by-client", "x");
    expect(await sandbox.container.files.exists("by-client")).toBe(true);
    const open = files.readStream("/proc/self/status").getReader();
    await client.disconnect();
    await expect(open.read()).rejects.toMatchObject({ code: "disconnected" });
    await expect(files.exists("by-client")).rejects.toMatchObject({ code: "disconnected" });
    expect(() => client.files).toThrow("disconnected");
  });

  it("keep their mode when they are written again, and are written through links", async () => {
    verifies("FILE-01");
    const { files } = sandbox.container;
    await files.write("modes/script", "1", { mode: 0o755 });
    await files.write("modes/script", "2");
    expect((await files.stat("modes/script")).mode).toBe(0o755);
    await files.write("modes/new", "1");
    expect((await files.stat("modes/new")).mode).toBe(0o664);
    await cell(`import os; os.symlink("script", "modes/link"); os.symlink("nowhere/yet", "modes/dangling")`);
    await files.write("modes/link", "3");
    await files.write("modes/dangling", "4");
    expect(await files.read("modes/script", { encoding: "utf8" })).toBe("3");
    expect(await files.read("modes/nowhere/yet", { encoding: "utf8" })).toBe("4");
    expect(await files.stat("modes/link", { followLinks: false })).toMatchObject({ type: "symlink", target: { path: "script" } });
  });

  it("are listed, renamed, removed, and looked for", async () => {
    verifies("FILE-01");
    const { files } = sandbox.container;
    await files.mkdir("dir/inner/deep", { mode: 0o700 });
    await files.mkdir("dir/inner/deep");
    await files.write("dir/a", "aa");
    await files.rename("dir/a", "dir/inner/deep/new/b");
    await cell(`import os; os.symlink("/", "dir/inner/root"); os.symlink("..", "dir/inner/up"); os.mkfifo("dir/pipe")`);
    const entries = await files.list("dir", { recursive: true });
    expect(entries.map(({ name, type }) => `${name} ${type}`).sort()).toEqual([
      "inner directory",
      "inner/deep directory",
      "inner/deep/new directory",
      "inner/deep/new/b file",
      "inner/root symlink",
      "inner/up symlink",
      "pipe other",
    ]);
    expect(entries.find(({ name }) => name === "inner/deep/new/b")).toMatchObject({ path: "dir/inner/deep/new/b", sizeBytes: 2 });
    expect((await files.list("dir")).map(({ name }) => name).sort()).toEqual(["inner", "pipe"]);
    await expect(files.remove("dir")).rejects.toMatchObject({ code: "ENOTEMPTY" });
    await expect(files.deleteFile("dir/inner")).rejects.toMatchObject({ code: "EISDIR" });
    await files.deleteFile("dir/pipe");
    await files.remove("dir/inner/root");
    await files.remove("dir", { recursive: true });
    expect(await files.exists("dir")).toBe(false);
    expect(await files.exists("/etc/passwd")).toBe(true);
    expect(await files.exists("/etc/passwd/below")).toBe(false);
  });

  it("with any names that Linux knows come back under these names", async () => {
    verifies("FILE-01");
    const { files } = sandbox.container;
    const names: (string | Uint8Array)[] = [
      ...[
        "-rf",
        "--",
        " lead",
        "trail ",
        "new\nline",
        "tab\t",
        "quote'\"",
        "$(touch x)",
        "back\\slash",
        "%2e%2e",
        "CON",
        "..a",
        "...",
      ],
      ...["\u00e9", "e\u0301", "日本語", "🌍", "\u202e", "#123", "x".repeat(255)],
      ...[[0xff], [0xc3], [0x80, 0x0a], [0xed, 0xa0, 0x80]].map((bytes) => new Uint8Array(bytes)),
    ];
    await files.mkdir("names");
    const paths = names.map((name) => Buffer.concat([Buffer.from("names/"), Buffer.from(name as Uint8Array)]));
    for (const [index, path] of paths.entries()) await files.write(path, String(index));
    const listed = await files.list("names");
    expect(listed.map(({ path, pathBytes }) => Buffer.from(pathBytes ?? path).toString("hex")).sort()).toEqual(
      paths.map((path) => path.toString("hex")).sort(),
    );
    for (const { path, pathBytes } of listed) {
      const index = paths.findIndex((one) => one.equals(Buffer.from(pathBytes ?? path)));
      expect(await files.read(pathBytes ?? path, { encoding: "utf8" })).toBe(String(index));
    }
    expect(listed.filter(({ pathBytes }) => pathBytes !== undefined)).toHaveLength(4);
    expect(await cell(`import os; print(len(os.listdir("names")))`)).toBe(String(names.length));
    await files.remove("names", { recursive: true });
  });
});

describe("what can't be done is told by Linux's name for it:", () => {
  it.each<[string, string, (files: ExecutionContainer["files"]) => Promise<unknown>]>([
    ["reading what is not there", "ENOENT", (files) => files.read("nothing/there")],
    ["reading a directory", "EISDIR", (files) => files.read("/tmp")],
    ["reading below a file", "ENOTDIR", (files) => files.read("/etc/passwd/x")],
    ["reading what is root's alone", "EACCES", (files) => files.read("/etc/shadow")],
    ["reading a device", "EINVAL", (files) => files.read("/dev/zero")],
    ["reading what is longer than maxBytes", "EFBIG", (files) => files.read("/etc/passwd", { maxBytes: 10 })],
    ["listing a file", "ENOTDIR", (files) => files.list("/etc/passwd")],
    ["listing what may not be", "EACCES", (files) => files.list("/root")],
    ["listing more than maxEntries", "EOVERFLOW", (files) => files.list("/etc", { maxEntries: 3 })],
    ["writing where only root may", "EACCES", (files) => files.write("/etc/ours", "x")],
    ["writing over a directory", "EISDIR", (files) => files.write("/tmp", "x")],
    ["writing to a name that ends like a directory", "EISDIR", (files) => files.write("/tmp/x/", "x")],
    ["writing below a file", "ENOTDIR", (files) => files.write("/etc/passwd/x/y", "x")],
    ["writing a device", "EINVAL", (files) => files.write("/dev/null", "x")],
    ["a name of 256 bytes", "ENAMETOOLONG", (files) => files.write("x".repeat(256), "x")],
    ["making a directory where a file is", "EEXIST", (files) => files.mkdir("/etc/passwd")],
    ["removing what is not there", "ENOENT", (files) => files.remove("nothing", { recursive: true })],
    ["renaming what is not there", "ENOENT", (files) => files.rename("nothing", "new/nothing")],
    ["downloading a file as a directory", "ENOTDIR", (files) => files.downloadDirectory("/etc/passwd", "/tmp/ipybox-never")],
    ["watching what is not there", "ENOENT", (files) => files.watch("nothing").ready],
  ])("%s", async (_, code, act) => {
    verifies("FILE-01");
    const { files } = sandbox.container;
    const error = await rejection(act(files), FileError);
    expect(error).toMatchObject({ code, side: "sandbox" });
    expect(error.message).toContain(`(${code})`);
  });

  it("options that are wrong are named", async () => {
    const { files } = sandbox.container;
    await expect(files.read("a", { max: 1 } as never)).rejects.toMatchObject({ code: "invalid_option", message: /"max"/ });
    await expect(files.write("a", "b", { mode: 0o4755 })).rejects.toThrow(/"mode" must be permission bits/);
    await expect(files.read("")).rejects.toThrow("must not be empty");
    expect(() => files.watch("a\0")).toThrow("NUL");
  });

  it("a full file system, and nothing of the file is left", async () => {
    verifies("FILE-01", "FILE-02");
    const { files } = sandbox.container;
    await files.write("/dev/shm/before", "kept");
    const error = await rejection(files.write("/dev/shm/before", Buffer.alloc(2 * SHM_BYTES, 1)), FileError);
    expect(error).toMatchObject({ code: "ENOSPC", path: "/dev/shm/before" });
    const stream = files.writeStream("/dev/shm/streamed").getWriter();
    const writing = (async () => {
      for (let part = 0; part < 64; part += 1) await stream.write(new Uint8Array(SHM_BYTES / 16));
      await stream.close();
    })();
    await expect(writing).rejects.toMatchObject({ code: "ENOSPC" });
    expect((await files.list("/dev/shm")).map(({ name }) => name)).toEqual(["before"]);
    expect(await files.read("/dev/shm/before", { encoding: "utf8" })).toBe("kept");
    await files.write("/dev/shm/small", "works");
    await files.remove("/dev/shm/small");
  });
});

describe("streams", () => {
  it("are read piece by piece, and make the file wait for their reader", async () => {
    verifies("FILE-01");
    const { files } = sandbox.container;
    const content = Buffer.alloc(5_000_000, "0123456789");
    await files.write("streamed", content);
    const pieces: Uint8Array[] = [];
    for await (const piece of files.readStream("streamed")) pieces.push(piece);
    expect(pieces.length).toBeGreaterThan(1);
    expect(Buffer.concat(pieces).equals(content)).toBe(true);
    const reader = files.readStream("streamed").getReader();
    expect((await reader.read()).value?.length).toBeGreaterThan(0);
    await reader.cancel();
    await expect(files.readStream("missing").getReader().read()).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("are written piece by piece, and there when they are closed, not before", async () => {
    verifies("FILE-01");
    const { files } = sandbox.container;
    const writer = files.writeStream("written", { mode: 0o640 }).getWriter();
    await writer.write(Buffer.from("first "));
    await writer.write(Buffer.from("second"));
    expect(await files.exists("written")).toBe(false);
    await writer.close();
    expect(await files.read("written", { encoding: "utf8" })).toBe("first second");
    expect((await files.stat("written")).mode).toBe(0o640);
    await new Blob(["from a blob"]).stream().pipeTo(files.writeStream("written"));
    expect(await files.read("written", { encoding: "utf8" })).toBe("from a blob");
  });

  it("that are aborted leave what was there", async () => {
    verifies("FILE-03");
    const { files } = sandbox.container;
    await files.write("aborted/file", "before");
    const writer = files.writeStream("aborted/file").getWriter();
    await writer.write(new Uint8Array(100_000));
    await writer.abort(new Error("changed my mind"));
    const controller = new AbortController();
    const second = files.writeStream("aborted/other", { signal: controller.signal }).getWriter();
    await second.write(new Uint8Array(100_000));
    controller.abort(new Error("enough"));
    await expect(second.write(new Uint8Array(1)).then(() => second.close())).rejects.toThrow("enough");
    expect((await files.list("aborted")).map(({ name }) => name)).toEqual(["file"]);
    expect(await files.read("aborted/file", { encoding: "utf8" })).toBe("before");
  });
});

describe("other work goes on", () => {
  it("beside pipes that nobody writes to", async () => {
    verifies("FILE-01");
    const { files } = sandbox.container;
    await cell(`import os
os.makedirs("pipes", exist_ok=True)
os.mkfifo("pipes/a")
os.mkfifo("pipes/b")`);
    await expect(files.read("pipes/a")).rejects.toMatchObject({ code: "EINVAL" });
    await expect(files.write("pipes/b", "x")).rejects.toMatchObject({ code: "EINVAL" });
    expect((await files.list("pipes")).map(({ type }) => type)).toEqual(["other", "other"]);
  });

  it("with a hundred transfers at once, and a cell", async () => {
    verifies("FILE-02");
    const { files } = sandbox.container;
    const content = (index: number): Buffer => Buffer.alloc(200_000, `content of ${index} `);
    const running = cell(`import time; time.sleep(0.5); print("ran")`);
    const indices = Array.from({ length: 100 }, (_, index) => index);
    await Promise.all(indices.map((index) => files.write(`parallel/${index}`, content(index))));
    const read = await Promise.all(indices.map((index) => files.read(`parallel/${index}`)));
    expect(indices.filter((index) => !content(index).equals(read[index] ?? Buffer.alloc(0)))).toEqual([]);
    expect(await running).toBe("ran");
    await files.remove("parallel", { recursive: true });
  });

  it("when an operation is given up, whose worker ends", async () => {
    verifies("FILE-02");
    const { files } = sandbox.container;
    await files.write("large", Buffer.alloc(30_000_000));
    const workers = (): Promise<string | null> => cell(COUNT_WORKERS);
    const controller = new AbortController();
    const readers = Array.from({ length: 5 }, () => files.readStream("large", { signal: controller.signal }).getReader());
    for (const reader of readers) await reader.read();
    expect(Number(await workers())).toBeGreaterThanOrEqual(5);
    controller.abort(new Error("given up"));
    for (const reader of readers) await expect(untilEnd(reader)).rejects.toThrow("given up");
    await files.remove("large");
    // Those that are kept for the next operation end by themselves, too.
    await eventually(async () => (await workers()) === "0", 15_000);
  });
});

/** Other processes of the cells' user: file workers, when no other kernel runs. */
const COUNT_WORKERS = `import os
def owner(pid):
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except FileNotFoundError:
        return None
print(sum(1 for pid in os.listdir("/proc") if pid.isdigit() and int(pid) != os.getpid() and owner(pid) == os.getuid()))`;

async function untilEnd(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  for (;;) if ((await reader.read()).done) return;
}

describe("a cell", () => {
  it("can neither signal nor trace the process that works on files", async () => {
    verifies("SEC-04");
    const { files } = sandbox.container;
    await files.write("large", Buffer.alloc(5_000_000));
    const reader = files.readStream("large").getReader();
    await reader.read();
    const text = await cell(`import os
found, reached = 0, []
for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
    if pid == os.getpid() or os.stat(f"/proc/{pid}").st_uid != os.getuid(): continue
    found += 1
    for what, act in {
        "signal": lambda: os.kill(pid, 0),
        "memory": lambda: open(f"/proc/{pid}/mem", "rb").close(),
        "descriptors": lambda: os.readlink(f"/proc/{pid}/fd/0"),
        "environment": lambda: open(f"/proc/{pid}/environ", "rb").read(),
    }.items():
        try: act()
        except PermissionError: continue
        reached.append(what)
print(found > 0, reached)`);
    await reader.cancel();
    expect(text).toBe("True []");
  });
});

it("a container that dies ends its transfers with the reason", async () => {
  verifies("FILE-01", "KERN-07");
  await using container = await ExecutionContainer.create();
  const { files } = container;
  await files.write("large", Buffer.alloc(30_000_000));
  const reader = files.readStream("large").getReader();
  await reader.read();
  await container.kill();
  await expect(untilEnd(reader)).rejects.toBeInstanceOf(ContainerDiedError);
  await expect(files.read("large")).rejects.toBeInstanceOf(ContainerDiedError);
  expect(() => container.files).toThrow("after kill()");
});

async function* pieces<Piece>(of: readonly Piece[]): AsyncGenerator<Piece> {
  for (const piece of of) yield await Promise.resolve(piece);
}
