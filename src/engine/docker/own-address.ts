import { networkInterfaces } from "node:os";
import type Docker from "dockerode";
import { AGENT_PORT } from "../../protocol/agent-config.ts";
import type { SandboxAddress } from "../engine.ts";
import type { Endpoint } from "./endpoint.ts";

/** A container's address on a bridge of this machine; undefined where Docker runs elsewhere, if only in a virtual machine. */
export function ownAddress(endpoint: Endpoint, { NetworkSettings }: Docker.ContainerInspectInfo): SandboxAddress | undefined {
  if (endpoint.kind !== "socket" || process.platform !== "linux") return undefined;
  const ours = new Set(Object.values(networkInterfaces()).flatMap((addresses) => addresses?.map(({ address }) => address)));
  const network = Object.values(NetworkSettings.Networks ?? {}).find(({ Gateway }) => ours.has(Gateway));
  return network?.IPAddress ? { host: network.IPAddress, port: AGENT_PORT } : undefined;
}
