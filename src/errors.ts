import type { TracebackFrame } from "./protocol/events.ts";
import type { ExecutionResult } from "./result.ts";

/** Machine-readable names of everything that can go wrong. Stable: a program may branch on them. */
export type IpyboxErrorCode =
  | "invalid_option"
  | "invalid_state"
  | "daemon_unreachable"
  | "daemon_permission"
  | "daemon_too_old"
  | "engine_failed"
  | "image_not_found"
  | "image_build_failed"
  | "port_taken"
  | "bind_failed"
  | "network_failed"
  | "container_start_failed"
  | "container_died"
  | "connect_failed"
  | "unauthorized"
  | "kernel_not_found"
  | "kernel_start_failed"
  | "kernel_died"
  | "protocol_violation"
  | "connection_lost"
  | "agent_failed"
  | "disconnected"
  | "execution_failed"
  | "execution_aborted"
  | "execution_timeout"
  | "execution_not_found"
  | "output_lost"
  | "mcp_server_failed"
  | FileErrorCode;

/** What the operating system says when a file can't be worked on, by Linux's names. */
export type FileErrorCode = (typeof FILE_ERROR_CODES)[number];

const FILE_ERROR_CODES = [
  "EACCES",
  "EBUSY",
  "EDQUOT",
  "EEXIST",
  "EFBIG",
  "EINVAL",
  "EIO",
  "EISDIR",
  "ELOOP",
  "EMFILE",
  "EMLINK",
  "ENAMETOOLONG",
  "ENFILE",
  "ENODEV",
  "ENOENT",
  "ENOMEM",
  "ENOSPC",
  "ENOTDIR",
  "ENOTEMPTY",
  "EOPNOTSUPP",
  "EOVERFLOW",
  "EPERM",
  "EROFS",
  "ETXTBSY",
  "EXDEV",
] as const;

/** Facts about an error, for programs and logs. Never holds a token or a value of `env`. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/** What an error can carry besides its message. */
export interface IpyboxErrorOptions {
  readonly details?: ErrorDetails | undefined;
  readonly cause?: unknown;
}

/** The root of all errors that this package throws by itself. `code` says which; `details` holds its facts. */
export class IpyboxError extends Error {
  override readonly name: string = "IpyboxError";
  readonly code: IpyboxErrorCode;
  readonly details: ErrorDetails;

  constructor(code: IpyboxErrorCode, message: string, options: IpyboxErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }
}

/** The facts of a Python exception, as the kernel reports them. */
export interface PythonException {
  readonly errorName: string;
  readonly errorValue: string;
  readonly traceback: string;
  readonly frames: readonly TracebackFrame[];
}

/** A cell raised an exception (or could not be compiled). */
export class ExecutionError extends IpyboxError {
  override readonly name: string = "ExecutionError";
  /** The exception's class in Python, for instance `ZeroDivisionError`. */
  readonly errorName: string;
  /** The exception's text, for instance `division by zero`. */
  readonly errorValue: string;
  /** The whole traceback as IPython renders it, without ANSI codes. */
  readonly traceback: string;
  /** The traceback as data, outermost call first. */
  readonly frames: readonly TracebackFrame[];
  /** Everything that the cell gave before the exception. */
  readonly result: ExecutionResult;

  constructor(exception: PythonException, result: ExecutionResult, details?: ErrorDetails) {
    const { errorName, errorValue } = exception;
    super("execution_failed", errorValue === "" ? errorName : `${errorName}: ${errorValue}`, { details });
    this.errorName = errorName;
    this.errorValue = errorValue;
    this.traceback = exception.traceback;
    this.frames = exception.frames;
    this.result = result;
  }
}

/** A submission was not run: an earlier one failed and `stopOnError` was set, or it was interrupted or reset away while it waited. */
export class ExecutionAbortedError extends IpyboxError {
  override readonly name: string = "ExecutionAbortedError";

  constructor(executionId: string, reason: keyof typeof ABORT_REASONS) {
    super("execution_aborted", `Execution ${executionId} was not run: ${ABORT_REASONS[reason]}. Submit it again to run it.`, {
      details: { executionId, reason },
    });
  }
}

const ABORT_REASONS = {
  stopOnError: "an earlier submission with stopOnError failed",
  interrupted: "it was interrupted before it had started",
  reset: "the kernel was reset before it had started",
};

/** A cell ran longer than its `timeoutMs` and was interrupted. */
export class ExecutionTimeoutError extends IpyboxError {
  override readonly name: string = "ExecutionTimeoutError";
  /** Everything that the cell gave before it was interrupted. */
  readonly result: ExecutionResult;
  /** True when the cell could not be interrupted and its kernel was replaced: all variables are gone. */
  readonly stateLost: boolean;

