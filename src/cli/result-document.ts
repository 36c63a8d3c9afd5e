import { ContainerDiedError, ExecutionError, ExecutionTimeoutError, KernelDiedError } from "../errors.ts";
import type { Execution } from "../execution.ts";
import type { Output } from "../outputs.ts";
import type { MimeBundle } from "../protocol/events.ts";
import type { ExecutionResult } from "../result.ts";
import { pictureOf } from "./plots/picture.ts";
import type { PlotFiles } from "./plots/plot-files.ts";

/** How a cell has ended: its result, and the error that has cut it short. */
export interface Outcome {
  readonly result: ExecutionResult;
  readonly error: unknown;
}

/** Waits for the end of a cell. Throws what leaves no result at all. */
export async function outcomeOf(cell: Execution): Promise<Outcome> {
  try {
    return { result: await cell.result(), error: undefined };
  } catch (error) {
    const result = partialResult(error);
    if (result === undefined) throw error;
    return { result, error };
  }
}

/** What `ipybox run --json` tells of a cell. Pictures are saved, too. */
export async function resultDocument(result: ExecutionResult, error: unknown, plots: PlotFiles): Promise<object> {
  const { text, stdout, stderr, outputs, executionCount, truncated, totalBytes } = result;
  return {
    text,
    stdout,
    stderr,
    outputs: outputs.map(jsonOutput),
    images: await saveImages(outputs, plots),
    error: describeError(error),
    executionCount,
    truncated,
    totalBytes,
  };
}

function partialResult(error: unknown): ExecutionResult | undefined {
  const types = [ExecutionError, ExecutionTimeoutError, KernelDiedError, ContainerDiedError] as const;
  const type = types.find((type) => error instanceof type);
  return type === undefined ? undefined : (error as InstanceType<typeof type>).result;
}

/** Bytes are base64 in JSON, as in a notebook file. */
function jsonOutput(output: Output): object {
  if (output.kind !== "display" && output.kind !== "result") return output;
  return { ...output, data: jsonBundle(output.data) };
}

function jsonBundle(data: MimeBundle): MimeBundle {
  const entries = Object.entries(data).map(([type, value]) => [
    type,
    value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value,
  ]);
  return Object.fromEntries(entries) as MimeBundle;
}

async function saveImages(outputs: readonly Output[], plots: PlotFiles): Promise<readonly object[]> {
  const images: object[] = [];
  for (const output of outputs) {
    const picture = output.kind === "display" || output.kind === "result" ? pictureOf(output.data) : undefined;
    if (picture === undefined) continue;
    const { mimeType, width, height } = picture;
    images.push({ mimeType, width, height, path: (await plots.trySave(picture)) ?? null });
  }
  return images;
}

function describeError(error: unknown): object | null {
  if (error instanceof ExecutionError) {
    return { name: error.errorName, value: error.errorValue, traceback: error.traceback };
  }
  return error instanceof Error ? { name: error.name, value: error.message, traceback: "" } : null;
}
