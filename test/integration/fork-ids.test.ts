import { describe, expect, it } from "vitest";
import { IpyboxError } from "ipybox";
import { Link } from "../../src/link.ts";
import type { Frame } from "../../src/protocol/frame.ts";
import { verifies } from "../requirements.ts";
import { eventually, rejection, useContainer } from "./sandbox.ts";

describe("a fork", () => {
  const sandbox = useContainer();

  it("with the id of another kernel fails, and leaves that one alone", async () => {
    verifies("KERN-04", "SEC-04");
    await using client = await sandbox.connect();
    await using other = await sandbox.connect();
    await other.execute("x = 'other'");
    const { host, port, token } = sandbox.container;
    const link = await Link.open({ host, port, token, kernelId: client.kernelId }, { after: "latest", timeoutMs: 5_000 });
    const frames: Frame[] = [];
    const ignore = (): void => undefined;
    link.start({
      onFrame: (frame) => void frames.push(frame),
      ...{ onCaughtUp: ignore, onReconnected: ignore, onGap: ignore, onNotFound: ignore, onLost: ignore },
    });
    link.send({ type: "fork_request", execution: 77, kernels: [other.kernelId] });
    await eventually(() => frames.some(({ payload }) => payload.includes("fork_reply")));
    expect(frames.map(({ payload }) => payload.toString()).join("")).toContain('"status":"error"');
    expect((await other.execute("x")).text).toBe("'other'");
    await link.close(false);
    await using fork = await client.fork();
    expect((await fork.execute("1 + 1")).text).toBe("2");
    expect((await rejection(client.execute("1 / 0"), IpyboxError)).code).toBe("execution_failed");
  });
});
