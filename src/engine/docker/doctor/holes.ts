import type { Finding } from "../../doctor.ts";
import { componentVersion, type Facts } from "./facts.ts";
import { isMended } from "./versions.ts";

interface Hole {
  readonly name: string;
  readonly part: "Engine" | "runc";
  /** The first versions without it, one for each line that was mended. */
  readonly mendedIn: readonly string[];
  /** What it lets happen, and whether this package's containers are open to it. */
  readonly what: string;
}

const HOLES: readonly Hole[] = [
  {
    name: "CVE-2024-21626",
    part: "runc",
    mendedIn: ["1.1.12"],
    what: "a working directory that leads out; the one of these containers is fixed",
  },
  {
    name: "CVE-2025-31133, CVE-2025-52565, CVE-2025-52881",
    part: "runc",
    mendedIn: ["1.2.8", "1.3.3"],
    what: "races with masked paths and /dev/console at the start; these containers have no terminal and share no mounts",
  },
  {
    name: "CVE-2024-29018",
    part: "Engine",
    mendedIn: ["23.0.11", "25.0.5", "26.0.0"],
    what: "names are resolved on networks that are internal",
  },
  {
    name: "moby 45610",
    part: "Engine",
    mendedIn: ["28.0.0"],
    what: "ports on 127.0.0.1 are in reach of the local network's other machines; a token is asked for all the same",
  },
  {
    name: "CVE-2026-41567, CVE-2026-41568, CVE-2026-42306",
    part: "Engine",
    mendedIn: ["29.5.1"],
    what: "copying from and to running containers follows links; this package never does, but `docker cp` does",
  },
];

/** Holes of the engine and its runtime that are known and not mended in the versions that run. */
export function knownHoles(facts: Facts): Finding {
  const versions = { Engine: facts.version.Version, runc: componentVersion(facts, "runc") };
  const open = HOLES.filter(({ part, mendedIn }) => {
    const version = versions[part];
    return version !== undefined && !isMended(version, mendedIn);
  });
  const found = `Engine ${versions.Engine}, runc ${versions.runc ?? "unknown"}`;
  if (open.length === 0) return { check: "known-holes", status: "ok", found: `${found}: none known` };
  const list = open.map(({ name, part, mendedIn, what }) => `${name} (${part} before ${mendedIn.join(", ")}): ${what}`);
  return {
    check: "known-holes",
    status: "advice",
    found: `${found}: ${open.length} by their version numbers; a distribution may have mended them in its own`,
    remedy: `Upgrade, or see your distribution's notes. ${list.join(". ")}.`,
  };
}
