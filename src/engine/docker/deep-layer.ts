import type Docker from "dockerode";
import { IpyboxError } from "../../errors.ts";
import { helperLabels } from "../../protocol/labels.ts";
import { createContainer } from "./create.ts";
import { abortable } from "./abortable.ts";
import { daemonMessage } from "./failures.ts";
import { helperProfile } from "./helper.ts";

const COMMAND = ["/usr/bin/python3", "-I", "-S", "/opt/ipybox/python/ipybox_kernel/empty_tree.py"];

/**
 * Whether a container was not removed because the daemon holds a descriptor for each level of a tree, and a cell has nested
 * more than it may open. The container is dead then, and keeps its files.
 */
export function isTooDeep(error: unknown): boolean {
  return /\b(unlinkat|openat|openfdat|fdopendir|open) .*: too many open files$/s.test(daemonMessage(error));
}

/**
 * Deletes what a dead container has written, so that the daemon can remove it. A container of the same image does so, which
 * sees nothing but these files, and is removed. Fails where the daemon does not say where they are.
 */
export async function emptyLayer(
  docker: Docker,
  id: string,
  { signal, remove }: { readonly signal: AbortSignal; readonly remove: (container: Docker.Container) => Promise<void> },
): Promise<void> {
  const found = await docker.getContainer(id).inspect(abortable(signal));
  if (found.State.Running) throw undeletable(id, "it still runs");
  // Only overlay2 names the directory; it is below the daemon's own data.
  const driver = found.GraphDriver as { readonly Data?: { readonly UpperDir?: string } | null } | null | undefined;
  const layer = driver?.Data?.UpperDir;
  if (layer === undefined) throw undeletable(id, "the daemon's storage does not say where they are");
  // No signal ends this: the daemon might still make it, and nobody would learn of it.
  const deleter = await createContainer(docker, profile(found, layer));
  try {
    signal.throwIfAborted();
    await deleter.start(abortable(signal));
    const { StatusCode: status } = (await deleter.wait(abortable(signal))) as { StatusCode: number };
    if (status !== 0) throw undeletable(id, `what was to delete them ended with status ${status}`);
  } finally {
    await remove(deleter).catch(() => undefined); // what is left of it has the labels of a helper
  }
}

function undeletable(id: string, reason: string): IpyboxError {
  const text = `Container ${id.slice(0, 12)} can't be removed: its files are nested deeper than the daemon may open, and can't be deleted: ${reason}.`;
  return new IpyboxError("engine_failed", text, { details: { containerId: id } });
}

function profile({ Image: image, Config: config }: Docker.ContainerInspectInfo, layer: string): Docker.ContainerCreateOptions {
  return helperProfile({
    image,
    labels: helperLabels(config.Labels, "removal"),
    command: COMMAND,
    args: ["/layer"],
    // Cells may have taken away all rights to their directories.
    capabilities: ["DAC_OVERRIDE", "FOWNER"],
    memoryMib: 512,
    host: {
      NetworkMode: "none",
      Mounts: [{ Type: "bind", Source: layer, Target: "/layer" }],
      // SELinux lets only the container itself into its files.
      SecurityOpt: ["no-new-privileges:true", "label=disable"],
    },
  });
}
