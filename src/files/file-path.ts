import { isUtf8 } from "node:buffer";
import { IpyboxError } from "../errors.ts";

/** Linux takes 4,096 bytes; its own error is clearer. */
const MAX_PATH_LENGTH = 16_384;

/** A path in the sandbox. Relative ones start at `/app`, where cells run. Bytes are for names that aren't UTF-8. */
export type FilePath = string | Uint8Array;

/** How a path is told: as text and, when it isn't UTF-8, as the bytes that it really is. */
export interface NamedPath {
  /** What can't be decoded is replaced by U+FFFD. */
  readonly path: string;
  /** Only there when `path` is not the whole truth. Every call takes it in place of a path. */
  readonly pathBytes?: Uint8Array | undefined;
}

/** A path as it is sent: one character a byte. */
export function toWire(path: FilePath, owner: string): string {
  const problem = problemOf(path);
  if (problem !== undefined) {
    throw new IpyboxError("invalid_option", `${owner}: path ${problem}.`, { details: { field: "path" } });
  }
  return bytesOf(path).toString("latin1");
}

function problemOf(path: unknown): string | undefined {
  if (typeof path !== "string" && !(path instanceof Uint8Array)) return "must be a string or a Uint8Array";
  if (path.length === 0) return "must not be empty";
  if (path.length > MAX_PATH_LENGTH) return `must not be longer than ${MAX_PATH_LENGTH}`;
  return bytesOf(path).includes(0) ? "must not contain a NUL character" : undefined;
}

export function fromWire(wire: string): NamedPath {
  const bytes = Buffer.from(wire, "latin1");
  const path = bytes.toString();
  return isUtf8(bytes) ? { path } : { path, pathBytes: new Uint8Array(bytes) };
}

/** The path of something below another; both as they are sent. */
export function joinWire(directory: string, inner: string): string {
  if (inner === "" || directory === "") return directory + inner;
  return directory.endsWith("/") ? directory + inner : `${directory}/${inner}`;
}

export function bytesOf(path: FilePath): Buffer {
  return typeof path === "string" ? Buffer.from(path) : Buffer.from(path.buffer, path.byteOffset, path.byteLength);
}
