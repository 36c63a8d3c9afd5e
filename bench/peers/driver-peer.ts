import type { DriverProcess } from "./driver-process.ts";
import type { PeerContainer } from "./peer-container.ts";
import type { Operation, Operations, Peer } from "./peer.ts";

/** What a peer with a driver consists of while it is measured. */
export interface Driven {
  /** Where its kernels are. */
  readonly container: PeerContainer;
  readonly driver: DriverProcess;
}

/** A peer whose client runs in a process of its own. */
export class DriverPeer implements Peer {
  readonly name: string;
  readonly #open: () => Promise<Driven>;
  #driven: Driven | undefined;

  constructor(name: string, open: () => Promise<Driven>) {
    this.name = name;
    this.#open = open;
  }

  get containerId(): string {
    return this.#prepared.container.id;
  }

  async prepare(): Promise<void> {
    this.#driven = await this.#open();
  }

  async perform<Name extends Operation>(
    operation: Name,
    parameters: Operations[Name]["parameters"],
  ): Promise<Operations[Name]["outcome"]> {
    return this.#prepared.driver.perform(operation, parameters);
  }

  async dispose(): Promise<void> {
    await this.#driven?.driver.close();
    await this.#driven?.container.remove();
  }

  get #prepared(): Driven {
    if (this.#driven === undefined) throw new Error(`${this.name} is not prepared.`);
    return this.#driven;
  }
}
