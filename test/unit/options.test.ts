import { describe, expect, test } from "vitest";
import { ExecutionContainer } from "../../src/container.ts";
import type { IpyboxError } from "../../src/errors.ts";

function refusal(options: unknown): IpyboxError {
  try {
    new ExecutionContainer(options as never);
  } catch (error) {
    return error as IpyboxError;
  }
  throw new Error("the options were accepted");
}

describe("options of a container", () => {
  test("all kinds of right values are accepted", () => {
    const options = {
      ...{ tag: "localhost:5000/team/box:v1", binds: { "./data": "data", "/srv": "in/put:ro" }, env: { A: "x=y\n'\"ü" } },
      ...{ port: 7777, memoryBytes: 2 ** 30, cpus: 0.5, pidsLimit: 64, shmBytes: 2 ** 26, caCertificates: ["ca.pem"] },
      ...{ user: { uid: 1001, gid: 100 }, showPullProgress: false, dockerHost: "unix:///x.sock", startTimeoutMs: 1000 },
      signal: new AbortController().signal,
    };
    expect(() => new ExecutionContainer(options)).not.toThrow();
    expect(() => new ExecutionContainer()).not.toThrow();
  });

  test("an unknown option is an error that names it and the known ones", () => {
    const error = refusal({ memory: 5 });
    expect(error.code).toBe("invalid_option");
    expect(error.message).toMatch(/no option "memory".*memoryBytes/);
    expect(refusal({ user: { uid: 5, gid: 5, name: "x" } }).message).toContain('no option "user.name"');
  });

  test.each([
    [{ port: 0 }, '"port" must be a whole number from 1 to 65535. Given was 0'],
    [{ port: 65_536 }, '"port" must be a whole number from 1 to 65535. Given was 65536'],
    [{ port: "80" }, '"port" must be a whole number from 1 to 65535. Given was "80"'],
    [{ memoryBytes: 1024 }, '"memoryBytes" must be 67108864 bytes or more. Given was 1024'],
    [{ memoryBytes: Number.NaN }, '"memoryBytes" must be a whole number of bytes'],
    [{ cpus: 0 }, '"cpus" must be 0.01 or more'],
    [{ cpus: Number.POSITIVE_INFINITY }, '"cpus" must be a number'],
    [{ pidsLimit: -1 }, '"pidsLimit" must be 16 or more'],
    [{ shmBytes: 1.5 }, '"shmBytes" must be a whole number of bytes'],
    [{ user: { uid: 0, gid: 0 } }, '"user.uid" must not be 0 or less: cells never run as root'],
    [{ user: { uid: 5, gid: 0 } }, '"user.gid" must not be 0 or less'],
    [{ user: { uid: 2 ** 32 - 1, gid: 5 } }, '"user.uid" must be 4294967294 or less'],
    [{ user: { uid: 5, gid: 2 ** 32 } }, '"user.gid" must be 4294967294 or less'],
    [{ openFilesLimit: 2 ** 31 }, '"openFilesLimit" must be 1048576 or less'],
    [{ caCertificates: "ca.pem" }, '"caCertificates" must be an array of file names. Given was "ca.pem"'],
    [{ signal: {} }, '"signal" must be an AbortSignal'],
    [{ tag: "Not An Image" }, 'tag is "Not An Image", which is no name of an image'],
    [{ binds: { "/srv": "../etc" } }, '"../etc" is no path below /app'],
    [{ binds: { "/srv": "" } }, '"" is no path below /app'],
    [{ binds: { "/srv": "/etc" } }, '"/etc" is no path below /app'],
    [{ binds: { "/srv": "." } }, '"." is no path below /app'],
    [{ binds: { "/a": "data", "/b": "x/../data" } }, "/app/data is already taken by /a"],
    [{ binds: { "": "data" } }, '"binds." must not be empty'],
  ])("%j is refused with what is wrong", (options, message) => {
    const error = refusal(options);
    expect(error.code).toBe("invalid_option");
    expect(error.message).toContain(message);
  });

  test.each(["", "A=B", "A\0"])("%j is no name of an environment variable", (name) => {
    expect(refusal({ env: { [name]: "x" } }).message).toContain("is no name for a variable");
  });

  test("a wrong value of env is not repeated in the error", () => {
    const error = refusal({ env: { KEY: "secret\0value" } });
    expect(error.message).toContain('"env.KEY" must not contain a NUL character');
    expect(JSON.stringify([error.message, error.details])).not.toContain("secret");
  });
});
