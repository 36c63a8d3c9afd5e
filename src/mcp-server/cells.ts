import type { CallToolResult } from "@modelcontextprotocol/server";
import { modelOutput, type ModelPart } from "../model-output.ts";
import { TextFlow, textsOf } from "../text-flow.ts";
import type { ToolCall } from "./tool.ts";

/** A cell, and how it is run. */
export interface Cell {
  readonly code: string;
  readonly timeoutMs: number | null;
  readonly storeHistory?: boolean;
}

/** Runs a cell for a client: text and images come as content, in order; an exception as text, with `isError`. */
export async function runCell({ code, ...options }: Cell, call: ToolCall): Promise<CallToolResult> {
  const { sandbox, signal, onProgress } = call;
  const { parts, isError } = await sandbox.use(signal, async ({ client }) => {
    const cell = client.submit(code, { ...options, signal });
    const flow = new TextFlow();
    try {
      for await (const event of cell.events()) for (const text of textsOf(event, flow)) onProgress(text);
    } catch {
      // The result tells.
    }
    return modelOutput(cell);
  });
  const notice = sandbox.takeNotice();
  const all: readonly ModelPart[] = notice === "" ? parts : [{ kind: "text", text: notice }, ...parts];
  return { content: all.map(content), ...(isError ? { isError } : {}) };
}

function content(part: ModelPart): CallToolResult["content"][number] {
  if (part.kind === "text") return { type: "text", text: part.text };
  return { type: "image", mimeType: part.mimeType, data: Buffer.from(part.data).toString("base64") };
}
