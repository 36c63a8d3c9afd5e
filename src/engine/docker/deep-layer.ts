import type Docker from "dockerode";
import { IpyboxError } from "../../errors.ts";
import { abortable } from "./abortable.ts";
import { daemonMessage } from "./failures.ts";

const COMMAND = ["/usr/bin/python3", "-I", "-S", "/opt/ipybox/python/ipybox_kernel/empty_tree.py"];
const MIB = 1_048_576;

/**
 * Whether a container was not removed because the daemon holds a descriptor for each level of a tree, and a cell has nested
 * more than it may open. The container is dead then, and keeps its files.
 */
export function isTooDeep(error: unknown): boolean {
  return daemonMessage(error).includes("too many open files");
}

/**
 * Deletes what a dead container has written, so that the daemon can remove it. A container of the same image does so, with
 * nothing of the host but these files; nothing of it is left. Fails where the daemon does not say where they are.
 */
export async function emptyLayer(
  docker: Docker,
  id: string,
  { signal, remove }: { readonly signal: AbortSignal; readonly remove: (id: string) => Promise<void> },
): Promise<void> {
  const found = await docker.getContainer(id).inspect(abortable(signal));
  // Only overlay2 names the directory; it is below the daemon's own data.
  const layer = (found.GraphDriver as Docker.ContainerInspectInfo["GraphDriver"] | undefined)?.Data as
    { readonly UpperDir?: string } | null | undefined;
  if (found.State.Running || layer?.UpperDir === undefined) {
    const where = found.State.Running ? "and it still runs" : "and its storage does not say where they are";
    const text = `it has more directories below each other than the daemon may open, ${where}`;
    throw new IpyboxError("engine_failed", text, { details: { containerId: id } });
  }
  // No signal ends this: the daemon might still make it, and nobody would learn of it.
  const deleter = await docker.createContainer(deleterProfile(found, layer.UpperDir));
  try {
    signal.throwIfAborted();
    await deleter.start(abortable(signal));
    await deleter.wait(abortable(signal));
  } finally {
    await remove(deleter.id);
  }
}

function deleterProfile({ Config }: Docker.ContainerInspectInfo, layer: string): Docker.ContainerCreateOptions {
  return {
    Image: Config.Image,
    // Whoever looks for what that container's session has left finds this one, too.
    Labels: Config.Labels,
    User: "0:0",
    WorkingDir: "/",
    Entrypoint: COMMAND,
    Cmd: ["/layer"],
    Healthcheck: { Test: ["NONE"] },
    HostConfig: {
      Mounts: [{ Type: "bind", Source: layer, Target: "/layer" }],
      NetworkMode: "none",
      CapDrop: ["ALL"],
      // Cells may have taken away all rights to their directories, or given them to others of their user namespace.
      CapAdd: ["DAC_OVERRIDE", "FOWNER"],
      SecurityOpt: ["no-new-privileges:true"],
      ReadonlyRootfs: true,
      Memory: 512 * MIB,
      MemorySwap: 512 * MIB,
      PidsLimit: 16,
      LogConfig: { Type: "none", Config: {} },
      RestartPolicy: { Name: "no" },
      AutoRemove: false,
      Init: false,
    },
  };
}
