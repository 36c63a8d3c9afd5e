import { describe, expect, it } from "vitest";
import { verifies } from "../requirements.ts";
import { cli } from "./cli.ts";

interface Finding {
  readonly check: string;
  readonly status: string;
  readonly found: string;
  readonly remedy?: string;
}

describe("ipybox doctor", () => {
  it("examines the machine's daemon, tries a container, leaves none, and says how to mend what is missing", async () => {
    verifies("SEC-07", "CLI-01");
    const { status, stdout, stderr } = await cli(["doctor", "--json"]);
    const findings = JSON.parse(stdout) as readonly Finding[];
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const checks = findings.map(({ check }) => check);
    expect(checks).toEqual(
      expect.arrayContaining(["daemon", "seccomp", "limits", "cgroups", "security-module", "users", "runtimes"]),
    );
    expect(checks).toEqual(expect.arrayContaining(["disk", "landlock", "network", "live-restore", "known-holes", "container"]));
    expect(findings.find(({ check }) => check === "container")).toMatchObject({ status: "ok" });
    for (const { status, remedy } of findings) expect(remedy !== undefined).toBe(status !== "ok");
  });

  it("prints a line for each check", async () => {
    verifies("SEC-07");
    const { status, stdout } = await cli(["doctor"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^ok +daemon +Docker \d+/m);
    expect(stdout).toMatch(/^ok +container +a cell ran as uid \d+/m);
  });

  it("ends with 1 when there is no daemon, and says what to do", async () => {
    verifies("SEC-07");
    const { status, stdout } = await cli(["doctor", "--json"], { env: { DOCKER_HOST: "unix:///nowhere/docker.sock" } });
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject([
      { check: "daemon", status: "broken", remedy: expect.stringContaining("Start it") as string },
    ]);
  });

  it("has advice where there is no image yet", async () => {
    verifies("SEC-07");
    const { status, stdout } = await cli(["doctor", "--tag", "ipybox-test/absent", "--json"]);
    expect(status).toBe(0);
    const container = (JSON.parse(stdout) as readonly Finding[]).find(({ check }) => check === "container");
    expect(container).toMatchObject({ status: "advice", remedy: expect.stringContaining("ipybox build") as string });
  });
});
