import { type Tool, tool } from "ai";
import type { ExecutionClient } from "../client.ts";
import type { ModelPart } from "../model-output.ts";
import { describePythonTool, type PythonToolInput, pythonToolInput, type PythonToolOptions } from "./python-tool.ts";

export type { PythonToolInput, PythonToolOptions } from "./python-tool.ts";

/** What the tool gives: JSON, so that it can be stored with a conversation. */
export interface PythonToolResult {
  /** Texts and images in the order in which the cell gave them; images in base64. */
  readonly parts: readonly (
    | { readonly type: "text"; readonly text: string }
    | { readonly type: "image"; readonly mimeType: string; readonly data: string }
  )[];
  /** Whether the cell failed: the last text is its traceback, or says that it ran too long. */
  readonly isError: boolean;
}

/**
 * A tool for Vercel's AI SDK that runs cells in a client's kernel: `tools: { python: pythonTool(client) }`. The model gets text
 * as text and plots as images; an exception comes back as its traceback. Aborting the generation interrupts the cell.
 *
 * @throws IpyboxError `invalid_option`, naming the option.
 */
export function pythonTool(client: ExecutionClient, options: PythonToolOptions = {}): Tool<PythonToolInput, PythonToolResult> {
  const python = describePythonTool(client, options);
  return tool({
    description: python.description,
    inputSchema: pythonToolInput,
    execute: async (input: PythonToolInput, { abortSignal }): Promise<PythonToolResult> => {
      const { parts, isError } = await python.run(input, abortSignal);
      return { parts: parts.map(storable), isError };
    },
    toModelOutput: ({ output }: { readonly output: PythonToolResult }) => ({
      type: "content" as const,
      value: output.parts.map((part) =>
        part.type === "text"
          ? part
          : { type: "file" as const, mediaType: part.mimeType, data: { type: "data" as const, data: part.data } },
      ),
    }),
  });
}

function storable(part: ModelPart): PythonToolResult["parts"][number] {
  if (part.kind === "text") return { type: "text", text: part.text };
  return { type: "image", mimeType: part.mimeType, data: Buffer.from(part.data).toString("base64") };
}
