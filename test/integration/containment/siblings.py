@probe("siblings", "sibling-signals", "another kernel can't be signalled, by none of the ways there are")
def _(context):
    pid = context["victimPid"]
    ways = {
        "kill": lambda: os.kill(pid, signal.SIGCONT),
        "killpg": lambda: os.killpg(pid, signal.SIGCONT),
        "pidfd": lambda: signal.pidfd_send_signal(os.pidfd_open(pid), signal.SIGCONT),
        "tgkill": lambda: _checked(_libc.tgkill(pid, pid, int(signal.SIGCONT))),
    }
    return first(denied(name, way, EPERM) for name, way in ways.items())


def _checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result


@probe("siblings", "sibling-memory", "another kernel's memory, environment and descriptors can't be read")
def _(context):
    pid = context["victimPid"]
    files = ("mem", "environ", "maps", "auxv", "io", "syscall", "fd/0", "fd/250")
    read_ways = [(name, lambda n=name: read(f"/proc/{pid}/{n}")) for name in files]
    other_ways = [("fd/0 by name", lambda: os.readlink(f"/proc/{pid}/fd/0")), ("cwd", lambda: os.readlink(f"/proc/{pid}/cwd")),
                  ("root", lambda: os.listdir(f"/proc/{pid}/root/")), ("mem to write", lambda: open(f"/proc/{pid}/mem", "r+b"))]  # fmt: skip
    return first(denied(name, way, errno.EACCES, EPERM) for name, way in read_ways + other_ways)


@probe("siblings", "sibling-sockets", "a socket that another kernel has by an abstract name can't be reached")
def _(context):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        return denied("the socket", lambda: client.connect(context["victimSocket"]), EPERM)


@probe("siblings", "sibling-handle", "a pidfd of another kernel gives nothing of it")
def _(context):
    return refused("pidfd_getfd", os.pidfd_open(context["victimPid"]), 0, 0)


@probe("siblings", "control-own", "a cell's own processes, memory and sockets are in its reach")
def _(context):
    import subprocess

    child = subprocess.Popen(["/bin/sleep", "60"])
    child.terminate()
    name = f"\0own-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(name)
        listener.listen()
        client.connect(name)
    open("/proc/self/mem", "rb").close()
    return expect("the end of its child", child.wait(), -signal.SIGTERM) or expect("its environment", "HOME" in read("/proc/self/environ"), True)
