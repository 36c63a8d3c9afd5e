import { ExecutionClient, type ExecutionContainer, type ExecutionContainerOptions } from "ipybox";
import { type Bench, createContainer } from "../bench.ts";
import type { Operation, Operations, Peer } from "./peer.ts";
import { Measurer, type Session } from "./session.ts";

/** What all others are compared with: the package of this repository. */
export class Ipybox implements Peer {
  readonly name = "ipybox";
  readonly #bench: Bench;
  readonly #options: ExecutionContainerOptions;
  readonly #measurer = new Measurer({ start: () => this.#start() });
  #container: ExecutionContainer | undefined;

  constructor(bench: Bench, options: ExecutionContainerOptions = {}) {
    this.#bench = bench;
    this.#options = options;
  }

  get container(): ExecutionContainer {
    if (this.#container === undefined) throw new Error("ipybox is not prepared");
    return this.#container;
  }

  get containerId(): string {
    return this.container.id;
  }

  async prepare(): Promise<void> {
    this.#container = await createContainer(this.#bench, this.#options);
  }

  perform<Name extends Operation>(
    operation: Name,
    parameters: Operations[Name]["parameters"],
  ): Promise<Operations[Name]["outcome"]> {
    return this.#measurer.handlers[operation](parameters);
  }

  async dispose(): Promise<void> {
    await this.#measurer.close();
    await this.#container?.kill();
  }

  async #start(): Promise<Session> {
    const client = await ExecutionClient.connect({ port: this.container.port, host: this.container.host });
    return {
      execute: async (code) => {
        const { text, images } = await client.execute(code);
        return { text, images: images.length };
      },
      stream: (code) => client.submit(code).stream(),
      close: () => client.disconnect(),
    };
  }
}
