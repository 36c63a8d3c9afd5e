import type { DeniedEvent } from "../../protocol/control.ts";

/** How long is gathered before the owner is told. */
const GATHER_MS = 100;
/** So many are told one by one in that time; more of the same are counted together. */
const MOST_SINGLE = 100;
/** So many different ones are told in that time; what comes besides is counted as one. */
const MOST_KINDS = 200;

/** What is denied; `count` comes from here. */
export type Denial = Omit<DeniedEvent, "count">;

/** Gathers what is denied, and tells it at once where it is little, in sums where it is much. */
export class Denials {
  readonly #tell: (denials: readonly DeniedEvent[]) => void;
  readonly #single: DeniedEvent[] = [];
  readonly #sums = new Map<string, DeniedEvent>();
  #timer: NodeJS.Timeout | undefined;

  constructor(tell: (denials: readonly DeniedEvent[]) => void) {
    this.#tell = tell;
  }

  add(denial: Denial, count = 1): void {
    if (this.#timer === undefined) this.#timer = setTimeout(() => this.#flush(), GATHER_MS);
    const connection = denial.protocol === "tcp" || denial.protocol === "proxy";
    if (connection && count === 1 && this.#single.length < MOST_SINGLE) {
      this.#single.push({ ...denial, count });
      return;
    }
    const isKnown = this.#sums.has(keyOf(denial)) || this.#sums.size < MOST_KINDS;
    const kind = isKnown ? denial : MANY;
    this.#sums.set(keyOf(kind), { ...kind, count: (this.#sums.get(keyOf(kind))?.count ?? 0) + count });
  }

  #flush(): void {
    this.#timer = undefined;
    const denials = [...this.#single.splice(0), ...this.#sums.values()];
    this.#sums.clear();
    this.#tell(denials);
  }
}

/** What is not told apart. */
export const MANY: Denial = {
  host: "*",
  protocol: "other",
  rule: "many",
  reason: "more was denied in short than can be told one by one",
};

function keyOf({ host, port, protocol, rule }: Denial): string {
  return `${protocol} ${host} ${port} ${rule}`;
}
