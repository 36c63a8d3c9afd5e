import * as z from "zod";

/**
 * What the SDK asks of a file worker. Paths and names are strings with one character a byte (latin1), so
 * that any name can be told; relative paths start at `/app`.
 */
export type FileRequest =
  | { readonly op: "stat"; readonly path: string; readonly follow: boolean }
  | { readonly op: "list"; readonly path: string; readonly recursive: boolean }
  | { readonly op: "mkdir"; readonly path: string; readonly mode?: number | undefined }
  | { readonly op: "rename"; readonly path: string; readonly to: string }
  | { readonly op: "remove"; readonly path: string; readonly recursive: boolean }
  /** Downloads one file: its info, then its content. */
  | { readonly op: "read"; readonly path: string }
  /** Uploads one file's content. */
  | { readonly op: "write"; readonly path: string; readonly mode?: number | undefined }
  /** Downloads a tree. */
  | { readonly op: "pack"; readonly path: string }
  /** Uploads a tree. */
  | { readonly op: "unpack"; readonly path: string }
  /** An info when it has begun, then events until the connection ends. */
  | { readonly op: "watch"; readonly path: string; readonly recursive: boolean };

/** What a worker tells of a file. It runs where cells run: what it says is checked, and not believed. */
export interface WireFileInfo {
  readonly type: "file" | "directory" | "symlink" | "other";
  readonly size: number;
  readonly mode: number;
  /** Milliseconds since 1970. */
  readonly modified: number;
  readonly uid: number;
  readonly gid: number;
  readonly target?: string | undefined;
}

/** The same, with the path from the directory that is listed. */
export type WireListEntry = WireFileInfo & { readonly path: string };

/** A part of a tree. `directory` goes down into it, `leave` up again. */
export type WireEntry =
  | { readonly type: "directory"; readonly name: string; readonly mode: number }
  | { readonly type: "leave" }
  | { readonly type: "file"; readonly name: string; readonly mode: number; readonly size: number }
  | { readonly type: "symlink"; readonly name: string; readonly target: string }
  /** A device, a pipe or a socket. */
  | { readonly type: "skipped"; readonly name: string };

export interface WireEvent {
  readonly type: "created" | "changed" | "removed" | "renamed" | "overflow";
  readonly path: string;
  readonly from?: string | undefined;
}

export interface WireError {
  readonly code: string;
  readonly message: string;
  readonly path: string;
}

const size = z.number().nonnegative();
const mode = z.int().min(0).max(0o7777);
const bytes = z.string().regex(/^[\0-\xff]*$/);
const infoFields = {
  type: z.enum(["file", "directory", "symlink", "other"]),
  size,
  mode,
  modified: z.number().min(-8.64e15).max(8.64e15),
  uid: size,
  gid: size,
  target: bytes.optional(),
};
const name = bytes.min(1).max(255);

export const wireInfo: z.ZodType<WireFileInfo> = z.object(infoFields);
export const wireEntries: z.ZodType<WireListEntry[]> = z.array(z.object({ ...infoFields, path: bytes.min(1) }));
export const wireEntry: z.ZodType<WireEntry> = z.discriminatedUnion("type", [
  z.object({ type: z.literal("directory"), name, mode }),
  z.object({ type: z.literal("leave") }),
  z.object({ type: z.literal("file"), name, mode, size }),
  z.object({ type: z.literal("symlink"), name, target: bytes.min(1) }),
  z.object({ type: z.literal("skipped"), name }),
]);
export const wireEvents: z.ZodType<WireEvent[]> = z.array(
  z.object({
    type: z.enum(["created", "changed", "removed", "renamed", "overflow"]),
    path: bytes,
    from: bytes.optional(),
  }),
);
/** What comes when watching has begun: where the paths of events start. */
export const wireWatch: z.ZodType<{ readonly root: string }> = z.object({ root: bytes });
export const wireError: z.ZodType<WireError> = z.object({ code: z.string(), message: z.string(), path: bytes });
export const wireReply: z.ZodType<object> = z.object({});
