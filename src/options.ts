import { z } from "zod";
import { IpyboxError } from "./errors.ts";

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
  /** Uid and gid of cells when the caller is root, or has no uid. */
  readonly user: SandboxUser;
  /** How long a container may take from its start until code can be executed. */
  readonly startTimeoutMs: number;
  /** Where a client connects to. */
  readonly host: string;
  /** How long a client may take to connect. */
  readonly connectTimeoutMs: number;
  /** How long a cell may run. */
  readonly timeoutMs: number;
  /** How much output a result keeps. */
  readonly maxOutputBytes: number;
} = {
  tag: "gradion-ai/ipybox",
  memoryBytes: 2048 * MIB,
  cpus: 2,
  pidsLimit: 1024,
  shmBytes: 256 * MIB,
  user: { uid: 1000, gid: 1000 },
  startTimeoutMs: 30_000,
  host: "127.0.0.1",
  connectTimeoutMs: 10_000,
  timeoutMs: 120_000,
  maxOutputBytes: 16 * MIB,
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
  /** Files with certificates in PEM form that Python, pip, requests, Node and curl trust in this container. */
  readonly caCertificates?: readonly string[] | undefined;
  /** Uid and gid of cells, never 0. Default: the caller's; 1000 and 1000 when the caller is root. */
  readonly user?: SandboxUser | undefined;
  /** Show a bar on stderr, if that is a terminal, while the image is pulled. Default true. */
  readonly showPullProgress?: boolean | undefined;
  /** Docker daemon to use, written as `DOCKER_HOST`. Default: `DOCKER_HOST`, then the current docker context. */
  readonly dockerHost?: string | undefined;
  /** Time from the container's start until code can be executed, in milliseconds. Default 30,000. */
  readonly startTimeoutMs?: number | undefined;
  /** Gives up a `run()` that is under way: the container is removed. */
  readonly signal?: AbortSignal | undefined;
}

const bytes = (least: number): z.ZodNumber =>
  z.int({ error: `must be a whole number of bytes, ${least} or more` }).min(least, { error: `must be ${least} bytes or more` });
const id = z.int({ error: "must be a whole number" }).min(1, { error: "must not be 0 or less: cells never run as root" });
const text = z
  .string({ error: "must be a string" })
  .refine((value) => !value.includes("\0"), { error: "must not contain a NUL character" });
const variable = z.string().regex(/^[^=\0]+$/, { error: "is no name for a variable: it must not be empty or contain = or NUL" });

const schema: z.ZodObject = z.strictObject({
  tag: text.optional(),
  binds: z
    .record(text.min(1, { error: "must not be empty" }), text, { error: "must be an object: host path → path below /app" })
    .optional(),
  env: z.record(variable, text, { error: "must be an object: name → string" }).optional(),
  port: z.int({ error: PORT() }).min(1, { error: PORT() }).max(65_535, { error: PORT() }).optional(),
  memoryBytes: bytes(64 * MIB).optional(),
  cpus: z.number({ error: "must be a number" }).min(0.01, { error: "must be 0.01 or more" }).optional(),
  pidsLimit: z.int({ error: "must be a whole number" }).min(16, { error: "must be 16 or more" }).optional(),
  shmBytes: bytes(MIB).optional(),
  caCertificates: z.array(text, { error: "must be an array of file names" }).optional(),
  user: z.strictObject({ uid: id, gid: id }, { error: "must be { uid, gid }" }).optional(),
  showPullProgress: z.boolean({ error: "must be true or false" }).optional(),
  dockerHost: text.optional(),
  startTimeoutMs: z.int({ error: "must be a whole number of milliseconds" }).min(1, { error: "must be 1 or more" }).optional(),
  signal: z.instanceof(AbortSignal, { error: "must be an AbortSignal" }).optional(),
});

/** Options of an `ExecutionClient`. */
export interface ExecutionClientOptions {
  /** Port of the container, `container.port`. */
  readonly port: number;
  /** Host of the container, `container.host`. Default 127.0.0.1. */
  readonly host?: string | undefined;
  /** Token of the container. Default: what this user's process that started it has left in the runtime directory. */
  readonly token?: string | undefined;
  /** Time to connect and start a kernel, in milliseconds. Default 10,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** Gives up a `connect()` that is under way. */
  readonly signal?: AbortSignal | undefined;
}

