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

/** What a display shows. After an update, all displays of the same id share it. */
interface Shown {
  data: MimeBundle;
  metadata: MimeBundle;
  bytes: number;
}

interface KeptDisplay {
  readonly kind: "display";
  shown: Shown;
}

/** The displays of an id: those that share what the last update gave, and those that came since. */
interface DisplayGroup {
  shared: Shown | undefined;
  fresh: KeptDisplay[];
}

type Bundle = Pick<DisplayOutput, "data" | "metadata">;

type Kept = KeptStream | KeptDisplay | ResultOutput | ErrorOutput;

/** Keeps the outputs of one execution, up to a number of bytes. The last exception is always kept. */
export class OutputCollector {
  readonly #maxBytes: number;
  readonly #displays = new Map<string, DisplayGroup>();
  #kept: Kept[] = [];
  #keptBytes = 0;
  #errorBytes = 0;
  /** An exception for which there was no room: only the last of them stays. */
  #overflow: ErrorOutput | undefined;
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
        this.#display(event.transient.display_id, bundleOf(event), bytes);
        break;
      case "execute_result":
        this.#show();
        this.totalBytes += bytes;
        if (this.#takes(bytes)) this.#kept.push({ kind: "result", ...bundleOf(event) });
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
        this.#error(errorOf(event), bytes);
        break;
      case "execute_reply":
        this.#reply(event, bytes);
        break;
      default: // a question is no output
    }
  }

  /** The outputs as they are now. */
  outputs(): readonly Output[] {
    const outputs = this.#kept.map((output): Output => {
      switch (output.kind) {
        case "stream":
          return { kind: "stream", name: output.name, text: output.texts.join("") };
        case "display":
          return { kind: "display", data: output.shown.data, metadata: output.shown.metadata };
        default:
          return output;
      }
    });
    return this.#overflow === undefined ? outputs : [...outputs, this.#overflow];
  }

  #stream(name: "stdout" | "stderr", text: string): void {
    if (text === "") return;
    const last = this.#kept.at(-1);
    if (last?.kind === "stream" && last.name === name) last.texts.push(text);
    else this.#kept.push({ kind: "stream", name, texts: [text] });
  }

  #display(displayId: string | undefined, bundle: Bundle, bytes: number): void {
    this.totalBytes += bytes;
    if (!this.#takes(bytes)) return;
    const display: KeptDisplay = { kind: "display", shown: { ...bundle, bytes } };
    this.#kept.push(display);
    if (displayId === undefined) return;
    const group = this.#displays.get(displayId);
    if (group === undefined) this.#displays.set(displayId, { shared: undefined, fresh: [display] });
    else group.fresh.push(display);
  }

  #update(displayId: string | undefined, bundle: Bundle, bytes: number): void {
    this.totalBytes += bytes;
    const group = displayId === undefined ? undefined : this.#displays.get(displayId);
    if (group === undefined) return;
    const before = group.fresh.reduce((sum, { shown }) => sum + shown.bytes, group.shared?.bytes ?? 0);
    if (!this.#takes(bytes - before)) return;
    group.shared = Object.assign(group.shared ?? {}, { ...bundle, bytes });
    for (const display of group.fresh.splice(0)) display.shown = group.shared;
  }

  #error(error: ErrorOutput, bytes: number): void {
    this.totalBytes += bytes;
    if (this.#keptBytes + bytes <= this.#maxBytes) {
      this.#kept.push(error);
      this.#keptBytes += bytes;
      this.#errorBytes += bytes;
    } else {
      if (this.#overflow !== undefined) this.truncated = true;
      this.#overflow = error;
    }
  }

  /** What IPython shows in a pager is a display. */
  #reply({ payload }: Extract<ExecutionEvent, { type: "execute_reply" }>, bytes: number): void {
    for (const { source, data } of payload) {
      if (source === "page" && data !== undefined) this.#display(undefined, { data, metadata: {} }, bytes);
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
    this.#kept = this.#kept.filter(({ kind }) => kind === "error");
    this.#displays.clear();
    this.#keptBytes = this.#errorBytes;
  }

  /** As much of the text as there is room for. */
  #fitting(text: string, bytes: number): string {
    if (this.#takes(bytes)) return text;
    const room = this.#maxBytes - this.#keptBytes;
    this.#keptBytes = this.#maxBytes;
    return cutToBytes(text, room);
  }
}

/** The start of a text that has at most `bytes` bytes in UTF-8, cut between characters. */
function cutToBytes(text: string, bytes: number): string {
  if (bytes <= 0) return "";
  const buffer = Buffer.from(text);
  let end = bytes;
  while (end > 0 && ((buffer[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return buffer.toString("utf8", 0, end);
}

function errorOf({ ename, evalue, traceback, frames }: Extract<ExecutionEvent, { type: "error" }>): ErrorOutput {
  return { kind: "error", errorName: ename, errorValue: evalue, traceback: traceback.join("\n"), frames };
}

function bundleOf({ data, metadata }: Bundle): Bundle {
  return { data, metadata };
}
