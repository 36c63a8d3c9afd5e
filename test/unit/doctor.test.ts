import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { diagnose } from "../../src/engine/docker/doctor/diagnosis.ts";
import type { Facts } from "../../src/engine/docker/doctor/facts.ts";
import { isMended, isOlder, versionNumbers } from "../../src/engine/docker/doctor/versions.ts";
import { verifies } from "../requirements.ts";

/** What Debian 12's own Docker tells of itself. */
const DEBIAN = JSON.parse(readFileSync(new URL("../fixtures/daemons/debian-20.10.json", import.meta.url), "utf8")) as Facts;

/** What a daemon tells that has all that is recommended. */
const BEST: Facts = {
  version: {
    ...DEBIAN.version,
    Version: "29.5.1",
    ApiVersion: "1.54",
    Components: [
      { Name: "Engine", Version: "29.5.1" },
      { Name: "runc", Version: "1.3.3" },
    ],
  },
  info: {
    ...DEBIAN.info,
    CgroupVersion: "2",
    CgroupDriver: "systemd",
    SecurityOptions: ["name=apparmor", "name=seccomp,profile=builtin", "name=userns", "name=cgroupns"],
    Runtimes: { runc: {}, runsc: {} },
    Driver: "overlay2",
    DriverStatus: [["Backing Filesystem", "xfs"]],
    SwapLimit: true,
    LiveRestoreEnabled: true,
  },
  bridge: { Options: { "com.docker.network.bridge.enable_icc": "false" } },
};

const statuses = (facts: Facts): Record<string, string> =>
  Object.fromEntries(diagnose(facts).map(({ check, status }) => [check, status]));
const withInfo = (info: Facts["info"]): Facts => ({ ...BEST, info: { ...BEST.info, ...info } });

describe("a daemon's own words", () => {
  it("of Debian 12 give advice, and nothing is broken", () => {
    verifies("SEC-07");
    expect(statuses(DEBIAN)).toEqual({
      daemon: "ok",
      seccomp: "ok",
      limits: "ok",
      cgroups: "advice",
      "security-module": "advice",
      users: "advice",
      runtimes: "advice",
      disk: "advice",
      landlock: "ok",
      network: "advice",
      "live-restore": "advice",
      "known-holes": "advice",
    });
  });

  it("of one that has everything leave nothing to say", () => {
    verifies("SEC-07");
    expect(new Set(Object.values(statuses(BEST)))).toEqual(new Set(["ok"]));
  });

  it("are followed by a remedy wherever something is missing", () => {
    verifies("SEC-07");
    for (const facts of [DEBIAN, BEST, withInfo({ MemoryLimit: false }), withInfo({ SecurityOptions: null })]) {
      for (const { status, remedy, found } of diagnose(facts)) {
        expect(found).not.toBe("");
        expect(remedy !== undefined).toBe(status !== "ok");
      }
    }
  });

  it.each([
    ["no filter for system calls", { SecurityOptions: ["name=apparmor"] }, "seccomp", "broken"],
    ["no limit for memory", { MemoryLimit: false }, "limits", "broken"],
    ["no limit for processes", { PidsLimit: false }, "limits", "broken"],
    ["no limit for CPU time", { CpuCfsQuota: false }, "limits", "broken"],
    ["no limit for swap", { SwapLimit: false }, "limits", "advice"],
    ["SELinux", { SecurityOptions: ["name=seccomp", "name=selinux"] }, "security-module", "ok"],
    ["no security options at all", { SecurityOptions: null }, "security-module", "advice"],
    ["a rootless daemon", { SecurityOptions: ["name=seccomp", "name=rootless"] }, "users", "ok"],
    ["Kata Containers", { Runtimes: { runc: {}, "kata-qemu": {} } }, "runtimes", "ok"],
    ["ext4", { DriverStatus: [["Backing Filesystem", "extfs"]] }, "disk", "advice"],
    ["btrfs", { Driver: "btrfs", DriverStatus: null }, "disk", "ok"],
    ["Linux 6.11", { KernelVersion: "6.11.0-9-generic" }, "landlock", "advice"],
    ["Linux 6.12", { KernelVersion: "6.12.1" }, "landlock", "ok"],
    ["Linux 5.4", { KernelVersion: "5.4.0" }, "landlock", "advice"],
  ] as const)("tell of %s", (_, info, check, status) => {
    verifies("SEC-07");
    expect(statuses(withInfo(info as Facts["info"]))[check]).toBe(status);
  });

  it("of Windows containers are broken", () => {
    verifies("SEC-07");
    expect(statuses({ ...BEST, version: { ...BEST.version, Os: "windows" } }).daemon).toBe("broken");
  });

  it("name the holes that are known of their versions", () => {
    verifies("SEC-07");
    const holes = diagnose(DEBIAN).find(({ check }) => check === "known-holes");
    for (const name of ["CVE-2024-21626", "CVE-2025-31133", "CVE-2024-29018", "45610", "CVE-2026-41567"]) {
      expect(holes?.remedy).toContain(name);
    }
    const newer = { ...DEBIAN, version: { ...BEST.version, Components: [{ Name: "runc", Version: "1.2.7" }] } };
    expect(diagnose(newer).find(({ check }) => check === "known-holes")?.remedy).toMatch(/^Upgrade.*CVE-2025-31133/);
  });
});

describe("versions", () => {
  it.each([
    ["20.10.24+dfsg1", [20, 10, 24]],
    ["1.1.5+ds1-1+deb12u1", [1, 1, 5]],
    ["v2.0.0-rc.1", [2, 0, 0]],
    ["dev", []],
  ])("%s is read as numbers", (text, numbers) => {
    verifies("SEC-07");
    expect(versionNumbers(text)).toEqual(numbers);
  });

  it.each([
    ["6.9.12", "6.12", true],
    ["6.12", "6.12.0", false],
    ["29.5.1", "29.5.1", false],
    ["dev", "1.0", false],
  ])("%s is older than %s: %s", (version, than, older) => {
    verifies("SEC-07");
    expect(isOlder(version, than)).toBe(older);
  });

  it.each([
    ["1.2.7", false],
    ["1.2.8", true],
    ["1.3.2", false],
    ["1.3.3", true],
    ["1.1.15", false],
    ["1.4.0", true],
    ["1.2.9", true],
  ])("%s has a mend of the lines 1.2.8 and 1.3.3: %s", (version, mended) => {
    verifies("SEC-07");
    expect(isMended(version, ["1.2.8", "1.3.3"])).toBe(mended);
  });
});
