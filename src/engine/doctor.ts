/** One thing that was looked at. */
export interface Finding {
  /** Stable name, for scripts. */
  readonly check: string;
  /** `broken`: containers won't work or won't be confined; `advice`: they are, and could be better. */
  readonly status: "ok" | "advice" | "broken";
  /** What was found. */
  readonly found: string;
  /** What is missing, and how to mend it; undefined when nothing is. */
  readonly remedy?: string | undefined;
}