  constructor(timeoutMs: number, result: ExecutionResult, stateLost: boolean, details?: ErrorDetails, what = "The cell") {
    super(
      "execution_timeout",
      `${what} ran longer than timeoutMs (${timeoutMs} ms) and was ${
        stateLost
          ? "ended with its kernel, because it did not react to an interrupt: all variables are lost"
          : "interrupted: variables are kept"
      }. Raise timeoutMs, or pass null for no limit.`,
      { details: { timeoutMs, stateLost, ...details } },
    );
    this.result = result;
    this.stateLost = stateLost;
  }
}

/** How a kernel's process ended. */
export interface KernelDeath {
  readonly reason: "exited" | "signalled" | "oom" | "disk" | "reset";
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly limitBytes?: number | undefined;
  readonly peakBytes?: number | undefined;
}

/** The kernel's process ended while a cell ran. The next call runs in a fresh kernel. */
export class KernelDiedError extends IpyboxError {
  override readonly name: string = "KernelDiedError";
  readonly reason: KernelDeath["reason"];
  /** Exit status, or null when a signal ended the process. */
  readonly exitCode: number | null;
  /** Name of the signal, for instance `SIGSEGV`, or null. */
  readonly signal: string | null;
  /** The container's limit in bytes: of memory when `reason` is `oom`, of its disk when it is `disk`. */
  readonly limitBytes: number | undefined;
  /** The most that the container has used of it, in bytes. */
  readonly peakBytes: number | undefined;
  /** Everything that the cell gave before the end. */
  readonly result: ExecutionResult;
  /** Always true: the variables went with the process. */
  readonly stateLost = true;

  constructor(death: KernelDeath, result: ExecutionResult) {
    super("kernel_died", `${describeDeath(death)} All variables are lost; the next call runs in a fresh kernel.`, {
      details: {
        reason: death.reason,
        exitCode: death.exitCode,
        signal: death.signal,
        limitBytes: death.limitBytes,
        peakBytes: death.peakBytes,
      },
    });
    this.reason = death.reason;
    this.exitCode = death.exitCode;
    this.signal = death.signal;
    this.limitBytes = death.limitBytes;
    this.peakBytes = death.peakBytes;
    this.result = result;
  }
}

/** The container ended, was removed or can't be reached any more. */
export class ContainerDiedError extends IpyboxError {
  override readonly name: string = "ContainerDiedError";
  /** What is known of the cause, for instance `exited with status 137` or `removed`. */
  readonly reason: string;
  /** Everything that the running cell gave before; undefined when no cell ran. */
  readonly result: ExecutionResult | undefined;

  constructor(reason: string, result?: ExecutionResult, options: IpyboxErrorOptions = {}) {
    super("container_died", `The container is gone (${reason}). Create a new one.`, options);
    this.reason = reason;
    this.result = result;
  }
}

/** Which file an error is about, and on which side of the wall it is. */
export interface FileErrorOptions {
  /** The operation, for instance `uploadFile`. */
  readonly operation: string;
  readonly path: string;
  readonly pathBytes?: Uint8Array | undefined;
  readonly side: "sandbox" | "host";
  readonly cause?: unknown;
}

/** A file can't be worked on, in the sandbox or on the host. `code` is the operating system's, for instance `ENOENT`. */
export class FileError extends IpyboxError {
  override readonly name: string = "FileError";
  declare readonly code: FileErrorCode;
  /** The file. What isn't UTF-8 in its name is replaced by U+FFFD. */
  readonly path: string;
  /** The file, when `path` can't tell it. */
  readonly pathBytes: Uint8Array | undefined;
  /** Whether the file is in the sandbox or on the host. */
  readonly side: "sandbox" | "host";

  /** A `code` that is none of `FileErrorCode` becomes `EIO`. `reason` is the system's text. */
  constructor(code: string, reason: string, options: FileErrorOptions) {
    const { operation, path, pathBytes, side, cause } = options;
    const known = FILE_ERROR_CODES.find((one) => one === code) ?? "EIO";
    const where = side === "host" ? "on the host" : "in the sandbox";
    super(known, `${operation}: ${JSON.stringify(path)} ${where}: ${reason} (${code}).`, {
      details: { operation, path, side, systemCode: code },
      cause,
    });
    this.path = path;
    this.pathBytes = pathBytes;
    this.side = side;
  }
}

function describeDeath(death: KernelDeath): string {
  switch (death.reason) {
    case "oom":
      return (
        `The kernel was ended because the container ran out of memory` +
        (death.limitBytes === undefined ? "." : ` (limit ${death.limitBytes} bytes; raise memoryBytes).`)
      );
    case "disk":
      return (
        `The kernel was ended because the container's disk is full: cells have written ${death.peakBytes ?? "too many"} bytes ` +
        `(limit ${death.limitBytes ?? "unknown"} bytes; delete files, or raise diskBytes).`
      );
    case "reset":
      return "The kernel was reset while the cell ran.";
    case "signalled":
      return `The kernel was ended by ${death.signal ?? "a signal"}.`;
    case "exited":
      return `The kernel's process exited with status ${death.exitCode ?? "unknown"}.`;
  }
}
