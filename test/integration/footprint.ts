import { readdirSync, readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { docker } from "./docker.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** What a process holds. */
export interface Footprint {
  readonly bytes: number;
  readonly descriptors: number;
}

/** What this process holds, and has not let go of: timers, sockets, children. */
export async function ownFootprint(): Promise<Footprint & { readonly handles: Readonly<Record<string, number>> }> {
  // What is closed is told in the next turns of the event loop.
  for (let turn = 0; turn < 5; turn += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    collectGarbage();
  }
  const handles: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) handles[kind] = (handles[kind] ?? 0) + 1;
  return { bytes: process.memoryUsage().heapUsed, descriptors: readdirSync("/proc/self/fd").length, handles };
}

/** Ids of the children of this process. */
export function children(): readonly string[] {
  return readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").trim().split(" ").filter(Boolean);
}

// A kernel has the zygote's command, but is not root; the one that waits to be a kernel leads a session.
const LOOK = `for p in /proc/[0-9]*; do
  [ "$(stat -c %u $p 2>/dev/null)" = 0 ] || continue
  read -r pid name state parent group session rest < $p/stat 2>/dev/null || continue
  [ "$pid" = "$session" ] && continue
  case "$(tr '\\0' ' ' < $p/cmdline 2>/dev/null)" in
    *"$1"*) echo $(sed -n 's/^RssAnon:[^0-9]*\\([0-9]*\\).*/\\1/p' $p/status) $(ls $p/fd | wc -l);;
  esac
done | sort -n | tail -1`;

/** What agent and zygote of a container hold. */
export async function agentFootprint(id: string): Promise<{ readonly agent: Footprint; readonly zygote: Footprint }> {
  return {
    agent: await look(id, "/opt/ipybox/agent/agent.cjs"),
    zygote: await look(id, "/usr/bin/python3 -I -S -u /opt/ipybox"),
  };
}

/** The same once the zygote has warmed up, which it does when it has been idle for a moment. */
export async function restingFootprint(id: string): ReturnType<typeof agentFootprint> {
  for (let last = await agentFootprint(id); ;) {
    await new Promise((resolve) => setTimeout(resolve, 700));
    const next = await agentFootprint(id);
    if (next.zygote.bytes === last.zygote.bytes) return next;
    last = next;
  }
}

/** The largest process whose command has this in it. */
async function look(id: string, command: string): Promise<Footprint> {
  const exec = await docker
    .getContainer(id)
    .exec({ Cmd: ["sh", "-c", LOOK, "sh", command], AttachStdout: true, AttachStderr: false, User: "0", Tty: true });
  const stream = await exec.start({ Tty: true });
  let text = "";
  for await (const chunk of stream as AsyncIterable<Buffer>) text += chunk.toString();
  const [kib = Number.NaN, descriptors = Number.NaN] = text.trim().split(" ").map(Number);
  if (Number.isNaN(kib + descriptors)) throw new Error(`${command} can't be found: ${JSON.stringify(text)}`);
  return { bytes: kib * 1024, descriptors };
}
