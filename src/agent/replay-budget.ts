import { readMemoryState } from "./memory.ts";

/** Kernels may keep this share of the sandbox's memory for clients that come back, or so much where there is no limit. */
const SHARE = 1 / 8;
const UNLIMITED_BYTES = 256 * 1024 * 1024;

/** How often it is looked for what has become too old. */
const LOOK_MS = 60_000;

/** Something that keeps output. */
export interface Keeper {
  readonly keptBytes: number;
  /** Lets go of the oldest part; false when only the last one is left. */
  dropOldest(): boolean;
  /** Lets go of what is too old at that time. */
  expire(now: number): void;
}

/** Bounds what all kernels of a sandbox keep together: whoever keeps most has to let go first. */
export class ReplayBudget {
  readonly #keepers = new Set<Keeper>();
  #limitBytes: number;
  #bytes = 0;

  constructor(limitBytes: number = UNLIMITED_BYTES) {
    this.#limitBytes = limitBytes;
  }

  /** The share of this sandbox's memory; looks for what is too old from time to time. */
  static ofSandbox(): ReplayBudget {
    const budget = new ReplayBudget();
    void readMemoryState().then(({ limitBytes }) => {
      if (limitBytes !== undefined) budget.#limitBytes = Math.min(limitBytes * SHARE, UNLIMITED_BYTES);
    });
    setInterval(() => budget.expire(), LOOK_MS).unref();
    return budget;
  }

  add(keeper: Keeper): void {
    this.#keepers.add(keeper);
  }

  remove(keeper: Keeper): void {
    if (this.#keepers.delete(keeper)) this.#bytes -= keeper.keptBytes;
  }

  /** A keeper has so many bytes more, or less. */
  count(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Has the largest let go until all is within the limit. */
  enforce(): void {
    while (this.#bytes > this.#limitBytes) {
      let largest: Keeper | undefined;
      for (const keeper of this.#keepers) if (keeper.keptBytes > (largest?.keptBytes ?? 0)) largest = keeper;
      if (largest?.dropOldest() !== true) return; // each has but one part left
    }
  }

  expire(now: number = Date.now()): void {
    for (const keeper of this.#keepers) keeper.expire(now);
  }
}
