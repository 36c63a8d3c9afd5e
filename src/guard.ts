import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import type { Socket } from "node:net";
import { fileURLToPath } from "node:url";

const REAPER = fileURLToPath(new URL("./reaper.js", import.meta.url));

/** Waits for a line, at next to no cost; where none comes before the end, it becomes the program that is behind it. */
const WAIT = 'IFS= read -r _ || exec "$@"';

/** Something that outlives this process, and tidies up should this process end before it was dismissed. */
export interface Guard {
  /** Nothing is left to tidy up. */
  dismiss(): void;
}

const NONE: Guard = { dismiss: () => undefined };

/**
 * Sees to it that a start's container goes when this process ends without having removed it: killed, crashed, or just done.
 * The container's own lease does that, too, but is not there before the container runs.
 */
export function guard(session: string, dockerHost: string | undefined): Guard {
  // In a program that was bundled into one file.
  if (!existsSync(REAPER)) return NONE;
  const reaper = [process.execPath, REAPER, session, ...(dockerHost === undefined ? [] : [dockerHost])];
  const [command = "", ...args] = process.platform === "win32" ? reaper : ["/bin/sh", "-c", WAIT, "sh", ...reaper];
  let child: ChildProcess;
  try {
    child = spawn(command, args, {
      // A session of its own: what ends this one, say a terminal that is closed, must not end it.
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
      windowsHide: true,
      // Options of this program's Node are none of its business. In Electron, it is to be Node.
      env: { ...process.env, NODE_OPTIONS: "", ELECTRON_RUN_AS_NODE: "1" },
    });
  } catch {
    // Node's permissions forbid it, or a variable of the environment is too long for a program.
    return NONE;
  }
  // Without it, the lease alone must do.
  child.on("error", () => undefined);
  child.unref();
  const stdin = child.stdin as Socket | null; // null where there are no more descriptors
  stdin?.on("error", () => undefined);
  stdin?.unref();
  return { dismiss: () => stdin?.end("\n") };
}
