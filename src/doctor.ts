import { ExecutionClient } from "./client.ts";
import { ExecutionContainer } from "./container.ts";
import type { Finding } from "./engine/doctor.ts";
import { fullImageName } from "./image-reference.ts";
import { DEFAULTS } from "./options.ts";

/** What to examine. */
export interface DoctorOptions {
  /** Docker daemon to examine, written as `DOCKER_HOST`. */
  readonly dockerHost?: string | undefined;
  /** Image to try a container of. */
  readonly tag?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Looks at the daemon, and at a container from inside; what is wrong is a finding, never an exception. */
export async function examine(options: DoctorOptions = {}): Promise<readonly Finding[]> {
  const { dockerHost, signal } = options;
  const tag = fullImageName(options.tag ?? DEFAULTS.tag);
  const findings: Finding[] = [];
  try {
    const { DockerEngine } = await import("./engine/docker/docker-engine.ts");
    const engine = new DockerEngine(dockerHost);
    await engine.check(signal);
    findings.push(...(await engine.examine(signal)));
    if (await engine.hasImage(tag, signal)) findings.push(...(await examineInside(options, tag)));
    else
      findings.push({
        check: "container",
        status: "advice",
        found: `there is no image ${tag}`,
        remedy: `Build it: \`npx ipybox build -t ${tag}\`.`,
      });
  } catch (error) {
    signal?.throwIfAborted();
    const check = findings.length === 0 ? "daemon" : "container";
    const [found = "", ...remedy] = (error instanceof Error ? error.message : String(error)).split(/(?<=\.) /);
    findings.push({ check, status: "broken", found, remedy: remedy.join(" ") || "See the message." });
  }
  return findings;
}

const LOOK = `
import ctypes, json, os
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
print(json.dumps({"uid": os.getuid(), "seccomp": status["Seccomp"], "noNewPrivileges": status["NoNewPrivs"], "capabilities": status["CapBnd"],
  "landlock": ctypes.CDLL(None).syscall(444, None, 0, 1)}))`;

interface Inside {
  readonly uid: number;
  readonly seccomp: string;
  readonly noNewPrivileges: string;
  readonly capabilities: string;
  readonly landlock: number;
}

/** Starts a container and looks around in it. */
async function examineInside({ dockerHost, signal }: DoctorOptions, tag: string): Promise<readonly Finding[]> {
  await using container = await ExecutionContainer.create({ tag, dockerHost, signal, showPullProgress: false });
  const { host, port, token } = container;
  await using client = await ExecutionClient.connect({ host, port, token });
  const inside = JSON.parse((await client.execute(LOOK, { timeoutMs: 30_000, signal })).stdout) as Inside;
  const missing = [
    ...(inside.uid === 0 ? ["cells run as root"] : []),
    ...(inside.seccomp === "2" ? [] : ["system calls are not filtered"]),
    ...(inside.noNewPrivileges === "1" ? [] : ["programs can give new privileges"]),
    ...(/^0+$/.test(inside.capabilities) ? [] : ["capabilities are left"]),
  ];
  const confined: Finding =
    missing.length === 0
      ? { check: "container", status: "ok", found: `a cell ran as uid ${inside.uid}, filtered and without capabilities` }
      : {
          check: "container",
          status: "broken",
          found: missing.join(", "),
          remedy: "The daemon or its runtime does not do what it is told. Use another one; don't run code that you don't trust.",
        };
  const abi = Math.max(inside.landlock, 0);
  const apart: Finding =
    abi >= 6
      ? { check: "landlock-inside", status: "ok", found: `Landlock ABI ${abi}: kernels of one container are kept apart` }
      : {
          check: "landlock-inside",
          status: "advice",
          found: abi === 0 ? "Landlock can't be used in containers" : `Landlock ABI ${abi} has no scopes`,
          remedy:
            "Kernels of one container can signal each other. Use a container for each party, or Linux 6.12 or later with lsm=landlock.",
        };
  return [confined, apart];
}
