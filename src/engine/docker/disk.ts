import type Docker from "dockerode";
import { createContainer } from "./create.ts";
import { daemonMessage } from "./failures.ts";

/** What the daemon says of the storage that containers have. */
export interface StorageFacts {
  readonly Driver?: string;
  readonly DriverStatus?: readonly (readonly [string, string])[] | null;
}

/** Whether the storage driver may be able to bound a container's disk; only a try tells. */
export function mayBoundDisk({ Driver: driver, DriverStatus: status }: StorageFacts): boolean {
  if (driver === "btrfs" || driver === "zfs") return true;
  return driver === "overlay2" && (status ?? []).some(([name, value]) => name === "Backing Filesystem" && value === "xfs");
}

/** Creates a container whose disk the storage driver bounds, if it can. Else the bound is the agent's to keep. */
export async function createBounded(
  docker: Docker,
  profile: Docker.ContainerCreateOptions,
  diskBytes: number,
): Promise<Docker.Container> {
  const HostConfig = { ...profile.HostConfig, StorageOpt: { size: String(diskBytes) } };
  try {
    return await createContainer(docker, { ...profile, HostConfig });
  } catch (error) {
    if (!/storage-opt|quota/i.test(daemonMessage(error))) throw error;
    return createContainer(docker, profile);
  }
}
