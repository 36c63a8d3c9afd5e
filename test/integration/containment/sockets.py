# Kinds by family: what may be opened, as (type, protocol). A Unix socket's protocol may be 0 or its own family.
ALLOWED_SOCKETS = {
    socket.AF_UNIX: {(1, 0), (1, 1), (2, 0), (2, 1), (3, 0), (3, 1), (5, 0), (5, 1)},
    socket.AF_INET: {(1, 0), (1, 6), (2, 0), (2, 17)},
    socket.AF_INET6: {(1, 0), (1, 6), (2, 0), (2, 17)},
    socket.AF_NETLINK: {(2, 0), (3, 0)},
}
PROTOCOLS = [0, 1, 2, 6, 9, 12, 15, 16, 17, 33, 58, 132, 136, 255, 262]


def _open_sockets(families):
    for family in families:
        for kind in range(1, 11):
            for protocol in PROTOCOLS:
                if (kind, protocol) in ALLOWED_SOCKETS.get(family, ()):
                    continue
                try:
                    socket.socket(family, kind, protocol).close()
                except OSError:
                    continue
                return f"socket({family}, {kind}, {protocol}) opens"
    return None


@probe("sockets", "families", "of 46 families of sockets four can be opened")
def _(context):
    return _open_sockets(set(range(46)) - set(ALLOWED_SOCKETS))


@probe("sockets", "internet-kinds", "sockets for the internet are TCP or UDP: no raw, ping, MPTCP, UDP-Lite or SCTP")
def _(context):
    return _open_sockets([socket.AF_INET, socket.AF_INET6])


@probe("sockets", "netlink", "of netlink, only the routing protocol can be opened")
def _(context):
    found = [protocol for protocol in range(23) if not _fails(lambda p=protocol: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, p))]
    return expect("what opens", found, [0])


def _fails(open_socket):
    try:
        open_socket().close()
        return False
    except OSError:
        return True


@probe("sockets", "vsock", "there is no socket to the hypervisor")
def _(context):
    return denied("AF_VSOCK", lambda: socket.socket(40, socket.SOCK_STREAM), EPERM)


@probe("sockets", "pairs", "pairs of sockets are Unix ones")
def _(context):
    results = (ctypes.c_int * 2)()
    return refused("socketpair", 30, 1, 0, results)  # TIPC


@probe("sockets", "ping-range", "no group may open ping sockets")
def _(context):
    low, high = (int(one) for one in read("/proc/sys/net/ipv4/ping_group_range").split())
    return None if low > high else f"groups {low} to {high} may"


@probe("sockets", "control-sockets", "what is allowed opens: Unix, TCP, UDP over IPv4 and IPv6, routing")
def _(context):
    for family, kinds in ALLOWED_SOCKETS.items():
        for kind, protocol in kinds:
            socket.socket(family, kind, protocol).close()
    return None
