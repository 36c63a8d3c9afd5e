import type { Stats } from "node:fs";
import { chown, mkdir, realpath, stat } from "node:fs/promises";
import { posix, resolve } from "node:path";
import type { SandboxMount } from "./engine/engine.ts";
import { IpyboxError } from "./errors.ts";
import type { SandboxUser } from "./options.ts";
import { runtimeDirectory } from "./runtime-dir.ts";

const ROOT = "/app";

/** Reads `binds`: where each host path appears in the container. */
export function parseBinds(binds: Readonly<Record<string, string>>): readonly SandboxMount[] {
  const mounts = Object.entries(binds).map(([source, target]) => parseBind(source, target));
  const seen = new Map<string, string>();
  for (const { source, target } of mounts) {
    const other = seen.get(target);
    if (other !== undefined) throw invalid(source, `${target} is already taken by ${other}`);
    seen.set(target, source);
  }
  return mounts;
}

function parseBind(source: string, given: string): SandboxMount {
  const readOnly = given.endsWith(":ro");
  const path = given.replace(/:r[ow]$/, "");
  const target = posix.resolve(ROOT, path);
  const below = path !== "" && target.startsWith(`${ROOT}/`) && !path.includes(":");
  if (!below) {
    throw invalid(source, `${JSON.stringify(given)} is no path below ${ROOT}. Write for instance "data" or "data:ro"`);
  }
  return { source: resolve(source), target, readOnly };
}

/** Creates missing directories for the user of cells, and makes sure that cells can use the others. */
export async function prepareBinds(
  mounts: readonly SandboxMount[],
  user: SandboxUser,
  { anywhere = false }: { readonly anywhere?: boolean } = {},
): Promise<void> {
  for (const mount of mounts) {
    if (!anywhere) await refuseSystem(mount.source);
    const stats = await stat(mount.source).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw failure(mount, `can't be read: ${(error as Error).message}`, error);
    });
    if (stats === undefined) await createFor(mount, user);
    else checkAccess(mount, stats, user);
  }
}

/** Directories of the host's own system; the first ones with all that is below them. */
const SYSTEM_TREES = ["/boot", "/dev", "/proc", "/sys", "/var/lib/docker", "/var/lib/containerd"];
const SYSTEM = new Set(["/", "/etc", "/lib", "/lib64", "/root", "/run", "/usr", "/var", "/var/lib", "/var/run"]);

/** What is there decides, not the name: a link may lead to it. */
async function refuseSystem(source: string): Promise<void> {
  const path = await realpath(source).catch(() => source);
  const tokens = await realpath(runtimeDirectory());
  if (isWithin(tokens, path) || isWithin(path, tokens)) {
    throw invalid(
      source,
      `${tokens}, which has the tokens of containers, would be in sight of cells. Bind a directory below ${path}, set XDG_RUNTIME_DIR to one elsewhere, or set dangerouslyAllowBinds: true`,
    );
  }
  const isSystem = SYSTEM.has(path) || SYSTEM_TREES.some((tree) => isWithin(path, tree));
  const isSocket = (await stat(path).catch(() => undefined))?.isSocket() ?? false;
  if (!isSystem && !isSocket) return;
  const what = isSocket ? "a socket, behind which a program of the host listens" : "part of the host's own system";
  throw invalid(source, `${path} is ${what}. Bind a directory of yours, or set dangerouslyAllowBinds: true`);
}

function isWithin(path: string, tree: string): boolean {
  return path === tree || path.startsWith(`${tree}/`);
}

async function createFor(mount: SandboxMount, user: SandboxUser): Promise<void> {
  try {
    const first = await mkdir(mount.source, { recursive: true });
    if (first === undefined || process.getuid?.() !== 0) return;
    // Each directory that was made on the way, from the deepest up.
    for (let path = mount.source; path.length >= first.length; path = resolve(path, "..")) {
      await chown(path, user.uid, user.gid);
    }
  } catch (cause) {
    throw failure(mount, `does not exist and can't be created: ${(cause as Error).message}`, cause);
  }
}

function checkAccess(mount: SandboxMount, stats: Stats, user: SandboxUser): void {
  if (process.getuid === undefined) return;
  const needed = (mount.readOnly ? 4 : 6) | (stats.isDirectory() ? 1 : 0);
  const shift = stats.uid === user.uid ? 6 : stats.gid === user.gid ? 3 : 0;
  if (((stats.mode >> shift) & needed) === needed) return;
  const can = mount.readOnly ? "read" : "read and write";
  const facts = `owner ${stats.uid}:${stats.gid}, mode 0${(stats.mode & 0o777).toString(8)}`;
  const ways = [
    `give uid ${user.uid} the right (for instance \`chown ${user.uid}:${user.gid} ${mount.source}\`)`,
    ...(mount.readOnly ? [] : [`bind it read-only (":ro")`]),
    ...(stats.uid === 0 ? [] : [`set the option user: { uid: ${stats.uid}, gid: ${stats.gid || user.gid} }`]),
  ];
  if (stats.uid === 0) ways.push("set the `user` option to a uid that may");
  throw failure(
    mount,
    `can't be used: cells run as uid ${user.uid}, gid ${user.gid}, and can't ${can} there (${facts}). Either ${ways.join(", or ")}`,
    undefined,
    {
      uid: user.uid,
      gid: user.gid,
    },
  );
}

function failure(mount: SandboxMount, reason: string, cause: unknown, facts: object = {}): IpyboxError {
  const details = { source: mount.source, target: mount.target, ...facts };
  return new IpyboxError("bind_failed", `The bind ${mount.source} → ${mount.target} ${reason}.`, { details, cause });
}

function invalid(source: string, reason: string): IpyboxError {
  return new IpyboxError(
    "invalid_option",
    `ExecutionContainer: option "binds" for host path ${JSON.stringify(source)}: ${reason}.`,
    {
      details: { field: "binds", source },
    },
  );
}
