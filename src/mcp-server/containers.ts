import { ExecutionContainer } from "../container.ts";
import type { ExecutionContainerOptions } from "../options.ts";

/** Gives sessions the containers that they run in. */
export interface Containers {
  /** A container that runs. Who takes it gives it back. */
  take(): Promise<ExecutionContainer>;
  /** One taken is not needed any more; one that `isBroken` is given to nobody else. */
  giveBack(container: ExecutionContainer, options?: { readonly isBroken?: boolean }): Promise<void>;
  /** Ends all starts that are under way, and gives no more. */
  close(): void;
}

/** A container for each session: what one session installs, writes or breaks is nobody else's. */
export class OwnContainers implements Containers {
  readonly #options: ExecutionContainerOptions;
  readonly #closing = new AbortController();

  constructor(options: ExecutionContainerOptions) {
    this.#options = options;
  }

  take(): Promise<ExecutionContainer> {
    return ExecutionContainer.create({ ...this.#options, signal: this.#closing.signal });
  }

  giveBack(container: ExecutionContainer): Promise<void> {
    return container.kill();
  }

  close(): void {
    this.#closing.abort(new Error("The server is ending."));
  }
}

/** One container for all sessions, as long as one of them has it. Each has a kernel of its own; files and packages are shared. */
export class SharedContainer implements Containers {
  readonly #own: OwnContainers;
  #current: { readonly container: Promise<ExecutionContainer>; users: number } | undefined;

  constructor(options: ExecutionContainerOptions) {
    this.#own = new OwnContainers(options);
  }

  async take(): Promise<ExecutionContainer> {
    const shared = (this.#current ??= { container: this.#own.take(), users: 0 });
    shared.users += 1;
    try {
      return await shared.container;
    } catch (error) {
      if (this.#current === shared) this.#current = undefined;
      throw error;
    }
  }

  async giveBack(container: ExecutionContainer, { isBroken = false }: { readonly isBroken?: boolean } = {}): Promise<void> {
    const shared = this.#current;
    // One that was broken for another session is gone already.
    if (shared === undefined || (await shared.container.catch(() => undefined)) !== container) return;
    shared.users -= 1;
    if (!isBroken && shared.users > 0) return;
    if (this.#current === shared) this.#current = undefined;
    await container.kill();
  }

  close(): void {
    this.#own.close();
  }
}
