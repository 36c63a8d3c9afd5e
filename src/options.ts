import * as z from "zod";
import { IpyboxError } from "./errors.ts";
import { EntryError, parseEntry } from "./network/entry.ts";
import { MAX_ENTRIES, type NetworkPolicy } from "./network/policy.ts";
import { MAX_ID } from "./protocol/agent-config.ts";
import { abortSignal, byteCount, nonEmptyText, parseOptions, portNumber, text } from "./parse-options.ts";
import type { DeniedEvent } from "./protocol/control.ts";
import { REFUSED_OPTIONS } from "./refused-options.ts";

const MIB = 1_048_576;

/** What holds where an option is left out. */
export const DEFAULTS: {
  /** Name of the image. */
  readonly tag: string;
  /** Memory of a container; less on a machine that has less. */
  readonly memoryBytes: number;
  /** CPUs of a container; less on a machine that has less. */
  readonly cpus: number;
  /** Processes and threads of a container. */
  readonly pidsLimit: number;
  /** Shared memory (`/dev/shm`) of a container. */
  readonly shmBytes: number;
  /** Files, sockets and pipes that a process may have open. */
  readonly openFilesLimit: number;
  /** Size of a core dump. */
  readonly coreBytes: number;
  /** What the daemon keeps of the container's own log. */
  readonly logBytes: number;
  /** What cells may write to the container's own disk. */
  readonly diskBytes: number;
  /** Uid and gid of cells when the caller is root, or has no uid. */
  readonly user: SandboxUser;
  /** How long a container may take from its start until code can be executed. */
  readonly startTimeoutMs: number;
  /** What cells may reach. */
  readonly network: NetworkPolicy;
  /** Where a client connects to. */
  readonly host: string;
  /** How long a client may take to connect. */
  readonly connectTimeoutMs: number;
  /** How long a cell may run. */
  readonly timeoutMs: number;
  /** How much output a result keeps. */
  readonly maxOutputBytes: number;
  /** How long a kernel lives after its last client has vanished. */
  readonly gracePeriodMs: number;
  /** How long a container may give no sign of life while it works on files. */
  readonly fileTimeoutMs: number;
  /** How long a file may be that is read as a whole. */
  readonly maxReadBytes: number;
  /** How many entries a list may have. */
  readonly maxListEntries: number;
} = {
  tag: "gradion-ai/ipybox",
  memoryBytes: 2048 * MIB,
  cpus: 2,
  pidsLimit: 1024,
  shmBytes: 256 * MIB,
  openFilesLimit: 16_384,
  coreBytes: 0,
  logBytes: 2 * MIB,
  diskBytes: 10 * 1024 * MIB,
  user: { uid: 1000, gid: 1000 },
  startTimeoutMs: 30_000,
  network: "internet",
  host: "127.0.0.1",
  connectTimeoutMs: 10_000,
  timeoutMs: 120_000,
  maxOutputBytes: 16 * MIB,
  gracePeriodMs: 60_000,
  fileTimeoutMs: 30_000,
  maxReadBytes: 256 * MIB,
  maxListEntries: 100_000,
};

/** Whose rights cells have. Neither may be 0. */
export interface SandboxUser {
  readonly uid: number;
  readonly gid: number;
}

