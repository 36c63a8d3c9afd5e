/**
 * What a client sends to the agent, as JSON in frames of the kind `request`. Requests that have an
 * `execution` are numbered by the client, once per kernel: one that is sent again is not done again.
 */
export type Request =
  | ExecuteRequest
  | ForkRequest
  | QuestionRequest
  | InputReply
  | ExposeRequest
  | HostCallReply
  /** The client may have missed messages about its calls: the kernel repeats those that are open. */
  | { readonly type: "host_calls_request"; readonly execution: 0; readonly client: string }
  /** SIGINT to the execution, and SIGKILL to its kernel when that does not help. */
  | { readonly type: "interrupt_request"; readonly execution: number }
  /** Ends what runs, aborts what waits, and starts a new process. */
  | { readonly type: "reset_request"; readonly execution: number }
  /** The end of an execution, should it have been forgotten from what is replayed. */
  | { readonly type: "resume_request"; readonly execution: number }
  /** So many bytes have arrived since the connection was made. */
  | { readonly type: "received"; readonly bytes: number }
  /** The client needs the kernel no longer. */
  | { readonly type: "shutdown_request" };

/** How often a client tells what it has received. */
export const RECEIPT_BYTES: number = 1024 * 1024;

/** Runs a cell after those before it; the agent hands it to the kernel as it is. */
export interface ExecuteRequest {
  readonly type: "execute_request";
  readonly execution: number;
  readonly code: string;
  /** When the cell fails, what was submitted and waits is aborted. */
  readonly stopOnError?: boolean;
  /** Whether somebody answers `input()`. */
  readonly allowStdin?: boolean;
  /** Whether the cell gets a number and a place in `In` and `Out`; true when absent. */
  readonly storeHistory?: boolean;
  /** Tables that are shown have their data beside text and HTML. */
  readonly tables?: "rows" | "arrow";
}

/** Forks the kernel in its turn. */
export interface ForkRequest {
  readonly type: "fork_request";
  readonly execution: number;
  /** Ids of the new kernels. */
  readonly kernels: readonly string[];
}

/** Asks the kernel about its state, in its turn. Answered by one message. */
export type QuestionRequest = { readonly execution: number } & Question;

/** Jupyter's requests, and ours about variables. Positions count Unicode characters. */
export type Question =
  | { readonly type: "complete_request"; readonly code: string; readonly cursor_pos: number }
  | { readonly type: "inspect_request"; readonly code: string; readonly cursor_pos: number; readonly detail_level: 0 | 1 }
  | { readonly type: "is_complete_request"; readonly code: string }
  | { readonly type: "get_request"; readonly name: string; readonly as?: "rows" | "arrow" }
  | {
      readonly type: "set_request";
      readonly name: string;
      readonly value: unknown;
      readonly as?: "rows" | "arrow";
      /** The bytes in `value`, each with its path from the request. */
      readonly buffers?: Buffers;
    }
  | { readonly type: "variables_request" }
  | { readonly type: "sources_request"; readonly names: readonly string[] };

/** All that a client exposes to the kernel, in place of what it has exposed before. Each new process is told it again. */
export interface ExposeRequest {
  readonly type: "expose_request";
  readonly execution: number;
  /** Who is called: the client's name, as in the kernel's URL. */
  readonly client: string;
  /** Names that can be called. `!` is asked before each shell command. */
  readonly functions: readonly string[];
  /** Python modules: dotted name → source. */
  readonly modules: Readonly<Record<string, string>>;
  /** Cells may start processes by shell commands alone. */
  readonly requireShellEscape: boolean;
}

/** Answers a `host_call_request`, by its number. */
export type HostCallReply = { readonly type: "host_call_reply"; readonly execution: number; readonly number: number } & (
  | { readonly value: unknown; readonly buffers?: Buffers }
  /** Raised as an exception in the cell; `name` is the error's class. */
  | { readonly error: { readonly kind: HostErrorKind; readonly name: string; readonly message: string } }
);

/** Why a host function gives no value, and with it which exception Python raises. */
export type HostErrorKind = "failed" | "invalid" | "timeout" | "unavailable" | "rejected";

/** Bytes of a message, each with the path of keys that it belongs at. */
export type Buffers = readonly (readonly [path: readonly string[], bytes: Uint8Array])[];

export const QUESTION_TYPES: ReadonlySet<string> = new Set<Question["type"]>([
  "complete_request",
  "inspect_request",
  "is_complete_request",
  "get_request",
  "set_request",
  "variables_request",
  "sources_request",
]);

/** Answers an `input_request`, by its number. */
export type InputReply = { readonly type: "input_reply"; readonly execution: number; readonly number: number } & (
  | { readonly value: string }
  /** Raised as an EOFError in the cell. */
  | { readonly error: string }
);

/** What the agent tells of the connection, as JSON in frames of the kind `control`. */
export type Control =
  /** The first frame of a connection: requests are taken from now on. */
  | {
      readonly type: "ready";
      readonly kernelId: string;
      /** The sequence of the oldest frame that follows. */
      readonly nextSequence: number;
      /** The sequence of the newest one that there is: what comes up to it has happened before. */
      readonly lastSequence: number;
      /** When frames are gone that the client has asked for: how many bytes of output each execution gave before that frame. */
      readonly gone?: readonly (readonly [execution: number, bytes: number])[] | undefined;
    }
  /** The agent knows no execution of that number. */
  | { readonly type: "execution_not_found"; readonly execution: number }
  /** The connection ends, with the reason. */
  | { readonly type: "closed"; readonly code: string; readonly message: string };

/** What the agent asks of the zygote: the process that a kernel starts in. */
export interface KernelSpec {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly virtual_env: string;
}

/** What the agent asks of the zygote before it has a live kernel fork itself. */
export interface LiveForkSpec {
  /** The process id of the kernel. */
  readonly fork_of: number;
  readonly kernel_id: string;
}
