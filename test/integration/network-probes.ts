import { ADDRESSES } from "../fakes/internet.ts";

/** An attempt to get something out of a sandbox. */
export interface Probe {
  readonly id: string;
  /** An expression or statements of Python; whether it fails does not matter, but what comes out does. */
  readonly code: string;
  /** Addresses of the public internet, which the policy `public` lets through. */
  readonly isPublic?: true;
  /** The seccomp profile or Linux lets it out nowhere, or nobody knows when; so it does not show that the sink works. */
  readonly neverOut?: true;
}

/** What the probes use. */
export const PRELUDE = `
import os, random, socket, struct, subprocess, sys, threading, time

def tcp(address, port=80, text=b"GET / HTTP/1.0\\r\\nHost: x\\r\\n\\r\\n"):
    with socket.create_connection((address, port), timeout=3) as sock:
        sock.sendall(text)
        return sock.recv(100)

def udp(address, port, data=b"leak"):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(1)
        sock.sendto(data, (address, port))
        return sock.recv(1000)

def ping(address):
    six = ":" in address
    with socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM, 58 if six else 1) as sock:
        sock.settimeout(1)
        sock.sendto(struct.pack("!BBHHH", 128 if six else 8, 0, 0, 1, 1) + b"leak", (address, 0))
        return sock.recv(1000)

def question(name):
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack("!HHHHHH", random.randrange(65536), 0x100, 1, 0, 0, 0) + labels + b"\\0" + struct.pack("!HH", 1, 1)

def resolvers():
    with open("/etc/resolv.conf") as file:
        return [line.split()[1] for line in file if line.startswith("nameserver")]
`;

const { metadata, private: own, public: web } = ADDRESSES;
const tcpTo = (...addresses: readonly string[]): readonly Probe[] =>
  addresses.map((address) => ({ id: `tcp to ${address}`, code: `tcp(${JSON.stringify(address)})` }));

export const PROBES: readonly Probe[] = [
  ...tcpTo(
    ...[ADDRESSES.private, ADDRESSES.lan, ADDRESSES.docker, ADDRESSES.carrier, ADDRESSES.benchmark, ADDRESSES.metadata],
    ...[ADDRESSES.tasks, ADDRESSES.azure, ADDRESSES.metadata6, ADDRESSES.private6, ADDRESSES.documentation6],
  ),
  ...tcpTo(ADDRESSES.public, ADDRESSES.public6).map((probe): Probe => ({ ...probe, isPublic: true })),
  ...["2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "::ffff:169.254.169.254", "::ffff:a9fe:a9fe"].map(
    (spelling): Probe => ({ id: `tcp to ${spelling}`, code: `tcp("${spelling}")` }),
  ),
  { id: "udp", code: `udp("${own}", 99)` },
  { id: "udp over IPv6", code: `udp("${ADDRESSES.private6}", 99)` },
  { id: "quic", code: `udp("${web}", 443)`, isPublic: true },
  { id: "ntp", code: `udp("${own}", 123)` },
  { id: "mdns", code: `udp("${own}", 5353)` },
  { id: "ping", neverOut: true, code: `ping("${own}")` },
  { id: "ping of a metadata service", neverOut: true, code: `ping("${metadata}")` },
  { id: "ping over IPv6", neverOut: true, code: `ping("${ADDRESSES.private6}")` },
  {
    id: "a mapped address over a datagram",
    code: `s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.sendto(b"x", ("::ffff:${own}", 99))`,
  },
  { id: "a question over TCP to somebody's resolver", code: `tcp("${own}", 53, b"\\0\\x20" + question("leak.example"))` },
  { id: "a question to somebody's resolver", code: `udp("${own}", 53, question("leak.example"))` },
  { id: "DNS over TLS", code: `tcp("${own}", 853)` },
  {
    id: "a child in a session of its own",
    code: `
pid = os.fork()
if pid == 0:
    os.setsid()
    try: tcp("${own}")
    except OSError: pass
    try: udp("${own}", 99)
    except OSError: pass
    os._exit(0)
os.waitpid(pid, 0)`,
  },
  { id: "a program", code: `subprocess.run(["curl", "-s", "-m", "3", "--noproxy", "*", "http://${own}/"], check=False)` },
  {
    id: "another Python",
    code: `subprocess.run([sys.executable, "-c", "import socket; socket.create_connection(('${own}', 80), 3)"], check=False)`,
  },
  { id: "a thread", code: `t = threading.Thread(target=lambda: udp("${own}", 99)); t.start(); t.join()` },
  {
    id: "a socket bound to a port below 1024",
    code: `s = socket.socket(); s.bind(("", 53)); s.settimeout(3); s.connect(("${own}", 80))`,
  },
  {
    id: "a socket bound to an interface",
    code: `
name = [n for _, n in socket.if_nameindex() if n != "lo"][-1]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 25, name.encode())
s.sendto(b"x", ("${own}", 99))`,
  },
  {
    id: "a socket bound to loopback",
    neverOut: true,
    code: `
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 25, b"lo")
s.sendto(b"x", ("${own}", 99))`,
  },
  {
    id: "a source route",
    neverOut: true,
    code: `
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, 4, b"\\x01\\x83\\x07\\x04" + socket.inet_aton("${own}"))
s.sendto(b"x", ("${web}", 99))`,
  },
  {
    id: "a routing header",
    code: `
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
header = bytes([0, 2, 4, 0, 0, 0, 0, 0]) + socket.inet_pton(socket.AF_INET6, "${ADDRESSES.private6}")
s.setsockopt(socket.IPPROTO_IPV6, 57, header)
s.sendto(b"x", ("${ADDRESSES.public6}", 99))`,
  },
  { id: "multicast", code: `s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b"x", ("224.0.0.251", 5353))` },
  {
    id: "joining a multicast group",
    neverOut: true,
    code: `
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("239.1.2.3") + socket.inet_aton("0.0.0.0"))`,
  },
  {
    id: "broadcast",
    code: `
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
s.sendto(b"x", ("255.255.255.255", 99))`,
  },
  { id: "TCP fast open", code: `s = socket.socket(); s.sendto(b"leak", 0x20000000, ("${own}", 80))` },
  {
    id: "a connection of several paths",
    neverOut: true,
    code: `s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262); s.settimeout(3); s.connect(("${own}", 80))`,
  },
  {
    id: "UDP-Lite",
    neverOut: true,
    code: `s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 136); s.sendto(b"x", ("${own}", 99))`,
  },
  {
    id: "a raw socket",
    neverOut: true,
    code: `s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 1); s.sendto(bytes(8), ("${own}", 0))`,
  },
  {
    id: "a packet socket",
    neverOut: true,
    code: `s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind((socket.if_nameindex()[-1][1], 0)); s.send(bytes(60))`,
  },
];

/** Code that runs a probe and tells how it went. */
export function probeCode({ code }: Probe): string {
  return `${PRELUDE}
try:
    exec(${JSON.stringify(code)}, globals())
    print("done")
except Exception as error:
    print(repr(error))
`;
}
