import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Bench } from "../bench.ts";
import { PeerContainer } from "./peer-container.ts";
import type { Operation, Operations, Peer, Samples } from "./peer.ts";

/** `docker exec CONTAINER python -c CODE`: no kernel, so no state, and all that Python starts with each time. */
export class DockerExec implements Peer {
  readonly name = "docker exec python -c";
  readonly #bench: Bench;
  #container: PeerContainer | undefined;

  constructor(bench: Bench) {
    this.#bench = bench;
  }

  get containerId(): string {
    if (this.#container === undefined) throw new Error(`${this.name} is not prepared.`);
    return this.#container.id;
  }

  async prepare(): Promise<void> {
    this.#container = await PeerContainer.start(this.#bench, [], ["sleep", "infinity"]);
  }

  async perform<Name extends Operation>(
    operation: Name,
    parameters: Operations[Name]["parameters"],
  ): Promise<Operations[Name]["outcome"]> {
    if (operation !== "execute" && operation !== "first") throw new Error(`${this.name} can't do ${operation}.`);
    const { code, count } = parameters as Operations["execute"]["parameters"];
    return this.#execute(code, count);
  }

  async dispose(): Promise<void> {
    await this.#container?.remove();
  }

  async #execute(code: string, count: number): Promise<Samples> {
    const ms: number[] = [];
    for (let index = 0; index < count; index += 1) {
      const startedAt = performance.now();
      const child = spawn("docker", ["exec", this.containerId, "python3", "-c", code], { stdio: "ignore" });
      const [status] = (await once(child, "close")) as [number | null];
      ms.push(performance.now() - startedAt);
      if (status !== 0) throw new Error(`docker exec ended with status ${status}.`);
    }
    return { ms, lost: 0 };
  }
}
