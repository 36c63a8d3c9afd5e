import type { EventStore, JSONRPCMessage } from "@modelcontextprotocol/server";

interface Kept {
  readonly number: number;
  readonly streamId: string;
  readonly message: JSONRPCMessage;
  readonly bytes: number;
}

/** The last messages of one session, so that a client whose connection has dropped gets what it has missed. */
export class RecentEvents implements EventStore {
  readonly #maxBytes: number;
  #kept: Kept[] = [];
  #bytes = 0;
  #number = 0;

  constructor({ maxBytes }: { readonly maxBytes: number }) {
    this.#maxBytes = maxBytes;
  }

  /** Keeps a message, and gives its id: number and stream, so that its stream is known when the message is gone. */
  storeEvent(streamId: string, message: JSONRPCMessage): Promise<string> {
    this.#number += 1;
    const bytes = JSON.stringify(message).length;
    this.#kept.push({ number: this.#number, streamId, message, bytes });
    this.#bytes += bytes;
    while (this.#bytes > this.#maxBytes) this.#bytes -= this.#kept.shift()?.bytes ?? this.#bytes;
    return Promise.resolve(`${this.#number}.${streamId}`);
  }

  /** The stream of an event; undefined when it is no id of one. */
  getStreamIdForEventId(eventId: string): Promise<string | undefined> {
    return Promise.resolve(parseId(eventId)?.streamId);
  }

  /** Sends what came on a stream behind an event, as far as it is kept. */
  async replayEventsAfter(
    lastEventId: string,
    { send }: { readonly send: (eventId: string, message: JSONRPCMessage) => Promise<void> },
  ): Promise<string> {
    const last = parseId(lastEventId);
    if (last === undefined) throw new Error("This is no id of an event.");
    const { streamId } = last;
    const missed = this.#kept.filter((one) => one.streamId === streamId && one.number > last.number);
    for (const { number, message } of missed) {
      // What opens a stream has no content.
      if (Object.keys(message).length > 0) await send(`${number}.${streamId}`, message);
    }
    return streamId;
  }
}

function parseId(eventId: string): { readonly number: number; readonly streamId: string } | undefined {
  const [, number, streamId] = /^(\d{1,15})\.(.+)$/.exec(eventId) ?? [];
  return number === undefined || streamId === undefined ? undefined : { number: Number(number), streamId };
}
