import { hostname } from "node:os";
import { ExecutionContainer, type ExecutionContainerOptions } from "ipybox";

/** What the scenarios of one run share. */
export interface Bench {
  /** Names the run; containers carry it as a label. */
  readonly run: string;
  /** ipybox's image. */
  readonly image: string;
  /** Image that holds what ipybox is compared with. */
  readonly peersImage: string;
  /** ipybox's image with numpy, pandas and matplotlib preloaded. */
  readonly preloadedImage: string;
  /** Folder in which the peers that are npm packages are installed. */
  readonly packages: string;
  /** Fewer samples. */
  readonly quick: boolean;
}

/** So many samples: a tenth of `count`, but at least `least`, when it is to go quickly. */
export function samples({ quick }: Bench, count: number, least = 3): number {
  return quick ? Math.min(count, Math.max(least, Math.round(count / 10))) : count;
}

/** A container of ipybox, all options as a user finds them unless they are given. */
export function createContainer(bench: Bench, options: ExecutionContainerOptions = {}): Promise<ExecutionContainer> {
  return ExecutionContainer.create({ tag: bench.image, ...options });
}

/** Label that the containers carry which this process has created through ipybox. */
export function ownerLabel(pid: number | undefined): string {
  return `ipybox.owner=${pid}@${hostname()}`;
}
