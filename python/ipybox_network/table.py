"""Loads the rules and what they go by into nftables."""

import contextlib
import os
import socket
import struct

from . import netlink

_RESOLV_CONF = "/etc/resolv.conf"
_FAMILY, _TABLE = "inet", "ipybox"
#: In the set from the beginning: a container can be joined to a network that has it at any time.
_DOCKER_DNS = "127.0.0.11"
#: Ends the line that only tells what is denied: the policy holds without it. See ``src/network/rules.ts``.
_TELL = " # tell"

_LIST_SETS = 10 << 8 | 10
_NFPROTO_INET = 1
_SET_TABLE, _SET_NAME, _SET_FLAGS = 1, 2, 3
#: Of a rule's own, which goes with it.
_ANONYMOUS = 1


def load(sets: list[str], rules: list[str], tells: bool) -> None:
    """Loads the first rules before any cell runs, or raises with what ``nft`` says."""
    _transaction(sets + _told(rules, tells))


def replace(sets: list[str], rules: list[str], tells: bool) -> None:
    """Replaces the rules so that no packet slips through; see ``src/network/script.ts``."""
    try:
        before = _names_of_sets()
    except OSError as error:
        raise SystemExit(f"nftables can't be asked for its sets: {error}") from error
    _transaction(sets)
    _transaction(_told(rules, tells) + [f"delete set {_FAMILY} {_TABLE} {name}" for name in before])


def _transaction(lines: list[str]) -> None:
    status, output = _run(["/usr/sbin/nft", "-f", "-"], "\n".join(lines) + "\n")
    if status != 0:
        raise SystemExit(f"nft can't load the policy's rules: {output.strip() or f'status {status}'}")


def _names_of_sets() -> list[str]:
    """Those of the policy that is in force, and of attempts that were broken off."""
    with netlink.open_socket(netlink.NETLINK_NETFILTER) as sock:
        header = struct.pack(">BBH", _NFPROTO_INET, 0, 0)
        found = [netlink.attributes(answer[len(header) :]) for answer in netlink.dump(sock, _LIST_SETS, header)]
    return [
        _text(each[_SET_NAME])
        for each in found
        if _text(each[_SET_TABLE]) == _TABLE and not int.from_bytes(each.get(_SET_FLAGS, b""), "big") & _ANONYMOUS
    ]


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode()


def _told(rules: list[str], tells: bool) -> list[str]:
    return [line for line in rules if tells or not line.endswith(_TELL)]


def filled(sets: list[str], generation: str, host: list[str]) -> list[str]:
    """The sets, with what only the container's own network tells. ``host`` has the host's addresses, as far as they are known."""
    elements = {"resolvers": _resolvers(), "near": sorted(_near() | set(host))}
    families = {
        f"{name}{family}": [one for one in found if (":" in one) == (family == 6)]
        for name, found in elements.items()
        for family in (4, 6)
    }
    return sets + [
        f"add element {_FAMILY} {_TABLE} {name}_{generation} {{ {', '.join(found)} }}"
        for name, found in families.items()
        if found and any(line.startswith(f"set {name}_") for line in sets)
    ]


def _near() -> set[str]:
    """The networks that the container is in itself, with the host's own address in each, and its neighbours."""
    found = set()
    with contextlib.suppress(OSError), open("/proc/net/route") as file:
        for _, destination, gateway, _, _, _, _, mask, *_ in list(map(str.split, file))[1:]:
            if gateway == "00000000" and mask != "00000000":
                address = socket.inet_ntop(socket.AF_INET, struct.pack("=I", int(destination, 16)))
                found.add(f"{address}/{int(mask, 16).bit_count()}")
    with contextlib.suppress(OSError), open("/proc/net/ipv6_route") as file:
        for destination, prefix, _, _, gateway, _, _, _, _, device in map(str.split, file):
            if int(gateway, 16) == 0 and int(prefix, 16) > 0 and device != "lo":
                found.add(f"{socket.inet_ntop(socket.AF_INET6, bytes.fromhex(destination))}/{int(prefix, 16)}")
    return found


def _resolvers() -> list[str]:
    """The resolvers that cells ask; the file is the sandbox's own."""
    try:
        with open(_RESOLV_CONF) as file:
            words = [line.split() for line in file]
    except OSError:
        return []
    given = [word[1].partition("%")[0] for word in words if len(word) > 1 and word[0] == "nameserver"]
    return sorted({address for address in given if _is_address(address) and address != _DOCKER_DNS})


def _is_address(text: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except OSError:
        return False
    return True


def _run(command: list[str], text: str) -> tuple[int, str]:
    stdin, stdout = os.memfd_create("script"), os.memfd_create("output")
    os.write(stdin, text.encode())
    os.lseek(stdin, 0, os.SEEK_SET)
    redirect = [(os.POSIX_SPAWN_DUP2, stdin, 0), (os.POSIX_SPAWN_DUP2, stdout, 1), (os.POSIX_SPAWN_DUP2, stdout, 2)]
    pid = os.posix_spawn(command[0], command, {"PATH": "/usr/sbin:/usr/bin", "LC_ALL": "C"}, file_actions=redirect)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), os.pread(stdout, 16_384, 0).decode("utf-8", "replace")
