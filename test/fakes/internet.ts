import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { type Authority, makeAuthority } from "./authority.ts";
import type { HostConfig, Reached, Zone } from "./internet-host.ts";
import { docker } from "../integration/docker.ts";

const run = promisify(execFile);

/** Addresses of the fake internet's hosts. None of them is anybody's here: they are routed into a namespace of the test's own. */
export const ADDRESSES = {
  /** Of 44.128.0.0/16, which is set aside for tests. */
  public: "44.128.0.10",
  otherPublic: "44.128.0.11",
  public6: "2600:ffff:1::10",
  private: "10.77.0.10",
  lan: "192.168.177.10",
  docker: "172.29.0.10",
  carrier: "100.100.100.200",
  benchmark: "198.18.0.10",
  metadata: "169.254.169.254",
  tasks: "169.254.170.2",
  azure: "168.63.129.16",
  metadata6: "fd00:ec2::254",
  private6: "fd77::10",
  documentation6: "2001:db8::10",
} as const;

const GATEWAY = "44.129.0.1";
const GATEWAY6 = "2600:ffff::1";
const MAC = { gateway: "02:00:00:00:77:01", sandbox: "02:00:00:00:77:02" };

/** Why this machine can't have one, or undefined when it can. */
export function internetObstacle(): string | undefined {
  if (process.platform !== "linux") return "it is no Linux machine";
  if (process.getuid?.() !== 0) return "only root can make network namespaces";
  const missing = ["ip", "nsenter"].find(
    (program) => !(process.env["PATH"] ?? "").split(":").some((directory) => existsSync(join(directory, program))),
  );
  return missing === undefined ? undefined : `${missing} is not installed`;
}

/** An internet of the test's own, that containers can be attached to beside Docker's network. It counts what reaches it. */
export class FakeInternet implements AsyncDisposable {
  readonly authority: Authority;
  /** Everything that was received by a host, in order. */
  readonly reached: Reached[] = [];
  readonly #namespace: string;
  readonly #directory: string;
  readonly #links = new Set<string>();
  #host: ChildProcess | undefined;
  #onLine: (() => void) | undefined;

  private constructor(namespace: string, directory: string, authority: Authority) {
    this.#namespace = namespace;
    this.#directory = directory;
    this.authority = authority;
  }

