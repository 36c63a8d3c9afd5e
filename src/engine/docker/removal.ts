import type Docker from "dockerode";
import { daemonMessage, statusOf } from "./failures.ts";

/** Ends and removes a container; waits where somebody else does so, and succeeds when there is none. */
export async function removeContainer(container: Docker.Container): Promise<void> {
  try {
    await container.remove({ force: true, v: true });
  } catch (error) {
    if (statusOf(error) === 404) return;
    const underway = statusOf(error) === 409 && daemonMessage(error).includes("already in progress");
    if (!underway) throw error;
    await removedByOther(container);
  }
}

async function removedByOther(container: Docker.Container): Promise<void> {
  try {
    const { Error: failure } = (await container.wait({ condition: "removed" })) as { Error?: { Message?: string } | null };
    if (failure?.Message) throw new Error(failure.Message);
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
  }
}
