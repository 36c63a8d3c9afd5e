import type { ExecutionEvent, MimeBundle, TracebackFrame } from "./protocol/events.ts";

/** What a cell has given, in order; neighbouring texts of the same stream are one. */
export type Output = StreamOutput | DisplayOutput | ResultOutput | ErrorOutput;

/** Text of standard output or standard error. */
export interface StreamOutput {
  readonly kind: "stream";
  readonly name: "stdout" | "stderr";
  readonly text: string;
}

/** What `display(…)` has shown, in its last state. Help texts are displays, too. */
export interface DisplayOutput {
  readonly kind: "display";
  readonly data: MimeBundle;
  readonly metadata: MimeBundle;
}

/** The value of the cell's last expression. */
export interface ResultOutput {
  readonly kind: "result";
  readonly data: MimeBundle;
  readonly metadata: MimeBundle;
}

/** The exception that ended the cell. */
export interface ErrorOutput {
  readonly kind: "error";
  readonly errorName: string;
  readonly errorValue: string;
  readonly traceback: string;
  readonly frames: readonly TracebackFrame[];
}

interface KeptStream {
  readonly kind: "stream";
  readonly name: "stdout" | "stderr";
  readonly texts: string[];
}

interface KeptDisplay {
  readonly kind: "display";
  readonly displayId: string | undefined;
  data: MimeBundle;
  metadata: MimeBundle;
}

/** An output, and how much of the room it takes. */
interface Kept {
  readonly output: KeptStream | KeptDisplay | ResultOutput | ErrorOutput;
  bytes: number;
}

/** Keeps the outputs of one execution, up to a number of bytes. An exception is always kept. */
export class OutputCollector {
  readonly #maxBytes: number;
  #kept: Kept[] = [];
  #keptBytes = 0;
  #clearNext = false;
  /** All bytes of output, kept or not. */
  totalBytes = 0;
  /** Whether some output was not kept. */
  truncated = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Adds an event; `bytes` is its size on the wire. */
  add(event: ExecutionEvent, bytes: number): void {
    switch (event.type) {
      case "stream":
        this.totalBytes += bytes;
        this.#show();
        this.#stream(event.name, this.#fitting(event.text, bytes));
        break;
      case "display_data":
        this.#show();
        this.#bundle({ kind: "display", displayId: event.transient.display_id, ...bundleOf(event) }, bytes);
        break;
      case "execute_result":
        this.#show();
        this.#bundle({ kind: "result", ...bundleOf(event) }, bytes);
        break;
      case "update_display_data":
        this.#update(event.transient.display_id, bundleOf(event), bytes);
        break;
      case "clear_output":
        this.#clearNext = true;
        if (!event.wait) this.#show();
        break;
      case "error":
        this.#show();
        this.#kept.push({ output: errorOf(event), bytes: 0 });
        break;
      case "execute_reply":
        this.#reply(event, bytes);
        break;
      default: // a question is no output
    }
  }

  /** The outputs as they are now. */
  outputs(): readonly Output[] {
    return this.#kept.map(({ output }): Output => {
      switch (output.kind) {
        case "stream":
          return { kind: "stream", name: output.name, text: output.texts.join("") };
        case "display":
          return { kind: "display", data: output.data, metadata: output.metadata };
        default:
          return output;
      }
    });
  }

  #stream(name: "stdout" | "stderr", { text, bytes }: { readonly text: string; readonly bytes: number }): void {
    const last = this.#kept.at(-1);
    if (last?.output.kind === "stream" && last.output.name === name) {
      last.output.texts.push(text);
      last.bytes += bytes;
    } else if (bytes > 0) {
      this.#kept.push({ output: { kind: "stream", name, texts: [text] }, bytes });
    }
  }

  #bundle(output: KeptDisplay | ResultOutput, bytes: number): void {
    this.totalBytes += bytes;
    if (this.#takes(bytes)) this.#kept.push({ output, bytes });
  }

  #update(displayId: string | undefined, bundle: Pick<DisplayOutput, "data" | "metadata">, bytes: number): void {
    this.totalBytes += bytes;
    if (displayId === undefined) return;
    for (const kept of this.#kept) {
      if (kept.output.kind !== "display" || kept.output.displayId !== displayId || !this.#takes(bytes - kept.bytes)) continue;
      Object.assign(kept.output, bundle);
      kept.bytes = bytes;
    }
  }

  /** What IPython shows in a pager is a display. */
  #reply({ payload }: Extract<ExecutionEvent, { type: "execute_reply" }>, bytes: number): void {
    for (const { source, data } of payload) {
      if (source === "page" && data !== undefined)
        this.#bundle({ kind: "display", displayId: undefined, data, metadata: {} }, bytes);
    }
  }

  #takes(bytes: number): boolean {
    const fits = this.#keptBytes + bytes <= this.#maxBytes;
    if (fits) this.#keptBytes += bytes;
    else this.truncated = true;
    return fits;
  }

  /** Something is about to be shown: what was to be cleared before it goes now. */
  #show(): void {
    if (!this.#clearNext) return;
    this.#clearNext = false;
    this.#kept = this.#kept.filter(({ output }) => output.kind === "error");
    this.#keptBytes = 0;
  }

  /** As much of the text as there is room for. */
  #fitting(text: string, bytes: number): { readonly text: string; readonly bytes: number } {
    if (this.#takes(bytes)) return { text, bytes };
    const room = this.#maxBytes - this.#keptBytes;
    this.#keptBytes = this.#maxBytes;
    return { text: cutToBytes(text, room), bytes: room };
  }
}

/** The start of a text that has at most `bytes` bytes in UTF-8, cut between characters. */
function cutToBytes(text: string, bytes: number): string {
  const buffer = Buffer.from(text);
  let end = Math.max(bytes, 0);
  while (end > 0 && ((buffer[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return buffer.toString("utf8", 0, end);
}

function errorOf({ ename, evalue, traceback, frames }: Extract<ExecutionEvent, { type: "error" }>): ErrorOutput {
  return { kind: "error", errorName: ename, errorValue: evalue, traceback: traceback.join("\n"), frames };
}

function bundleOf({ data, metadata }: Pick<DisplayOutput, "data" | "metadata">): Pick<DisplayOutput, "data" | "metadata"> {
  return { data, metadata };
}
