/** What a client sends to the agent, as JSON in frames of the kind `request`. */
export type Request =
  | ExecuteRequest
  | { readonly type: "interrupt_request"; readonly execution: number }
  /** The client needs the kernel no longer. */
  | { readonly type: "shutdown_request" };

/** Runs a cell after those before it; the agent hands it to the kernel as it is. */
export interface ExecuteRequest {
  readonly type: "execute_request";
  /** Chosen by the client, once per kernel: a request that is sent again is not run again. */
  readonly execution: number;
  readonly code: string;
  /** When the cell fails, what was submitted and waits is aborted. */
  readonly stopOnError?: boolean;
}

/** What the agent tells of the connection, as JSON in frames of the kind `control`. */
export type Control =
  /** The first frame of a connection: requests are taken from now on. */
  | {
      readonly type: "ready";
      readonly kernelId: string;
      /** The sequence of the oldest frame that follows. */
      readonly nextSequence: number;
    }
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