/** Options of an `ExecutionContainer`. */
export interface ExecutionContainerOptions {
  /** Image to run, for instance `my-box:v1`, `registry:5000/box` or `box@sha256:…`. Default `gradion-ai/ipybox`. */
  readonly tag?: string | undefined;
  /**
   * Host path → path below `/app`, with `:ro` at its end to make it read-only. Relative host paths start at the
   * current directory; a missing one is created.
   */
  readonly binds?: Readonly<Record<string, string>> | undefined;
  /** Environment variables of cells. The values do not show in `docker inspect`. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Host port to listen on. Default: a free one. */
  readonly port?: number | undefined;
  /** Memory limit in bytes, swap included. Default 2 GiB, or all memory of a smaller host. */
  readonly memoryBytes?: number | undefined;
  /** CPU limit, fractions allowed. Default 2, or all CPUs of a smaller host. */
  readonly cpus?: number | undefined;
  /** Limit of processes and threads. Default 1,024. */
  readonly pidsLimit?: number | undefined;
  /** Size of `/dev/shm` in bytes, counted in the memory limit. Default 256 MiB. */
  readonly shmBytes?: number | undefined;
  /** Files, sockets and pipes that a process may have open; 1,024 or more. Default 16,384. */
  readonly openFilesLimit?: number | undefined;
  /** Size of a core dump in bytes. Default 0: none is made. */
  readonly coreBytes?: number | undefined;
  /** What the daemon keeps of the container's own log, in bytes; cells don't write there. Default 2 MiB. */
  readonly logBytes?: number | undefined;
  /**
   * What cells may write to the container's own disk, in bytes; null for no bound. No file of theirs is larger than 15/16 of it. Bind mounts and `/dev/shm` are not counted. A kernel that writes more is ended (`KernelDiedError` with the reason
   * `disk`), unless the daemon's storage refuses the write before. Default 10 GiB.
   */
  readonly diskBytes?: number | null | undefined;
  /**
   * Makes the image read-only: `/app`, `/home/ipybox`, `/tmp` and `/var/tmp` are then in memory, and nothing else can be written to;
   * packages can't be installed. Default false.
   */
  readonly readonlyRoot?: boolean | undefined;
  /** Runtime to run the container with, one that the daemon has: `runsc` for gVisor, `kata`, … Default: the daemon's. */
  readonly runtime?: string | undefined;
  /** Files with certificates in PEM form that Python, pip, requests, Node and curl trust in this container. */
  readonly caCertificates?: readonly string[] | undefined;
  /** Uid and gid of cells, never 0. Default: the caller's; 1000 and 1000 when the caller is root. */
  readonly user?: SandboxUser | undefined;
  /**
   * What cells may reach: `"internet"`, `"public"`, `"none"`, or `{ allow }` with a list of names and addresses. Default
   * `"internet"`: whatever Docker's network reaches, a cloud's metadata service included. See `NetworkPolicy`.
   */
  readonly network?: NetworkPolicy | undefined;
  /** Called for what the policy has denied. What it throws is not caught. */
  readonly onDenied?: ((event: DeniedEvent) => void) | undefined;
  /** Show a bar on stderr, if that is a terminal, while the image is pulled. Default true. */
  readonly showPullProgress?: boolean | undefined;
  /** Docker daemon to use, written as `DOCKER_HOST`. Default: `DOCKER_HOST`, then the current docker context. */
  readonly dockerHost?: string | undefined;
  /** Time from the container's start until code can be executed, in milliseconds. Default 30,000. */
  readonly startTimeoutMs?: number | undefined;
  /** Ends the container, and removes it, when no cell has run in it, and no file was transferred, for so long, in milliseconds. Default: never. */
  readonly idleTimeoutMs?: number | undefined;
  /**
   * Whether the container stays when this process ends. Default false: without its owner it ends by itself, within
   * half a minute.
   */
  readonly detached?: boolean | undefined;
  /** Widens the sandbox: system calls that cells may make besides the usual ones, for instance `ptrace` for a debugger. */
  readonly dangerouslyAllowSyscalls?: readonly string[] | undefined;
  /** Widens the sandbox: no filter for system calls at all. Default false. */
  readonly dangerouslyDisableSeccomp?: boolean | undefined;
  /** Widens the sandbox: `binds` may name the host's own system, `/` or a socket for instance. Default false. */
  readonly dangerouslyAllowBinds?: boolean | undefined;
  /** Gives up a `run()` that is under way: the container is removed. */
  readonly signal?: AbortSignal | undefined;
}

const id = z
  .int({ error: "must be a whole number" })
  .min(1, { error: "must not be 0 or less: cells never run as root" })
  .max(MAX_ID, { error: `must be ${MAX_ID} or less: the next number stands for "no change" in Linux` });
const flag = z.boolean({ error: "must be true or false" });
const syscall = z.string().regex(/^[a-z][a-z0-9_]*$/, { error: "must be the name of a system call, for instance ptrace" });
const runtimeName = z.string().regex(/^[\w.-]+$/, { error: "must be the name of a runtime, for instance runsc" });
const variable = z.string().regex(/^[^=\0]+$/, { error: "is no name for a variable: it must not be empty or contain = or NUL" });

