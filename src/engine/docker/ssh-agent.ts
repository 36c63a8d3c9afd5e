import { spawn } from "node:child_process";
import { Agent } from "node:http";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { Endpoint } from "./endpoint.ts";

type SshEndpoint = Extract<Endpoint, { kind: "ssh" }>;

/**
 * An HTTP agent whose connections run over the user's own `ssh`: its keys, its configuration, and above
 * all its check of host keys against known_hosts.
 */
export function sshAgent(endpoint: SshEndpoint): Agent {
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 2, timeout: 30_000 });
  const createConnection = (): Duplex => new SshConnection(endpoint);
  return Object.assign(agent, { createConnection });
}

/** The arguments of the `ssh` that carries one connection. */
export function sshArguments(endpoint: SshEndpoint): readonly string[] {
  return [
    ...["-o", "BatchMode=yes", "-o", "ConnectTimeout=5", "-T"],
    ...(endpoint.port === undefined ? [] : ["-p", String(endpoint.port)]),
    ...(endpoint.user === undefined ? [] : ["-l", endpoint.user]),
    ...["--", endpoint.host, "docker", "system", "dial-stdio"],
  ];
}

/** One `ssh … docker system dial-stdio`, as the socket that an HTTP agent expects. */
class SshConnection extends Duplex {
  readonly #child;
  #complaint = "";

  constructor(endpoint: SshEndpoint) {
    super({ allowHalfOpen: true });
    const child = spawn("ssh", sshArguments(endpoint), { stdio: ["pipe", "pipe", "pipe"] });
    this.#child = child;
    child.stdout.on("data", (chunk: Buffer) => {
      if (!this.push(chunk)) child.stdout.pause();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      this.#complaint = (this.#complaint + chunk.toString()).slice(-2000);
    });
    child.stdin.on("error", () => undefined);
    child.on("error", (cause) => this.destroy(new Error(`ssh can't be run: ${cause.message}`, { cause })));
    child.on("close", (status) => {
      if (status === 0) this.push(null);
      else this.destroy(new Error(this.#complaint.trim() || `ssh ended with status ${status}`));
    });
  }

  override _read(): void {
    this.#child.stdout.resume();
  }

  // A pipe that is broken says nothing: the reason comes with the end of `ssh`.
  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.#child.stdin.write(chunk, () => callback());
  }

  override _final(callback: () => void): void {
    this.#child.stdin.end(() => callback());
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#child.kill();
    callback(error);
  }

  // What an agent asks of a socket. An idle connection must not keep the process alive.
  setKeepAlive(): this {
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  setTimeout(): this {
    return this;
  }
  ref(): this {
    this.#handles().forEach((handle) => handle.ref?.());
    return this;
  }
  unref(): this {
    this.#handles().forEach((handle) => handle.unref?.());
    return this;
  }

  // Pipes are sockets, though their types don't say so.
  #handles(): Partial<Record<"ref" | "unref", () => unknown>>[] {
    const { stdin, stdout, stderr } = this.#child;
    return [this.#child, stdin as Socket, stdout as Socket, stderr as Socket];
  }
}
