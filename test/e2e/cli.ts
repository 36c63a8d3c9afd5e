import { type ChildProcessByStdio, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { constants, hostname, tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterEach } from "vitest";
import { eventually } from "../integration/sandbox.ts";

/** The command line, as it is published. */
export const MAIN: string = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

export interface Finished {
  /** The exit status, as a shell gives it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  /** Standard input; without it there is none. */
  readonly input?: string;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs the command line to its end. */
export async function cli(args: readonly string[], options: CliOptions = {}): Promise<Finished> {
  return new RunningProcess(process.execPath, [MAIN, ...args], options).end(options.input);
}

/** Starts the command line. */
export function startCli(args: readonly string[], options: Omit<CliOptions, "input"> = {}): RunningProcess {
  return new RunningProcess(process.execPath, [MAIN, ...args], options);
}

/** A process whose output is awaited. */
export class RunningProcess {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly finished: Promise<Finished>;
  stdout = "";
  stderr = "";
  #isOver = false;

  constructor(command: string, args: readonly string[], { cwd, env }: Omit<CliOptions, "input">) {
    this.child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "pipe"] });
    this.child.stdout.setEncoding("utf8").on("data", (text: string) => (this.stdout += text));
    this.child.stderr.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    // Who ends early does not read it all.
    this.child.stdin.on("error", () => undefined);
    this.finished = new Promise((resolve, reject) => {
      this.child.on("error", reject).on("close", (code, signal) => {
        this.#isOver = true;
        const status = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
        resolve({ status, stdout: this.stdout, stderr: this.stderr });
      });
    });
    started.push(this);
  }

  /** Waits until the output has `text`. */
  async prints(text: string, stream: "stdout" | "stderr" = "stdout"): Promise<void> {
    while (!this[stream].includes(text)) await this.grows();
  }

  /** Waits for more output, at most a minute. */
  async grows(): Promise<void> {
    const before = this.stdout.length + this.stderr.length;
    const hasMore = (): boolean => this.stdout.length + this.stderr.length > before;
    await eventually(() => hasMore() || this.#isOver, 60_000).catch(() => undefined);
    if (!hasMore()) throw new Error(`nothing more after ${JSON.stringify(this.stdout)} ${JSON.stringify(this.stderr)}`);
  }

  /** Gives the rest of the input, and waits for the end. */
  end(input = ""): Promise<Finished> {
    this.child.stdin.end(input);
    return this.finished;
  }

  /** The containers that it has started and that are still there. */
  async containers(): Promise<readonly ListedContainer[]> {
    return (await listContainers()).filter(({ owner }) => owner === `${this.child.pid}@${hostname()}`);
  }
}

export interface ListedContainer {
  readonly id: string;
  readonly image: string;
  readonly running: boolean;
  readonly port: number | undefined;
  readonly createdAt: string;
  readonly owner: string;
}

/** What `ipybox ls --json` gives. */
export async function listContainers(): Promise<readonly ListedContainer[]> {
  const { stdout } = await cli(["ls", "--json"]);
  return JSON.parse(stdout) as ListedContainer[];
}

const started: RunningProcess[] = [];
const directories: string[] = [];

/** A directory that is removed after the test. */
export async function temporaryDirectory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "ipybox-e2e-"));
  directories.push(path);
  return path;
}

afterEach(async () => {
  // A test that has failed may have left it running.
  for (const { child, finished } of started.splice(0)) {
    child.kill("SIGTERM");
    await finished;
  }
  for (const path of directories.splice(0)) await rm(path, { recursive: true, force: true });
});
