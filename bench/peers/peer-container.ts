import { get } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import type { Bench } from "../bench.ts";
import { docker, LABEL, removeContainers } from "../docker.ts";

/** The same limits as those of ipybox's containers. */
export const LIMITS = ["--memory", "2g", "--memory-swap", "2g", "--cpus", "2", "--pids-limit", "1024", "--shm-size", "256m"];

/** What every container of a peer is run with. */
export function runOptions(bench: Bench): readonly string[] {
  return ["--rm", "--init", "--label", `${LABEL}=${bench.run}`, ...LIMITS];
}

/** A container of a peer that runs in the background. */
export class PeerContainer {
  readonly id: string;

  private constructor(id: string) {
    this.id = id;
  }

  static async start(bench: Bench, options: readonly string[], command: readonly string[]): Promise<PeerContainer> {
    return new PeerContainer(await docker("run", "--detach", ...runOptions(bench), ...options, bench.peersImage, ...command));
  }

  /** Host port on which a port of the container is published. */
  async port(containerPort: number): Promise<number> {
    const [first = ""] = (await docker("port", this.id, String(containerPort))).split("\n");
    return Number(first.slice(first.lastIndexOf(":") + 1));
  }

  async remove(): Promise<void> {
    await removeContainers([this.id]);
  }
}

/** Waits until an HTTP server answers, whatever it says. */
export async function untilAnswers(url: string, timeoutMs = 30_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await answers(url))) {
    if (Date.now() > deadline) throw new Error(`${url} does not answer within ${timeoutMs} ms.`);
    await delay(20);
  }
}

/** A port that Docker publishes takes connections before anything in the container listens, and drops them. */
function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: 2_000 }, (response) => {
      response.resume();
      resolve(true);
    });
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve(false));
    request.on("close", () => resolve(false));
  });
}
