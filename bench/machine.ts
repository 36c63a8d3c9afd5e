import { readFileSync } from "node:fs";
import { cpus, release, totalmem, type } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import type { Bench } from "./bench.ts";
import { docker } from "./docker.ts";

/** What a figure depends on besides the code. Nothing in it names the machine. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly kernel: string;
  /** Software → version. */
  readonly versions: Readonly<Record<string, string>>;
}

export async function describeMachine(bench: Bench): Promise<Machine> {
  const [processor] = cpus();
  const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };
  return {
    processor: processor?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 1024 ** 3),
    kernel: `${type()} ${release().replace(/-.*/, "")}`,
    versions: {
      ipybox: manifest.version,
      "Node.js": process.versions.node,
      "Docker Engine": await docker("version", "--format", "{{.Server.Version}}"),
      ...(await imageVersions(bench)),
      "@jupyterlab/services": packageVersion(`${bench.packages}/node_modules/@jupyterlab/services/package.json`),
    },
  };
}

/** How much of all processors is in use by whatever runs, from 0 to 1, over a second. */
export async function busyShare(): Promise<number> {
  const before = processorTimes();
  await delay(1_000);
  const after = processorTimes();
  return 1 - (after.idle - before.idle) / (after.all - before.all);
}

function processorTimes(): { readonly idle: number; readonly all: number } {
  const times = cpus().map((cpu) => cpu.times);
  const idle = times.reduce((sum, time) => sum + time.idle, 0);
  return { idle, all: times.reduce((sum, time) => sum + time.user + time.nice + time.sys + time.irq, idle) };
}

async function imageVersions({ image, peersImage }: Bench): Promise<Readonly<Record<string, string>>> {
  const own = await docker(
    ...["run", "--rm", "--entrypoint", "sh", image, "-c"],
    'node --version; python3 -c \'import sys; sys.path.append("/opt/ipybox/python"); import IPython, platform; ' +
      "print(platform.python_version(), IPython.__version__)'",
  );
  const [node = "", python = ""] = own.split("\n");
  const peers = await docker(
    ...["run", "--rm", peersImage, "sh", "-c"],
    'for peer in ipybox jupyter llm-sandbox; do /peers/$peer/bin/pip list --format=freeze | sed "s/^/$peer /"; done',
  );
  const versionOf = (peer: string, name: string): string =>
    new RegExp(`^${peer} ${name.replace(/[-_]/g, "[-_]")}==(.*)$`, "m").exec(peers)?.[1] ?? "unknown";
  return {
    "Python (all images)": python.split(" ")[0] ?? "",
    "Node.js (image)": node.slice(1),
    "IPython (ipybox)": python.split(" ")[1] ?? "",
    "ipybox (Python)": versionOf("ipybox", "ipybox"),
    "jupyter-kernel-gateway, ipykernel (for it)": `${versionOf("ipybox", "jupyter-kernel-gateway")}, ${versionOf("ipybox", "ipykernel")}`,
    "jupyter_client, ipykernel": `${versionOf("jupyter", "jupyter-client")}, ${versionOf("jupyter", "ipykernel")}`,
    jupyter_server: versionOf("jupyter", "jupyter-server"),
    "llm-sandbox": versionOf("llm-sandbox", "llm-sandbox"),
    "numpy, pandas, matplotlib": ["numpy", "pandas", "matplotlib"].map((name) => versionOf("jupyter", name)).join(", "),
  };
}

function packageVersion(path: string): string {
  return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version;
}
