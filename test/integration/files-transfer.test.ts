import { createHash } from "node:crypto";
import {
  chmodSync,
  createReadStream,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  closeSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ExecutionClient, ExecutionContainer, type Files, type TransferProgress } from "ipybox";
import { FaultyProxy } from "../fakes/faulty-proxy.ts";
import { verifies } from "../requirements.ts";
import { useContainer } from "./sandbox.ts";

const MIB = 1024 * 1024;

/** 1 GiB with `FILE_TEST_BYTES=1073741824`. */
const LARGE_BYTES = Number(process.env["FILE_TEST_BYTES"] ?? 100 * MIB);
const MAX_GROWTH_BYTES = 64 * MIB;

const sandbox = useContainer();
let local: string;

beforeAll(() => {
  local = mkdtempSync(join(tmpdir(), "ipybox-files-"));
});

afterAll(() => {
  rmSync(local, { recursive: true, force: true });
});

/** Content that differs everywhere, without holding it in memory. */
function writeLarge(path: string, bytes: number): void {
  const file = openSync(path, "w");
  const block = Buffer.alloc(Math.min(bytes, MIB), "The quick brown fox jumps over the lazy dog. ");
  for (let written = 0; written < bytes; written += block.length) {
    block.writeUInt32LE(written / block.length, 0);
    writeSync(file, block, 0, Math.min(block.length, bytes - written));
  }
  closeSync(file);
}

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** The most resident memory that this process has had while something was done, less what it was before. */
async function growth(work: () => Promise<void>): Promise<number> {
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  let peak = before;
  const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 20);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return peak - before;
}

/** The same for agent and file workers, each by itself, as a cell sees them. */
async function growthInside(client: ExecutionClient, work: () => Promise<void>): Promise<Record<string, number>> {
  const watching = client.submit(`
import os, time
def resident():
    found = {}
    for pid in (name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()):
        try:
            text = open(f"/proc/{pid}/status").read()
        except (FileNotFoundError, ProcessLookupError):
            continue
        name = text.split("Name:", 1)[1].split()[0]
        worker = text.split("Uid:", 1)[1].split()[0] == str(os.getuid())
        if "VmRSS:" in text and (worker or "node" in name or "Main" in name):
            key = "worker" if worker else "agent"
            found[key] = max(found.get(key, 0), int(text.split("VmRSS:", 1)[1].split()[0]) * 1024)
    return found
first, peak = resident(), {}
while not os.path.exists("/tmp/stop"):
    for name, size in resident().items():
        peak[name] = max(peak.get(name, 0), size)
    time.sleep(0.02)
os.remove("/tmp/stop")
import json
print(json.dumps({name: size - (first.get(name, 0) if name == "agent" else 0) for name, size in peak.items()}))`);
  await work();
  await sandbox.container.files.write("/tmp/stop", "");
  return JSON.parse((await watching.result()).text ?? "{}") as Record<string, number>;
}

describe("a file arrives as it was", () => {
  it.each([
    ["of no byte", Buffer.alloc(0)],
    ["of one byte", Buffer.from([0])],
    ["of 5 MB that are no UTF-8", Buffer.alloc(5_000_000, 0xc3)],
    ["of one byte more than a block", Buffer.alloc(256 * 1024 + 1, "block")],
  ])("%s", async (_, content) => {
    verifies("FILE-02");
    const { files } = sandbox.container;
    const path = join(local, "file");
    writeFileSync(path, content);
    chmodSync(path, 0o4751);
    expect(await files.uploadFile(path, "sizes/file")).toMatchObject({ bytes: content.length, files: 1 });
    expect((await files.stat("sizes/file")).mode).toBe(0o751);
    expect(await files.downloadFile("sizes/file", join(local, "new/back"))).toMatchObject({ bytes: content.length });
    expect(readFileSync(join(local, "new/back")).equals(content)).toBe(true);
    expect(lstatSync(join(local, "new/back")).mode & 0o7777).toBe(0o751);
  });

  it("when it is large, with little memory on both sides", async () => {
    verifies("FILE-02");
    const { files } = sandbox.container;
    await using client = await sandbox.connect();
    const [path, back] = [join(local, "large"), join(local, "large-back")];
    writeLarge(path, LARGE_BYTES);
    const told: TransferProgress[] = [];
    let grown = 0;
    const inside = await growthInside(client, async () => {
      grown = await growth(async () => {
        await files.uploadFile(path, "large", { onProgress: (progress) => told.push(progress) });
        await files.downloadFile("large", back, { onProgress: (progress) => told.push(progress) });
      });
    });
    expect(await sha256(back)).toBe(await sha256(path));
    expect(grown).toBeLessThan(MAX_GROWTH_BYTES);
    expect(Object.keys(inside).sort()).toEqual(["agent", "worker"]);
    for (const [side, bytes] of Object.entries(inside)) expect([side, bytes < MAX_GROWTH_BYTES]).toEqual([side, true]);
    expect(told.at(-1)).toEqual({ bytes: LARGE_BYTES, totalBytes: LARGE_BYTES, files: 0 });
    expect(
      told.every(
        ({ bytes }, index) => index === 0 || bytes === 0 || bytes >= (told[index - 1]?.bytes ?? 0) || bytes < LARGE_BYTES,
      ),
    ).toBe(true);
    await files.remove("large");
    rmSync(path);
    rmSync(back);
  }, 180_000);
});

