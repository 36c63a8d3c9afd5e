import { expect, test } from "vitest";
import { DEFAULTS } from "ipybox";

test("what holds where an option is left out", () => {
  expect(DEFAULTS).toEqual({
    tag: "gradion-ai/ipybox",
    memoryBytes: 2_147_483_648,
    cpus: 2,
    pidsLimit: 1_024,
    shmBytes: 268_435_456,
    openFilesLimit: 16_384,
    coreBytes: 0,
    logBytes: 2_097_152,
    diskBytes: 10_737_418_240,
    user: { uid: 1_000, gid: 1_000 },
    startTimeoutMs: 30_000,
    network: "internet",
    host: "127.0.0.1",
    connectTimeoutMs: 10_000,
    timeoutMs: 120_000,
    maxOutputBytes: 16_777_216,
    gracePeriodMs: 60_000,
    fileTimeoutMs: 30_000,
    maxReadBytes: 268_435_456,
    maxListEntries: 100_000,
  });
});
