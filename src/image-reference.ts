import { IpyboxError } from "./errors.ts";

const REPOSITORY =
  /^(?:(?:localhost|[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)+|[a-zA-Z0-9-]+(?=:\d))(?::\d{1,5})?\/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const DIGEST = /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,}$/;
const IMAGE_ID = /^(?:sha256:)?[0-9a-f]{64}$/;

/** The parts of an image's name: `[registry[:port]/]repository[:tag][@digest]`. */
export interface ImageReference {
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

/**
 * Reads an image's name as it is usually written.
 *
 * @param field - What the name was given as, for the error.
 */
export function parseImageReference(text: string, field = "tag"): ImageReference {
  const at = text.indexOf("@");
  const digest = at === -1 ? undefined : text.slice(at + 1);
  const name = at === -1 ? text : text.slice(0, at);
  // A colon before the last slash belongs to the registry's port.
  const colon = name.indexOf(":", name.lastIndexOf("/") + 1);
  const tag = colon === -1 ? undefined : name.slice(colon + 1);
  const repository = colon === -1 ? name : name.slice(0, colon);
  const valid =
    REPOSITORY.test(repository) &&
    repository.length <= 255 &&
    (tag === undefined || TAG.test(tag)) &&
    (digest === undefined || DIGEST.test(digest));
  if (!valid) {
    throw new IpyboxError(
      "invalid_option",
      `${field} is ${JSON.stringify(text)}, which is no name of an image. ` +
        "Write NAME, NAME:TAG, HOST:PORT/NAME:TAG or NAME@sha256:DIGEST; the name is in lower case.",
      { details: { field, given: text } },
    );
  }
  return { repository, tag, digest };
}

/** The full name that a daemon understands without guessing: a name with neither tag nor digest means `:latest`. */
export function fullImageName(text: string, field?: string): string {
  if (IMAGE_ID.test(text)) return text;
  const { repository, tag, digest } = parseImageReference(text, field);
  // Docker refuses a name with both in some places; the digest alone says which image it is.
  if (digest !== undefined) return `${repository}@${digest}`;
  return `${repository}:${tag ?? "latest"}`;
}
