import { readdir, readFile, statfs } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { type DiskUsage, measureDiskUsage } from "./disk-usage.ts";
import type { Kernels } from "./kernels.ts";

/** How often it is looked whether the disk behind the sandbox has less room, which costs nothing. */
const LOOK_MS = 250;
/** While the disk is full: room that is made, and taken again at once, must be seen. */
const LOOK_WHEN_FULL_MS = 50;

/** When use is measured though the disk has not less room: others may have made some. */
const BUSY_MS = 10_000;
const IDLE_MS = 60_000;

/** Measuring takes at most one part in so many of the time. */
const REST = 10;

/** When it is tried again that could not be done, and how often before somebody is to blame. */
const AGAIN_MS = 1_000;
const FAILURES = 3;

/** What a file counts at least. */
const FILE_BYTES = 4096;

/** How long what was ended may take to be gone. */
const SETTLE_MS = 300;

/** Growth that is worth a look, and that ends a kernel once the disk is full. */
const NOTABLE_BYTES = 1024 * 1024;

/** To find out soon, measuring ends where it is clear; when nobody writes any more, it is done to the end. */
const SOON = { seconds: 4 };
const ALL = { enoughBytes: Number.MAX_SAFE_INTEGER, seconds: 30 };

/** Whose disk is watched. */
export interface DiskTerms {
  readonly uid: number;
  readonly gid: number;
  readonly diskBytes: number;
}

/**
 * Ends kernels that write more to the sandbox's own disk than `diskBytes`, until the agent ends. Does nothing where the
 * engine's storage keeps the bound by itself.
 */
export function watchDisk(kernels: Kernels, terms: DiskTerms): void {
  new DiskWatch(kernels, terms).run().catch((error: unknown) => console.error("agent: the disk is not watched:", error));
}

class DiskWatch {
  readonly #kernels: Kernels;
  readonly #terms: DiskTerms;
  #usage: DiskUsage = { bytes: 0, complete: true, written: new Map() };
  /** Use beyond which a kernel is ended; while the disk is full, a little more than the least that it was since. */
  #markBytes: number;
  /** Whether a kernel was just ended, and may have written until then. */
  #settling = false;
  /** The room on the disk when use was last measured. */
  #room = 0;
  /** The most room that was seen since then. */
  #mostRoom = 0;
  #measuredAt = 0;
  /** How often in a row use could not be measured. */
  #failures = 0;
  #restUntil = 0;

  constructor(kernels: Kernels, terms: DiskTerms) {
    this.#kernels = kernels;
    this.#terms = terms;
    this.#markBytes = terms.diskBytes;
  }

