import { IpyboxError } from "../../errors.ts";
import type { PullProgress } from "../engine.ts";

/** One line of what the daemon reports while it pulls, imports or builds. */
export interface DaemonEvent {
  readonly stream?: string;
  readonly status?: string;
  readonly id?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
  readonly error?: string;
  readonly aux?: { readonly ID?: string };
}

/** Reads the daemon's events. One with `error` ends the reading with that error, as does an answer that breaks off. */
export async function* readEvents(stream: NodeJS.ReadableStream): AsyncGenerator<DaemonEvent> {
  const decoder = new TextDecoder();
  let rest = "";
  // Not by `readline`: it waits for ever when the stream ends with an error.
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield* readEvent(line);
  }
  yield* readEvent(rest + decoder.decode());
}

function* readEvent(line: string): Generator<DaemonEvent> {
  if (line.trim() === "") return;
  const event = parseEvent(line);
  if (event.error !== undefined) throw new Error(event.error);
  yield event;
}

function parseEvent(line: string): DaemonEvent {
  let event: unknown;
  let cause: unknown;
  try {
    event = JSON.parse(line);
  } catch (error) {
    cause = error;
  }
  if (typeof event !== "object" || event === null) {
    throw new IpyboxError("engine_failed", "The daemon's answer can't be understood.", { cause });
  }
  return event;
}

/** Sums the layers of a pull. */
export class PullMeter {
  readonly #layers = new Map<string, { current: number; total: number }>();

  add(event: DaemonEvent): PullProgress {
    const { id, status = "", progressDetail } = event;
    const layer = id === undefined ? undefined : this.#layers.get(id);
    if (id !== undefined && status === "Downloading" && progressDetail?.total) {
      this.#layers.set(id, { current: progressDetail.current ?? 0, total: progressDetail.total });
    } else if (layer !== undefined && status === "Download complete") {
      layer.current = layer.total;
    }
    let receivedBytes = 0;
    let totalBytes = 0;
    for (const { current, total } of this.#layers.values()) {
      receivedBytes += current;
      totalBytes += total;
    }
    return { receivedBytes, totalBytes, status };
  }
}
