/** Code that both kernels run; what they answer is compared. */
export interface Cell {
  readonly name: string;
  /** One cell, or several that are run one after the other. */
  readonly code: string | readonly string[];
  /** Packages that the code imports, as pip knows them. */
  readonly requires?: readonly string[];
  /** Gets kernels of its own; otherwise the cells of a topic share one on either side. */
  readonly fresh?: true;
  readonly difference?: Difference;
}

/** A difference that is meant. */
export interface Difference {
  /** A key of the table in docs/compatibility.md. */
  readonly reason: string;
  /** What the transcript of our kernel contains, so that ours is known, not just other. */
  readonly ours: string;
}

export interface Topic {
  readonly name: string;
  readonly cells: readonly Cell[];
}

/** The code of a cell, as a list. */
export function codesOf({ code }: Cell): readonly string[] {
  return typeof code === "string" ? [code] : code;
}

/** Joins the lines of a longer cell. */
export function lines(...text: string[]): string {
  return text.join("\n");
}
