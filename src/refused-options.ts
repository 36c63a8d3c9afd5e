const REASONS = {
  "It would give cells rights of the host's root. None of that kind exists here.": [
    ...["privileged", "capAdd", "capDrop", "capabilities", "groupAdd", "userns", "usernsMode", "deviceCgroupRules"],
    ...["devices", "deviceRequests", "device", "gpus"],
  ],
  "It would let cells into namespaces of the host or of other containers. None of that kind exists here.": [
    ...["pid", "pidMode", "ipc", "ipcMode", "uts", "utsMode", "cgroupns", "cgroupnsMode", "cgroupParent", "networkMode"],
    ...["volumesFrom", "links"],
  ],
  "Confinement is fixed; what may be loosened is spelled dangerouslyAllowSyscalls and dangerouslyDisableSeccomp.": [
    ...["securityOpt", "securityOpts", "seccomp", "apparmor", "selinux", "noNewPrivileges", "maskedPaths", "readonlyPaths"],
    ...["sysctls", "sysctl"],
  ],
  "Use binds, which takes host paths below /app.": ["volumes", "volume", "mounts", "mount", "tmpfs"],
  "Use memoryBytes, cpus, pidsLimit, shmBytes, openFilesLimit, coreBytes and diskBytes.": [
    ...[
      "ulimits",
      "ulimit",
      "memory",
      "memorySwap",
      "nanoCpus",
      "cpuShares",
      "shmSize",
      "storageOpt",
      "oomKillDisable",
      "oomScoreAdj",
    ],
  ],
  "Use readonlyRoot.": ["readonlyRootfs", "readOnly", "readonly"],
  "What runs in a container is part of its image.": ["entrypoint", "cmd", "command", "workingDir", "workdir", "cwd", "init"],
  "Labels are how this package knows its containers.": ["labels", "label", "name"],
  "Docker's own settings are not passed on.": ["hostConfig", "HostConfig", "createOptions"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** Docker's options that a sandbox does not take, each with the reason and what there is instead. */
export const REFUSED_OPTIONS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(REASONS).flatMap(([reason, names]) =>
    names.flatMap((name) =>
      [name, camel(name), name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)].map((spelt) => [spelt, reason]),
    ),
  ),
);

/** As in Docker's own API. */
function camel(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
