import { type JSONRPCMessage, parseJSONRPCMessage, ProtocolErrorCode } from "@modelcontextprotocol/server";

/** What somebody has sent: a message, or the answer to what is none. */
export type Received =
  { readonly kind: "message"; readonly message: JSONRPCMessage } | { readonly kind: "refused"; readonly answer: RefusedAnswer };

/** JSON-RPC's answer to what is no valid message. `id` is null where it can't be told. */
export interface RefusedAnswer {
  readonly jsonrpc: "2.0";
  readonly id: string | number | null;
  readonly error: { readonly code: number; readonly message: string };
}

/** Reads one message. */
export function readMessage(text: string): Received {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refused(null, ProtocolErrorCode.ParseError, "Parse error: this is no JSON");
  }
  if (Array.isArray(value)) {
    return refused(
      null,
      ProtocolErrorCode.InvalidRequest,
      "Invalid request: batches are no part of MCP; send one message at a time",
    );
  }
  try {
    return { kind: "message", message: parseJSONRPCMessage(value) };
  } catch {
    return refused(idOf(value), ProtocolErrorCode.InvalidRequest, "Invalid request: this is no message of JSON-RPC 2.0");
  }
}

/** The answer to something that is not taken. */
export function refusedAnswer(id: RefusedAnswer["id"], code: number, message: string): RefusedAnswer {
  return { jsonrpc: "2.0", id, error: { code, message } };
}

function refused(id: RefusedAnswer["id"], code: number, message: string): Received {
  return { kind: "refused", answer: refusedAnswer(id, code, message) };
}

function idOf(value: unknown): string | number | null {
  const id: unknown = typeof value === "object" && value !== null && "id" in value ? value.id : null;
  return typeof id === "string" || Number.isInteger(id) ? (id as string | number) : null;
}
