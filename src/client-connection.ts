import type { ExecutionClientOptions } from "./client-options.ts";
import { ContainerDiedError, IpyboxError } from "./errors.ts";
import { FileChannels } from "./files/file-channels.ts";
import { Files } from "./files/files.ts";
import type { LinkOptions } from "./link.ts";
import { DEFAULTS } from "./options.ts";
import { Session, type SessionEvents } from "./session.ts";
import { findTarget, type KernelTarget } from "./target.ts";

/** What a client has as long as it is connected. */
export interface Connected {
  readonly kind: "connected";
  readonly session: Session;
  readonly target: KernelTarget;
  readonly fileChannels: FileChannels;
  readonly files: Files;
}

type State =
  | { readonly kind: "new" }
  | Connected
  | { readonly kind: "disconnected" }
  | { readonly kind: "lost"; readonly error: IpyboxError };

/** Whether a client is connected to a kernel, and why not. Nothing leaves `disconnected` and `lost`. */
export class ClientConnection {
  readonly #options: ExecutionClientOptions;
  readonly #events: SessionEvents;
  #state: State = { kind: "new" };
  /** Whether the kernel goes when this client disconnects. */
  #ownsKernel = true;

  constructor(options: ExecutionClientOptions, events: SessionEvents) {
    this.#options = options;
    this.#events = events;
  }

  /** What it has now; undefined when it is not connected. */
  get current(): Connected | undefined {
    return this.#state.kind === "connected" ? this.#state : undefined;
  }

  get ownsKernel(): boolean {
    return this.#ownsKernel;
  }

  /** Connects to a kernel, and creates it when it is told how. */
  async open(kernelId: string, create: LinkOptions["create"], ownsKernel: boolean): Promise<Connected> {
    this.#ownsKernel = ownsKernel;
    const { connectTimeoutMs = DEFAULTS.connectTimeoutMs, signal } = this.#options;
    const target = await findTarget(this.#options, kernelId);
    const link: LinkOptions = { create, after: "latest", timeoutMs: connectTimeoutMs, signal };
    const session = await Session.open(target, link, { ...this.#events, onLost: (error) => this.#lose(error) });
    const fileChannels = new FileChannels(target, connectTimeoutMs);
    const connected: Connected = { kind: "connected", session, target, fileChannels, files: new Files(fileChannels) };
    this.#state = connected;
    return connected;
  }

  /** What it has; throws why it has nothing. `action` names who asks. */
  require(action: string): Connected {
    if (this.#state.kind === "connected") return this.#state;
    throw this.#unusable(action);
  }

  /** Whether it is connected already; throws when it can't be any more. */
  mayOpen(action: string): boolean {
    if (this.#state.kind !== "new" && this.#state.kind !== "connected") throw this.#unusable(action);
    return this.#state.kind === "new";
  }

  /** The kernel could not be told what it must know: one of its own may be tried again, another's is given up. */
  async abandon(session: Session, error: unknown): Promise<void> {
    if (this.#state.kind === "connected") {
      this.#state.fileChannels.close(new IpyboxError("disconnected", "The client could not be connected.", { cause: error }));
      this.#state = this.#ownsKernel || !(error instanceof IpyboxError) ? { kind: "new" } : { kind: "lost", error };
    }
    await session.close(this.#ownsKernel);
  }

  /** From now on it is disconnected, unless it was lost before. Gives what it had, if it was connected. */
  leave(): Connected | undefined {
    const state = this.#state;
    if (state.kind === "lost") return undefined;
    this.#state = { kind: "disconnected" };
    if (state.kind !== "connected") return undefined;
    state.fileChannels.close(new IpyboxError("disconnected", "The client was disconnected before the operation was done."));
    return state;
  }

  #lose(error: IpyboxError): void {
    if (this.#state.kind === "connected") this.#state.fileChannels.close(error);
    this.#state = { kind: "lost", error };
    this.#events.onLost(error);
  }

  #unusable(action: string): IpyboxError {
    switch (this.#state.kind) {
      case "lost": {
        const { error } = this.#state;
        return error instanceof ContainerDiedError ? new ContainerDiedError(error.reason, undefined, { cause: error }) : error;
      }
      case "disconnected":
        return new IpyboxError(
          "invalid_state",
          `${action}: the client was disconnected. Make a new one with ExecutionClient.connect().`,
        );
      default:
        return new IpyboxError("invalid_state", `${action}: the client is not connected. Call connect() first.`);
    }
  }
}