  async run(): Promise<void> {
    const { bsize, blocks } = await statfs("/");
    // With a quota, the disk has just the size that was asked for.
    if (bsize * blocks <= this.#terms.diskBytes * 1.05) return;
    this.#room = this.#mostRoom = await readRoom();
    for (;;) {
      const isFull = this.#markBytes > this.#terms.diskBytes;
      await delay(isFull ? LOOK_WHEN_FULL_MS : LOOK_MS, undefined, { ref: false });
      const room = await readRoom();
      this.#mostRoom = Math.max(this.#mostRoom, room);
      if (!this.#due(room)) continue;
      try {
        await this.#measure();
        this.#failures = 0;
      } catch (error) {
        console.error("agent: the disk's use can't be measured:", error);
        await this.#onUnmeasured(room);
      }
    }
  }

  #due(room: number): boolean {
    const now = performance.now();
    if (now < this.#restUntil) return false;
    if (this.#settling) return true;
    const taken = this.#room - room;
    const left = this.#terms.diskBytes - this.#usage.bytes;
    if (taken > Math.max(left / 4, NOTABLE_BYTES) || -taken > Math.max(this.#usage.bytes / 4, NOTABLE_BYTES)) return true;
    return now - this.#measuredAt > (this.#kernels.busy ? BUSY_MS : IDLE_MS);
  }

  async #measure(): Promise<void> {
    const startedAt = performance.now();
    const before = this.#usage;
    // Who fills what was made free meanwhile writes on.
    const least = before.bytes - (this.#mostRoom - this.#room);
    this.#markBytes = Math.max(this.#terms.diskBytes, Math.min(this.#markBytes, least + NOTABLE_BYTES));
    const room = await readRoom();
    this.#usage = await measureDiskUsage(this.#terms, this.#settling ? ALL : { ...SOON, enoughBytes: this.#terms.diskBytes * 2 });
    this.#room = this.#mostRoom = room;
    this.#measuredAt = performance.now();
    this.#rest(Math.min((this.#measuredAt - startedAt) * REST, BUSY_MS));
    await this.#judge(before);
  }

  /** When the disk is full, ends who writes on. Who only reads or deletes goes on. */
  async #judge(before: DiskUsage): Promise<void> {
    const { diskBytes } = this.#terms;
    const { bytes } = this.#usage;
    const settling = this.#settling;
    this.#settling = false;
    const writer = mostWritten(before, this.#usage);
    // What can't be counted any more is too much, as long as somebody adds to it.
    const beyondMeasure = !this.#usage.complete && writer.bytes > NOTABLE_BYTES;
    if (bytes <= diskBytes && !beyondMeasure) {
      this.#markBytes = diskBytes;
    } else if (settling) {
      this.#markBytes = bytes + NOTABLE_BYTES;
    } else if (bytes > this.#markBytes || beyondMeasure) {
      this.#settling = true;
      await this.#end(writer);
      this.#rest(SETTLE_MS);
    } else {
      this.#markBytes = Math.min(this.#markBytes, bytes + NOTABLE_BYTES);
    }
  }

  /** A cell can prevent it, say by starting as many processes as there may be. Then the room on the disk must tell, and who has those. */
  async #onUnmeasured(room: number): Promise<void> {
    this.#failures += 1;
    this.#rest(AGAIN_MS);
    const left = Math.max(this.#terms.diskBytes - this.#usage.bytes, NOTABLE_BYTES);
    if (this.#failures < FAILURES || this.#room - room <= left) return;
    const session = await mostProcesses(this.#kernels.all.flatMap(({ pid }) => pid ?? []));
    const disk = { limitBytes: this.#terms.diskBytes, peakBytes: this.#usage.bytes + this.#room - room };
    this.#kernels.all.find(({ pid }) => pid === session)?.endForDisk(disk);
    this.#failures = 0;
    this.#rest(SETTLE_MS);
  }

  async #end(writer: { readonly session: number; readonly bytes: number }): Promise<void> {
    const disk = { limitBytes: this.#terms.diskBytes, peakBytes: this.#usage.bytes };
    const kernels = this.#kernels.all;
    if (writer.bytes > NOTABLE_BYTES) {
      const kernel = kernels.find(({ pid }) => pid === writer.session);
      if (kernel === undefined) await endSession(writer.session);
      else kernel.endForDisk(disk);
      return;
    }
    // Nobody is seen writing. Room can be taken without that, and a process can hide.
    const busy = kernels.filter((kernel) => kernel.busy);
    const hidden = busy.filter(({ pid }) => pid !== undefined && !this.#usage.written.has(pid));
    for (const kernel of hidden.length > 0 ? hidden : busy) kernel.endForDisk(disk);
  }

  #rest(forMs: number): void {
    this.#restUntil = performance.now() + forMs;
  }
}

/** Who has written most since it was last looked. */
function mostWritten(before: DiskUsage, now: DiskUsage): { readonly session: number; readonly bytes: number } {
  let most = { session: 0, bytes: 0 };
  for (const [session, total] of now.written) {
    const bytes = total - (before.written.get(session) ?? 0);
    if (bytes > most.bytes) most = { session, bytes };
  }
  return most;
}

/** Processes that a cell has set apart from its kernel. */
async function endSession(session: number): Promise<void> {
  for await (const { pid, session: its } of processes()) {
    if (its !== session) continue;
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended.
    }
  }
}

/** Which of these sessions has most processes. */
async function mostProcesses(sessions: readonly number[]): Promise<number | undefined> {
  const counts = new Map(sessions.map((session) => [session, 0]));
  for await (const { session } of processes()) {
    const count = counts.get(session);
    if (count !== undefined) counts.set(session, count + 1);
  }
  return [...counts].sort(([, one], [, other]) => other - one)[0]?.[0];
}

async function* processes(): AsyncGenerator<{ readonly pid: number; readonly session: number }> {
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, "latin1").catch(() => "");
    // The name in parentheses may hold anything.
    const session = Number(stat.slice(stat.lastIndexOf(")")).split(" ")[4]);
    if (session > 0) yield { pid: Number(name), session };
  }
}

/** What can still be put on the disk behind the sandbox: bytes, and files, which count as much as small ones. */
async function readRoom(): Promise<number> {
  const { bsize, bfree, ffree } = await statfs("/");
  return bsize * bfree + FILE_BYTES * ffree;
}
