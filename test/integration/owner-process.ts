import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { RuntimeEntry } from "../../src/runtime-dir.ts";
import { OWNER_LABEL } from "../../src/protocol/labels.ts";
import { containersWith } from "./docker.ts";
import { eventually } from "./sandbox.ts";

const PROGRAM = fileURLToPath(new URL("../fixtures/whole-life.ts", import.meta.url));

/** A process that owns containers, until a test ends it. */
export class OwnerProcess implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly #directory: string;
  #said = "";

  private constructor(directory: string, args: readonly string[], env: NodeJS.ProcessEnv) {
    this.#directory = directory;
    this.child = spawn(process.execPath, ["--import", "tsx", PROGRAM, ...args], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, ...env, XDG_RUNTIME_DIR: directory },
    });
    this.child.stdout?.on("data", (text: Buffer) => (this.#said += text.toString()));
  }

  static async start(args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<OwnerProcess> {
    const directory = await mkdtemp(join(tmpdir(), "ipybox-owner-"));
    await mkdir(join(directory, "ipybox"), { mode: 0o700 });
    return new OwnerProcess(directory, args, env);
  }

  /** Waits until it is about to do something. */
  async isAboutTo(what: string): Promise<void> {
    await eventually(() => {
      if (this.child.exitCode !== null) throw new Error(`the owner has ended with status ${this.child.exitCode}`);
      return this.#said.includes(`${what}\n`);
    }, 60_000);
  }

  /** Ends it. */
  async end(signal: NodeJS.Signals): Promise<void> {
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill(signal);
    await ended;
  }

  /** Takes its runtime directory away, so that there can't be one any more. */
  async logOut(): Promise<void> {
    await rm(this.#directory, { recursive: true });
    await writeFile(this.#directory, "");
  }

  /** Ends the processes that would tidy up behind it. */
  endGuards(): void {
    const guards = execFileSync("ps", ["-o", "pid=", "--ppid", String(this.child.pid)], { encoding: "utf8" });
    for (const pid of guards.trim().split(/\s+/)) process.kill(Number(pid), "SIGKILL");
  }

  /** Containers of it that are there. */
  containers(): Promise<readonly string[]> {
    return containersWith(`${OWNER_LABEL}=${this.child.pid}@${hostname()}`);
  }

  /** What it has written down for other processes. */
  async entry(): Promise<RuntimeEntry> {
    const directory = join(this.#directory, "ipybox");
    const [name = ""] = await readdir(directory);
    return JSON.parse(await readFile(join(directory, name), "utf8")) as RuntimeEntry;
  }

  /** All that there is of it: containers, files. */
  async remains(): Promise<readonly string[]> {
    return [...(await this.containers()), ...(await readdir(join(this.#directory, "ipybox")).catch(() => []))];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) await this.end("SIGKILL");
    await eventually(async () => (await this.containers()).length === 0, 30_000);
    await rm(this.#directory, { recursive: true, force: true });
  }
}
