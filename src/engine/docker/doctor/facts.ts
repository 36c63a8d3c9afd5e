/** What the daemon tells of itself in `/version`, as far as it matters here. */
export interface VersionDocument {
  readonly Version: string;
  readonly ApiVersion: string;
  readonly Os?: string;
  readonly Arch?: string;
  readonly KernelVersion?: string;
  readonly Components?: readonly { readonly Name: string; readonly Version: string }[] | null;
}

/** What it tells in `/info`. */
export interface InfoDocument {
  readonly ServerVersion?: string;
  readonly OperatingSystem?: string;
  readonly KernelVersion?: string;
  readonly Architecture?: string;
  readonly Driver?: string;
  readonly DriverStatus?: readonly (readonly [string, string])[] | null;
  readonly CgroupVersion?: string;
  readonly CgroupDriver?: string;
  readonly SecurityOptions?: readonly string[] | null;
  readonly Runtimes?: Readonly<Record<string, unknown>>;
  readonly DefaultRuntime?: string;
  readonly MemoryLimit?: boolean;
  readonly SwapLimit?: boolean;
  readonly PidsLimit?: boolean;
  readonly CpuCfsQuota?: boolean;
  readonly CPUSet?: boolean;
  readonly LiveRestoreEnabled?: boolean;
  readonly Warnings?: readonly string[] | null;
}

/** The default network's settings. */
export interface NetworkDocument {
  readonly Options?: Readonly<Record<string, string>> | null;
}

/** All that the daemon was asked for. */
export interface Facts {
  readonly version: VersionDocument;
  readonly info: InfoDocument;
  /** Undefined where there is none. */
  readonly bridge?: NetworkDocument | undefined;
}

/** Whether the daemon names a security option: `apparmor`, `userns`, … */
export function hasSecurityOption({ info }: Facts, name: string): boolean {
  return (info.SecurityOptions ?? []).some((option) => option.split(",").includes(`name=${name}`));
}

/** The version of a part of the engine: `runc`, `containerd`. */
export function componentVersion({ version }: Facts, name: string): string | undefined {
  return version.Components?.find((component) => component.Name === name)?.Version;
}
