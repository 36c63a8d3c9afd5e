import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Marks the containers of the benchmark; its value is the run that they belong to. */
export const LABEL = "ipybox.bench";

/** Runs the `docker` command and gives what it prints. */
export async function docker(...args: readonly string[]): Promise<string> {
  const { stdout } = await run("docker", args, { maxBuffer: 64 * 1024 * 1024 });
  return stdout.trim();
}

/** Removes containers with all that is in them; those that are gone already are no failure. */
export async function removeContainers(ids: readonly string[]): Promise<void> {
  if (ids.length > 0) await docker("rm", "--force", "--volumes", ...ids).catch(() => undefined);
}

/** Ids of the containers that carry a label, running or not. */
export async function containersWith(label: string): Promise<readonly string[]> {
  const ids = await docker("ps", "--all", "--quiet", "--filter", `label=${label}`);
  return ids === "" ? [] : ids.split("\n");
}

/** Runs a command in a container as that user. */
export async function inContainer(containerId: string, user: string, ...command: readonly string[]): Promise<string> {
  return docker("exec", "--user", user, containerId, ...command);
}

/** Pages that only this process has, in bytes: what would be free without it. */
export async function privateBytes(containerId: string, pid: number): Promise<number> {
  // Root of a container that has no capabilities may not look into others' processes; their own user may.
  const owner = await inContainer(containerId, "0", "stat", "--format", "%u", `/proc/${pid}`);
  const rollup = await inContainer(containerId, owner, "cat", `/proc/${pid}/smaps_rollup`);
  return 1024 * (field(rollup, "Private_Clean") + field(rollup, "Private_Dirty"));
}

/** All memory that a process has in use, shared or not, in bytes. */
export async function residentBytes(containerId: string, pid: number): Promise<number> {
  return 1024 * field(await inContainer(containerId, "0", "cat", `/proc/${pid}/status`), "VmRSS");
}

function field(text: string, name: string): number {
  const [, value] = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text) ?? [];
  if (value === undefined) throw new Error(`There is no ${name} in: ${text}`);
  return Number(value);
}