const POLICIES = 'must be "internet", "public", "none" or { allow: […] }';
const entry = z.string({ error: "must be a string" }).superRefine((text, context) => {
  try {
    parseEntry(text);
  } catch (error) {
    if (!(error instanceof EntryError)) throw error;
    context.addIssue({ code: "custom", message: error.message });
  }
});
const allowList = z
  .array(entry, { error: "must be an array of strings" })
  .max(MAX_ENTRIES, { error: `must have ${MAX_ENTRIES} entries or fewer` });

/** The schema of a `NetworkPolicy`. */
const networkPolicy: z.ZodType = z.unknown().superRefine((value, context) => {
  const kind =
    typeof value === "object" && value !== null ? z.strictObject({ allow: allowList }) : z.enum(["internet", "public", "none"]);
  const parsed = kind.safeParse(value);
  for (const issue of parsed.error?.issues ?? []) {
    const message = issue.path.length === 0 ? POLICIES : issue.message;
    context.addIssue({ code: "custom", message: message.replace(/\.$/, ""), path: [...issue.path] });
  }
});

/** Checks a policy; the error names what is wrong with it. */
export function parseNetworkPolicy(network: unknown, owner: string): NetworkPolicy {
  return parseOptions(z.strictObject({ network: networkPolicy }), { network }, owner)["network"] as NetworkPolicy;
}

const schema: z.ZodObject = z.strictObject({
  tag: text.optional(),
  binds: z.record(nonEmptyText, text, { error: "must be an object: host path → path below /app" }).optional(),
  env: z.record(variable, text, { error: "must be an object: name → string" }).optional(),
  port: portNumber.optional(),
  memoryBytes: byteCount(64 * MIB).optional(),
  cpus: z.number({ error: "must be a number" }).min(0.01, { error: "must be 0.01 or more" }).optional(),
  pidsLimit: z.int({ error: "must be a whole number" }).min(16, { error: "must be 16 or more" }).optional(),
  shmBytes: byteCount(MIB).optional(),
  openFilesLimit: z
    .int({ error: "must be a whole number" })
    .min(1024, { error: "must be 1024 or more" })
    .max(2 ** 20, { error: "must be 1048576 or less, which is the most that Linux has by itself" })
    .optional(),
  coreBytes: byteCount(0).optional(),
  logBytes: byteCount(65_536).optional(),
  diskBytes: byteCount(16 * MIB)
    .nullable()
    .optional(),
  readonlyRoot: flag.optional(),
  runtime: runtimeName.optional(),
  caCertificates: z.array(text, { error: "must be an array of file names" }).optional(),
  user: z.strictObject({ uid: id, gid: id }, { error: "must be { uid, gid }" }).optional(),
  network: networkPolicy.optional(),
  onDenied: z.custom<unknown>((value) => typeof value === "function", { error: "must be a function" }).optional(),
  showPullProgress: flag.optional(),
  dockerHost: text.optional(),
  startTimeoutMs: z.int({ error: "must be a whole number of milliseconds" }).min(1, { error: "must be 1 or more" }).optional(),
  idleTimeoutMs: z.int({ error: "must be a whole number of milliseconds" }).min(1, { error: "must be 1 or more" }).optional(),
  detached: flag.optional(),
  dangerouslyAllowSyscalls: z.array(syscall, { error: "must be an array of names of system calls" }).optional(),
  dangerouslyDisableSeccomp: flag.optional(),
  dangerouslyAllowBinds: flag.optional(),
  signal: abortSignal.optional(),
});

/** Checks the options of a container; an unknown or wrong one is an error that names it. */
export function parseContainerOptions(options: unknown): ExecutionContainerOptions {
  const parsed: ExecutionContainerOptions = parseOptions(schema, options, "ExecutionContainer", REFUSED_OPTIONS);
  if (parsed.readonlyRoot === true && (parsed.caCertificates ?? []).length > 0) {
    const text =
      `ExecutionContainer: options "readonlyRoot" and "caCertificates" can't be combined: certificates are added to the image's. ` +
      "Build an image that has them: `ipybox build --ca-certificates PATH`.";
    throw new IpyboxError("invalid_option", text, { details: { field: "caCertificates" } });
  }
  return parsed;
}
