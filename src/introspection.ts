import type { Answer, CompleteReply, InspectReply, IsCompleteReply } from "./protocol/answers.ts";
import type { MimeBundle } from "./protocol/events.ts";
import type { Question } from "./protocol/requests.ts";

/** What could stand at the cursor. Positions count UTF-16 code units, as JavaScript's strings do. */
export interface Completion {
  /** Texts that could take the place of the code from `start` to `end`. */
  readonly matches: readonly string[];
  readonly start: number;
  readonly end: number;
  /** For each match what it is, as far as that is known: `function`, `module`, `keyword`, `magic`, … */
  readonly types: readonly (string | undefined)[];
}

/** What is known of the name at the cursor: signature, documentation, and at level 1 its source. */
export interface Inspection {
  readonly found: boolean;
  /** `text/plain`, perhaps `text/html`; empty when nothing is known. */
  readonly data: MimeBundle;
}

/** Whether a cell could be run as it is. */
export interface Completeness {
  readonly status: "complete" | "incomplete" | "invalid" | "unknown";
  /** White space that the next line begins with, when it is incomplete. */
  readonly indent: string;
}

export function completeQuestion(code: string, cursor: number): Question {
  return { type: "complete_request", code, cursor_pos: characters(code, cursor) };
}

export function readCompletion(code: string, reply: CompleteReply): Completion {
  const found = reply.metadata["_jupyter_types_experimental"];
  const types: readonly unknown[] = Array.isArray(found) ? found : [];
  return {
    matches: reply.matches,
    start: codeUnits(code, reply.cursor_start),
    end: codeUnits(code, reply.cursor_end),
    types: reply.matches.map((_, index) => typeOf(types[index])),
  };
}

export function inspectQuestion(code: string, cursor: number, level: 0 | 1): Question {
  return { type: "inspect_request", code, cursor_pos: characters(code, cursor), detail_level: level };
}

export function readInspection({ found, data }: InspectReply): Inspection {
  return { found, data };
}

export function readCompleteness({ status, indent = "" }: IsCompleteReply): Completeness {
  return { status, indent };
}

/** Narrows an answer to the type that the question has. */
export function expectReply<Type extends Answer["type"]>(
  answer: { readonly type: string },
  type: Type,
): Extract<Answer, { type: Type }> {
  if (answer.type !== type) throw new TypeError(`the kernel answered ${answer.type} where ${type} was expected`);
  return answer as Extract<Answer, { type: Type }>;
}

/** Python counts characters where JavaScript counts code units. */
function characters(code: string, codeUnitIndex: number): number {
  return Array.from(code.slice(0, codeUnitIndex)).length;
}

function codeUnits(code: string, characterIndex: number): number {
  return Array.from(code).slice(0, characterIndex).join("").length;
}

function typeOf(value: unknown): string | undefined {
  const type = typeof value === "object" && value !== null && "type" in value ? value.type : undefined;
  return typeof type === "string" && type !== "<unknown>" ? type : undefined;
}
