import * as z from "zod";
import type { ExecutionClient } from "../client.ts";
import { type ModelOutput, modelOutput, type ModelOutputLimits } from "../model-output.ts";
import { byteCount, parseOptions } from "../parse-options.ts";

/** How a tool for a model runs cells. */
export interface PythonToolOptions extends ModelOutputLimits {
  /** What the model is told of the tool. Default: that it runs Python in a stateful IPython kernel. */
  readonly description?: string | undefined;
  /** Time that a cell may run, in milliseconds; null for no limit. Default 120,000. */
  readonly timeoutMs?: number | null | undefined;
}

/** What a model gives the tool. */
export interface PythonToolInput {
  /** A cell: Python with IPython's `!commands`, `%magics` and top-level `await`. */
  readonly code: string;
}

/** The input's schema, for whoever checks what a model gives. */
export const pythonToolInput: z.ZodObject<{ code: z.ZodString }, z.core.$strict> = z.strictObject({
  code: z.string().describe("Python code, with IPython's !commands, %magics and top-level await"),
});

/** How models call it, where the framework does not take the name from elsewhere. */
export const PYTHON_TOOL_NAME = "python";

const DESCRIPTION =
  "Runs a Python cell in a stateful IPython kernel in a sandbox, and gives what it prints, the value of its last expression and its " +
  "plots. Variables, imports and files are kept from call to call. Install packages with !pip install. An exception comes back as a " +
  "traceback.";

const count = z.int({ error: "must be a whole number, 0 or more" }).min(0, { error: "must be 0 or more" });
const schema = z.strictObject({
  description: z.string({ error: "must be a string" }).optional(),
  timeoutMs: z
    .number({ error: "must be a number of milliseconds, or null for no limit" })
    .min(1, { error: "must be 1 or more milliseconds, or null for no limit" })
    .nullable()
    .optional(),
  maxTextCharacters: count.optional(),
  maxImages: count.optional(),
  maxImageBytes: byteCount(0).optional(),
});

/** A tool without its framework. */
export interface PythonTool {
  readonly description: string;
  /** Runs a cell. Rejects with what is none of the cell's own doing, and with the signal's reason. */
  run(input: PythonToolInput, signal?: AbortSignal): Promise<ModelOutput>;
}

/** A tool that runs cells in a client's kernel. An unknown or wrong option is an error that names it. */
export function describePythonTool(client: ExecutionClient, options: PythonToolOptions): PythonTool {
  const { description = DESCRIPTION, timeoutMs, ...limits } = parseOptions(schema, options, "pythonTool");
  return {
    description,
    run: ({ code }, signal) =>
      modelOutput(client.submit(code, { ...(timeoutMs === undefined ? {} : { timeoutMs }), signal }), limits),
  };
}
