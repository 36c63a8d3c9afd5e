import * as z from "zod";

/** What a kernel answers when it is asked about its state (`Question` in `requests.ts`). */
export type Answer =
  | CompleteReply
  | InspectReply
  | IsCompleteReply
  | { readonly type: "get_reply"; readonly status: "ok"; readonly value?: unknown }
  | { readonly type: "set_reply"; readonly status: "ok" }
  | { readonly type: "expose_reply"; readonly status: "ok" }
  | { readonly type: "variables_reply"; readonly status: "ok"; readonly variables: readonly Variable[] }
  | { readonly type: "sources_reply"; readonly status: "ok"; readonly sources: Readonly<Record<string, string>> }
  | {
      readonly type: "fork_reply";
      readonly status: "ok" | "error";
      readonly ename?: string | undefined;
      readonly evalue?: string | undefined;
    }
  | { readonly type: "error_reply"; readonly status: "error"; readonly ename: string; readonly evalue: string };

/** Jupyter's `complete_reply`. */
export interface CompleteReply {
  readonly type: "complete_reply";
  readonly status: "ok";
  readonly matches: readonly string[];
  readonly cursor_start: number;
  readonly cursor_end: number;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** Jupyter's `inspect_reply`. */
export interface InspectReply {
  readonly type: "inspect_reply";
  readonly status: "ok";
  readonly found: boolean;
  readonly data: Readonly<Record<string, unknown>>;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** Jupyter's `is_complete_reply`. */
export interface IsCompleteReply {
  readonly type: "is_complete_reply";
  readonly status: "complete" | "incomplete" | "invalid" | "unknown";
  readonly indent?: string | undefined;
}

/** A name that cells have bound. */
export interface Variable {
  readonly name: string;
  /** The class of the value, for instance `DataFrame`. */
  readonly type: string;
  /** The module of that class, for instance `pandas.core.frame`. */
  readonly module: string;
  /** Bytes of the value itself, without what it refers to; of arrays and tables, their data. */
  readonly sizeBytes: number;
  /** `len()` of Python's own collections and strings. */
  readonly length: number | null;
  /** Extents of arrays and tables. */
  readonly shape: readonly number[] | null;
}

const ok = z.literal("ok");
const bundle = z.record(z.string(), z.unknown());
const count = z.number().int().nonnegative();

const answer: z.ZodType<Answer> = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("complete_reply"),
    status: ok,
    matches: z.array(z.string()),
    cursor_start: count,
    cursor_end: count,
    metadata: bundle,
  }),
  z.object({ type: z.literal("inspect_reply"), status: ok, found: z.boolean(), data: bundle, metadata: bundle }),
  z.object({
    type: z.literal("is_complete_reply"),
    status: z.enum(["complete", "incomplete", "invalid", "unknown"]),
    indent: z.string().optional(),
  }),
  z.object({ type: z.literal("get_reply"), status: ok, value: z.unknown() }),
  z.object({ type: z.literal("set_reply"), status: ok }),
  z.object({ type: z.literal("expose_reply"), status: ok }),
  z.object({
    type: z.literal("variables_reply"),
    status: ok,
    variables: z.array(
      z.object({
        name: z.string(),
        type: z.string(),
        module: z.string(),
        sizeBytes: z.number(),
        length: z.number().nullable(),
        shape: z.array(z.number()).nullable(),
      }),
    ),
  }),
  z.object({ type: z.literal("sources_reply"), status: ok, sources: z.record(z.string(), z.string()) }),
  z.object({
    type: z.literal("fork_reply"),
    status: z.enum(["ok", "error"]),
    ename: z.string().optional(),
    evalue: z.string().optional(),
  }),
  z.object({ type: z.literal("error_reply"), status: z.literal("error"), ename: z.string(), evalue: z.string() }),
]);

/** Checks what a kernel has answered; undefined when it isn't an answer at all. */
export function parseAnswer(json: { readonly type?: unknown }): Answer | undefined {
  return ANSWER_TYPES.has(String(json.type)) ? answer.parse(json) : undefined;
}

const ANSWER_TYPES: ReadonlySet<string> = new Set<Answer["type"]>([
  "complete_reply",
  "inspect_reply",
  "is_complete_reply",
  "get_reply",
  "set_reply",
  "expose_reply",
  "variables_reply",
  "sources_reply",
  "fork_reply",
  "error_reply",
]);
