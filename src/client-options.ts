import * as z from "zod";
import { IpyboxError } from "./errors.ts";
import type { ApprovalHandler } from "./host/approval.ts";
import { abortSignal, byteCount, nonEmptyText, parseOptions, portNumber } from "./parse-options.ts";

/** What a cell asks for by `input()` or `getpass()`. */
export interface InputDetails {
  /** Whether the answer must not be shown: the cell called `getpass()`. */
  readonly password: boolean;
}

/** Answers `input()`. What it throws is an EOFError in the cell. Its time does not count as the cell's. */
export type InputHandler = (prompt: string, details: InputDetails) => string | Promise<string>;

/** Where a kernel is, and how to reach it. */
export interface AttachOptions {
  /** Port of the container, `container.port`. */
  readonly port: number;
  /** Host of the container, `container.host`. Default 127.0.0.1. */
  readonly host?: string | undefined;
  /** Token of the container. Default: what this user's process that started it has left in the runtime directory. */
  readonly token?: string | undefined;
  /** The running kernel, `client.kernelId`. */
  readonly kernelId: string;
  /** Time to connect, in milliseconds. Default 10,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** Gives up connecting. */
  readonly signal?: AbortSignal | undefined;
  /** Answers `input()` and `getpass()` of cells. Without it they raise an error at once. */
  readonly onInput?: InputHandler | undefined;
  /** Decides about each call of a host function or of an MCP tool, before it is made. Default: all are made. */
  readonly onApproval?: ApprovalHandler | undefined;
  /**
   * Asks `onApproval` before each shell command of a cell, too: `!cmd`, `x = !cmd`, `%%bash` and its kin, `%pip`. Default false.
   */
  readonly approveShellCommands?: boolean | undefined;
  /**
   * Cells that start a process otherwise than by a shell command (`subprocess`, `os.system` and their kin) get a
   * PermissionError. It guards against oversight; code that means to can go round it. Default false.
   */
  readonly requireShellEscape?: boolean | undefined;
}

/** Options of an `ExecutionClient`. */
export interface ExecutionClientOptions extends Omit<AttachOptions, "kernelId"> {
  /** How long the kernel lives after its last client has vanished without `disconnect()`, in milliseconds. Default 60,000. */
  readonly gracePeriodMs?: number | undefined;
  /** Removes the kernel when nothing has run in it for so long, in milliseconds. Default: never. */
  readonly idleTimeoutMs?: number | undefined;
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
  /** With false the cell gets no number, and no place in `In` and `Out`: it is no part of what a user has typed. Default true. */
  readonly storeHistory?: boolean | undefined;
  /** Interrupts the cell and rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Answers this cell's `input()`, in place of the client's `onInput`. */
  readonly onInput?: InputHandler | undefined;
  /**
   * Gives tables that are shown (DataFrames of pandas and polars, tables of pyarrow) as data, too: `"rows"` as
   * `application/vnd.dataresource+json`, `"arrow"` as an IPC stream in `application/vnd.apache.arrow.stream`.
   */
  readonly tables?: "rows" | "arrow" | undefined;
}

/** How to ask a kernel about its state. It answers after the cells before. */
export interface QuestionOptions {
  /** Time that the answer may take once it is its turn, in milliseconds; null for no limit. Default 120,000. */
  readonly timeoutMs?: number | null | undefined;
  /** Gives up, and rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** How to take a variable out of a kernel, or put one in. */
export interface VariableOptions extends QuestionOptions {
  /** A table as an array of rows, or as the bytes of an Arrow IPC stream (needs pyarrow or polars in the sandbox). */
  readonly as?: "rows" | "arrow" | undefined;
}

/** How to fork a kernel. */
export interface ForkOptions extends QuestionOptions {
  /** How many forks: then an array of clients is given. */
  readonly count?: number | undefined;
}

const milliseconds = z
  .number({ error: "must be a number of milliseconds, or null for no limit" })
  .min(1, { error: "must be 1 or more milliseconds, or null for no limit" })
  .nullable();
const duration = z.int({ error: "must be a whole number of milliseconds" }).min(1, { error: "must be 1 or more milliseconds" });
const handler = z.custom<InputHandler>((value) => typeof value === "function", { error: "must be a function" });
const form = z.enum(["rows", "arrow"], { error: 'must be "rows" or "arrow"' });

const flag = z.boolean({ error: "must be true or false" });

const targetFields = {
  port: portNumber,
  host: nonEmptyText.optional(),
  token: nonEmptyText.optional(),
  connectTimeoutMs: duration.optional(),
  signal: abortSignal.optional(),
  onInput: handler.optional(),
  onApproval: z.custom<ApprovalHandler>((value) => typeof value === "function", { error: "must be a function" }).optional(),
  approveShellCommands: flag.optional(),
  requireShellEscape: flag.optional(),
};
const clientSchema = z.strictObject({ ...targetFields, gracePeriodMs: duration.optional(), idleTimeoutMs: duration.optional() });
const attachSchema = z.strictObject({
  ...targetFields,
  kernelId: z
    .string({ error: "must be a string" })
    .regex(/^[0-9a-z-]{8,64}$/, { error: "is no id of a kernel: pass client.kernelId" }),
});

const waitFields = { timeoutMs: milliseconds.optional(), signal: abortSignal.optional() };
const waitSchema = z.strictObject(waitFields);
const streamSchema = z.strictObject({
  ...waitFields,
  onExit: z.enum(["cancel", "detach"], { error: 'must be "cancel" or "detach"' }).optional(),
});
const submitSchema = z.strictObject({
  ...waitFields,
  maxOutputBytes: byteCount(0).optional(),
  stopOnError: flag.optional(),
  storeHistory: flag.optional(),
  onInput: handler.optional(),
  tables: form.optional(),
});
const variableSchema = z.strictObject({ ...waitFields, as: form.optional() });
const COUNT = "must be a whole number from 1 to 1024";
const forkSchema = z.strictObject({
  ...waitFields,
  count: z.int({ error: COUNT }).min(1, { error: COUNT }).max(1024, { error: COUNT }).optional(),
});

/** Each checks the options of what it is named after; an unknown or wrong one is an error that names it. */
export function parseClientOptions(options: unknown): ExecutionClientOptions {
  return whoApproves(parseOptions(clientSchema, options, "ExecutionClient"), "ExecutionClient");
}

export function parseAttachOptions(options: unknown): AttachOptions {
  return whoApproves(parseOptions(attachSchema, options, "ExecutionClient.attach"), "ExecutionClient.attach");
}

function whoApproves<Options extends Omit<AttachOptions, "kernelId">>(options: Options, owner: string): Options {
  if (options.approveShellCommands !== true || options.onApproval !== undefined) return options;
  throw new IpyboxError("invalid_option", `${owner}: option "approveShellCommands" needs onApproval, which approves them.`, {
    details: { field: "approveShellCommands" },
  });
}

export function parseSubmitOptions(options: unknown): SubmitOptions {
  return parseOptions(submitSchema, options, "submit");
}

export function parseResultOptions(options: unknown): ResultOptions {
  return parseOptions(waitSchema, options, "result");
}

export function parseStreamOptions(options: unknown): StreamOptions {
  return parseOptions(streamSchema, options, "stream");
}

export function parseQuestionOptions(options: unknown, owner: string): QuestionOptions {
  return parseOptions(waitSchema, options, owner);
}

export function parseVariableOptions(options: unknown, owner: string): VariableOptions {
  return parseOptions(variableSchema, options, owner);
}

export function parseForkOptions(options: unknown): ForkOptions {
  return parseOptions(forkSchema, options, "fork");
}
