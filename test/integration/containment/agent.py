import http.client


def _root_processes():
    return [pid for pid in processes() if status(pid)["Uid"].split()[0] == "0"]


@probe("agent", "agent-signals", "no process of root can be signalled")
def _(context):
    def ways(pid):
        yield "kill", lambda: os.kill(pid, signal.SIGCONT)
        yield "pidfd", lambda: signal.pidfd_send_signal(os.pidfd_open(pid), signal.SIGCONT)

    return first(denied(f"{name} of {pid}", way, EPERM) for pid in _root_processes() for name, way in ways(pid))


@probe("agent", "agent-memory", "no process of root can be looked into")
def _(context):
    files = ("mem", "environ", "maps", "auxv", "io", "syscall", "stack", "fd/0")
    return first(
        denied(f"{name} of {pid}", lambda p=pid, n=name: read(f"/proc/{p}/{n}"), errno.EACCES, EPERM, errno.EIO)
        for pid in _root_processes()
        for name in files
    )


@probe("agent", "agent-log", "the container's log can't be written")
def _(context):
    return first(denied(f"log of {pid}", lambda p=pid: open(f"/proc/{p}/fd/1", "w"), errno.EACCES) for pid in _root_processes())


@probe("agent", "agent-priority", "no process of root can be slowed down, or sacrificed")
def _(context):
    def ways(pid):
        yield "priority", lambda: os.setpriority(os.PRIO_PROCESS, pid, 19)
        yield "scheduler", lambda: os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
        yield "oom_score_adj", lambda: open(f"/proc/{pid}/oom_score_adj", "w")

    return first(denied(f"{name} of {pid}", way, EPERM, errno.EACCES) for pid in _root_processes() for name, way in ways(pid))


@probe("agent", "agent-port", "the agent takes nobody without the token: not without any, not with a wrong one, not with its hash")
def _(context):
    routes = [("PUT", "/v1/config", {}), ("GET", "/v1/nothing", {})]
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}
    routes += [("GET", "/v1/control", upgrade), ("GET", "/v1/kernels/00000000-probe?create=true&grace=1000", upgrade)]
    for method, path, headers in routes:
        for authorization in (None, "", "Bearer ", "Bearer x", f"Bearer {context['tokenHash']}", "Basic Og=="):
            connection = http.client.HTTPConnection("127.0.0.1", context["agentPort"], timeout=5)
            given = {**headers, **({} if authorization is None else {"Authorization": authorization})}
            connection.request(method, path, headers=given)
            answer = connection.getresponse().status
            connection.close()
            if answer != 401:
                return f"{method} {path} with {authorization!r} gives {answer}"
    return None


@probe("agent", "agent-port-taken", "nobody can listen on the agent's port, on no address and with no option")
def _(context):
    own = socket.gethostbyname(socket.gethostname())
    places = [(socket.AF_INET, one) for one in ("0.0.0.0", "127.0.0.1", "127.0.0.2", own)]
    places += [(socket.AF_INET6, one) for one in ("::", "::1", "::ffff:127.0.0.1")]
    for family, address in places:
        for option in (None, socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            for only6 in (0, 1) if family == socket.AF_INET6 else (None,):
                if only6 == 1 and address.startswith("::ffff"):
                    continue
                with socket.socket(family, socket.SOCK_STREAM) as listener:
                    if option is not None:
                        listener.setsockopt(socket.SOL_SOCKET, option, 1)
                    if only6 is not None:
                        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only6)

                    def listen(listener=listener, address=address):
                        listener.bind((address, context["agentPort"]))
                        listener.listen()

                    outcome = denied(f"{address} with option {option}, {only6}", listen, errno.EADDRINUSE, errno.EADDRNOTAVAIL)
                    if outcome is not None:
                        return outcome
    return None


@probe("agent", "unix-sockets", "no Unix socket of the container's own processes can be reached, by path or by abstract name")
def _(context):
    names = [fields[7] for line in read("/proc/net/unix").splitlines()[1:] if len(fields := line.split(None, 7)) == 8]
    # The zygote's has another name than the one that it was bound to.
    for name in [*names, "/run/ipybox/zygote.sock", "/run/ipybox/plain-zygote.sock"]:
        address = "\0" + name[1:] if name.startswith("@") else name
        # A socket of another kind is told that nobody listens.
        refusals = errno.EACCES, EPERM, errno.ENOENT, errno.ECONNREFUSED, errno.EPROTOTYPE
        for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_UNIX, kind) as client:
                outcome = denied(name, lambda c=client, a=address: c.connect(a), *refusals)
            if outcome is not None:
                return outcome
    return None


@probe("agent", "control-agent", "the agent answers, and listens on the port that was tried")
def _(context):
    connection = http.client.HTTPConnection("127.0.0.1", context["agentPort"], timeout=5)
    connection.request("GET", "/health")
    return expect("its answer", connection.getresponse().status, 200)
