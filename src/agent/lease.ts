/** The owner must have connected for the first time so long after the agent's start, and after its configuration. */
const FIRST_MS = 25_000;

/** So long an owner may be away. Together with what TCP needs to notice that, it is less than half a minute. */
const AWAY_MS = 12_000;

/** Who starts a sandbox holds it by a connection. Without it the sandbox ends, unless that was waived. */
export class Lease {
  readonly #onEnd: () => void;
  #timer: NodeJS.Timeout | undefined;
  #waived = false;

  /** @param onEnd - Called once, when nobody holds the sandbox any more. */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
    this.#expireIn(FIRST_MS);
  }

  /** An owner is there. */
  hold(): void {
    clearTimeout(this.#timer);
  }

  /** The last owner's connection has ended. */
  release(): void {
    if (!this.#waived) this.#expireIn(AWAY_MS);
  }

  /** The sandbox is to outlive its owners. */
  waive(): void {
    this.#waived = true;
    clearTimeout(this.#timer);
  }

  #expireIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#onEnd, ms);
  }
}
