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

/** Keeps the outputs of one execution, up to a number of bytes. */
export class OutputCollector {
  readonly #maxBytes: number;
  #kept: (KeptStream | KeptDisplay | ResultOutput | ErrorOutput)[] = [];
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
        this.#update(event.transient.display_id, bundleOf(event));
        break;
      case "clear_output":
        this.#clearNext = true;
        if (!event.wait) this.#show();
        break;
      case "error":
        this.#show();
        this.#kept.push({
          kind: "error",
          errorName: event.ename,
          errorValue: event.evalue,
          traceback: event.traceback.join("\n"),
          frames: event.frames,
        });
        break;
      case "execute_reply":
        for (const { source, data } of event.payload) {
          if (source === "page" && data !== undefined)
            this.#kept.push({ kind: "display", displayId: undefined, data, metadata: {} });
        }
    }
  }

  /** The outputs as they are now. */
  outputs(): readonly Output[] {
    return this.#kept.map((output): Output => {
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

  #stream(name: "stdout" | "stderr", text: string): void {
    const last = this.#kept.at(-1);
    if (last?.kind === "stream" && last.name === name) last.texts.push(text);
    else this.#kept.push({ kind: "stream", name, texts: [text] });
  }

  #bundle(output: KeptDisplay | ResultOutput, bytes: number): void {
    this.totalBytes += bytes;
    if (this.#keptBytes + bytes > this.#maxBytes) {
      this.truncated = true;
      return;
    }
    this.#keptBytes += bytes;
    this.#kept.push(output);
  }

  #update(displayId: string | undefined, bundle: Pick<DisplayOutput, "data" | "metadata">): void {
    if (displayId === undefined) return;
    for (const output of this.#kept) {
      if (output.kind === "display" && output.displayId === displayId) Object.assign(output, bundle);
    }
  }

  /** Something is about to be shown: what was to be cleared before it goes now. */
  #show(): void {
    if (!this.#clearNext) return;
    this.#clearNext = false;
    this.#kept = this.#kept.filter((output) => output.kind === "error");
    this.#keptBytes = 0;
  }

  /** As much of the text as there is room for. */
  #fitting(text: string, bytes: number): string {
    const room = this.#maxBytes - this.#keptBytes;
    if (bytes <= room) {
      this.#keptBytes += bytes;
      return text;
    }
    this.truncated = true;
    this.#keptBytes = this.#maxBytes;
    return cutToBytes(text, room);
  }
}

/** The start of a text that has at most `bytes` bytes in UTF-8, cut between characters. */
function cutToBytes(text: string, bytes: number): string {
  const buffer = Buffer.from(text);
  let end = Math.max(bytes, 0);
  while (end > 0 && ((buffer[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return buffer.toString("utf8", 0, end);
}

function bundleOf({ data, metadata }: Pick<DisplayOutput, "data" | "metadata">): Pick<DisplayOutput, "data" | "metadata"> {
  return { data, metadata };
}
