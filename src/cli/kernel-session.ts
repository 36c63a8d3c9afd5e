import { ExecutionClient } from "../client.ts";
import { ExecutionContainer } from "../container.ts";
import type { ExecutionContainerOptions } from "../options.ts";
import { log, printError } from "./print.ts";

/** Starts a container with a kernel, runs something with it, and removes both, however that ends. */
export async function withKernel<T>(
  options: ExecutionContainerOptions,
  signal: AbortSignal,
  run: (running: { readonly client: ExecutionClient; readonly container: ExecutionContainer }) => Promise<T>,
): Promise<T> {
  const container = await ExecutionContainer.create({ ...options, signal });
  const { host, port, token, id } = container;
  let client: ExecutionClient | undefined;
  const remove = async (): Promise<void> => {
    // The kernel goes with its container: nobody has to wait for its good-bye first.
    const [, killed] = await Promise.allSettled([client?.disconnect(), container.kill()]);
    if (killed.status === "fulfilled") return;
    log(`The container ${id} may be left. \`ipybox ls\` shows it, \`ipybox cleanup\` removes it.`);
    throw killed.reason;
  };
  let result: T;
  try {
    client = await ExecutionClient.connect({ host, port, token, signal });
    result = await run({ client, container });
  } catch (error) {
    await remove().catch(printError);
    throw error;
  }
  await remove();
  return result;
}
