import type { Finding } from "../../doctor.ts";
import { mayBoundDisk } from "../disk.ts";
import { type Facts, hasSecurityOption } from "./facts.ts";
import { knownHoles } from "./holes.ts";
import { isOlder } from "./versions.ts";

/** What a daemon's own words tell about how well it confines containers. */
export function diagnose(facts: Facts): readonly Finding[] {
  return [daemon, seccomp, limits, controlGroups, securityModule, users, runtimes, disk, landlock, network, liveRestore]
    .map((look) => look(facts))
    .concat(knownHoles(facts));
}

const ok = (check: string, found: string): Finding => ({ check, status: "ok", found });
const advice = (check: string, found: string, remedy: string): Finding => ({ check, status: "advice", found, remedy });
const broken = (check: string, found: string, remedy: string): Finding => ({ check, status: "broken", found, remedy });

function daemon({ version, info }: Facts): Finding {
  const found = `Docker ${version.Version}, API ${version.ApiVersion}, ${info.OperatingSystem ?? "unknown system"}, ${version.Arch ?? info.Architecture ?? ""}`;
  if (version.Os !== undefined && version.Os !== "linux") {
    return broken("daemon", found, "Switch the daemon to Linux containers.");
  }
  return ok("daemon", found);
}

function seccomp(facts: Facts): Finding {
  if (hasSecurityOption(facts, "seccomp"))
    return ok("seccomp", "system calls can be filtered; containers have a profile of ipybox's");
  return broken(
    "seccomp",
    "the daemon can't filter system calls",
    "Use a Linux with CONFIG_SECCOMP_FILTER and a Docker that was built with seccomp.",
  );
}

function limits({ info }: Facts): Finding {
  const missing = [
    ...(info.MemoryLimit === false ? ["memory"] : []),
    ...(info.PidsLimit === false ? ["processes"] : []),
    ...(info.CpuCfsQuota === false ? ["CPU time"] : []),
  ];
  if (missing.length > 0) {
    const remedy =
      "Without them, one cell can take all of the machine. Rootless Docker needs cgroup version 2 and delegated controllers " +
      "(`systemctl edit user@.service`, Delegate=cpu cpuset io memory pids); otherwise boot with cgroup_enable=memory.";
    return broken("limits", `the daemon can't limit ${missing.join(", ")}`, remedy);
  }
  if (info.SwapLimit === false) {
    const remedy = "Boot with swapaccount=1, or use cgroup version 2. Until then a container's swap is not bounded.";
    return advice("limits", "memory, CPU time and processes can be limited; swap can't", remedy);
  }
  return ok("limits", "memory, swap, CPU time and processes can be limited");
}

function controlGroups({ info }: Facts): Finding {
  const found = `cgroup version ${info.CgroupVersion ?? "1"}, ${info.CgroupDriver ?? "unknown"}`;
  if (info.CgroupVersion === "2") return ok("cgroups", found);
  return advice("cgroups", found, "Version 1 works and is no longer developed. Boot with systemd.unified_cgroup_hierarchy=1.");
}

function securityModule(facts: Facts): Finding {
  const found = ["apparmor", "selinux"].filter((name) => hasSecurityOption(facts, name));
  if (found.length > 0) return ok("security-module", `${found.join(", ")} confines containers`);
  const remedy = "A second wall behind the first. Install AppArmor (Debian, Ubuntu) or run Docker with SELinux (Fedora, RHEL).";
  return advice("security-module", "neither AppArmor nor SELinux", remedy);
}

function users(facts: Facts): Finding {
  if (hasSecurityOption(facts, "rootless"))
    return ok("users", "the daemon is rootless: root in a container is nobody on the host");
  if (hasSecurityOption(facts, "userns")) return ok("users", "user namespaces: root in a container is nobody on the host");
  const remedy =
    'Set "userns-remap": "default" in the daemon\'s configuration, or use rootless Docker. Cells are never root; ' +
    "the agent is, with five capabilities.";
  return advice("users", "root in a container is the host's root", remedy);
}

function runtimes({ info }: Facts): Finding {
  const names = Object.keys(info.Runtimes ?? {});
  const found = `${names.join(", ") || "unknown"}; the default is ${info.DefaultRuntime ?? "unknown"}`;
  if (names.some((name) => /runsc|kata|gvisor/i.test(name))) return ok("runtimes", found);
  const remedy = "With gVisor (runsc) or Kata Containers, cells no longer share the host's kernel: option `runtime`.";
  return advice("runtimes", found, remedy);
}

function disk({ info }: Facts): Finding {
  const backing = (info.DriverStatus ?? []).find(([name]) => name === "Backing Filesystem")?.[1];
  const found = `${info.Driver ?? "unknown"}${backing === undefined ? "" : ` on ${backing}`}`;
  if (mayBoundDisk(info))
    return ok("disk", `${found}: diskBytes is kept by the storage itself, on XFS if it is mounted with pquota`);
  const remedy =
    "The agent measures instead, and ends a kernel within seconds after it has written more. To have writes refused, keep " +
    "Docker's data on XFS mounted with pquota, or on btrfs or ZFS.";
  return advice("disk", `${found}: the storage can't bound a container's disk`, remedy);
}

/** Versions of Linux that brought a newer ABI. */
const LANDLOCK_ABI = [
  ["6.12", 6],
  ["6.10", 5],
  ["6.7", 4],
  ["6.2", 3],
  ["5.19", 2],
  ["5.13", 1],
] as const;

function landlock({ info, version }: Facts): Finding {
  const kernel = info.KernelVersion ?? version.KernelVersion ?? "";
  const abi = LANDLOCK_ABI.find(([since]) => kernel !== "" && !isOlder(kernel, since))?.[1] ?? 0;
  const found = `Linux ${kernel || "unknown"}, Landlock ABI ${abi} or later by its version`;
  if (abi >= 6) return ok("landlock", found);
  const remedy =
    "Kernels of one container are kept apart by Landlock's scopes, from Linux 6.12 on. On this one they can signal each other" +
    (abi < 2 ? ", and a cell that uses up the memory can have the whole container end. " : ". ") +
    "Use a container for each party.";
  return advice("landlock", found, remedy);
}

function network({ bridge }: Facts): Finding {
  if (bridge === undefined) return ok("network", "there is no default network");
  if (bridge.Options?.["com.docker.network.bridge.enable_icc"] === "false")
    return ok("network", "containers can't reach each other");
  const remedy =
    "Set \"icc\": false in the daemon's configuration, so that containers on the default network don't reach each other, and " +
    '"userland-proxy": false, so that published ports need no extra process.';
  return advice("network", "containers on the default network reach each other", remedy);
}

function liveRestore({ info }: Facts): Finding {
  if (info.LiveRestoreEnabled === true) return ok("live-restore", "containers outlive a restart of the daemon");
  return advice("live-restore", "a restart of the daemon ends all containers", 'Set "live-restore": true in its configuration.');
}
