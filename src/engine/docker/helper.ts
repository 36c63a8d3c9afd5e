import type Docker from "dockerode";

const MIB = 1_048_576;

/** What a one-shot container does for a sandbox, and what it is allowed to. */
export interface HelperRequest {
  /** The sandbox's own: it has the programs. */
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly capabilities: readonly string[];
  readonly memoryMib: number;
  readonly host: Docker.HostConfig;
}

/** How such a container is created: as root of the image, which is read-only, with no rights but those that its task takes. */
export function helperProfile(request: HelperRequest): Docker.ContainerCreateOptions {
  return {
    Image: request.image,
    Labels: { ...request.labels },
    User: "0:0",
    WorkingDir: "/",
    Entrypoint: [...request.command],
    Cmd: [...request.args],
    Healthcheck: { Test: ["NONE"] },
    HostConfig: {
      CapDrop: ["ALL"],
      CapAdd: [...request.capabilities],
      SecurityOpt: ["no-new-privileges:true"],
      ReadonlyRootfs: true,
      Memory: request.memoryMib * MIB,
      MemorySwap: request.memoryMib * MIB,
      PidsLimit: 16,
      LogConfig: { Type: "none", Config: {} },
      RestartPolicy: { Name: "no" },
      Init: false,
      ...request.host,
    },
  };
}
