import type { LineSource } from "./lines.ts";

/** What is to be done next. */
export type NextCell =
  { readonly kind: "cell"; readonly code: string } | { readonly kind: "interrupted" } | { readonly kind: "end" };

/** Whether what was typed so far is a cell, or goes on in the next line. */
export type CompletenessCheck = (code: string, signal: AbortSignal) => Promise<boolean>;

/** Puts lines together until they are a cell. */
export class CellReader {
  readonly #lines: LineSource;
  readonly #isComplete: CompletenessCheck;
  #begun: readonly string[] = [];
  #checking: AbortController | undefined;

  constructor(lines: LineSource, isComplete: CompletenessCheck) {
    this.#lines = lines;
    this.#isComplete = isComplete;
  }

  /** The lines above the one that is typed now. */
  get begun(): readonly string[] {
    return this.#begun;
  }

  /** The next cell that is not empty; `number` is that of its prompt. */
  async next(number: number): Promise<NextCell> {
    const first = `In [${number}]: `;
    const further = `${" ".repeat(first.length - "...: ".length)}...: `;
    const lines: string[] = [];
    this.#begun = lines;
    for (;;) {
      const line = lines.length === 0 ? await this.#lines.read(first, "first") : await this.#lines.read(further, "further");
      if (line.kind === "interrupted") return line;
      // A pipe may end within a block.
      if (line.kind === "end") return lines.length === 0 ? line : { kind: "cell", code: lines.join("\n") };
      if (lines.length === 0 && line.text.trim() === "") continue;
      lines.push(line.text);
      const code = lines.join("\n");
      if (line.pasted) continue;
      const checked = await this.#check(code);
      if (checked === "interrupted") return { kind: "interrupted" };
      if (checked === "complete") return { kind: "cell", code };
    }
  }

  /** Forgets the lines that are just being looked at. False when it waits for one. */
  interrupt(): boolean {
    this.#checking?.abort();
    return this.#checking !== undefined;
  }

  async #check(code: string): Promise<"complete" | "incomplete" | "interrupted"> {
    const checking = new AbortController();
    this.#checking = checking;
    try {
      const complete = await this.#isComplete(code, checking.signal);
      if (!checking.signal.aborted) return complete ? "complete" : "incomplete";
    } catch (error) {
      if (!checking.signal.aborted) throw error;
    } finally {
      this.#checking = undefined;
    }
    return "interrupted";
  }
}
