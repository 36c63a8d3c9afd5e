import { lstatSync, mkdirSync, readFileSync, type Stats } from "node:fs";
import { lstat, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import * as z from "zod";
import type { SandboxAddress } from "./engine/engine.ts";
import { IpyboxError } from "./errors.ts";

/** A draft has its name for a moment only. */
const DRAFT_MS = 60_000;
const DRAFT = /\.json\.([0-9a-f-]{36})$/;

/** What this user's processes know of a container that one of them has started. */
export interface RuntimeEntry {
  readonly token: string;
  readonly containerId: string;
  /** The start of that container, as its label tells. */
  readonly session: string;
  /** The daemon that runs it, as `DOCKER_HOST` would name it. */
  readonly dockerHost: string;
  /** Where this machine reaches the agent without the published port. */
  readonly direct?: SandboxAddress | undefined;
}

const runtimeEntry: z.ZodType<RuntimeEntry> = z.object({
  token: z.string(),
  containerId: z.string(),
  session: z.string(),
  dockerHost: z.string(),
  direct: z.object({ host: z.string(), port: z.number() }).optional(),
});

/** Keeps the token of a container for other processes of this user. */
export async function saveRuntimeEntry(host: string, port: number, entry: RuntimeEntry): Promise<void> {
  const directory = runtimeDirectory();
  const path = join(directory, entryName(host, port));
  // So named, it is found when the process is killed right here.
  const draft = `${path}.${entry.session}`;
  try {
    await writeFile(draft, JSON.stringify(entry), { mode: 0o600 });
    await rename(draft, path);
  } catch (cause) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw unusable(directory, `can't be written to (${(cause as Error).message})`, {}, cause);
  }
}

/**
 * Finds what is known of the container behind a port, or undefined. An entry may outlive its container. Synchronous, because
 * each connection begins with it: by Node's file threads it takes 0.8 ms.
 */
export function readRuntimeEntry(host: string, port: number): RuntimeEntry | undefined {
  const directory = existingDirectory();
  return directory === undefined ? undefined : readEntry(join(directory, entryName(host, port)));
}

/** Forgets a container, unless its port belongs to another one by now. */
export async function removeRuntimeEntry(host: string, port: number, containerId: string): Promise<void> {
  const entry = readRuntimeEntry(host, port);
  if (entry?.containerId === containerId) await rm(join(runtimeDirectory(), entryName(host, port)), { force: true });
}

/** What the runtime directory has of a start: an entry, or a draft of one. */
export interface RuntimeFile {
  readonly path: string;
  readonly session: string;
  /** Undefined for a draft. */
  readonly entry: RuntimeEntry | undefined;
  /** Whether somebody may just be writing it. */
  readonly isFresh: boolean;
}

/** All that the runtime directory has. */
export async function listRuntimeFiles(): Promise<readonly RuntimeFile[]> {
  const directory = existingDirectory();
  if (directory === undefined) return [];
  const files: RuntimeFile[] = [];
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    const entry = name.endsWith(".json") ? readEntry(path) : undefined;
    const session = entry?.session ?? DRAFT.exec(name)?.[1];
    if (session === undefined) continue;
    files.push({ path, session, entry, isFresh: entry === undefined && (await isRecent(path)) });
  }
  return files;
}

/** Forgets a start, however far it has come. */
export async function removeSessionFiles(session: string): Promise<void> {
  for (const file of await listRuntimeFiles()) if (file.session === session) await rm(file.path, { force: true });
}

/** The directory of this user alone, made if need be. Anything else of that name is an error, since it would hold tokens. */
export function runtimeDirectory(env: NodeJS.ProcessEnv = process.env): string {
  const path = pathOf(env);
  try {
    mkdirSync(path, { mode: 0o700, recursive: true });
  } catch (cause) {
    throw unusable(path, `can't be made (${(cause as Error).message})`, {}, cause);
  }
  assertOurs(path, lstatSync(path));
  return path;
}

/**
 * The same for those that only look: undefined where nothing of ours can be, for instance after the user has logged out, or
 * where it is another user's.
 */
function existingDirectory(): string | undefined {
  const path = pathOf(process.env);
  try {
    return isOurs(lstatSync(path)) ? path : undefined;
  } catch {
    return undefined;
  }
}

function pathOf(env: NodeJS.ProcessEnv): string {
  const owner = process.getuid?.() ?? userInfo().username;
  return env.XDG_RUNTIME_DIR ? join(env.XDG_RUNTIME_DIR, "ipybox") : join(tmpdir(), `ipybox-${owner}`);
}

function isOurs(stats: Stats): boolean {
  const uid = process.getuid?.();
  // Windows keeps temporary directories per user, and has no modes.
  return stats.isDirectory() && (uid === undefined || (stats.uid === uid && (stats.mode & 0o077) === 0));
}

function assertOurs(path: string, stats: Stats): void {
  if (isOurs(stats)) return;
  const details = { mode: (stats.mode & 0o7777).toString(8), owner: stats.uid };
  throw unusable(path, "must be a directory of your own that nobody else can enter (mode 0700)", details);
}

function unusable(path: string, why: string, details: object, cause?: unknown): IpyboxError {
  const message = `${path} can't hold tokens: it ${why}. Remove it, or set XDG_RUNTIME_DIR to a directory of your own.`;
  return new IpyboxError("invalid_state", message, { details: { path, ...details }, cause });
}

async function isRecent(path: string): Promise<boolean> {
  const { mtimeMs } = await lstat(path).catch(() => ({ mtimeMs: 0 }));
  return Date.now() - mtimeMs < DRAFT_MS;
}

function readEntry(path: string): RuntimeEntry | undefined {
  try {
    const text = readFileSync(path, "utf8");
    return runtimeEntry.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function entryName(host: string, port: number): string {
  const name = ["localhost", "::1", "[::1]"].includes(host.toLowerCase()) ? "127.0.0.1" : host.toLowerCase();
  return `${encodeURIComponent(name)}.${port}.json`;
}
