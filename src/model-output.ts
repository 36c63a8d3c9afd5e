import { ExecutionError, ExecutionTimeoutError, KernelDiedError } from "./errors.ts";
import type { Execution } from "./execution.ts";
import type { MimeBundle } from "./protocol/events.ts";
import { plainText } from "./plain-text.ts";
import type { ExecutionResult } from "./result.ts";
import { imageOf } from "./result-image.ts";
import { settle, TextFlow } from "./text-flow.ts";

/** Something that a model is given of a cell. */
export type ModelPart =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "image"; readonly mimeType: string; readonly data: Uint8Array };

/** How much a model is given of a cell. What is cut is told in its place. */
export interface ModelOutputLimits {
  /** Characters of text, without the exception's. Default 50,000. */
  readonly maxTextCharacters?: number | undefined;
  /** Number of images. Default 10. */
  readonly maxImages?: number | undefined;
  /** Bytes of all images. Default 8 MiB. */
  readonly maxImageBytes?: number | undefined;
}

/** What holds where a limit is left out. */
export const MODEL_OUTPUT_DEFAULTS: Required<{ readonly [Name in keyof ModelOutputLimits]: number }> = {
  maxTextCharacters: 50_000,
  maxImages: 10,
  maxImageBytes: 8 * 1_048_576,
};

/** What a model is given of a cell that has ended, however it has. */
export interface ModelOutput {
  readonly parts: readonly ModelPart[];
  /** The cell raised an exception, ran too long, or its kernel died; the last text says why. */
  readonly isError: boolean;
}

/** A traceback is cut in its middle beyond that. */
const MAX_ERROR_CHARACTERS = 10_000;

/** Of a text that is cut, this part is its start; the rest is its end. */
const HEAD_SHARE = 0.7;

/** Text forms of what has no `text/plain`, best first. Markup is data here, and never rendered. */
const TEXT_TYPES = ["text/plain", "text/markdown", "text/latex", "application/json", "text/html", "image/svg+xml"];

/** Waits for a cell, and gives what a model can use of it. Rejects with what is none of the cell's own doing. */
export async function modelOutput(cell: Execution, limits: ModelOutputLimits = {}): Promise<ModelOutput> {
  try {
    return { parts: partsOf(await cell.result(), limits), isError: false };
  } catch (error) {
    if (error instanceof ExecutionError) return failed(error.result, reasonOf(error), limits);
    if (error instanceof ExecutionTimeoutError || error instanceof KernelDiedError) {
      return failed(error.result, error.message, limits);
    }
    throw error;
  }
}

/** Where `sys.exit` was called says nothing. */
function reasonOf({ errorName, traceback, message }: ExecutionError): string {
  return errorName === "SystemExit" ? message : traceback || message;
}

function failed(result: ExecutionResult, reason: string, limits: ModelOutputLimits): ModelOutput {
  const output = hasOutput(result) ? partsOf(result, limits) : [];
  return { parts: [...output, { kind: "text", text: cut(plainText(reason), MAX_ERROR_CHARACTERS) }], isError: true };
}

function hasOutput({ outputs }: ExecutionResult): boolean {
  return outputs.some(({ kind }) => kind !== "error");
}

function partsOf(result: ExecutionResult, limits: ModelOutputLimits): readonly ModelPart[] {
  const room = new Room(limits);
  const parts: ModelPart[] = [];
  let flow = new TextFlow();
  let text = "";
  const flush = (): void => {
    const whole = plainText(settle(text)).trim();
    if (whole !== "") parts.push({ kind: "text", text: room.text(whole) });
    text = "";
    flow = new TextFlow();
  };
  if (result.freshKernel) text += flow.value("[The kernel is fresh: variables of the cells before are gone.]\n");
  for (const output of result.outputs) {
    if (output.kind === "error") continue;
    if (output.kind === "stream") {
      text += flow.stream(output.text);
      continue;
    }
    const image = imageOf(output.data);
    if (image !== undefined && room.takes(image.data.length)) {
      flush();
      parts.push({ kind: "image", mimeType: image.mimeType, data: image.data });
    } else {
      text += flow.value(
        image === undefined ? describe(output.data) : `[${image.mimeType} left out: too many or too large images]`,
      );
    }
  }
  flush();
  if (result.truncated) parts.push({ kind: "text", text: `[Only the start was kept of ${result.totalBytes} bytes of output.]` });
  return parts.length === 0 ? [{ kind: "text", text: "(no output)" }] : parts;
}

/** A bundle as text: the plain form where there is one, else another one, with its type in front. */
function describe(data: MimeBundle): string {
  const type = TEXT_TYPES.find((type) => data[type] !== undefined);
  if (type === undefined) return `[${Object.keys(data).map(plainType).join(", ") || "nothing"}]`;
  const value = data[type];
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return type === "text/plain" ? text : `[${type}]\n${text}`;
}

/** A MIME type is what the cell says it is. */
function plainType(type: string): string {
  return plainText(type).replaceAll("\n", " ").slice(0, 100);
}

/** What is left of the limits. */
class Room {
  #characters: number;
  #images: number;
  #imageBytes: number;

  constructor(limits: ModelOutputLimits) {
    this.#characters = limits.maxTextCharacters ?? MODEL_OUTPUT_DEFAULTS.maxTextCharacters;
    this.#images = limits.maxImages ?? MODEL_OUTPUT_DEFAULTS.maxImages;
    this.#imageBytes = limits.maxImageBytes ?? MODEL_OUTPUT_DEFAULTS.maxImageBytes;
  }

  /** As much of a text as there is room for. */
  text(text: string): string {
    const fitting = cut(text, this.#characters);
    this.#characters = Math.max(0, this.#characters - text.length);
    return fitting;
  }

  /** Whether there is room for an image; if so, it is taken. */
  takes(bytes: number): boolean {
    if (this.#images < 1 || bytes > this.#imageBytes) return false;
    this.#images -= 1;
    this.#imageBytes -= bytes;
    return true;
  }
}

/** The start and the end of a text, and between them how much is missing. */
function cut(text: string, characters: number): string {
  if (text.length <= characters) return text;
  const head = Math.floor(characters * HEAD_SHARE);
  const tail = characters - head;
  const missing = `[… ${text.length - characters} characters left out …]`;
  // A character outside of the basic plane is not cut in two.
  return plainText(`${text.slice(0, head)}\n${missing}\n${tail === 0 ? "" : text.slice(-tail)}`).trim();
}
