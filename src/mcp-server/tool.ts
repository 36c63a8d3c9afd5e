import type { CallToolResult, ToolAnnotations } from "@modelcontextprotocol/server";
import type { z } from "zod";
import type { Sandbox } from "./sandbox.ts";

/** One call of a tool. */
export interface ToolCall {
  readonly sandbox: Sandbox;
  /** Aborts when the client cancels, and when it is gone. */
  readonly signal: AbortSignal;
  /** Tells the client what happens meanwhile, if it wants to know. */
  readonly onProgress: (text: string) => void;
}

/** Something that a client can call. */
export interface Tool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly annotations: ToolAnnotations;
  /** Strict: a field more is an error. */
  readonly inputSchema: z.ZodObject;
  /** Runs it with an input that its schema has accepted. What it throws becomes a result with `isError`. */
  run(input: unknown, call: ToolCall): Promise<CallToolResult>;
}

/** A tool whose input has the schema's type. */
export function defineTool<Schema extends z.ZodObject>(
  tool: Omit<Tool, "run" | "inputSchema"> & {
    readonly inputSchema: Schema;
    run(input: z.output<Schema>, call: ToolCall): Promise<CallToolResult>;
  },
): Tool {
  return { ...tool, run: (input, call) => tool.run(input as z.output<Schema>, call) };
}

/** A result of one text. */
export function textResult(text: string): CallToolResult {
  return { content: [{ type: "text", text }] };
}
