import { textOf } from "../text-flow.ts";
import type { DisplayEvent, ErrorEvent, ExecuteReplyEvent, ExecuteResultEvent, ExecutionEvent } from "../protocol/events.ts";
import { log, write } from "./print.ts";
import { type Picture, pictureOf } from "./plots/picture.ts";
import type { PlotFiles } from "./plots/plot-files.ts";
import type { ImageEncoder } from "./plots/terminal-images.ts";

type StreamName = "stdout" | "stderr";

export interface CellPrinterOptions {
  readonly plots: PlotFiles;
  /** How stdout shows pictures. */
  readonly encodeImage: ImageEncoder | undefined;
  /** Save pictures although the terminal shows them. */
  readonly alwaysSave: boolean;
  /** Ends waiting for a reader. */
  readonly signal: AbortSignal;
  /** What stands before the value of a cell, `Out[1]: `. */
  readonly label?: ((executionCount: number) => string) | undefined;
}

/**
 * Shows what a cell gives as it comes: streams as they are, values and displays as text on lines of their own, pictures in
 * the terminal or as files, the traceback on stderr.
 */
export class CellPrinter {
  readonly #options: CellPrinterOptions;
  /** A terminal shows both streams, one behind the other. */
  readonly #shared = process.stdout.isTTY && process.stderr.isTTY;
  readonly #atLineStart = { stdout: true, stderr: true };
  #clearNext = false;

  constructor(options: CellPrinterOptions) {
    this.#options = options;
  }

  async show(event: ExecutionEvent): Promise<void> {
    switch (event.type) {
      case "stream":
        await this.#clear();
        await this.#write(event.name, event.text);
        break;
      case "display_data":
      case "update_display_data":
        await this.#clear();
        await this.#bundle(event, event.transient.display_id);
        break;
      case "execute_result":
        await this.#clear();
        await this.#bundle(event);
        break;
      case "clear_output":
        this.#clearNext = true;
        if (!event.wait) await this.#clear();
        break;
      case "error":
        await this.#line("stderr", tracebackOf(event));
        break;
      case "execute_reply":
        for (const text of pagesOf(event)) await this.#line("stdout", text);
        break;
      default:
    }
  }

  async #bundle(event: DisplayEvent | ExecuteResultEvent, displayId?: string): Promise<void> {
    const picture = pictureOf(event.data);
    if (picture !== undefined) return this.#picture(picture, displayId);
    const text = textOf(event.data);
    if (text === undefined) return;
    const label = event.type === "execute_result" ? (this.#options.label?.(event.execution_count) ?? "") : "";
    await this.#line("stdout", `${label}${label !== "" && text.includes("\n") ? "\n" : ""}${text}`);
  }

  async #picture(picture: Picture, displayId: string | undefined): Promise<void> {
    const { encodeImage, alwaysSave, plots } = this.#options;
    const inline = encodeImage?.(picture, process.stdout.columns || 80);
    if (inline !== undefined) await this.#line("stdout", inline);
    if (inline !== undefined && !alwaysSave) return;
    await this.endLine("stderr");
    const path = await plots.trySave(picture, displayId);
    if (path !== undefined) log(`Saved ${path}`);
  }

  /** What IPython does in a terminal, where nothing but the last line can be taken back. */
  async #clear(): Promise<void> {
    if (!this.#clearNext) return;
    this.#clearNext = false;
    if (process.stdout.isTTY) await this.#write("stdout", "\r\u001b[K", true);
  }

  async #line(name: StreamName, text: string): Promise<void> {
    await this.endLine(name);
    await this.#write(name, text.endsWith("\n") ? text : `${text}\n`);
  }

  /** Ends the line that was begun, if one was, so that something else can be shown. */
  async endLine(name: StreamName): Promise<void> {
    if (!this.#atLineStart[name]) await this.#write(name, "\n");
  }

  async #write(name: StreamName, text: string, atLineStart: boolean = text.endsWith("\n")): Promise<void> {
    if (text === "") return;
    if (this.#shared) this.#atLineStart.stdout = this.#atLineStart.stderr = atLineStart;
    else this.#atLineStart[name] = atLineStart;
    await write(process[name], text, this.#options.signal);
  }
}

function tracebackOf({ traceback, ename, evalue }: ErrorEvent): string {
  const text = traceback.join("\n").trimEnd();
  return text === "" ? `${ename}: ${evalue}` : text;
}

function pagesOf({ payload }: ExecuteReplyEvent): readonly string[] {
  return payload.flatMap(({ source, data }) => (source === "page" && data !== undefined ? (textOf(data) ?? []) : []));
}
