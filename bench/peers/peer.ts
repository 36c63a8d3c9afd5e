/** What can be measured of a peer. Drivers in other processes and languages take the same operations. */
export interface Operations {
  /** Runs one cell again and again in one kernel. */
  execute: {
    parameters: { readonly code: string; readonly expect: string | null; readonly count: number; readonly pauseMs: number };
    outcome: Samples;
  };
  /** Makes a new kernel and runs one cell in it, from nothing to the result; the kernel's removal does not count. */
  first: {
    parameters: { readonly code: string; readonly expect: string | null; readonly images: number; readonly count: number };
    outcome: Samples;
  };
  /** Prints the clock without a flush and compares it with the clock where the text arrives. */
  delay: { parameters: { readonly count: number; readonly pauseMs: number }; outcome: Samples };
  /** Reads the output of one cell, for `limitMs` at most. */
  print: { parameters: { readonly code: string; readonly limitMs: number }; outcome: Printed };
  /** Executions a second of so many clients at once, each with a kernel of its own. */
  throughput: { parameters: { readonly clients: number; readonly seconds: number }; outcome: number };
  /** Removes the kernel that `execute` uses; the next one makes another. */
  renew: { parameters: Readonly<Record<string, never>>; outcome: null };
  /** The process of the kernel that `execute` uses. */
  pid: { parameters: Readonly<Record<string, never>>; outcome: number };
}

export type Operation = keyof Operations;

export interface Samples {
  readonly ms: readonly number[];
  /** Samples whose result or output did not arrive although the cell ran. */
  readonly lost: number;
}

export interface Printed {
  /** Characters that arrived. */
  readonly received: number;
  readonly seconds: number;
  /** Why the output ended before its end, if it did. */
  readonly failure: string | null;
}

/** A way to run Python cells that is measured. */
export interface Peer {
  /** As it stands in the tables. */
  readonly name: string;
  /** Container of its kernels, once it is prepared. */
  readonly containerId: string;
  /** Starts what it needs; what it starts, `dispose` ends. */
  prepare(): Promise<void>;
  perform<Name extends Operation>(
    operation: Name,
    parameters: Operations[Name]["parameters"],
  ): Promise<Operations[Name]["outcome"]>;
  dispose(): Promise<void>;
}
