import { hostname } from "node:os";
import { listContainers, type ListedContainer, MAIN, RunningProcess } from "./cli.ts";

/** The command line in a terminal of its own: what both streams show is in `stdout`. */
export class TerminalSession extends RunningProcess {
  #seen = 0;

  constructor(args: readonly string[], { cwd, env }: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {}) {
    const command = ["exec", process.execPath, MAIN, ...args].map((word) => (word === "exec" ? word : `'${word}'`)).join(" ");
    super("script", ["-qefc", `echo "pid=$$"; ${command}`, "/dev/null"], {
      ...(cwd === undefined ? {} : { cwd }),
      env: { TERM: "xterm", KITTY_WINDOW_ID: "", TERM_PROGRAM: "", LC_TERMINAL: "", TMUX: "", STY: "", ...env },
    });
  }

  /** Waits for a text behind those that were waited for before. */
  async shows(text: string): Promise<void> {
    for (;;) {
      const at = this.stdout.indexOf(text, this.#seen);
      if (at !== -1) {
        this.#seen = at + text.length;
        return;
      }
      await this.grows();
    }
  }

  /** Types keys; `\r` is Enter, `\x03` Ctrl-C, `\x04` Ctrl-D. */
  type(keys: string): void {
    this.child.stdin.write(keys);
  }

  /** Sends a signal to the command itself. */
  signal(name: NodeJS.Signals): void {
    process.kill(this.#pid, name);
  }

  override async containers(): Promise<readonly ListedContainer[]> {
    return (await listContainers()).filter(({ owner }) => owner === `${this.#pid}@${hostname()}`);
  }

  get #pid(): number {
    const [, pid] = /^pid=(\d+)/.exec(this.stdout) ?? [];
    if (pid === undefined) throw new Error(`no pid in ${JSON.stringify(this.stdout)}`);
    return Number(pid);
  }
}