describe("a directory arrives as it was", () => {
  it("with empty directories, modes, links and names of any bytes", async () => {
    verifies("FILE-02");
    const { files } = sandbox.container;
    const root = join(local, "tree");
    mkdirSync(join(root, "empty"), { recursive: true });
    mkdirSync(join(root, "a/b"), { recursive: true, mode: 0o750 });
    chmodSync(join(root, "a/b"), 0o750);
    writeFileSync(join(root, "a/b/script"), "#!/bin/sh\n", { mode: 0o700 });
    writeFileSync(join(root, "a/large"), Buffer.alloc(3 * MIB, "large"));
    const odd = Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x61, 0xff, 0x0a])]);
    writeFileSync(odd, "odd");
    symlinkSync("a/b/script", join(root, "link"));
    symlinkSync("../empty", join(root, "a/up"));
    symlinkSync("/etc/passwd", join(root, "outside"));
    expect(await files.uploadDirectory(root, "trees/one")).toMatchObject({
      files: 3,
      directories: 3,
      symlinks: 3,
      skippedCount: 0,
    });
    const listed = await files.list("trees/one", { recursive: true });
    expect(listed.find(({ name }) => name === "a/b")).toMatchObject({ type: "directory", mode: 0o750 });
    expect(listed.find(({ name }) => name === "outside")).toMatchObject({ target: { path: "/etc/passwd" } });
    const back = join(local, "tree-back");
    expect(await files.downloadDirectory("trees/one", back)).toMatchObject({
      ...{ files: 3, directories: 3, symlinks: 2, skippedCount: 1 },
      skipped: [{ path: "outside" }],
    });
    expect(readdirSync(join(back, "empty"))).toEqual([]);
    expect(lstatSync(join(back, "a/b")).mode & 0o777).toBe(0o750);
    expect(lstatSync(join(back, "a/b/script")).mode & 0o777).toBe(0o700);
    expect(readFileSync(join(back, "a/large")).equals(readFileSync(join(root, "a/large")))).toBe(true);
    expect(readlinkSync(join(back, "link"))).toBe("a/b/script");
    expect(readlinkSync(join(back, "a/up"))).toBe("../empty");
    expect(readFileSync(Buffer.concat([Buffer.from(`${back}/`), Buffer.from([0x61, 0xff, 0x0a])]), "utf8")).toBe("odd");
  });

  it("with thousands of files, into one that is there already", async () => {
    verifies("FILE-02");
    const { files } = sandbox.container;
    const root = join(local, "many");
    mkdirSync(root);
    for (let index = 0; index < 3_000; index += 1) writeFileSync(join(root, `${index}`), `content of ${index}`);
    await files.write("many/0", "older");
    await files.write("many/kept", "kept");
    await files.uploadDirectory(root, "many");
    const back = join(local, "many-back");
    mkdirSync(back);
    writeFileSync(join(back, "1"), "older");
    writeFileSync(join(back, "ours"), "ours");
    expect(await files.downloadDirectory("many", back)).toMatchObject({ files: 3_001 });
    expect(readdirSync(back)).toHaveLength(3_002);
    for (const index of [0, 1, 2_999]) expect(readFileSync(join(back, `${index}`), "utf8")).toBe(`content of ${index}`);
    expect(readFileSync(join(back, "ours"), "utf8")).toBe("ours");
    expect(readFileSync(join(back, "kept"), "utf8")).toBe("kept");
  });

  it("unless the host has none of that name, or a file", async () => {
    const { files } = sandbox.container;
    await expect(files.uploadDirectory(join(local, "missing"), "x")).rejects.toMatchObject({ code: "ENOENT", side: "host" });
    writeFileSync(join(local, "plain"), "");
    await expect(files.uploadDirectory(join(local, "plain"), "x")).rejects.toMatchObject({ code: "ENOTDIR", side: "host" });
    await expect(files.uploadFile(join(local, "missing"), "x")).rejects.toMatchObject({ code: "ENOENT", side: "host" });
    await expect(files.uploadFile(local, "x")).rejects.toMatchObject({ code: "EISDIR", side: "host" });
    await expect(files.downloadDirectory("/tmp", join(local, "plain"))).rejects.toMatchObject({ code: "ENOTDIR", side: "host" });
    expect(await files.exists("x")).toBe(false);
  });
});

