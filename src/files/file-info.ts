import type { WireFileInfo } from "../protocol/file-messages.ts";
import { fromWire, type NamedPath } from "./file-path.ts";

/** What is known of a file. */
export interface FileInfo extends NamedPath {
  readonly type: "file" | "directory" | "symlink" | "other";
  readonly sizeBytes: number;
  /** Permission bits, with set-id and sticky ones. */
  readonly mode: number;
  readonly modifiedAt: Date;
  readonly uid: number;
  readonly gid: number;
  /** Where a link leads. */
  readonly target: NamedPath | undefined;
}

/** What is known of something in a directory. `path` begins with the directory as it was given. */
export interface FileEntry extends FileInfo {
  /** Its path from the directory; without `recursive` its name. */
  readonly name: string;
}

export function readInfo(path: NamedPath, wire: WireFileInfo): FileInfo {
  return {
    ...path,
    type: wire.type,
    sizeBytes: wire.size,
    mode: wire.mode,
    modifiedAt: new Date(wire.modified),
    uid: wire.uid,
    gid: wire.gid,
    target: wire.target === undefined ? undefined : fromWire(wire.target),
  };
}
