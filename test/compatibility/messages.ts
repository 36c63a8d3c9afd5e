import { type ExecutionClient, ExecutionError } from "ipybox";

/** A message of a kernel, as it came: its content, and its name as `type`. */
export interface Message {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** What our kernel answers each of several cells with, by the library's public names. */
export async function answersOf(client: ExecutionClient, cells: readonly string[]): Promise<Message[][]> {
  const answers = new Map<string, Message[]>();
  client.on("lateOutput", ({ executionId, event }) => {
    const messages = answers.get(executionId) ?? [];
    messages.splice(-1, 0, { ...event });
  });
  for (const code of cells) {
    const messages: Message[] = [];
    const execution = client.submit(code, { timeoutMs: 60_000 });
    answers.set(execution.id, messages);
    try {
      for await (const event of execution.events()) messages.push({ ...event });
    } catch (error) {
      // An exception of the cell is among the events; whatever else ends an execution is not.
      if (!(error instanceof ExecutionError)) messages.push({ type: "failure", reason: String(error) });
    }
  }
  return [...answers.values()];
}