describe("what is given up leaves nothing that is not whole", () => {
  const BYTES = 4_000_000;

  /** Begins ten transfers, and ends each at another tenth of its way. */
  async function atEachTenth(
    transfer: (stopAt: (progress: TransferProgress) => void, signal: AbortSignal) => Promise<unknown>,
  ): Promise<void> {
    for (let tenth = 0; tenth < 10; tenth += 1) {
      const controller = new AbortController();
      const stopAt = ({ bytes }: TransferProgress): void => {
        if (bytes >= (BYTES * tenth) / 10) controller.abort(new Error(`given up at ${tenth}`));
      };
      if (tenth === 0) controller.abort(new Error("given up at 0"));
      await expect(transfer(stopAt, controller.signal)).rejects.toThrow(`given up at ${tenth}`);
    }
  }

  it("of a file, up and down", async () => {
    verifies("FILE-02", "FILE-03");
    const { files } = sandbox.container;
    const [path, down] = [join(local, "given-up"), join(local, "given-up-down")];
    writeLarge(path, BYTES);
    mkdirSync(down);
    await files.mkdir("given-up");
    await atEachTenth((onProgress, signal) => files.uploadFile(path, "given-up/file", { onProgress, signal }));
    expect(await files.list("given-up")).toEqual([]);
    await files.uploadFile(path, "given-up/file");
    await atEachTenth((onProgress, signal) => files.downloadFile("given-up/file", join(down, "file"), { onProgress, signal }));
    expect(readdirSync(down)).toEqual([]);
    await files.downloadFile("given-up/file", join(down, "file"));
    expect(await sha256(join(down, "file"))).toBe(await sha256(path));
  });

  it("of a directory, up and down", async () => {
    verifies("FILE-02", "FILE-03");
    const { files } = sandbox.container;
    const [root, down] = [join(local, "parts"), join(local, "parts-down")];
    mkdirSync(root);
    mkdirSync(down);
    for (let index = 0; index < 40; index += 1) writeFileSync(join(root, `${index}`), Buffer.alloc(BYTES / 40, `${index} `));
    await atEachTenth((onProgress, signal) => files.uploadDirectory(root, "parts", { onProgress, signal }));
    for (const { name, sizeBytes } of await files.list("parts")) expect([name, sizeBytes]).toEqual([name, BYTES / 40]);
    await files.uploadDirectory(root, "parts");
    await atEachTenth((onProgress, signal) => files.downloadDirectory("parts", join(down, "parts"), { onProgress, signal }));
    expect(readdirSync(down)).toEqual([]);
    await files.downloadDirectory("parts", join(down, "parts"));
    expect(readdirSync(join(down, "parts"))).toHaveLength(40);
  });

  it("by a connection that is cut", async () => {
    verifies("FILE-02", "FILE-03");
    const { container } = sandbox;
    const [path, back] = [join(local, "cut"), join(local, "cut-back/file")];
    writeLarge(path, BYTES);
    await container.files.mkdir("cut");
    await container.files.uploadFile(path, "cut-source");
    for (let tenth = 0; tenth < 10; tenth += 1) {
      await using proxy = await FaultyProxy.before(container.port);
      const { ExecutionClient } = await import("ipybox");
      const client = await ExecutionClient.connect({ port: proxy.port, token: container.token });
      const { files } = client;
      const ending = tenth % 2 === 0 ? "reset" : "close";
      const cut = (direction: "up" | "down"): void => proxy.cutAfter(400 + Math.floor((BYTES * tenth) / 10), direction, ending);
      const run = async (transfer: (files: Files) => Promise<unknown>): Promise<void> => {
        await expect(transfer(files)).rejects.toMatchObject({
          code: expect.stringMatching(/^(connection_lost|connect_failed)$/) as string,
        });
      };
      // The next connection is that of the transfer.
      await cutNext(proxy, cut, "up", () => run((files) => files.uploadFile(path, "cut/file")));
      await cutNext(proxy, cut, "down", () => run((files) => files.downloadFile("cut-source", back)));
      await client.disconnect();
    }
    expect(await container.files.list("cut")).toEqual([]);
    expect(existsSync(back)).toBe(false);
    expect(existsSync(join(local, "cut-back")) ? readdirSync(join(local, "cut-back")) : []).toEqual([]);
  }, 120_000);

  /** Cuts the connection that is made next, not the client's own. */
  async function cutNext(
    proxy: FaultyProxy,
    cut: (direction: "up" | "down") => void,
    direction: "up" | "down",
    work: () => Promise<void>,
  ): Promise<void> {
    const before = proxy.connections;
    const working = work();
    while (proxy.connections === before) await new Promise((resolve) => setImmediate(resolve));
    cut(direction);
    await working;
  }
});

