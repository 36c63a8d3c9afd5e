import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { lookup } from "node:dns/promises";
import { existsSync, openSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { hostname, networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import Docker from "dockerode";
import { connectDocker } from "../../src/engine/docker/connect.ts";
import { resolveEndpoint } from "../../src/engine/docker/endpoint.ts";

const run = promisify(execFile);

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 15_000;

/** A Docker daemon beside the machine's own, with an image. It is stopped and its data removed when it is disposed. */
export interface SecondDaemon extends AsyncDisposable {
  /** As `DOCKER_HOST` is written. Only this machine reaches it. */
  readonly dockerHost: string;
}

/** Why this machine can't run a second daemon, or undefined when it can. */
export function secondDaemonObstacle(): string | undefined {
  if (process.platform !== "linux") return "it is no Linux machine";
  if (process.getuid?.() !== 0) return "only root can start a Docker daemon";
  const missing = ["dockerd", "ip", "umount"].find((program) => !isInstalled(program));
  return missing === undefined ? undefined : `${missing} is not installed`;
}

/**
 * Starts a daemon and copies an image of the machine's own daemon to it.
 *
 * @throws Error when it does not answer within 30 s, with the end of its log.
 */
export async function startSecondDaemon(image: string): Promise<SecondDaemon> {
  const bridge = `ipybox-${randomBytes(3).toString("hex")}`;
  const directory = await mkdtemp(join(tmpdir(), "ipybox-second-daemon-"));
  const { name, address } = await loopbackHost();
  const port = await freePort(address);
  let child: ChildProcess | undefined;
  const stop = async (): Promise<void> => {
    if (child !== undefined) await end(child);
    for (const path of await mountsBelow(directory)) await run("umount", ["-l", path]);
    await rm(directory, { recursive: true, force: true });
    await run("ip", ["link", "delete", bridge]).catch(() => undefined);
  };
  try {
    await addBridge(bridge);
    const log = join(directory, "log");
    const output = openSync(log, "a");
    child = spawn("dockerd", daemonArguments(directory, bridge, `tcp://${address}:${port}`), {
      stdio: ["ignore", output, output],
    });
    const daemon = new Docker({ protocol: "http", host: address, port });
    await answers(daemon, child, log);
    const archive = await connectDocker(resolveEndpoint()).getImage(image).get();
    await text(await daemon.loadImage(archive));
    return { dockerHost: `tcp://${name}:${port}`, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function daemonArguments(directory: string, bridge: string, host: string): readonly string[] {
  return [
    ...["--host", host, "--tls=false"],
    ...["--data-root", join(directory, "data"), "--exec-root", join(directory, "exec"), "--pidfile", join(directory, "pid")],
    // Nothing is shared with the machine's own daemon: a daemon that starts clears the firewall's rules of all.
    ...["--bridge", bridge, "--iptables=false", "--ip-masq=false", "--ip-forward=false"],
    ...["--containerd-namespace", bridge, "--containerd-plugins-namespace", `${bridge}-plugins`],
  ];
}

/** Where this machine reaches itself: under its own name if that leads to the loopback, as a remote host would be named. */
async function loopbackHost(): Promise<{ readonly name: string; readonly address: string }> {
  const name = hostname();
  const found = await lookup(name, { family: 4 }).catch(() => undefined);
  return found?.address.startsWith("127.") === true
    ? { name, address: found.address }
    : { name: "127.0.0.1", address: "127.0.0.1" };
}

async function freePort(host: string): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function addBridge(name: string): Promise<void> {
  const taken = Object.values(networkInterfaces()).flatMap((addresses) => addresses?.map(({ address }) => address) ?? []);
  const subnet = Array.from({ length: 200 }, (_, index) => `172.31.${index + 20}`).find(
    (prefix) => !taken.some((address) => address.startsWith(`${prefix}.`)),
  );
  if (subnet === undefined) throw new Error("all of 172.31.20.0 to 172.31.219.0 is taken");
  await run("ip", ["link", "add", name, "type", "bridge"]);
  await run("ip", ["address", "add", `${subnet}.1/24`, "dev", name]);
  await run("ip", ["link", "set", name, "up"]);
}

async function answers(daemon: Docker, child: ChildProcess, log: string): Promise<void> {
  let failure: string | undefined;
  child.once("error", (error) => (failure = `it can't be run: ${error.message}`));
  child.once("exit", (code, signal) => (failure = `it ended with ${signal ?? code}`));
  for (const deadline = Date.now() + START_TIMEOUT_MS; ; await delay(100)) {
    if (await daemon.ping().then(Boolean, () => false)) return;
    if (Date.now() > deadline) failure ??= `it does not answer within ${START_TIMEOUT_MS} ms`;
    if (failure === undefined) continue;
    const tail = (await readFile(log, "utf8")).trimEnd().split("\n").slice(-15).join("\n");
    throw new Error(`The second Docker daemon does not come up: ${failure}.\n${tail}`);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(timer);
}

/** Deepest first. */
async function mountsBelow(directory: string): Promise<readonly string[]> {
  const lines = (await readFile("/proc/self/mountinfo", "utf8")).trimEnd().split("\n");
  const paths = lines.map((line) => line.split(" ")[4] ?? "").filter((path) => path.startsWith(`${directory}/`));
  return paths.sort().reverse();
}

function isInstalled(program: string): boolean {
  return (process.env.PATH ?? "").split(":").some((directory) => existsSync(join(directory, program)));
}
