import { setTimeout as delay } from "node:timers/promises";
import { alignClock } from "../clock.ts";
import type { Operation, Operations, Printed, Samples } from "./peer.ts";

/** A client from Node, made measurable. */
export interface Subject {
  /** Makes a new kernel and connects to it. */
  start(): Promise<Session>;
}

/** A kernel and a connection to it. */
export interface Session {
  execute(code: string): Promise<{ readonly text: string | null; readonly images: number }>;
  stream(code: string): AsyncIterable<string>;
  close(): Promise<void>;
}

type Handlers = {
  readonly [Name in Operation]: (parameters: Operations[Name]["parameters"]) => Promise<Operations[Name]["outcome"]>;
};

/** Carries out the operations on one subject; the times are taken around its own calls. */
export class Measurer {
  readonly #subject: Subject;
  #main: Session | undefined;

  constructor(subject: Subject) {
    this.#subject = subject;
  }

  readonly handlers: Handlers = {
    execute: (parameters) => this.#execute(parameters),
    first: (parameters) => this.#first(parameters),
    delay: (parameters) => this.#delay(parameters),
    print: (parameters) => this.#print(parameters),
    throughput: (parameters) => this.#throughput(parameters),
    renew: async () => {
      await this.close();
      return null;
    },
    pid: async () => {
      const { text } = await (await this.#session()).execute("import os; print(os.getpid())");
      return Number(text);
    },
  };

  async close(): Promise<void> {
    await this.#main?.close();
    this.#main = undefined;
  }

  async #session(): Promise<Session> {
    this.#main ??= await this.#subject.start();
    return this.#main;
  }

  async #execute({ code, expect, count, pauseMs }: Operations["execute"]["parameters"]): Promise<Samples> {
    const session = await this.#session();
    const ms: number[] = [];
    let lost = 0;
    for (let index = 0; index < count; index += 1) {
      const startedAt = performance.now();
      const { text } = await session.execute(code);
      ms.push(performance.now() - startedAt);
      if (expect !== null) lost += missing(text, expect);
      if (pauseMs > 0) await delay(pauseMs);
    }
    return { ms, lost };
  }

  async #first({ code, expect, images, count }: Operations["first"]["parameters"]): Promise<Samples> {
    const ms: number[] = [];
    let lost = 0;
    for (let index = 0; index < count; index += 1) {
      const startedAt = performance.now();
      const session = await this.#subject.start();
      const result = await session.execute(code);
      ms.push(performance.now() - startedAt);
      if (result.images !== images) lost += 1;
      else if (expect !== null) lost += missing(result.text, expect);
      await session.close();
    }
    return { ms, lost };
  }

  async #delay({ count, pauseMs }: Operations["delay"]["parameters"]): Promise<Samples> {
    const session = await this.#session();
    const code = `import time\nfor _ in range(${count}):\n    print(time.time_ns())\n    time.sleep(${pauseMs / 1000})\n`;
    const ms: number[] = [];
    let rest = "";
    const wallClock = alignClock();
    for await (const text of session.stream(code)) {
      const now = wallClock();
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line !== "") ms.push(now - Number(line) / 1e6);
    }
    return { ms, lost: count - ms.length };
  }

  async #print({ code, limitMs }: Operations["print"]["parameters"]): Promise<Printed> {
    const session = await this.#subject.start();
    const startedAt = performance.now();
    let received = 0;
    const read = async (): Promise<null> => {
      for await (const text of session.stream(code)) received += text.length;
      return null;
    };
    const deadline = new AbortController();
    const failure = await Promise.race([
      read().catch((error: unknown) => String(error)),
      delay(limitMs, `not done after ${limitMs / 1000} s`, { signal: deadline.signal }),
    ]);
    deadline.abort();
    const seconds = (performance.now() - startedAt) / 1000;
    if (failure === null) await session.close();
    return { received, seconds, failure };
  }

  async #throughput({ clients, seconds }: Operations["throughput"]["parameters"]): Promise<number> {
    const sessions: Session[] = [];
    for (let index = 0; index < clients; index += 1) sessions.push(await this.#subject.start());
    let done = 0;
    const run = async (until: number): Promise<void> => {
      await Promise.all(
        sessions.map(async (session) => {
          while (performance.now() < until) {
            await session.execute("1+1");
            done += 1;
          }
        }),
      );
    };
    await run(performance.now() + 500);
    done = 0;
    const startedAt = performance.now();
    await run(startedAt + seconds * 1000);
    const perSecond = done / ((performance.now() - startedAt) / 1000);
    await Promise.all(sessions.map((session) => session.close()));
    return perSecond;
  }
}

/**
 * 1 when the result is not there at all; a wrong one is an error. Only the last line is looked at: IPython warns once
 * every thousand values that it forgets the oldest.
 */
function missing(text: string | null, expect: string): number {
  if (text === null || text === "") return 1;
  if (text.split("\n").at(-1) === expect) return 0;
  throw new Error(`Expected ${JSON.stringify(expect)}, got ${JSON.stringify(text)}.`);
}
