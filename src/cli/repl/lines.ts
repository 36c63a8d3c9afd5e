/** What a user, or a pipe, has given next. */
export type Line =
  | { readonly kind: "line"; readonly text: string; /** More of the same paste follows. */ readonly pasted: boolean }
  /** Ctrl-C at the prompt. */
  | { readonly kind: "interrupted" }
  | { readonly kind: "end" };

/** Where the lines of cells come from. */
export interface LineSource {
  /** Somebody is typing, and Ctrl-C is a key: a signal comes from elsewhere. */
  readonly atPrompt: boolean;
  /** The next line, the first one of a cell or a further one. At the end, and after `close`, always the end. */
  read(prompt: string, place: "first" | "further"): Promise<Line>;
  /** A line for `input()`, or with `hidden` for `getpass()`: not shown, and kept nowhere. */
  ask(prompt: string, hidden: boolean): Promise<Line>;
  /** Shows something while somebody may be typing. */
  aside(show: () => Promise<void>): Promise<void>;
  close(): void;
}
