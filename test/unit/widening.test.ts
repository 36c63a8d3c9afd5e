import { mkdtemp, rm, symlink } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseBinds, prepareBinds } from "../../src/binds.ts";
import { seccompProfile } from "../../src/engine/docker/seccomp.ts";
import { IpyboxError } from "../../src/errors.ts";
import { parseContainerOptions } from "../../src/options.ts";
import { REFUSED_OPTIONS } from "../../src/refused-options.ts";
import { verifies } from "../requirements.ts";

const user = { uid: 1000, gid: 1000 };

describe("options that would widen the sandbox", () => {
  it.each([
    ["privileged", "root"],
    ["capAdd", "root"],
    ["cap_add", "root"],
    ["CapAdd", "root"],
    ["devices", "root"],
    ["networkMode", "namespaces"],
    ["pidMode", "namespaces"],
    ["securityOpt", "dangerouslyAllowSyscalls"],
    ["seccomp", "dangerouslyDisableSeccomp"],
    ["volumes", "binds"],
    ["ulimits", "openFilesLimit"],
    ["readonlyRootfs", "readonlyRoot"],
    ["entrypoint", "image"],
    ["labels", "knows its containers"],
    ["hostConfig", "not passed on"],
  ])("%s is refused by its name, with the reason or what there is instead", (name, text) => {
    verifies("SEC-05");
    const error = thrown(() => parseContainerOptions({ [name]: true }));
    expect(error).toMatchObject({ code: "invalid_option", details: { field: name } });
    expect(error.message).toContain(JSON.stringify(name));
    expect(error.message).toContain(text);
  });

  it("are none of those that there are", () => {
    verifies("SEC-05");
    expect(parseContainerOptions({ memoryBytes: 2 ** 26 })).toEqual({ memoryBytes: 2 ** 26 });
    const known = thrown(() => parseContainerOptions({ nonsense: 1 })).message.replace(/^.*Known are: /, "");
    expect(
      known
        .replace(/\.$/, "")
        .split(", ")
        .filter((name) => REFUSED_OPTIONS[name] !== undefined),
    ).toEqual([]);
    expect(known).toContain("dangerouslyAllowBinds");
  });

  it("spelled out let single system calls through, and their rules by arguments go", () => {
    verifies("SEC-05", "SEC-02");
    type Rules = readonly { readonly names: readonly string[]; readonly args?: unknown }[];
    const rules = (extra: readonly string[]): Rules => (JSON.parse(seccompProfile(extra)) as { syscalls: Rules }).syscalls;
    expect(rules([])[0]?.names).not.toContain("ptrace");
    expect(rules(["ptrace"])[0]?.names).toContain("ptrace");
    expect(rules(["socket"]).filter(({ names, args }) => names.includes("socket") && args !== undefined)).toEqual([]);
    expect(rules([]).filter(({ names, args }) => names.includes("socket") && args !== undefined).length).toBeGreaterThan(5);
  });

  it("have a seccomp profile for 64 bits alone, of both architectures", () => {
    verifies("SEC-02");
    const { archMap } = JSON.parse(seccompProfile()) as { archMap: unknown };
    expect(archMap).toEqual([
      { architecture: "SCMP_ARCH_X86_64", subArchitectures: [] },
      { architecture: "SCMP_ARCH_AARCH64", subArchitectures: [] },
    ]);
  });
});

describe("binds of the host's own system", () => {
  let directory = "";
  const server = createServer();

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "ipybox-widening-"));
    await new Promise<void>((resolve) => server.listen(join(directory, "some.sock"), resolve));
    await symlink("/", join(directory, "root"));
  });
  afterAll(async () => {
    await new Promise((resolve) => server.close(resolve));
    await rm(directory, { recursive: true, force: true });
  });

  it.each(["/", "/etc", "/proc", "/proc/self", "/sys/fs/cgroup", "/dev", "/usr", "/var", "/var/run/.."])(
    "%s is refused, and the error says what to do",
    async (path) => {
      verifies("SEC-05");
      const failure = prepareBinds(parseBinds({ [path]: "data:ro" }), user);
      await expect(failure).rejects.toThrow(/part of the host's own system.*dangerouslyAllowBinds/);
    },
  );

  it("is seen through links and in sockets", async () => {
    verifies("SEC-05");
    await expect(prepareBinds(parseBinds({ [join(directory, "root")]: "data" }), user)).rejects.toThrow(/own system/);
    await expect(prepareBinds(parseBinds({ [join(directory, "some.sock")]: "sock" }), user)).rejects.toThrow(/is a socket/);
  });

  it("is let through when it is spelled out", async () => {
    verifies("SEC-05");
    await prepareBinds(parseBinds({ "/": "host:ro" }), user, { anywhere: true });
    await expect(prepareBinds(parseBinds({ "/": "host:ro" }), user)).rejects.toThrow(IpyboxError);
  });
});

function thrown(run: () => unknown): IpyboxError {
  try {
    run();
  } catch (error) {
    if (error instanceof IpyboxError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
