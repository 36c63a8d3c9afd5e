import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import type { Operation, Operations } from "./peer.ts";

type Answer = { readonly value: unknown } | { readonly error: string };

/** A process that takes operations as JSON lines on stdin and answers each with one on stdout. */
export class DriverProcess {
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  readonly #answers: AsyncIterator<string>;
  /** The end of what it has written to stderr. */
  #log = "";

  constructor(command: string, args: readonly string[]) {
    this.#child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
    this.#child.on("error", (error) => (this.#log += String(error)));
    this.#child.stdin?.on("error", () => undefined);
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.#log = (this.#log + text).slice(-4_000)));
    this.#lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream });
    this.#answers = this.#lines[Symbol.asyncIterator]();
  }

  async perform<Name extends Operation>(
    operation: Name,
    parameters: Operations[Name]["parameters"],
  ): Promise<Operations[Name]["outcome"]> {
    return (await this.#ask(operation, parameters)) as Operations[Name]["outcome"];
  }

  /** Lets it close its kernels and end; ends it by force when it doesn't within 10 s. */
  async close(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null && this.#child.pid !== undefined) {
      const deadline = setTimeout(() => this.#child.kill("SIGKILL"), 10_000);
      const exited = once(this.#child, "exit");
      await this.#ask("close", {}).catch(() => undefined);
      this.#child.stdin?.end();
      await exited;
      clearTimeout(deadline);
    }
    this.#lines.close();
  }

  async #ask(operation: string, parameters: object): Promise<unknown> {
    this.#child.stdin?.write(`${JSON.stringify({ operation, parameters })}\n`);
    const line = await this.#answers.next();
    if (line.done === true) throw new Error(`The driver has ended. Its last words:\n${this.#log}`);
    const answer = JSON.parse(line.value) as Answer;
    if ("error" in answer) throw new Error(answer.error);
    return answer.value;
  }
}
