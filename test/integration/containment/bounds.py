def _cgroup(old, new):
    """A value of the container's own control group, version 2 or 1, as text."""
    for path in (f"/sys/fs/cgroup/{new}", f"/sys/fs/cgroup/{old}"):
        try:
            return read(path).strip()
        except OSError:
            continue
    return "unlimited"


@probe("bounds", "memory", "memory has its limit")
def _(context):
    return expect("the limit", _cgroup("memory/memory.limit_in_bytes", "memory.max"), str(context["memoryBytes"]))


@probe("bounds", "swap", "there is no swap beyond it")
def _(context):
    seen = _cgroup("memory/memory.memsw.limit_in_bytes", "memory.swap.max")
    return None if seen in ("0", str(context["memoryBytes"])) else f"memory and swap have {seen}"


@probe("bounds", "cpu", "CPU time has its limit")
def _(context):
    v2 = _cgroup("none", "cpu.max").split()
    quota, period = v2 if len(v2) == 2 else (_cgroup("cpu/cpu.cfs_quota_us", "none"), _cgroup("cpu/cpu.cfs_period_us", "none"))
    return expect("the share", quota.lstrip("-").isdigit() and int(quota) / int(period), context["cpus"])


@probe("bounds", "pids-limit", "processes and threads have their limit")
def _(context):
    return expect("the limit", _cgroup("pids/pids.max", "pids.max"), str(context["pidsLimit"]))


@probe("bounds", "shm", "shared memory has its size, and is the container's own")
def _(context):
    found = os.statvfs("/dev/shm")
    return expect("its size", found.f_frsize * found.f_blocks, context["shmBytes"])


@probe("bounds", "ipc", "shared memory of the host does not show")
def _(context):
    return expect("segments", len(read("/proc/sysvipc/shm").splitlines()) - 1, 0)


@probe("bounds", "open-files", "open files have their limit")
def _(context):
    return expect("the limit", resource.getrlimit(resource.RLIMIT_NOFILE), (context["openFilesLimit"],) * 2)


@probe("bounds", "core", "no core is made, nor given to a program of the host's")
def _(context):
    return expect("the limit", resource.getrlimit(resource.RLIMIT_CORE), (1, 1))


@probe("bounds", "core-limit", "nor can a cell have one given to a program of the host's, by a limit of 0")
def _(context):
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except ValueError:  # what Python makes of EPERM
        return expect("the limit", resource.getrlimit(resource.RLIMIT_CORE), (1, 1))
    return "a limit of 0 is taken"


@probe("bounds", "sysv-shm", "shared memory of System V has the bound of /dev/shm, and goes with those who use it")
def _(context):
    found = [int(read(f"/proc/sys/kernel/{name}")) for name in ("shmall", "shmmax", "shm_rmid_forced")]
    return expect("the bounds", found, [-(-context["shmBytes"] // 4096), context["shmBytes"], 1])


@probe("bounds", "locked-memory", "locked memory has its limit")
def _(context):
    return expect("the limit", resource.getrlimit(resource.RLIMIT_MEMLOCK), (65_536, 65_536))


@probe("bounds", "message-queues", "message queues have their limit")
def _(context):
    return expect("the limit", resource.getrlimit(resource.RLIMIT_MSGQUEUE), (409_600, 409_600))


@probe("bounds", "file-size", "a file can't be larger than the disk")
def _(context):
    return expect("the limit", resource.getrlimit(resource.RLIMIT_FSIZE), (context["diskBytes"] * 15 // 16,) * 2)


@probe("bounds", "raise-limits", "no limit can be raised")
def _(context):
    kinds = (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE, resource.RLIMIT_MEMLOCK, resource.RLIMIT_FSIZE)

    def refuse(kind):
        try:
            resource.setrlimit(kind, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        except (ValueError, OSError):
            return None
        return f"limit {kind} is raised"

    return first(refuse(kind) for kind in kinds)
