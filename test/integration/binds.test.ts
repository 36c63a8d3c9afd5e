import { chmod, chown, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ExecutionClient, ExecutionContainer, ExecutionError, type ExecutionContainerOptions, IpyboxError } from "ipybox";
import { callerUser } from "../../src/caller.ts";
import { verifies } from "../requirements.ts";
import { runAsUser } from "./as-user.ts";
import { inspect, ownContainers } from "./docker.ts";
import { rejection } from "./sandbox.ts";

const isRoot = process.getuid?.() === 0;
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "ipybox-binds-"));
  // Cells of another user must be able to come to what is below.
  await chmod(directory, 0o755);
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function run(options: ExecutionContainerOptions, code: string): Promise<string | null> {
  await using container = await ExecutionContainer.create(options);
  await using client = await ExecutionClient.connect({ port: container.port });
  return (await client.execute(code)).text;
}

async function ownerOf(path: string): Promise<readonly [number, number]> {
  const { uid, gid } = await stat(path);
  return [uid, gid];
}

/** A directory that the users of cells can use. */
async function usableDirectory(name: string): Promise<string> {
  const path = join(directory, name);
  await mkdir(path);
  const { uid, gid } = callerUser();
  if (isRoot) await chown(path, uid, gid);
  return path;
}

describe("a bind", () => {
  it("lets a cell read and write, and files appear on the host with the right owner", async () => {
    verifies("CONT-05");
    const [data, output] = [await usableDirectory("data"), await usableDirectory("output")];
    await writeFile(join(data, "input.txt"), "hello");
    const code = [
      "text = open('/app/data/input.txt').read().upper()",
      "open('output/result.txt', 'w').write(text)",
      "import os; os.makedirs('output/deep/er'); open('output/deep/er/x', 'w').close()",
      "print(text)",
    ].join("\n");
    // Also from a path that is relative to the current directory, and to one below /app.
    const binds = { [relative(process.cwd(), data)]: "data", [output]: "/app/output" };
    expect(await run({ binds }, code)).toBe("HELLO");
    expect(await readFile(join(output, "result.txt"), "utf8")).toBe("HELLO");
    const { uid, gid } = callerUser();
    for (const path of ["result.txt", "deep", "deep/er", "deep/er/x"]) {
      expect(await ownerOf(join(output, path))).toEqual([uid, gid]);
    }
  });

  it("creates what is missing on the host, for the user of cells", async () => {
    verifies("CONT-05");
    const missing = join(directory, "new/a b:ü");
    expect(
      await run({ binds: { [missing]: "made" } }, "open('made/x', 'w').write('1'); import os; print(os.listdir('made'))"),
    ).toBe("['x']");
    const { uid, gid } = callerUser();
    for (const path of [missing, join(directory, "new"), join(missing, "x")]) expect(await ownerOf(path)).toEqual([uid, gid]);
    expect(await ownerOf(directory)).toEqual([process.getuid?.(), process.getgid?.()]);
  });

  it("with :ro can be read and not written", async () => {
    verifies("CONT-05");
    const data = await usableDirectory("data");
    await writeFile(join(data, "x"), "kept");
    await using container = await ExecutionContainer.create({ binds: { [data]: "data:ro" } });
    await using client = await ExecutionClient.connect({ port: container.port });
    expect((await client.execute("print(open('data/x').read())")).text).toBe("kept");
    for (const code of ["open('data/x', 'w')", "open('data/y', 'w')", "import os; os.remove('data/x')"]) {
      const error = await rejection(client.execute(code), ExecutionError);
      expect(error.message).toContain("Read-only file system");
    }
    expect(await readFile(join(data, "x"), "utf8")).toBe("kept");
    expect((await inspect(container.id))?.Mounts).toMatchObject([{ Destination: "/app/data", RW: false }]);
  });

  it("may be a single file", async () => {
    verifies("CONT-05");
    const file = join(directory, "config.json");
    await writeFile(file, "{}");
    await chmod(file, 0o644);
    expect(await run({ binds: { [file]: "config.json:ro" } }, "print(open('config.json').read())")).toBe("{}");
  });

  it("gives nothing but what is bound", async () => {
    verifies("CONT-05");
    const data = await usableDirectory("data");
    await writeFile(join(directory, "secret"), "x");
    const code = "import os; print(os.path.exists('/app/secret'), os.path.exists('/app/data/../secret'), os.listdir('/app'))";
    expect(await run({ binds: { [data]: "data" } }, code)).toBe("False False ['data']");
  });
});

