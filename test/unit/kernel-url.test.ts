import { describe, expect, test } from "vitest";
import { readKernelUrl } from "../../src/agent/kernel-url.ts";
import { verifies } from "../requirements.ts";

describe("the URL of a kernel", () => {
  test("is read with its query", () => {
    verifies("KERN-09");
    expect(readKernelUrl("/v1/kernels/0123-abc?client=me&after=7&create=true&grace=10&idle=20")).toEqual({
      id: "0123-abc",
      client: "me",
      after: 7,
      terms: { graceMs: 10, idleTimeoutMs: 20 },
    });
    expect(readKernelUrl("/v1/kernels/0123-abc?after=latest")).toMatchObject({ after: "latest", terms: undefined });
  });

  test.each([
    ["no URL at all", "//"],
    ["no URL at all", "http://[/v1/kernels/0123-abc"],
    ["empty", ""],
    ["another path", "/v1/0123-abc"],
    ["too short an id", "/v1/kernels/0123"],
    ["an id with other characters", "/v1/kernels/0123_abc"],
    ["a bad sequence", "/v1/kernels/0123-abc?after=-1"],
    ["no grace period", "/v1/kernels/0123-abc?create=true"],
  ])("is refused when it is %s: %j", (_, text) => {
    verifies("SEC-04");
    expect(readKernelUrl(text)).toBeUndefined();
  });
});
