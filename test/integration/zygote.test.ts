import { describe, expect, it } from "vitest";
import { IpyboxError } from "ipybox";
import { Link } from "../../src/link.ts";
import type { Frame } from "../../src/protocol/frame.ts";
import { verifies } from "../requirements.ts";
import { asRoot } from "./docker.ts";
import { eventually, rejection, useContainer } from "./sandbox.ts";

const FIND_ZYGOTE =
  "for p in $(ls /proc | grep '^[0-9]' | sort -n); do tr '\\0' ' ' < /proc/$p/cmdline | grep -q '^/usr/bin/python3 -I -S /opt' && echo $p && break; done";

describe("the process that kernels are forked from", () => {
  const sandbox = useContainer();

  it("goes on when it has no descriptor left, and has all of them again afterwards", async () => {
    verifies("KERN-05", "SEC-03");
    const { id } = sandbox.container;
    const zygote = Number(await asRoot(id, FIND_ZYGOTE));
    const count = async (): Promise<number> => Number(await asRoot(id, `ls /proc/${zygote}/fd | wc -l`));
    await using client = await sandbox.connect();
    await client.execute("x = 1");
    const before = await count();
    const limit = await asRoot(id, `prlimit --pid ${zygote} --nofile --noheadings --raw --output=SOFT`);
    // None for a connection; then one more each time, which is used up at another step.
    for (let free = 0; free < 10; free += 1) {
      expect(await asRoot(id, `prlimit --pid ${zygote} --nofile=${before + free}:`)).toBe("");
      const outcome = await sandbox.connect().then(
        (other) => other.disconnect(),
        (error: unknown) => error,
      );
      if (free < 4) expect(outcome).toMatchObject({ code: "kernel_start_failed" });
      expect((await client.execute("!echo relayed")).text).toBe("relayed");
    }
    await asRoot(id, `prlimit --pid ${zygote} --nofile=${limit}:`);
    await using next = await sandbox.connect();
    await using fork = await client.fork();
    expect((await fork.execute("x")).text).toBe("1");
    await Promise.all([next.disconnect(), fork.disconnect()]);
    await eventually(async () => (await count()) === before);
  });
});

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
    expect(frames.map(({ payload }) => payload.toString()).join("")).toContain('"status": "error"');
    expect((await other.execute("x")).text).toBe("'other'");
    await link.close(false);
    await using fork = await client.fork();
    expect((await fork.execute("1 + 1")).text).toBe("2");
    expect((await rejection(client.execute("1 / 0"), IpyboxError)).code).toBe("execution_failed");
  });
});
