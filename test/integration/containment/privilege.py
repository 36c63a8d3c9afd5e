NO_CAPABILITY = "0" * 16


@probe("privilege", "user", "a cell is no root, in none of its ids")
def _(context):
    ids = {int(one) for line in ("Uid", "Gid") for one in status()[line].split()}
    return expect("its ids", sorted(ids), sorted({context["uid"], context["gid"]}))


@probe("privilege", "groups", "a cell is in its own group and the image's, and in no other")
def _(context):
    extra = set(os.getgroups()) - {context["gid"], 1000}
    return None if not extra else f"it is in the groups {sorted(extra)}"


@probe("privilege", "capabilities", "a cell has no capability, in none of the five sets")
def _(context):
    return first(expect(name, status()[name], NO_CAPABILITY) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"))


@probe("privilege", "bounding-set", "a cell can't get a capability by any program")
def _(context):
    return expect("CapBnd", status()["CapBnd"], NO_CAPABILITY)


@probe("privilege", "agent-capabilities", "the agent itself has five capabilities, and can't get more")
def _(context):
    # SETUID, SETGID, SETPCAP, KILL, SYS_NICE
    return first(expect(name, int(status(1)[name], 16) & ~0x8001E0, 0) for name in ("CapPrm", "CapBnd", "CapInh", "CapAmb"))


@probe("privilege", "no-new-privileges", "no program gives more rights, to the agent neither")
def _(context):
    return first(expect(f"NoNewPrivs of {pid}", status(pid)["NoNewPrivs"], "1") for pid in ("self", 1))


@probe("privilege", "seccomp", "a filter for system calls is in effect, for the agent, too")
def _(context):
    return first(expect(f"Seccomp of {pid}", status(pid)["Seccomp"], "2") for pid in ("self", 1))


@probe("privilege", "become-root", "the ways to another user are closed")
def _(context):
    ways = {"setuid": lambda: os.setuid(0), "setgid": lambda: os.setgid(0), "setgroups": lambda: os.setgroups([0])}
    return first(denied(name, way, EPERM) for name, way in ways.items())


@probe("privilege", "setuid-files", "the image has no file that changes the user")
def _(context):
    for directory, _, names in os.walk("/", onerror=None):
        if directory.startswith(("/proc", "/sys")):
            continue
        for name in names:
            path = os.path.join(directory, name)
            try:
                found = os.lstat(path)
            except OSError:
                continue
            if stat.S_ISREG(found.st_mode) and found.st_mode & (stat.S_ISUID | stat.S_ISGID):
                return f"{path} has mode {found.st_mode:o}"
    return None


@probe("privilege", "own-setuid-file", "a setuid file that a cell makes gives nobody anything")
def _(context):
    import shutil
    import subprocess

    path = f"/tmp/probe-{os.getpid()}"
    shutil.copy("/usr/bin/id", path)
    try:
        os.chmod(path, 0o4755)
        return expect("its user", subprocess.run([path, "-u"], capture_output=True, text=True).stdout.strip(), str(context["uid"]))
    finally:
        os.remove(path)


@probe("privilege", "priority", "a cell can't take precedence over others")
def _(context):
    rt = denied("real time", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)), EPERM)
    return rt or denied("a higher priority", lambda: os.nice(-1), EPERM, errno.EACCES)


@probe("privilege", "oom-order", "Linux ends cells before the agent, and the agent before the host's own programs")
def _(context):
    mine, agents = int(read("/proc/self/oom_score_adj")), int(read("/proc/1/oom_score_adj"))
    return expect("the order", (mine, agents), (1000, 500))


@probe("privilege", "oom-lower", "no process of a cell can put itself before others when memory runs out, nor change what else /proc has of it")
def _(context):
    import subprocess

    processes = ("self", os.getpid(), f"self/task/{os.getpid()}")
    paths = [f"/proc/{process}/{name}" for process in processes for name in ("oom_score_adj", "oom_adj", "comm")]
    saw = first(denied(path, lambda: os.close(os.open(path, os.O_WRONLY)), errno.EACCES) for path in paths if os.path.exists(path))
    shell = "echo 500 > /proc/self/oom_score_adj; cat /proc/self/oom_score_adj"
    return saw or expect("a program's", subprocess.run(["sh", "-c", shell], capture_output=True, text=True).stdout.strip(), "1000")