describe("races in the sandbox", () => {
  it("between files, links and directories lead a download nowhere else", async () => {
    verifies("FILE-03");
    const { files } = sandbox.container;
    await using client = await sandbox.connect();
    await client.execute(`
import os, shutil, threading, time
os.makedirs("race", exist_ok=True)
for i in range(50): open(f"race/file{i}", "w").write("x" * 1000)
def swap():
    n = 0
    while not os.path.exists("/tmp/stop-race"):
        for kind in range(3):
            try:
                if os.path.islink("race/what") or os.path.isfile("race/what"): os.remove("race/what")
                elif os.path.isdir("race/what"): shutil.rmtree("race/what")
                if kind == 0: open("race/what", "w").write("file")
                elif kind == 1: os.symlink("/etc", "race/what")
                else:
                    os.mkdir("race/what")
                    open("race/what/hostname", "w").write("hostile")
            except OSError: pass
            n += 1
thread = threading.Thread(target=swap, daemon=True)
thread.start()`);
    const hostname = readFileSync("/etc/hostname", "utf8");
    const kinds = new Set<string>();
    for (let round = 0; round < 60; round += 1) {
      const target = join(local, `race-${round}`);
      await files.downloadDirectory("race", target, { outsideLinks: round % 2 === 0 ? "keep" : "skip" });
      const there = lstatSync(join(target, "what"), { throwIfNoEntry: false });
      kinds.add(there === undefined ? "none" : there.isSymbolicLink() ? "link" : there.isDirectory() ? "directory" : "file");
      expect(readdirSync(target).filter((name) => name.startsWith("file"))).toHaveLength(50);
      // Into the same again: what was a link there is replaced.
      await files
        .downloadDirectory("race", target)
        .catch((error: { code?: string }) => expect(error.code).toMatch(/^(EISDIR|ENOTDIR)$/));
      rmSync(target, { recursive: true });
    }
    await files.write("/tmp/stop-race", "");
    expect(readFileSync("/etc/hostname", "utf8")).toBe(hostname);
    expect(kinds.size).toBeGreaterThan(1);
  }, 120_000);

  it("in a directory that it shares with the host lead neither an upload nor a download out of it", async () => {
    verifies("FILE-03");
    const shared = join(local, "shared");
    const secret = join(local, "secret");
    mkdirSync(join(shared, "dir"), { recursive: true });
    mkdirSync(secret);
    writeFileSync(join(secret, "name"), "secret of the host");
    chmodSync(shared, 0o777);
    chmodSync(join(shared, "dir"), 0o777);
    await using container = await ExecutionContainer.create({ binds: { [shared]: "shared" } });
    const { ExecutionClient } = await import("ipybox");
    const client = await ExecutionClient.connect({ port: container.port });
    await client.execute(`
import os, shutil, threading
os.chmod("shared", 0o777) if os.stat("shared").st_uid == os.getuid() else None
os.makedirs("source/dir", exist_ok=True)
open("source/dir/name", "w").write("hostile")
def swap():
    while not os.path.exists("/tmp/stop-race"):
        try:
            os.rename("shared/dir", "shared/aside")
            os.symlink("${secret}", "shared/dir")
            os.remove("shared/dir")
            os.rename("shared/aside", "shared/dir")
        except OSError: pass
        try: open("shared/dir/name", "w").write("public")
        except OSError: pass
threading.Thread(target=swap, daemon=True).start()`);
    const { files } = container;
    for (let round = 0; round < 60; round += 1) {
      await files.downloadDirectory("source", shared).catch(() => undefined);
      await files.uploadDirectory(shared, `uploaded/${round}`).catch(() => undefined);
    }
    await files.write("/tmp/stop-race", "");
    const { text } = await client.execute(`!grep -rl "secret of the host" /app/uploaded | wc -l`);
    expect(text).toBe("0");
    expect(readdirSync(secret)).toEqual(["name"]);
    expect(readFileSync(join(secret, "name"), "utf8")).toBe("secret of the host");
    await client.disconnect();
  }, 120_000);
});

it("a directory that is deeper than 256 levels is an error, and a list of it is not", async () => {
  verifies("FILE-03");
  const { files } = sandbox.container;
  await using client = await sandbox.connect();
  await client.execute(`
import os
os.mkdir("deep")
os.chdir("deep")
for _ in range(1000):
    os.mkdir("d")
    os.chdir("d")
os.chdir("/app")`);
  await expect(files.downloadDirectory("deep", join(local, "deep"))).rejects.toMatchObject({ code: "ELOOP" });
  expect(existsSync(join(local, "deep"))).toBe(false);
  expect(await files.list("deep", { recursive: true })).toHaveLength(1_000);
  await files.remove("deep", { recursive: true });
});
