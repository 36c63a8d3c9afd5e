import { execFile } from "node:child_process";

const COMMAND = ["/usr/bin/python3", "-I", "-S", "/opt/ipybox/python/ipybox_kernel/disk_usage.py"] as const;
const TIMEOUT_MS = 60_000;
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** When the sandbox started, as Unix time in seconds. Files that are newer are what cells have written. */
const SINCE = Date.now() / 1000;

/** What cells have written. */
export interface DiskUsage {
  /** What is on the sandbox's own disk of it. */
  readonly bytes: number;
  /** False when it is more: enough was seen, or the time was up. */
  readonly complete: boolean;
  /** What each session has ever written, also to other disks, by the id of its first process. */
  readonly written: ReadonlyMap<number, number>;
}

/** When to stop measuring. */
export interface MeasureBounds {
  readonly enoughBytes: number;
  readonly seconds: number;
}

/** Measures, as the users' own user: root without capabilities can't look everywhere. */
export function measureDiskUsage(
  user: { readonly uid: number; readonly gid: number },
  { enoughBytes, seconds }: MeasureBounds,
): Promise<DiskUsage> {
  const [command, ...args] = COMMAND;
  return new Promise((resolve, reject) => {
    execFile(
      command,
      [...args, String(SINCE), String(enoughBytes), String(seconds)],
      {
        uid: user.uid,
        gid: user.gid,
        env: {},
        cwd: "/",
        timeout: TIMEOUT_MS,
        killSignal: "SIGKILL",
        maxBuffer: MAX_ANSWER_BYTES,
      },
      (error, stdout) => {
        if (error !== null) return reject(error);
        try {
          resolve(readUsage(stdout));
        } catch (cause) {
          reject(new Error("the disk's use can't be understood", { cause }));
        }
      },
    );
  });
}

function readUsage(text: string): DiskUsage {
  const { bytes, complete, written } = JSON.parse(text) as Record<"bytes" | "complete", unknown> & { written: object };
  const sessions = Object.entries(written).map(([session, count]) => [Number(session), Number(count)] as const);
  const numbers = [bytes, ...sessions.flat()];
  if (!numbers.every((number) => Number.isSafeInteger(number))) throw new TypeError("not all are integers");
  return { bytes: bytes as number, complete: complete === true, written: new Map(sessions) };
}
