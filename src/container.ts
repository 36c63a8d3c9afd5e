import { randomBytes, randomUUID } from "node:crypto";
import { parseBinds } from "./binds.ts";
import { Control } from "./control.ts";
import { isAgentAt } from "./direct-address.ts";
import type { Engine, NetworkChange, SandboxAddress, SandboxAddresses, SandboxLog } from "./engine/engine.ts";
import { ContainerDiedError, IpyboxError } from "./errors.ts";
import { FileChannels } from "./files/file-channels.ts";
import { Files } from "./files/files.ts";
import { guard, type Guard } from "./guard.ts";
import { fullImageName } from "./image-reference.ts";
import { abortAfter } from "./internal/abort-after.ts";
import { DEFAULTS, type ExecutionContainerOptions, parseContainerOptions, parseNetworkPolicy } from "./options.ts";
import { ensureImage } from "./pull.ts";
import { ContainerNetwork, holdPolicy } from "./container-network.ts";
import { type NetworkPolicy, readPolicy } from "./network/policy.ts";
import { agentAnswers, configureAgent } from "./readiness.ts";
import { removeRuntimeEntry, saveRuntimeEntry } from "./runtime-dir.ts";
import { agentConfig, checkPolicy, sandboxSpec } from "./sandbox-spec.ts";
import { sweep } from "./sweep.ts";
import { findAgent } from "./target.ts";

/** A container that runs, and all that is needed to reach and remove it. */
interface Running {
  readonly engine: Engine;
  readonly id: string;
  readonly token: string;
  readonly address: SandboxAddress;
  /** The owner's connection to the agent. */
  readonly control: Control;
  readonly network: ContainerNetwork;
  readonly guard: Guard;
  readonly fileChannels: FileChannels;
  readonly files: Files;
}

/** A start that is under way or done. */
interface Life {
  readonly controller: AbortController;
  readonly started: Promise<Running>;
}

/**
 * A Docker container in which code is executed.
 *
 * ```ts
 * await using container = await ExecutionContainer.create({ tag: "my-box:v1" });
 * ```
 *
 * Without `await using`, call `run()` and, at the end, `kill()`.
 */
export class ExecutionContainer {
  readonly #options: ExecutionContainerOptions;
  #life: Life | undefined;
  #running: Running | undefined;
  #killing: Promise<void> | undefined;
  #killed = false;