  /** `resolvers` are the addresses that containers of this machine ask for names. */
  static async start(resolvers: readonly string[], names: readonly string[]): Promise<FakeInternet> {
    const directory = await mkdtemp(join(tmpdir(), "ipybox-internet-"));
    const namespace = `ipybox-${randomBytes(3).toString("hex")}`;
    const internet = new FakeInternet(namespace, directory, await makeAuthority(directory));
    try {
      await run("ip", ["netns", "add", namespace]);
      const ip = (...args: readonly string[]): Promise<unknown> => run("ip", ["-n", namespace, ...args]);
      await ip("link", "set", "lo", "up");
      for (const address of new Set([...Object.values(ADDRESSES), ...resolvers, GATEWAY, GATEWAY6])) {
        await ip("address", "add", address, "dev", "lo", ...(address.includes(":") ? ["nodad"] : []));
      }
      const certificate = await internet.authority.issue("hosts", names.map((name) => `DNS:${name}`).join(","));
      await internet.#startHost({ addresses: Object.values(ADDRESSES), resolvers, certificate });
      return internet;
    } catch (error) {
      await internet[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Sets what the resolvers answer. */
  async setZone(zone: Zone): Promise<void> {
    const done = this.#nextAnswer();
    this.#host?.stdin?.write(`${JSON.stringify(zone)}\n`);
    await done;
  }

  /** Makes this the way out of a container that runs. */
  async attach(containerId: string): Promise<Attachment> {
    const { Pid: pid } = (await docker.getContainer(containerId).inspect()).State;
    const name = randomBytes(4).toString("hex");
    const [outer, inner] = [`ip${name}`, `in${name}`];
    await run("ip", ["link", "add", outer, "type", "veth", "peer", "name", inner]);
    this.#links.add(outer);
    await run("ip", ["link", "set", outer, "netns", this.#namespace, "address", MAC.gateway, "addrgenmode", "none"]);
    await run("ip", ["link", "set", inner, "netns", String(pid), "address", MAC.sandbox, "addrgenmode", "none"]);
    const index = this.#links.size + 1; // the gateway has the first address
    const [own, own6] = [`44.129.${index >> 8}.${index & 255}`, `2600:ffff:0:${index.toString(16)}::2`];
    const outside = (...args: readonly string[]): Promise<unknown> => run("ip", ["-n", this.#namespace, ...args]);
    const inside = (...args: readonly string[]): Promise<unknown> => run("nsenter", ["-t", String(pid), "-n", ...args]);
    const settings = ["lo/disable_ipv6", `${inner}/disable_ipv6`, `${inner}/accept_ra`];
    await inside("sh", "-c", settings.map((setting) => `echo 0 > /proc/sys/net/ipv6/conf/${setting}`).join("; "));
    await outside("link", "set", outer, "up");
    await inside("ip", "link", "set", inner, "up");
    await inside("ip", "address", "add", own, "dev", inner);
    await inside("ip", "-6", "address", "add", own6, "dev", inner, "nodad");
    await outside("route", "add", own, "dev", outer);
    await outside("-6", "route", "add", own6, "dev", outer);
    // Nobody has to ask for the other's address: each packet that is counted is a cell's.
    for (const [gateway, family] of [
      [GATEWAY, "-4"],
      [GATEWAY6, "-6"],
    ] as const) {
      await inside("ip", family, "neigh", "replace", gateway, "lladdr", MAC.gateway, "dev", inner, "nud", "permanent");
      await inside("ip", family, "route", "replace", gateway, "dev", inner);
      await inside("ip", family, "route", "replace", "default", "via", gateway, "dev", inner);
    }
    await outside("neigh", "replace", own, "lladdr", MAC.sandbox, "dev", outer, "nud", "permanent");
    await outside("-6", "neigh", "replace", own6, "lladdr", MAC.sandbox, "dev", outer, "nud", "permanent");
    return { own, own6, packets: () => this.#packets(outer) };
  }

  /** What has reached a host since `from`, the length that `reached` had. */
  since(from: number, kind?: Reached["kind"]): readonly Reached[] {
    return this.reached.slice(from).filter((one) => kind === undefined || one.kind === kind);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#host?.kill("SIGKILL");
    // Links go with the namespace.
    await run("ip", ["netns", "delete", this.#namespace]).catch(() => undefined);
    for (const link of this.#links) await run("ip", ["link", "delete", link]).catch(() => undefined);
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #packets(link: string): Promise<number> {
    const { stdout } = await run("ip", ["-n", this.#namespace, "-s", "-j", "link", "show", link]);
    const [found] = JSON.parse(stdout) as readonly { readonly stats64: { readonly rx: { readonly packets: number } } }[];
    return found?.stats64.rx.packets ?? Number.NaN;
  }

  async #startHost(config: HostConfig): Promise<void> {
    const program = join(import.meta.dirname, "internet-host.ts");
    const args = ["netns", "exec", this.#namespace, process.execPath, "--import", "tsx", program, JSON.stringify(config)];
    const host = spawn("ip", args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#host = host;
    const ready = this.#nextAnswer();
    createInterface({ input: host.stdout }).on("line", (line) => {
      const said = JSON.parse(line) as Partial<Reached>;
      if (said.kind === undefined) this.#onLine?.();
      else this.reached.push(said as Reached);
    });
    const failed = new Promise<never>((_, reject) =>
      host.once("exit", (status) => reject(new Error(`the hosts ended with ${status}`))),
    );
    failed.catch(() => undefined);
    await Promise.race([ready, failed]);
  }

  #nextAnswer(): Promise<void> {
    return new Promise((resolve) => (this.#onLine = resolve));
  }
}

/** A container's way out. */
export interface Attachment {
  /** The container's own addresses on it. */
  readonly own: string;
  readonly own6: string;
  /** How many packets have come out of the container this way, whatever they were. */
  packets(): Promise<number>;
}
