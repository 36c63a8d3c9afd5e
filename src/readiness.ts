import { request } from "node:http";
import type { Engine, SandboxAddress, SandboxLog } from "./engine/engine.ts";
import { IpyboxError } from "./errors.ts";
import { isAgentAt } from "./direct-address.ts";
import { timerMs } from "./internal/timer.ts";
import { type AgentConfig, CONFIG_PATH } from "./protocol/agent-config.ts";

/** The agent logs when it takes connections; should that not come through, it is tried every so often. */
const POLL_MS = 100;
/** How long an answer may take, of a container that may be far away. */
const ANSWER_MS = 5_000;
const INSPECT_EVERY_MS = 250;
const LOG_LINES = 20;

/** What to wait for, and how long. */
export interface ReadinessOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** A sandbox that was started, and what its agent must be told. */
export interface StartedSandbox {
  readonly id: string;
  readonly address: SandboxAddress;
  readonly token: string;
  /** What it has logged since its start. */
  readonly log: SandboxLog;
  readonly config: AgentConfig;
}

/** Resolves when the agent answers. Fails at once when the sandbox ends before. */
export async function agentAnswers(
  engine: Engine,
  sandbox: StartedSandbox,
  { timeoutMs, signal }: ReadinessOptions,
): Promise<void> {
  const { id, address, token, log } = sandbox;
  const startedAt = performance.now();
  let inspectAt = startedAt + INSPECT_EVERY_MS;
  while (!(await isAgentAt(address, token, Math.min(timeoutMs, ANSWER_MS)))) {
    signal.throwIfAborted();
    const now = performance.now();
    if (now - startedAt > timeoutMs) throw notReady(id, `was not ready within ${timeoutMs} ms`, log);
    if (now > inspectAt) {
      await assertRunning(engine, sandbox, signal);
      inspectAt = performance.now() + INSPECT_EVERY_MS;
    }
    await log.more(POLL_MS);
    signal.throwIfAborted();
  }
}

/** Gives an agent that answers its configuration; resolves when kernels can be started. */
export async function configureAgent(
  engine: Engine,
  sandbox: StartedSandbox,
  { timeoutMs, signal }: ReadinessOptions,
): Promise<void> {
  const status = await putConfig(sandbox, timeoutMs, signal);
  if (status === 204) return;
  signal.throwIfAborted();
  await assertRunning(engine, sandbox, signal);
  const reason = status === undefined ? "closed the connection" : `answered with status ${status}`;
  throw notReady(sandbox.id, `${reason} when it was given its configuration`, sandbox.log);
}

/** The error for a sandbox that did not come up, with what it has logged. */
function notReady(id: string, reason: string, log: SandboxLog): IpyboxError {
  const lines = log.tail(LOG_LINES);
  const text =
    `Container ${id.slice(0, 12)} ${reason}. ` +
    (lines === "" ? "It has logged nothing. " : `Its last lines are:\n${lines}\n`) +
    "Its image may be made by another version of ipybox, or by something else: build it anew with `npx ipybox build`.";
  return new IpyboxError("container_start_failed", text, { details: { containerId: id, reason, log: lines } });
}

async function assertRunning(engine: Engine, { id, log }: StartedSandbox, signal: AbortSignal): Promise<void> {
  const state = await engine.inspect(id, signal);
  if (state?.running === true) return;
  // It may have been removed at its end.
  const ending = state?.exitCode === undefined ? await engine.ending(id, signal) : { ...state, exitCode: state.exitCode };
  if (ending === undefined || ("signal" in ending && ending.signal !== undefined)) {
    throw new IpyboxError("container_start_failed", `Container ${id.slice(0, 12)} was removed while it started.`);
  }
  const memory = ending.oomKilled ? ", out of memory: raise memoryBytes" : "";
  throw notReady(id, `ended with status ${ending.exitCode} while it started${memory}`, log);
}

/** The agent's answer, or undefined when there was none. */
function putConfig(
  { address: { host, port }, token, config }: StartedSandbox,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  return new Promise((resolve) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const probe = request(
      { host, port, path: CONFIG_PATH, method: "PUT", headers, agent: false, timeout: timerMs(timeoutMs), signal },
      (response) => {
        response.resume();
        resolve(response.statusCode);
      },
    );
    probe.on("timeout", () => probe.destroy());
    probe.on("error", () => resolve(undefined));
    probe.on("close", () => resolve(undefined));
    probe.end(JSON.stringify(config));
  });
}
