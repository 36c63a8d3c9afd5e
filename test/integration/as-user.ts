import { spawn } from "node:child_process";
import { chown, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { SOCKET } from "./docker.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Runs a program (an ES module that may import from "ipybox") as another user than root, and gives
 * what it prints. All of the package is loaded before, since that user may not be able to read it.
 */
export async function runAsUser(uid: number, program: string): Promise<string> {
  const runtime = await mkdtemp(join(tmpdir(), "ipybox-runtime-"));
  await chown(runtime, uid, uid);
  const prelude = [
    'import { statSync } from "node:fs";',
    'import { ExecutionClient, ExecutionContainer } from "ipybox";',
    `const { DockerEngine } = await import(${JSON.stringify(join(ROOT, "dist/engine/docker/docker-engine.js"))});`,
    "await new DockerEngine().check();",
    `process.setgroups([statSync(${JSON.stringify(SOCKET)}).gid]);`,
    `process.setgid(${uid}); process.setuid(${uid});`,
  ].join("\n");
  try {
    const child = spawn(process.execPath, ["--input-type=module", "--eval", `${prelude}\n${program}`], {
      cwd: ROOT,
      env: { ...process.env, XDG_RUNTIME_DIR: runtime, HOME: runtime },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    const [output, errors, status] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
    if (status !== 0) throw new Error(`the program of user ${uid} ended with status ${status}:\n${errors}`);
    return output.trim();
  } finally {
    await rm(runtime, { recursive: true, force: true });
  }
}
