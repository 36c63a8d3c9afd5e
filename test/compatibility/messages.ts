import { type ExecutionClient, ExecutionError } from "ipybox";

/** A message of a kernel, as it came: its content, and its name as `type`. */
export interface Message {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** What our kernel answers with, by the library's public names. */
export async function messagesOf(client: ExecutionClient, code: string): Promise<Message[]> {
  const messages: Message[] = [];
  try {
    for await (const event of client.submit(code, { timeoutMs: 60_000 }).events()) messages.push({ ...event });
  } catch (error) {
    // An exception of the cell is among the events; whatever else ends an execution is not.
    if (!(error instanceof ExecutionError)) messages.push({ type: "failure", reason: String(error) });
  }
  return messages;
}
