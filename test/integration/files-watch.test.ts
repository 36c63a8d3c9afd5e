import { describe, expect, it } from "vitest";
import type { FileEvent, FileWatch } from "ipybox";
import { verifies } from "../requirements.ts";
import { useContainer } from "./sandbox.ts";

const sandbox = useContainer();

/** The next events, in a line each. */
async function next(events: AsyncIterator<FileEvent>, count: number): Promise<string[]> {
  const lines: string[] = [];
  while (lines.length < count) {
    const { value, done } = await events.next();
    if (done === true) break;
    lines.push([value.type, ...(value.from === undefined ? [] : [value.from.path, "→"]), value.path].join(" "));
  }
  return lines;
}

function iterate(watch: FileWatch): AsyncIterator<FileEvent> {
  return watch[Symbol.asyncIterator]();
}

async function run(code: string): Promise<void> {
  await using client = await sandbox.connect();
  await client.execute(`import os\n${code}`);
}

describe("a watch", () => {
  it("tells what cells and programs of the host do in a directory", async () => {
    verifies("FILE-01");
    const { files } = sandbox.container;
    await files.mkdir("watched/inner");
    await using watch = files.watch("watched");
    await watch.ready;
    const events = iterate(watch);
    await run(`
open("watched/a", "w").write("1")
os.rename("watched/a", "watched/b")
open("watched/inner/unseen", "w").close()
os.remove("watched/b")
os.rename("watched/inner", "moved-out")`);
    expect(await next(events, 5)).toEqual([
      "created watched/a",
      "changed watched/a",
      "renamed watched/a → watched/b",
      "removed watched/b",
      "removed watched/inner",
    ]);
    await files.write("watched/ours", "1");
    await files.write("watched/ours", "2");
    expect(await next(events, 2)).toEqual(["created watched/ours", "changed watched/ours"]);
    await run(`os.rename("moved-out", "watched/back")`);
    expect(await next(events, 1)).toEqual(["created watched/back"]);
  });

  it("sees directories as they come, are renamed, and go, where it is asked to", async () => {
    verifies("FILE-01");
    const { files } = sandbox.container;
    await files.mkdir("tree/old/deep");
    await using watch = files.watch("/app/tree", { recursive: true });
    await watch.ready;
    const events = iterate(watch);
    await run(`open("tree/old/deep/a", "w").close()`);
    expect(await next(events, 1)).toEqual(["created /app/tree/old/deep/a"]);
    await run(`os.makedirs("tree/new/x/y")\nopen("tree/new/x/y/z", "w").close()`);
    expect((await next(events, 4)).sort()).toEqual(
      ["/app/tree/new", "/app/tree/new/x", "/app/tree/new/x/y", "/app/tree/new/x/y/z"].map((path) => `created ${path}`),
    );
    await run(`os.rename("tree/new", "tree/newer")\nos.remove("tree/newer/x/y/z")`);
    expect(await next(events, 2)).toEqual(["renamed /app/tree/new → /app/tree/newer", "removed /app/tree/newer/x/y/z"]);
    await run(`os.rename("tree/newer", "gone")\nopen("gone/unseen", "w").close()\nopen("tree/seen", "w").close()`);
    expect(await next(events, 2)).toEqual(["removed /app/tree/newer", "created /app/tree/seen"]);
  });

  it("of a file tells of it alone, also when programs save it by putting another in its place", async () => {
    verifies("FILE-01");
    const { files } = sandbox.container;
    await files.write("single/file", "1");
    await using watch = files.watch("single/file");
    await watch.ready;
    const events = iterate(watch);
    await run(`
open("single/neighbour", "w").write("x")
open("single/file", "a").write("2")
open("single/.file.new", "w").write("3")
os.rename("single/.file.new", "single/file")
os.remove("single/file")`);
    expect(await next(events, 3)).toEqual([
      "changed single/file",
      "renamed single/.file.new → single/file",
      "removed single/file",
    ]);
  });

  it("gives names of any bytes", async () => {
    verifies("FILE-01");
    const { files } = sandbox.container;
    await files.mkdir("bytes");
    await using watch = files.watch("bytes");
    await watch.ready;
    await run(`open(b"bytes/\\xff", "w").close()`);
    const { value } = (await iterate(watch).next()) as { value: FileEvent };
    expect(value).toMatchObject({
      type: "created",
      path: "bytes/\ufffd",
      pathBytes: new Uint8Array(Buffer.from("bytes/\xff", "latin1")),
    });
  });

  it("ends when what is watched is gone, when it is closed, and when its signal aborts", async () => {
    verifies("FILE-01");
    const { files } = sandbox.container;
    await files.mkdir("ending/inner");
    const gone = files.watch("ending/inner");
    const closed = files.watch("ending");
    const controller = new AbortController();
    const aborted = files.watch("ending", { signal: controller.signal });
    await Promise.all([gone.ready, closed.ready, aborted.ready]);
    await files.remove("ending/inner");
    expect(await next(iterate(gone), 9)).toEqual(["removed ending/inner"]);
    const rest = next(iterate(closed), 9);
    await closed.close();
    expect((await rest).length).toBeLessThan(2);
    controller.abort(new Error("enough"));
    await expect(next(iterate(aborted), 9)).rejects.toThrow("enough");
    await expect(iterate(closed).next()).rejects.toMatchObject({ code: "invalid_state" });
    await expect(files.watch("ending/inner").ready).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("that is not read tells that there was more than can be kept", async () => {
    verifies("FILE-01");
    const { files } = sandbox.container;
    await files.mkdir("/dev/shm/busy");
    await using watch = files.watch("/dev/shm/busy");
    await watch.ready;
    await run(`
for turn in range(400):
    for name in range(300):
        open(f"/dev/shm/busy/{name}-" + "x" * 200, "w").close()
    for name in range(300):
        os.remove(f"/dev/shm/busy/{name}-" + "x" * 200)
open("/dev/shm/busy/last", "w").close()`);
    let overflown = false;
    for await (const { type } of watch) {
      if (type !== "overflow") continue;
      overflown = true;
      break;
    }
    expect(overflown).toBe(true);
  });
});
