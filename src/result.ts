import type { Output, OutputCollector } from "./outputs.ts";
import { imageOf, type ResultImage } from "./result-image.ts";
import { settle, TextFlow, textOf } from "./text-flow.ts";

/** What is known of an execution besides its outputs. */
export interface ResultFacts {
  readonly executionCount: number | null;
  readonly freshKernel: boolean;
  readonly lostBytes: number;
}

/** Everything that a cell has given. `text` and its friends are computed from `outputs` when asked for. */
export class ExecutionResult {
  /** All that the cell has shown, in order. */
  readonly outputs: readonly Output[];
  /** True when the cell gave more than `maxOutputBytes`: what is kept is its start. */
  readonly truncated: boolean;
  /** Bytes of output in all, kept or not. */
  readonly totalBytes: number;
  /** Bytes that were lost because the connection was down for longer than the agent could keep them. */
  readonly lostBytes: number;
  /** True when the cell ran in a new process: variables of the cells before are gone. */
  readonly freshKernel: boolean;
  /** The number in `In[n]`, or null when the cell did not run to its end. */
  readonly executionCount: number | null;
  #texts: Texts | undefined;
  #images: readonly ResultImage[] | undefined;

  /** Made by the client from what it has collected. */
  constructor(collector: OutputCollector, facts: ResultFacts) {
    this.outputs = collector.outputs();
    this.truncated = collector.truncated;
    this.totalBytes = collector.totalBytes;
    this.lostBytes = facts.lostBytes;
    this.freshKernel = facts.freshKernel;
    this.executionCount = facts.executionCount;
  }

  /**
   * Streams, values and displays as text, in order, without white space around it; null when there
   * was nothing of them. Of a progress bar it is the final state. Images have no part in it.
   */
  get text(): string | null {
    return this.#computed().text;
  }

  /** What was written to standard output, as it is. */
  get stdout(): string {
    return this.#computed().stdout;
  }

  /** What was written to standard error, as it is. */
  get stderr(): string {
    return this.#computed().stderr;
  }

  /** The images that were shown, in order. */
  get images(): readonly ResultImage[] {
    this.#images ??= this.outputs
      .filter((output) => output.kind === "display" || output.kind === "result")
      .flatMap((output) => imageOf(output.data) ?? []);
    return this.#images;
  }

  #computed(): Texts {
    this.#texts ??= computeTexts(this.outputs);
    return this.#texts;
  }
}

interface Texts {
  readonly text: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

function computeTexts(outputs: readonly Output[]): Texts {
  const flow = new TextFlow();
  const all: string[] = [];
  const streams = { stdout: [] as string[], stderr: [] as string[] };
  for (const output of outputs) {
    if (output.kind === "stream") {
      streams[output.name].push(output.text);
      all.push(flow.stream(output.text));
    } else if (output.kind !== "error") {
      const text = textOf(output.data);
      if (text !== undefined) all.push(flow.value(text));
    }
  }
  return {
    text: all.length === 0 ? null : settle(all.join("")).trim(),
    stdout: streams.stdout.join(""),
    stderr: streams.stderr.join(""),
  };
}
