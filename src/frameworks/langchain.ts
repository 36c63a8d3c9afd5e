import { type StructuredToolInterface, tool } from "@langchain/core/tools";
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
 * A tool for LangChain.js that runs cells in a client's kernel; its name is `python`. The tool message has text and image
 * blocks; an exception comes back as its traceback. A `signal` in the call's config interrupts the cell.
 *
 * @throws IpyboxError `invalid_option`, naming the option.
 */
export function pythonTool(client: ExecutionClient, options: PythonToolOptions = {}): StructuredToolInterface {
  const python = describePythonTool(client, options);
  return tool(
    async (input: PythonToolInput, { signal }: { readonly signal?: AbortSignal }) =>
      (await python.run(input, signal)).parts.map(block),
    { name: PYTHON_TOOL_NAME, description: python.description, schema: pythonToolInput },
  );
}

function block(part: ModelPart): object {
  if (part.kind === "text") return { type: "text", text: part.text };
  const url = `data:${part.mimeType};base64,${Buffer.from(part.data).toString("base64")}`;
  return { type: "image_url", image_url: { url } };
}
