import { request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import type { Engine, SandboxAddress } from "./engine/engine.ts";
import { IpyboxError } from "./errors.ts";
import { HEALTH_PATH } from "./protocol/agent-config.ts";

const POLL_MS = 10;
const PROBE_TIMEOUT_MS = 1000;
const INSPECT_EVERY_MS = 250;
const LOG_LINES = 20;

/** What to wait for, and how long. */
export interface ReadinessOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Waits until the agent of a started sandbox can start kernels. Fails at once when the sandbox ends before. */
export async function waitUntilReady(
  engine: Engine,
  id: string,
  address: SandboxAddress,
  { timeoutMs, signal }: ReadinessOptions,
): Promise<void> {
  const startedAt = performance.now();
  let inspectAt = startedAt + INSPECT_EVERY_MS;
  while (!(await isHealthy(address, signal))) {
    signal.throwIfAborted();
    const now = performance.now();
    if (now - startedAt > timeoutMs) throw await notReady(engine, id, `was not ready within ${timeoutMs} ms`);
    if (now > inspectAt) {
      await assertRunning(engine, id, signal);
      inspectAt = performance.now() + INSPECT_EVERY_MS;
    }
    await delay(POLL_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** The error for a sandbox that did not come up, with what it has logged. */
export async function notReady(engine: Engine, id: string, reason: string): Promise<IpyboxError> {
  const log = await engine.logs(id, LOG_LINES).catch(() => "");
  const text =
    `Container ${id.slice(0, 12)} ${reason}. ` +
    (log === "" ? "It has logged nothing. " : `Its last lines are:\n${log}\n`) +
    "Its image may be made by another version of ipybox, or by something else: build it anew with `npx ipybox build`.";
  return new IpyboxError("container_start_failed", text, { details: { containerId: id, reason, log } });
}

async function assertRunning(engine: Engine, id: string, signal: AbortSignal): Promise<void> {
  const state = await engine.inspect(id, signal);
  if (state?.running === true) return;
  if (state === undefined) throw new IpyboxError("container_start_failed", `Container ${id.slice(0, 12)} was removed while it started.`);
  const memory = state.oomKilled ? ", out of memory: raise memoryBytes" : "";
  throw await notReady(engine, id, `ended with status ${state.exitCode ?? "unknown"} while it started${memory}`);
}

function isHealthy({ host, port }: SandboxAddress, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = request({ host, port, path: HEALTH_PATH, agent: false, timeout: PROBE_TIMEOUT_MS, signal }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    probe.on("timeout", () => probe.destroy());
    probe.on("error", () => resolve(false));
    probe.on("close", () => resolve(false));
    probe.end();
  });
}
