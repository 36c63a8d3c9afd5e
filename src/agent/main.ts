import { readFileSync, unlinkSync } from "node:fs";
import { AGENT_CONFIG_PATH, AGENT_PORT, type AgentConfig } from "../protocol/agent-config.ts";
import type { KernelSpec } from "../protocol/requests.ts";
import { Kernels } from "./kernels.ts";
import { createAgentServer } from "./server.ts";
import { Zygote } from "./zygote.ts";

/** The agent's own, not the image's or the users'. */
const OWN_VARIABLES: ReadonlySet<string> = new Set(["HOSTNAME", "HOME", "USER", "PWD", "OLDPWD", "SHLVL", "_", "DEBIAN_FRONTEND"]);

const config = JSON.parse(readFileSync(AGENT_CONFIG_PATH, "utf8")) as AgentConfig;
unlinkSync(AGENT_CONFIG_PATH);

const zygote = new Zygote();
const server = createAgentServer(config.token, new Kernels(zygote, kernelSpec(config)), zygote);
// On `::` as well as 0.0.0.0: else a cell could listen on the same port of the other one.
server.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EAFNOSUPPORT" && error.code !== "EADDRNOTAVAIL") throw error;
  server.listen(AGENT_PORT, "0.0.0.0");
});
server.listen(AGENT_PORT, "::");
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => process.exit(0));

function kernelSpec({ uid, gid, env }: AgentConfig): KernelSpec {
  const virtualEnv = process.env["VIRTUAL_ENV"] ?? "/venv";
  const imageGid = Number(process.env["IPYBOX_GID"] ?? gid);
  const image = Object.entries(process.env).filter(
    (entry): entry is [string, string] => !entry[0].startsWith("IPYBOX_") && !OWN_VARIABLES.has(entry[0]),
  );
  return {
    uid,
    gid,
    groups: [...new Set([gid, imageGid])],
    env: {
      ...Object.fromEntries(image),
      HOME: "/home/ipybox",
      USER: "ipybox",
      // A script that a cell starts shows what it prints as it prints it.
      PYTHONUNBUFFERED: "1",
      MPLBACKEND: "module://matplotlib_inline.backend_inline",
      ...env,
    },
    cwd: "/app",
    virtual_env: virtualEnv,
  };
}
