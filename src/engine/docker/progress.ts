import { createInterface } from "node:readline";
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

/** Reads the daemon's events. An event with `error` ends the reading with that error. */
export async function* readEvents(stream: NodeJS.ReadableStream): AsyncGenerator<DaemonEvent> {
  for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) {
    if (line.trim() === "") continue;
    const event = JSON.parse(line) as DaemonEvent;
    if (event.error !== undefined) throw new Error(event.error);
    yield event;
  }
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
