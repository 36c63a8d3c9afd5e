"""Loads the nftables table."""

import os
import socket

_RESOLV_CONF = "/etc/resolv.conf"
_TABLE = "inet ipybox"
#: In the set from the beginning: a container can be joined to a network that has it at any time.
_DOCKER_DNS = "127.0.0.11"
#: Ends the line that only tells what is denied: the policy holds without it. See ``src/network/rules.ts``.
_TELL = " # tell"


def load(script: list[str], tells: bool) -> None:
    """Replaces the table in one step, or raises with what ``nft`` says."""
    lines = [line for line in script if tells or not line.endswith(_TELL)]
    if any(line.startswith("set resolvers4") for line in lines):
        lines += _fill_resolvers(_resolvers())
    status, output = _run(["/usr/sbin/nft", "-f", "-"], "\n".join(lines) + "\n")
    if status != 0:
        raise SystemExit(f"nft can't load the policy's rules: {output.strip() or f'status {status}'}")


def _fill_resolvers(addresses: list[str]) -> list[str]:
    families = {"resolvers4": [a for a in addresses if ":" not in a], "resolvers6": [a for a in addresses if ":" in a]}
    return [f"add element {_TABLE} {name} {{ {', '.join(found)} }}" for name, found in families.items() if found]


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
