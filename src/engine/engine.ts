import type { Finding } from "./doctor.ts";

/**
 * What the SDK needs of whatever runs sandboxes. Docker is the first engine (`./docker/`);
 * its words stay there. Errors are `IpyboxError`s with the codes `daemon_*`, `engine_failed`,
 * `image_*`, `port_taken`, `bind_failed`, `network_failed` and `container_start_failed`.
 */
export interface Engine {
  /** The engine's address, as the user has set it. */
  readonly url: string;
  /** Whether host paths and published ports are those of this machine. */
  readonly isLocal: boolean;
  /** Makes sure that the engine answers, within 5 s. */
  check(signal?: AbortSignal): Promise<EngineInfo>;
  /** Looks at how well the engine confines sandboxes. */
  examine(signal?: AbortSignal): Promise<readonly Finding[]>;
  hasImage(image: string, signal?: AbortSignal): Promise<boolean>;
  pullImage(image: string, options: PullOptions): Promise<void>;
  /** Makes an image of a root file system, to build others on. */
  importImage(request: ImportRequest): Promise<void>;
  /** Builds an image. Fails with the builder's last lines, and tags nothing then. */
  buildImage(request: BuildRequest): Promise<BuiltImage>;
  /**
   * Creates a sandbox that does not run yet, with its files in place; none is left when that fails.
   * No signal ends it: the request may still make a sandbox, whose id nobody learns.
   */
  create(spec: SandboxSpec, timeoutMs: number): Promise<string>;
  start(id: string, signal?: AbortSignal): Promise<void>;
  /** Where the agent's port of a running sandbox is reached. */
  address(id: string, signal?: AbortSignal): Promise<SandboxAddresses>;
  /**
   * Changes what a sandbox's network lets through, from outside of the sandbox; resolves once that holds. When it fails,
   * nothing is left of it.
   */
  changeNetwork(id: string, request: NetworkRequest, options: ChangeNetworkOptions): Promise<NetworkChange>;
  /** What is known of a sandbox, or undefined when there is none. */
  inspect(id: string, signal?: AbortSignal): Promise<SandboxState | undefined>;
  /** How a sandbox has ended that is not there any more, as long as the engine remembers it. */
  ending(id: string, signal?: AbortSignal): Promise<SandboxEnding | undefined>;
  /** Keeps what the sandbox's own processes (not cells) log from now on, also when the sandbox is removed. Before its start. */
  watchLog(id: string, signal?: AbortSignal): Promise<SandboxLog>;
  /** Ends and removes a sandbox; succeeds when there is none. */
  remove(id: string): Promise<void>;
  /** Sandboxes that carry all of these labels. */
  list(labels: Readonly<Record<string, string>>): Promise<readonly SandboxSummary[]>;
}

export interface EngineInfo {
  readonly version: string;
  readonly apiVersion: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  /** Names of the runtimes that sandboxes can be given. */
  readonly runtimes: readonly string[];
}

export interface PullOptions {
  readonly onProgress?: ((progress: PullProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface PullProgress {
  readonly receivedBytes: number;
  readonly totalBytes: number;
  readonly status: string;
}

export interface ImportRequest {
  /** With its tag, `name:tag`. */
  readonly tag: string;
  /** A tar of the root file system. */
  readonly rootfs: NodeJS.ReadableStream;
  readonly signal?: AbortSignal | undefined;
}

/** Files of a build: path below the context → content on disk or bytes. */
export type BuildFile =
  | { readonly path: string; readonly source: string; readonly mode?: number }
  | { readonly path: string; readonly content: string | Uint8Array; readonly mode?: number };

export interface BuildRequest {
  readonly tag: string;
  readonly files: readonly BuildFile[];
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** One line of the build's output, as it comes. */
  readonly onOutput?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface BuiltImage {
  readonly id: string;
  readonly sizeBytes: number;
}

export interface SandboxMount {
  /** Absolute path on the host. */
  readonly source: string;
  /** Absolute path in the sandbox. */
  readonly target: string;
  readonly readOnly: boolean;
}

/** A file laid into the sandbox before it starts, owned by its root. */
export interface SandboxFile {
  readonly path: string;
  readonly mode: number;
  readonly content: string | Uint8Array;
}

export interface SandboxSpec {
  readonly image: string;
  readonly mounts: readonly SandboxMount[];
  readonly files: readonly SandboxFile[];
  /** Environment variables of the sandbox's own processes. Anybody who can inspect it can read them. */
  readonly environment: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** Host port to publish the agent's port on; a free one when undefined. */
  readonly port: number | undefined;
  /** The engine removes the sandbox when it ends by itself. */
  readonly removeAtEnd: boolean;
  readonly memoryBytes: number;
  readonly cpus: number;
  readonly pidsLimit: number;
  readonly shmBytes: number;
  readonly openFilesLimit: number;
  readonly coreBytes: number;
  readonly logBytes: number;
  /** Size of the sandbox's own disk, as far as the engine can bound it; null for no bound. */
  readonly diskBytes: number | null;
  /** Nothing but these directories can be written to, and they are in memory. Undefined: everything as the image's rights say. */
  readonly writable: readonly SandboxTmpfs[] | undefined;
  /** One of `EngineInfo.runtimes`; the engine's own choice when undefined. */
  readonly runtime: string | undefined;
  /** System calls that are let through besides the usual ones, or all of them. */
  readonly syscalls: readonly string[] | "all";
}

/** A directory in memory. */
export interface SandboxTmpfs {
  readonly path: string;
  readonly sizeBytes: number;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

export interface NetworkRequest {
  /** The sandbox's own; it has the program that makes the change, `python/ipybox_network`. */
  readonly image: string;
  /** For whatever runs that program. */
  readonly labels: Readonly<Record<string, string>>;
  /** What the program is told. */
  readonly task: string;
  /** The sandbox has its network once this resolves; all else may be made ready before. */
  readonly after?: Promise<unknown> | undefined;
}

export interface NetworkChange {
  /** Resolves once nothing is left of what has made the change; never rejects. */
  readonly gone: Promise<void>;
}

export interface ChangeNetworkOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface SandboxAddress {
  readonly host: string;
  readonly port: number;
}

export interface SandboxAddresses extends SandboxAddress {
  /** The sandbox's own address, where this machine seems to be on its network. It may be somebody else's. */
  readonly own?: SandboxAddress | undefined;
}

export interface SandboxState {
  readonly id: string;
  readonly running: boolean;
  readonly exitCode: number | undefined;
  readonly oomKilled: boolean;
  readonly error: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

/** The end of a sandbox. */
export interface SandboxEnding {
  readonly exitCode: number;
  readonly oomKilled: boolean;
  /** The signal that somebody had the engine send, for instance `SIGKILL`. */
  readonly signal: string | undefined;
}

/** What a sandbox's own processes have logged. */
export interface SandboxLog {
  /** The last lines. */
  tail(lines: number): string;
  /** Resolves when there is more than there was at the last call, or after `timeoutMs`. */
  more(timeoutMs: number): Promise<void>;
  close(): void;
}

export interface SandboxSummary {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly running: boolean;
  readonly createdAt: Date;
  readonly labels: Readonly<Record<string, string>>;
  readonly ports: readonly SandboxAddress[];
}
