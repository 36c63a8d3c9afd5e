import type { ExecutionEvent, MimeBundle } from "./protocol/events.ts";
import { IMAGE_TYPES } from "./result-image.ts";

/**
 * Puts the texts of a cell behind each other as a terminal would show them: stream text as it is,
 * values and displays on lines of their own.
 */
export class TextFlow {
  #atLineStart = true;
  #afterValue = false;

  /** Text of a stream. */
  stream(text: string): string {
    if (text === "") return "";
    const separator = this.#afterValue && !this.#atLineStart ? "\n" : "";
    this.#afterValue = false;
    this.#atLineStart = text.endsWith("\n");
    return separator + text;
  }

  /** The text of a value, a display or a page of help. */
  value(text: string): string {
    const separator = this.#atLineStart ? "" : "\n";
    this.#afterValue = true;
    this.#atLineStart = text.endsWith("\n");
    return separator + text;
  }
}

/**
 * The final state of a text with carriage returns and backspaces, as a terminal or a notebook shows it: of a progress bar its
 * last line.
 */
export function settle(text: string): string {
  if (!text.includes("\r") && !text.includes("\b")) return text;
  return text
    .replaceAll("\r\n", "\n")
    .split("\n")
    .map((line) => (line.includes("\r") || line.includes("\b") ? overwrite(line) : line))
    .join("\n");
}

function overwrite(line: string): string {
  const cells: string[] = [];
  let at = 0;
  for (const character of line) {
    if (character === "\r") at = 0;
    else if (character === "\b") at = Math.max(0, at - 1);
    else cells[at++] = character;
  }
  return cells.join("");
}

/** What a bundle adds to the text: nothing when it is an image. */
export function textOf(data: MimeBundle): string | undefined {
  if (IMAGE_TYPES.some((type) => type in data)) return undefined;
  const text = data["text/plain"];
  return typeof text === "string" ? text : undefined;
}

/** What an event adds to the text. */
export function* textsOf(event: ExecutionEvent, flow: TextFlow): Generator<string> {
  switch (event.type) {
    case "stream":
      yield flow.stream(event.text);
      break;
    case "display_data":
    case "execute_result": {
      const text = textOf(event.data);
      if (text !== undefined) yield flow.value(text);
      break;
    }
    case "execute_reply":
      for (const { source, data } of event.payload) {
        const text = source === "page" && data !== undefined ? textOf(data) : undefined;
        if (text !== undefined) yield flow.value(text);
      }
      break;
    default:
  }
}
