import type { ExposeRequest } from "../protocol/requests.ts";
import type { Exposure, HostCallable } from "./host-function.ts";

/** All that a client exposes, by heading. */
export class HostFunctions {
  readonly #exposures: Map<string, Exposure>;
  /** Whether cells are kept from starting processes but by shell commands. */
  readonly #requireShellEscape: boolean;

  constructor(requireShellEscape = false, exposures: Iterable<readonly [string, Exposure]> = []) {
    this.#requireShellEscape = requireShellEscape;
    this.#exposures = new Map(exposures);
  }

  /** Puts an exposure under its heading, in place of what was there. */
  set(heading: string, exposure: Exposure): void {
    this.#exposures.set(heading, exposure);
  }

  delete(heading: string): boolean {
    return this.#exposures.delete(heading);
  }

  get(heading: string): Exposure | undefined {
    return this.#exposures.get(heading);
  }

  /** What can be called by that name. */
  find(name: string): HostCallable | undefined {
    for (const { functions } of this.#exposures.values()) {
      const callable = functions.get(name);
      if (callable !== undefined) return callable;
    }
    return undefined;
  }

  /** The same, for the client of a fork: from then on the two differ. */
  copy(): HostFunctions {
    return new HostFunctions(this.#requireShellEscape, this.#exposures);
  }

  /** Whether a kernel need not be told anything. */
  get empty(): boolean {
    return this.#exposures.size === 0 && !this.#requireShellEscape;
  }

  /** What a kernel is told. */
  content(): Pick<ExposeRequest, "functions" | "modules" | "requireShellEscape"> {
    const exposures = [...this.#exposures.values()];
    return {
      functions: exposures.flatMap(({ functions }) => [...functions.keys()]),
      modules: Object.fromEntries(exposures.flatMap(({ modules }) => Object.entries(modules))),
      requireShellEscape: this.#requireShellEscape,
    };
  }
}