  /**
   * Only checks the options; `run()` starts the container.
   *
   * @throws IpyboxError `invalid_option`, naming the option.
   */
  constructor(options: ExecutionContainerOptions = {}) {
    this.#options = parseContainerOptions(options);
    if (this.#options.tag !== undefined) fullImageName(this.#options.tag);
    parseBinds(this.#options.binds ?? {});
  }

  /** Runs a new container. Leaving its `await using` block kills it. See `run()` for what is thrown. */
  static async create(options: ExecutionContainerOptions = {}): Promise<ExecutionContainer> {
    const container = new ExecutionContainer(options);
    await container.run();
    return container;
  }

  /** The full name of the image. */
  get tag(): string {
    return fullImageName(this.#options.tag ?? DEFAULTS.tag);
  }

  /** Host port on which code is executed. Throws `invalid_state` before `run()` and after `kill()`. */
  get port(): number {
    return this.#require("port").address.port;
  }

  /** Host to connect to. Throws `invalid_state` before `run()` and after `kill()`. */
  get host(): string {
    return this.#require("host").address.host;
  }

  /** What a client must know to be let in. Throws `invalid_state` before `run()` and after `kill()`. */
  get token(): string {
    return this.#require("token").token;
  }

  /** The daemon's id of the container. Throws `invalid_state` before `run()` and after `kill()`. */
  get id(): string {
    return this.#require("id").id;
  }

  /** The container's files. Throws `invalid_state` before `run()` and after `kill()`. */
  get files(): Files {
    return this.#require("files").files;
  }

  /**
   * Starts the container and resolves once code can be executed. Does nothing if it runs already.
   * If anything fails, nothing is left behind.
   *
   * @throws IpyboxError `image_not_found`, `port_taken`, `bind_failed`, `network_failed`, `container_start_failed`,
   * `daemon_unreachable`, `daemon_permission`, `daemon_too_old`; the reason of `signal` once that aborts.
   */
  async run(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    await this.#killing;
    if (this.#killed && this.#life !== undefined) await this.kill(); // which has failed before
    this.#life ??= this.#begin(options.signal);
    await this.#life.started;
  }

  /** Ends and removes the container, and one that is just starting. Does nothing if there is none. */
  async kill(): Promise<void> {
    this.#killing ??= this.#end().finally(() => {
      this.#killing = undefined;
    });
    await this.#killing;
  }

  /**
   * Changes what cells may reach, those that run included: open connections that the new policy denies are cut within a second.
   * Resolves once it holds. If it fails, the policy before holds on.
   *
   * @throws IpyboxError `invalid_option` for a bad policy, `invalid_state` before `run()` and after `kill()`, `network_failed`,
   * `agent_failed`, `connection_lost`, `daemon_unreachable`; ContainerDiedError when it is killed meanwhile; the reason of `signal`.
   */
  async setNetwork(policy: NetworkPolicy, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    const checked = parseNetworkPolicy(policy, "ExecutionContainer.setNetwork");
    checkPolicy(checked, this.#options.runtime);
    await this.#require("setNetwork").network.set(checked, options.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #begin(signal: AbortSignal | undefined): Life {
    this.#killed = false;
    const controller = new AbortController();
    const signals = [controller.signal, this.#options.signal, signal].filter((one) => one !== undefined);
    const started = this.#start(AbortSignal.any(signals)).then(
      (running) => (this.#running = running),
      (error: unknown) => {
        if (this.#life === life) this.#life = undefined;
        throw error;
      },
    );
    const life = { controller, started };
    return life;
  }

  async #start(signal: AbortSignal): Promise<Running> {
    const { dockerHost, showPullProgress = true, startTimeoutMs = DEFAULTS.startTimeoutMs, detached = false } = this.#options;
    signal.throwIfAborted();
    // dockerode takes 100 ms to load: only when it is used.
    const { DockerEngine } = await import("./engine/docker/docker-engine.ts");
    const engine: Engine = new DockerEngine(dockerHost);
    const info = await engine.check(signal);
    const session = { id: randomUUID(), token: randomBytes(32).toString("base64url") };
    const spec = await sandboxSpec(this.#options, session, engine, info);
    await ensureImage(engine, spec.image, { showProgress: showPullProgress, signal });
    const watch = guard(session.id, dockerHost);
    const id = await engine.create(spec, startTimeoutMs).catch((error: unknown) => {
      if (!mayBeMadeYet(error)) watch.dismiss();
      else void sweep(() => engine, session.id, { ref: false }).then((found) => found > 0 && watch.dismiss());
      throw error;
    });
    let log: SandboxLog | undefined;
    let address: SandboxAddresses | undefined;
    let held: Promise<NetworkChange> | undefined;
    let opening: Promise<Control> | undefined;
    try {
      const inTime = AbortSignal.any([signal, abortAfter(startTimeoutMs, () => notStarted(id, startTimeoutMs))]);
      log = await engine.watchLog(id, inTime);
      const policy = readPolicy(this.#options.network ?? DEFAULTS.network);
      const policied = { id, image: spec.image, labels: spec.labels };
      const started = engine.start(id, inTime);
      held = holdPolicy(engine, policied, policy, { after: started, timeoutMs: startTimeoutMs, signal: inTime });
      held.catch(() => undefined); // awaited below, unless the start fails
      await started;
      address = await engine.address(id, inTime);
      const { host, port, own } = address;
      const { token } = session;
      const entry = { token, containerId: id, session: session.id, dockerHost: engine.url };
      await saveRuntimeEntry(host, port, entry);
      const sandbox = { id, address, token, log, config: agentConfig(this.#options) };
      await agentAnswers(engine, sandbox, { timeoutMs: startTimeoutMs, signal });
      opening = Control.open({ ...address, token }, { timeoutMs: startTimeoutMs, signal: inTime });
      // Only an agent that is configured starts kernels.
      const configured = held.then(() => configureAgent(engine, sandbox, { timeoutMs: startTimeoutMs, signal }));
      const [control, change, isOwn] = await Promise.all([opening, held, own !== undefined && isAgentAt(own, token), configured]);
      if (isOwn) await saveRuntimeEntry(host, port, { ...entry, direct: own });
      if (detached) watch.dismiss();
      const fileChannels = new FileChannels(await findAgent({ host, port, token }), DEFAULTS.connectTimeoutMs);
      const { onDenied } = this.#options;
      if (onDenied !== undefined) {
        // Not from where messages are read: what it throws must not end the connection.
        control.on("denied", ({ denials }) => denials.forEach((denial) => queueMicrotask(() => onDenied(denial))));
      }
      const network = new ContainerNetwork(engine, policied, control, policy, change);
      return { engine, id, token, address, control, network, guard: watch, fileChannels, files: new Files(fileChannels) };
    } catch (error) {
      opening?.then((control) => control.close()).catch(() => undefined);
      await held?.then(({ gone }) => gone).catch(() => undefined);
      const [cleanup] = await Promise.allSettled([discard({ engine, id, address, guard: watch })]);
      if (cleanup.status === "fulfilled") throw error;
      const errors = [error, cleanup.reason];
      throw new AggregateError(errors, errors.map(messageOf).join(" And then: "), { cause: error });
    } finally {
      log?.close();
    }
  }

  async #end(): Promise<void> {
    const life = this.#life;
    if (life === undefined) return;
    const reason = new IpyboxError("invalid_state", "The container was killed while it started. Call run() to start it again.");
    life.controller.abort(reason);
    const running = await life.started.catch(() => undefined);
    this.#running = undefined;
    this.#killed = true;
    if (running !== undefined) {
      running.control.close();
      running.fileChannels.close(new ContainerDiedError("it was killed"));
      await Promise.all([discard(running), running.network.settled()]);
    }
    this.#life = undefined;
  }

  #require(property: string): Running {
    if (this.#running !== undefined) return this.#running;
    const when = this.#killed ? "after kill()" : "before run() has resolved";
    const text = `ExecutionContainer.${property} is not there ${when}: no container runs. Call run() first.`;
    throw new IpyboxError("invalid_state", text, { details: { property } });
  }
}

/** What there is of a container that is to go. */
type Remains = Pick<Running, "engine" | "id" | "guard"> & { readonly address: SandboxAddress | undefined };

/** Removes a container and what is stored of it; the one even if the other fails. */
async function discard({ engine, id, address, guard }: Remains): Promise<void> {
  const entry = address === undefined ? undefined : removeRuntimeEntry(address.host, address.port, id);
  const failures = (await Promise.allSettled([engine.remove(id), entry])).flatMap((step) =>
    step.status === "rejected" ? [step.reason as unknown] : [],
  );
  if (failures.length > 1) throw new AggregateError(failures, failures.map(messageOf).join(" "));
  if (failures.length === 1) throw failures[0];
  guard.dismiss();
}

/** Whether the daemon may create a container all the same, for all that it has said. */
function mayBeMadeYet(error: unknown): boolean {
  return !(error instanceof IpyboxError) || error.code === "daemon_unreachable";
}

function notStarted(id: string, timeoutMs: number): IpyboxError {
  const text = `Container ${id.slice(0, 12)} did not start within ${timeoutMs} ms. Raise startTimeoutMs if the host is only slow.`;
  return new IpyboxError("container_start_failed", text, { details: { containerId: id, timeoutMs } });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
