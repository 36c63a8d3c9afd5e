import glob


@probe("filesystem", "writable", "besides their own places, cells can write to nothing that is shared")
def _(context):
    found = set()
    for directory, below, _ in os.walk("/"):
        if directory.startswith(("/proc/", "/sys/")) or directory in ("/proc", "/sys"):
            below.clear()
        elif os.access(directory, os.W_OK):
            found.add(directory)
            below.clear()
    extra = found - {"/app", "/home/ipybox", "/venv", "/tmp", "/var/tmp", "/run/lock", "/dev/shm", "/dev/mqueue"}
    return None if not extra else f"it can write to {sorted(extra)}"


@probe("filesystem", "system-files", "what runs as root, and what programs start from, can't be changed")
def _(context):
    paths = ["/opt/ipybox/agent/agent.cjs", "/opt/ipybox/python/ipybox_kernel/zygote.py", "/opt/ipybox/entrypoint.sh",
             "/usr/bin/python3", "/usr/bin/node", "/etc/passwd", "/etc/ld.so.cache", "/etc/resolv.conf", "/etc/hosts"]  # fmt: skip
    return first(denied(path, lambda p=path: open(p, "r+b"), errno.EACCES, errno.EROFS) for path in paths)


@probe("filesystem", "mounts-are-bare", "mounts bring no devices and no setuid files, but for the root, where neither works")
def _(context):
    for line in read("/proc/self/mountinfo").splitlines():
        fields = line.split()
        point, options = fields[4], set(fields[5].split(","))
        wanted = {"nosuid"} if point in ("/dev", "/dev/pts") else {"nosuid", "nodev"}
        harmless = point in ("/", "/etc/resolv.conf", "/etc/hostname", "/etc/hosts") or "ro" in options
        masks = point in ("/proc/keys", "/proc/timer_list", "/proc/kcore", "/proc/latency_stats", "/proc/sched_debug")
        if not harmless and not masks and not wanted <= options:
            return f"{point} is mounted {sorted(options)}"
    return None


@probe("filesystem", "host-mounts", "nothing of the host is mounted but the three files of its network")
def _(context):
    kinds = {"overlay", "proc", "tmpfs", "devpts", "sysfs", "cgroup", "cgroup2", "mqueue"}
    found = []
    for line in read("/proc/self/mountinfo").splitlines():
        fields, _, source = line.partition(" - ")
        point, kind = fields.split()[4], source.split()[0]
        if kind not in kinds and point not in ("/etc/resolv.conf", "/etc/hostname", "/etc/hosts"):
            found.append((point, kind))
    return expect("of the host", found, [])


@probe("filesystem", "engine-sockets", "no socket of an engine or of anything else lies in the file system")
def _(context):
    for directory, below, names in os.walk("/"):
        if directory.startswith(("/proc", "/sys")):
            below.clear()
            continue
        for name in names:
            path = os.path.join(directory, name)
            try:
                if stat.S_ISSOCK(os.lstat(path).st_mode):
                    return f"{path} is one"
            except OSError:
                continue
    return None


@probe("filesystem", "devices", "there are no devices but the harmless ones")
def _(context):
    harmless = {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "console"}
    found = set()
    for directory, _, names in os.walk("/dev"):
        for name in names:
            mode = os.lstat(os.path.join(directory, name)).st_mode
            if stat.S_ISBLK(mode) or stat.S_ISCHR(mode):
                found.add(os.path.relpath(os.path.join(directory, name), "/dev"))
    extra = {name for name in found - harmless if not name.startswith("pts/")}
    return expect("the others", sorted(extra), [])


@probe("filesystem", "make-devices", "no device can be made")
def _(context):
    path = f"/tmp/device-{os.getpid()}"
    kinds = [(stat.S_IFBLK, os.makedev(254, 0)), (stat.S_IFCHR, os.makedev(1, 1)), (stat.S_IFCHR, os.makedev(10, 200))]
    return first(denied(f"mknod {device}", lambda k=kind, d=device: os.mknod(path, k | 0o666, d), EPERM) for kind, device in kinds)


@probe("filesystem", "agent-root", "the agent's own view of the files can't be entered")
def _(context):
    return first(denied(path, lambda p=path: os.listdir(p), errno.EACCES) for path in ("/proc/1/root", "/proc/1/cwd/", "/run/ipybox"))


@probe("filesystem", "leaked-descriptors", "a kernel has its standard streams and its own four descriptors, and no other")
def _(context):
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue  # that of the directory itself
    extra = {number: target for number, target in found.items() if number not in (0, 1, 2, 250, 251, 252, 253)}
    return expect("the others", extra, {})


@probe("filesystem", "usual-files", "what may be written can be: files, moves and links between directories, devices, pipes, shared memory")
def _(context):
    import shutil
    import tempfile

    home, scratch = tempfile.mkdtemp(dir=os.path.expanduser("~")), tempfile.mkdtemp(dir="/tmp")
    try:
        with open(f"{home}/a", "w") as file:
            file.write("x")
        os.rename(f"{home}/a", f"{scratch}/b")
        os.link(f"{scratch}/b", f"{home}/c")
        os.mkfifo(f"{home}/fifo")
        memory = os.memfd_create("probe")
        paths = (f"{home}/c", "/dev/null", "/dev/stdout", f"/proc/self/fd/{memory}")
        for path in paths:
            os.close(os.open(path, os.O_WRONLY))
        os.close(os.open(f"{home}/fifo", os.O_RDWR))
        os.close(os.open("/dev/shm/probe", os.O_CREAT | os.O_WRONLY))
        os.remove("/dev/shm/probe")
        os.close(memory)
        return expect("what was moved and linked", read(f"{home}/c"), "x")
    finally:
        shutil.rmtree(home)
        shutil.rmtree(scratch)
