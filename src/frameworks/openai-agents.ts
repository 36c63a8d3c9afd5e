import { type FunctionTool, tool } from "@openai/agents";
import type { ExecutionClient } from "../client.ts";
import type { ModelPart } from "../model-output.ts";
import {
  describePythonTool,
  PYTHON_TOOL_NAME,
  type PythonToolInput,
  pythonToolInput,
  type PythonToolOptions,
} from "./python-tool.ts";

export type { PythonToolInput, PythonToolOptions } from "./python-tool.ts";

/**
 * A tool for OpenAI's Agents SDK that runs cells in a client's kernel; its name is `python`. The model gets text as text and
 * plots as images; an exception comes back as its traceback. Aborting the run interrupts the cell.
 *
 * @throws IpyboxError `invalid_option`, naming the option.
 */
export function pythonTool(
  client: ExecutionClient,
  options: PythonToolOptions = {},
): FunctionTool<unknown, typeof pythonToolInput, object[]> {
  const python = describePythonTool(client, options);
  return tool({
    name: PYTHON_TOOL_NAME,
    description: python.description,
    parameters: pythonToolInput,
    execute: async (input: PythonToolInput, _context, details) => (await python.run(input, details?.signal)).parts.map(output),
  });
}

function output(part: ModelPart): object {
  if (part.kind === "text") return { type: "text", text: part.text };
  return { type: "image", image: { data: Buffer.from(part.data).toString("base64"), mediaType: part.mimeType } };
}
