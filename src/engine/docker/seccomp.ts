import { ALLOWED_SYSCALLS } from "./syscalls.ts";

const ENOSYS = 38;

/** What `clone` must not ask for: the flags of all namespaces. */
const NEW_NAMESPACES = 0x7e02_0000;

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const NETLINK_ROUTE = 0;

/** Kinds of sockets for the internet, each with the protocols that it may name: the kind's usual one. */
const SOCK_TYPE_MASK = 0xf;
const SOCK_STREAM = { type: 1, protocols: [0, 6] } as const;
const SOCK_DGRAM = { type: 2, protocols: [0, 17] } as const;

/** What has limits (`RLIMIT_…`), but for cores, which are 4. */
const RESOURCES = Array.from({ length: 16 }, (_, resource) => resource).filter((resource) => resource !== 4);

interface Argument {
  readonly index: number;
  readonly op: "SCMP_CMP_EQ" | "SCMP_CMP_MASKED_EQ";
  readonly value: number;
  readonly valueTwo?: number;
}

interface Rule {
  readonly names: readonly string[];
  readonly action: "SCMP_ACT_ALLOW" | "SCMP_ACT_ERRNO";
  readonly errnoRet?: number;
  readonly args?: readonly Argument[];
}

/**
 * The seccomp profile of a sandbox, as Docker takes it. Only calls of the machine's own 64-bit architecture
 * pass: 32-bit entries end the process. What is refused fails with EPERM.
 *
 * @param extra - Further calls to let pass, whatever their arguments are.
 */
export function seccompProfile(extra: readonly string[] = []): string {
  return JSON.stringify({
    defaultAction: "SCMP_ACT_ERRNO",
    // The engine takes the entry of its own architecture; no 32-bit one stands beside it.
    archMap: ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"].map((architecture) => ({ architecture, subArchitectures: [] })),
    syscalls: [
      { names: [...ALLOWED_SYSCALLS, ...extra], action: "SCMP_ACT_ALLOW" },
      ...BY_ARGUMENTS.filter(({ names }) => !names.some((name) => extra.includes(name))),
    ],
  });
}

/** A C `int`: Linux looks at its 32 bits alone, and programs leave anything in the others. */
const int = (index: number, value: number): Argument => ({
  index,
  op: "SCMP_CMP_MASKED_EQ",
  value: 0xffff_ffff,
  valueTwo: value,
});
const nullPointer = (index: number): Argument => ({ index, op: "SCMP_CMP_EQ", value: 0 });
const allow = (name: string, ...args: readonly Argument[]): Rule => ({ names: [name], action: "SCMP_ACT_ALLOW", args });

/** Rules for one call are alternatives; all conditions of a rule must hold. */
const BY_ARGUMENTS: readonly Rule[] = [
  // Its flags lie in memory, where a filter can't look: the C library then uses `clone`. Of io_uring programs think alike.
  {
    names: ["clone3", "io_uring_setup", "io_uring_enter", "io_uring_register"],
    action: "SCMP_ACT_ERRNO",
    errnoRet: ENOSYS,
  },
  allow("clone", { index: 0, op: "SCMP_CMP_MASKED_EQ", value: NEW_NAMESPACES, valueTwo: 0 }),
  allow("socketpair", int(0, AF_UNIX)),
  allow("socket", int(0, AF_UNIX)),
  allow("socket", int(0, AF_NETLINK), int(2, NETLINK_ROUTE)),
  ...[AF_INET, AF_INET6].flatMap((family) =>
    [SOCK_STREAM, SOCK_DGRAM].flatMap(({ type, protocols }) =>
      protocols.map((protocol) =>
        allow(
          "socket",
          int(0, family),
          { index: 1, op: "SCMP_CMP_MASKED_EQ", value: SOCK_TYPE_MASK, valueTwo: type },
          int(2, protocol),
        ),
      ),
    ),
  ),
  // Its own limits, and a look at others': a kernel must not set those of another. Nor its own for cores: 0 would have Linux
  // hand them to a program of the host, see `profile.ts`.
  ...RESOURCES.map((resource) => allow("prlimit64", int(0, 0), int(1, resource))),
  allow("prlimit64", nullPointer(2)),
  // Plain Linux, and the question which one it is.
  allow("personality", int(0, 0)),
  allow("personality", int(0, 0xffff_ffff)),
];