/** How long to wait for an execution. */
export interface ResultOptions {
  /** Time that the cell may run, in milliseconds from now; null for no limit. Default: what `submit` was given. */
  readonly timeoutMs?: number | null | undefined;
  /** Interrupts the cell and rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** How to read an execution. */
export interface StreamOptions extends ResultOptions {
  /** What leaving the loop early does to the cell: `"cancel"` (default) interrupts it, `"detach"` lets it run on. */
  readonly onExit?: "cancel" | "detach" | undefined;
}

/** How to run a cell. */
export interface SubmitOptions {
  /** Time that the cell may run, in milliseconds; null for no limit. Waiting in the queue does not count. Default 120,000. */
  readonly timeoutMs?: number | null | undefined;
  /** Bytes of output that the result keeps; the stream gives all. Default 16 MiB. */
  readonly maxOutputBytes?: number | undefined;
  /** When this cell fails, those submitted after it are not run but aborted. Default false. */
  readonly stopOnError?: boolean | undefined;
  /** Interrupts the cell and rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

const portNumber = z.int({ error: PORT() }).min(1, { error: PORT() }).max(65_535, { error: PORT() });
const abortSignal = z.instanceof(AbortSignal, { error: "must be an AbortSignal" });
const milliseconds = z
  .number({ error: "must be a number of milliseconds, or null for no limit" })
  .min(1, { error: "must be 1 or more milliseconds, or null for no limit" })
  .nullable();

const clientSchema: z.ZodObject = z.strictObject({
  port: portNumber,
  host: text.min(1, { error: "must not be empty" }).optional(),
  token: text.min(1, { error: "must not be empty" }).optional(),
  connectTimeoutMs: z
    .number({ error: "must be a number of milliseconds" })
    .min(1, { error: "must be 1 or more milliseconds" })
    .optional(),
  signal: abortSignal.optional(),
});

const resultFields = { timeoutMs: milliseconds.optional(), signal: abortSignal.optional() };

const resultSchema: z.ZodObject = z.strictObject(resultFields);

const streamSchema: z.ZodObject = z.strictObject({
  ...resultFields,
  onExit: z.enum(["cancel", "detach"], { error: 'must be "cancel" or "detach"' }).optional(),
});

const submitSchema: z.ZodObject = z.strictObject({
  ...resultFields,
  maxOutputBytes: bytes(0).optional(),
  stopOnError: z.boolean({ error: "must be true or false" }).optional(),
});

/** Checks the options of a client. */
export function parseClientOptions(options: unknown): ExecutionClientOptions {
  return parseOptions(clientSchema, options, "ExecutionClient") as unknown as ExecutionClientOptions;
}

/** Checks the options of `submit` and `execute`. */
export function parseSubmitOptions(options: unknown): SubmitOptions {
  return parseOptions(submitSchema, options, "submit");
}

/** Checks the options of `result`. */
export function parseResultOptions(options: unknown): ResultOptions {
  return parseOptions(resultSchema, options, "result");
}

/** Checks the options of `stream` and `events`. */
export function parseStreamOptions(options: unknown): StreamOptions {
  return parseOptions(streamSchema, options, "stream");
}

function PORT(): string {
  return "must be a whole number from 1 to 65535";
}

/** Checks the options of a container; an unknown or wrong one is an error that names it. */
export function parseContainerOptions(options: unknown): ExecutionContainerOptions {
  return parseOptions(schema, options, "ExecutionContainer");
}

/** Checks options against a schema. The error names the field, what was given and what is allowed. */
export function parseOptions<Schema extends z.ZodType>(schema: Schema, options: unknown, owner: string): z.output<Schema> {
  const parsed = schema.safeParse(options);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue?.path ?? [];
  if (issue?.code === "unrecognized_keys") {
    const field = [...path, issue.keys[0]].join(".");
    const known = path.length === 0 ? ` Known are: ${Object.keys(shapeOf(schema)).join(", ")}.` : "";
    throw new IpyboxError("invalid_option", `${owner} has no option ${JSON.stringify(field)}.${known}`, { details: { field } });
  }
  const field = path.join(".") || "options";
  // Values of env are secrets.
  const given = path[0] === "env" && path.length > 1 ? undefined : describe(path.reduce<unknown>(valueAt, options));
  const reason = issue?.code === "invalid_key" ? (issue.issues[0]?.message ?? issue.message) : (issue?.message ?? "is wrong");
  const text = `${owner}: option ${JSON.stringify(field)} ${reason}.${given === undefined ? "" : ` Given was ${given}.`}`;
  throw new IpyboxError("invalid_option", text, { details: { field, ...(given === undefined ? {} : { given }) } });
}

function shapeOf(schema: z.ZodType): object {
  return schema instanceof z.ZodObject ? schema.shape : {};
}

function valueAt(value: unknown, key: PropertyKey): unknown {
  return typeof value === "object" && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined;
}

function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object";
  return String(value);
}
