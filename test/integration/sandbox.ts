import { afterAll, beforeAll } from "vitest";
import { ExecutionClient, ExecutionContainer, type ExecutionContainerOptions } from "ipybox";

export interface Sandbox {
  readonly container: ExecutionContainer;
  /** A new kernel; give it to `await using`. */
  connect(): Promise<ExecutionClient>;
}

/** Options for the container of each file; `PROFILE='{"network":"public"}'` runs the tests under another policy or profile. */
const PROFILE = JSON.parse(process.env["PROFILE"] ?? "{}") as ExecutionContainerOptions;

/** One container for all tests of a file. */
export function useContainer(options: ExecutionContainerOptions = {}): Sandbox {
  let container: ExecutionContainer | undefined;
  beforeAll(async () => {
    container = await ExecutionContainer.create({ ...PROFILE, ...options });
  }, 60_000);
  afterAll(async () => {
    await container?.kill();
  });
  return {
    get container() {
      if (container === undefined) throw new Error("the container is not running yet");
      return container;
    },
    connect() {
      const { host, port, token } = this.container;
      return ExecutionClient.connect({ host, port, token });
    },
  };
}

/** Waits until `condition` holds; fails after `timeoutMs`. */
export async function eventually(condition: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A reading that has not changed for a moment: what was there before has gone, what is to come is there. */
export async function settled<T>(read: () => Promise<T>): Promise<T> {
  let last = await read();
  await eventually(async () => {
    const before = last;
    await new Promise((resolve) => setTimeout(resolve, 300));
    last = await read();
    return last === before;
  });
  return last;
}

/** What a promise rejects with; fails when it doesn't. */
export async function rejection<T extends Error>(
  promise: Promise<unknown>,
  type: abstract new (...args: never[]) => T,
): Promise<T> {
  const error: unknown = await promise.then(
    (value) => {
      throw new Error(`resolved with ${String(value)} where a rejection was expected`);
    },
    (reason: unknown) => reason,
  );
  if (!(error instanceof type)) throw error;
  return error;
}
