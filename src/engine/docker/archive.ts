import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { pack, type Pack } from "tar-stream";
import type { BuildFile, SandboxFile } from "../engine.ts";

// Fixed, so that equal files give an equal archive and the daemon's cache sees no change.
const MTIME = new Date(0);

/** A build's context as a tar stream, in order of names. */
export function buildArchive(files: readonly BuildFile[]): Readable {
  const archive = pack();
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
  const write = async (): Promise<void> => {
    for (const file of sorted) {
      if ("content" in file) addContent(archive, file.path, file.mode ?? 0o644, file.content);
      else await addSource(archive, file);
    }
    archive.finalize();
  };
  write().catch((error: unknown) => archive.destroy(error instanceof Error ? error : new Error(String(error))));
  return Readable.from(archive);
}

/** Files for a sandbox's root directory as a tar, owned by root. */
export function rootArchive(files: readonly SandboxFile[]): Promise<Buffer> {
  const archive = pack();
  for (const file of files) addContent(archive, file.path.replace(/^\/+/, ""), file.mode, file.content);
  archive.finalize();
  return buffer(archive);
}

function addContent(archive: Pack, name: string, mode: number, content: string | Uint8Array): void {
  const bytes = typeof content === "string" ? Buffer.from(content) : Buffer.from(content);
  archive.entry({ name, mode, uid: 0, gid: 0, mtime: MTIME }, bytes);
}

async function addSource(archive: Pack, file: Extract<BuildFile, { source: string }>): Promise<void> {
  const { size } = await stat(file.source);
  const mode = file.mode ?? 0o644;
  const entry = archive.entry({ name: file.path, mode, uid: 0, gid: 0, mtime: MTIME, size });
  await pipeline(createReadStream(file.source), entry);
}
