import { deferred, type Deferred } from "../internal/deferred.ts";

/** Holds the questions of a cell back until all that the cell has printed before is shown. */
export class QuestionGate {
  readonly #gates: Deferred<void>[] = [];
  #asked = 0;
  #reached = 0;

  /** Resolves when whoever shows the cell's events has come to the question that is asked now. */
  wait(): Promise<void> {
    return this.#gate(this.#asked++).promise;
  }

  /** A question is the next event. */
  reach(): void {
    this.#gate(this.#reached++).resolve();
  }

  #gate(number: number): Deferred<void> {
    return (this.#gates[number] ??= deferred());
  }
}
