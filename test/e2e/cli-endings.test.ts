import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { eventually } from "../integration/sandbox.ts";
import { verifies } from "../requirements.ts";
import { startCli, temporaryDirectory } from "./cli.ts";

const SUDDEN = new URL("../fixtures/sudden.mjs", import.meta.url).href;

const COMMANDS = [["run", "-"], ["repl"]] as const;

const ENDINGS = [
  { ending: "SIGTERM", signal: "SIGTERM", status: 143 },
  { ending: "SIGHUP", signal: "SIGHUP", status: 129 },
  { ending: "SIGKILL", signal: "SIGKILL", status: 137 },
  { ending: "an exception that nobody catches", signal: "SIGUSR2", status: 1 },
  { ending: "process.exit(9)", signal: "SIGUSR2", status: 9, env: { ENDING: "exit" } },
] as const;

const CASES = COMMANDS.flatMap((args) => ENDINGS.map((ending) => ({ args, env: {}, ...ending })));

describe("nothing is left", () => {
  it.each(CASES)("of ipybox $args after $ending, which ends with $status", async ({ args, signal, status, env }) => {
    verifies("LIFE-02");
    const directory = await temporaryDirectory();
    const running = startCli(args, { env: { ...env, XDG_RUNTIME_DIR: directory, NODE_OPTIONS: `--import=${SUDDEN}` } });
    const cell = "print('go')\nimport time\ntime.sleep(600)\n\n";
    if (args[0] === "run") running.child.stdin.end(cell);
    else running.child.stdin.write(cell);
    await running.prints("go\n");
    expect(await running.containers()).toHaveLength(1);
    expect(await readdir(join(directory, "ipybox"))).toHaveLength(1);
    running.child.kill(signal);
    expect((await running.finished).status).toBe(status);
    await eventually(async () => (await running.containers()).length === 0, 30_000);
    await eventually(async () => (await readdir(join(directory, "ipybox"))).length === 0, 30_000);
  });
});