describe.runIf(isRoot)("an existing directory, when the caller is root,", () => {
  it("that cells can't write to is an error before the start that names directory, uid and the ways out", async () => {
    verifies("CONT-05");
    const closed = join(directory, "closed");
    await mkdir(closed, { mode: 0o755 });
    const error = await rejection(ExecutionContainer.create({ binds: { [closed]: "data" } }), IpyboxError);
    expect(error).toMatchObject({ code: "bind_failed", details: { source: closed, uid: 1000, gid: 1000 } });
    for (const part of [closed, "uid 1000", `chown 1000:1000 ${closed}`, ":ro", "`user` option"])
      expect(error.message).toContain(part);
    expect(await ownContainers()).toEqual([]);
    expect(await ownerOf(closed)).toEqual([0, 0]);
  });

  it("can be used by each of these ways", async () => {
    verifies("CONT-05");
    const closed = join(directory, "closed");
    await mkdir(closed, { mode: 0o755 });
    await chown(closed, 4321, 4321);
    const write = "open('data/x', 'w').close(); import os; print(os.getuid(), os.getgid())";
    await rejection(ExecutionContainer.create({ binds: { [closed]: "data" } }), IpyboxError);
    expect(await run({ binds: { [closed]: "data:ro" } }, "import os; print(os.listdir('data'))")).toBe("[]");
    expect(await run({ binds: { [closed]: "data" }, user: { uid: 4321, gid: 4321 } }, write)).toBe("4321 4321");
    expect(await ownerOf(join(closed, "x"))).toEqual([4321, 4321]);
    await rm(join(closed, "x"));
    await chown(closed, 1000, 1000);
    expect(await run({ binds: { [closed]: "data" } }, write)).toBe("1000 1000");
  });

  it("is used as nobody but uid 1000: root's own files stay closed", async () => {
    verifies("CONT-05");
    const data = await usableDirectory("data");
    await writeFile(join(data, "private"), "x", { mode: 0o600 });
    expect(await run({ binds: { [data]: "data" } }, "import os; print(os.getuid(), os.access('data/private', os.R_OK))")).toBe(
      "1000 False",
    );
  });
});

describe.runIf(isRoot)("a caller that is not root", () => {
  it("gets files with its own uid and gid, in directories of its own", async () => {
    verifies("CONT-05");
    const own = join(directory, "own");
    await mkdir(own);
    await chown(own, 4321, 4321);
    const program = `
      const container = await ExecutionContainer.create({ binds: ${JSON.stringify({ [own]: "own", [join(own, "new")]: "new" })} });
      const client = await ExecutionClient.connect({ port: container.port });
      const code = "for path in ('own/x', 'new/y'): open(path, 'w').close()\\nimport os; print(os.getuid(), os.getgid())";
      console.log((await client.execute(code)).text);
      await client.disconnect();
      await container.kill();
    `;
    expect(await runAsUser(4321, program)).toBe("4321 4321");
    for (const path of ["x", "new", "new/y"]) expect(await ownerOf(join(own, path))).toEqual([4321, 4321]);
  });

  it("is told, too, when it may not write", async () => {
    verifies("CONT-05");
    const closed = join(directory, "closed");
    await mkdir(closed, { mode: 0o755 });
    const program = `
      const error = await ExecutionContainer.create({ binds: ${JSON.stringify({ [closed]: "data" })} }).catch((error) => error);
      console.log(error.code, error.message);
    `;
    expect(await runAsUser(4321, program)).toMatch(/^bind_failed .*cells run as uid 4321, gid 4321/);
  });
});
