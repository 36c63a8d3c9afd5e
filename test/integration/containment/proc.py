WRITES = ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/fs/binfmt_misc/register", "/proc/sysrq-trigger",
          "/sys/kernel/uevent_helper", "/sys/kernel/mm/transparent_hugepage/enabled", "/proc/sys/vm/overcommit_memory",
          "/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/ns_last_pid", "/proc/irq/0/smp_affinity"]  # fmt: skip


@probe("proc", "kernel-settings", "no setting of the host's Linux can be written")
def _(context):
    return first(denied(path, lambda p=path: open(p, "r+b"), EPERM, errno.EACCES, errno.EROFS, errno.ENOENT, errno.EINVAL) for path in WRITES)


@probe("proc", "read-only", "what could be written in /proc and /sys is mounted read-only")
def _(context):
    options = {line.split()[4]: line.split()[5].split(",") for line in read("/proc/self/mountinfo").splitlines()}
    return first(None if "ro" in options.get(point, []) else f"{point} is {options.get(point)}" for point in ("/proc/sys", "/proc/bus", "/proc/irq", "/sys"))


@probe("proc", "masked", "the host's memory, keys and timers don't show")
def _(context):
    for path in ("/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/latency_stats", "/proc/sched_debug", "/sys/firmware"):
        try:
            content = os.listdir(path) if os.path.isdir(path) else read(path)
        except OSError:
            continue
        if content:
            return f"{path} has {content!r:.60}"
    return None


@probe("proc", "kernel-log", "the host's log can't be read")
def _(context):
    return denied("/dev/kmsg", lambda: open("/dev/kmsg", "rb"), errno.ENOENT, EPERM, errno.EACCES)


@probe("proc", "pids", "only the container's own processes show")
def _(context):
    found = processes()
    return None if 1 in found and len(found) < 200 and status(1)["Name"] == "tini" else f"{len(found)} processes, the first is {status(1)['Name']}"


@probe("proc", "cgroup-path", "the host's control groups don't show")
def _(context):
    return first(expect("its path", line.split(":", 2)[2], "/") for line in read("/proc/self/cgroup").splitlines())


@probe("proc", "cgroup-write", "the container's own limits can't be written, nor release_agent")
def _(context):
    paths = glob.glob("/sys/fs/cgroup/*") + glob.glob("/sys/fs/cgroup/*/release_agent") + glob.glob("/sys/fs/cgroup/memory/*limit*")
    return first(denied(path, lambda p=path: open(p, "r+b"), errno.EACCES, errno.EROFS, errno.EISDIR, EPERM) for path in paths)


@probe("proc", "hostname", "the host's own name does not show")
def _(context):
    return None if socket.gethostname() != context["hostname"] else f"it is {socket.gethostname()}"
