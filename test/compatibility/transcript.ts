import { imageSize } from "image-size";
import type { Message } from "./messages.ts";

/**
 * Messages as lines of text that can be compared: what must differ between two processes is replaced,
 * everything else is left as it is. docs/compatibility.md tells what is replaced.
 */
export function transcript(messages: readonly Message[]): string[] {
  const shown = messages.filter(({ type }) => !type.startsWith("comm_"));
  return withOneTextPerStream(shown).flatMap((message) => render(message).split("\n"));
}

/**
 * ipykernel keeps stdout and stderr in two buffers and sends them when it comes to it: between two
 * other messages only each stream's own text is defined.
 */
function withOneTextPerStream(messages: readonly Message[]): Message[] {
  const merged: Message[] = [];
  let streams = new Map<unknown, string>();
  const flush = (): void => {
    for (const name of ["stdout", "stderr"]) {
      const text = streams.get(name);
      if (text) merged.push({ type: "stream", name, text });
    }
    streams = new Map();
  };
  for (const message of messages) {
    if (message.type === "stream") {
      streams.set(message["name"], (streams.get(message["name"]) ?? "") + String(message["text"]));
    } else {
      flush();
      merged.push(message);
    }
  }
  flush();
  return merged;
}

function render(message: Message): string {
  switch (message.type) {
    case "stream":
      return `${String(message["name"])}: ${general(withoutColours(String(message["text"])))}`;
    case "display_data":
    case "update_display_data":
    case "execute_result":
      return [head(message), ...bundle(message["data"])].join("\n");
    case "clear_output":
      return `clear_output ${json({ wait: message["wait"] })}`;
    case "error":
      return [`error: ${String(message["ename"])}: ${general(String(message["evalue"]))}`, ...traceback(message)].join("\n");
    case "execute_reply":
      return [reply(message), ...payloads(message["payload"])].join("\n");
    default:
      return general(json(message));
  }
}

function head({ type, metadata, transient, execution_count }: Message): string {
  return general(`${type} ${json({ execution_count, metadata, transient })}`);
}

function reply({ type, status, execution_count, ename, evalue }: Message): string {
  return general(`${type} ${json({ status, execution_count, ename, evalue })}`);
}

/**
 * A traceback without the lines around the one that is marked. ipykernel names cells like files that
 * don't exist, so IPython shows them by its way for files that are too long, with other surroundings.
 */
function traceback({ traceback: parts }: Message): string[] {
  const lines = Array.isArray(parts) ? parts : [`no list: ${JSON.stringify(parts)}`];
  return general(withoutColours(lines.join("\n")))
    .split("\n")
    .filter((line) => line.trim() !== "" && !/^\s+\d+(?: |$)|^ +\(\.{3}\) /.test(line))
    .map((line) => line.replace(/^(-+>) *(\d+) +/, "$1 $2 "));
}

function payloads(value: unknown): string[] {
  return ((value ?? []) as Message[]).flatMap(({ data, ...rest }) => [
    `  payload ${general(json(rest))}`,
    ...(data === undefined ? [] : bundle(data)),
  ]);
}

function bundle(data: unknown): string[] {
  return Object.entries(data as Record<string, unknown>)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([mime, value]) => `  ${mime}: ${content(mime, value)}`);
}

/** Of these, Jupyter's messages hold base64, with a line break or without. */
const BINARY = /^image\/(?:png|jpeg|gif|webp)$|^application\/(?:pdf|octet-stream)$/;

function content(mime: string, value: unknown): string {
  const given = value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value;
  if (typeof given !== "string") return general(json(given));
  const text = BINARY.test(mime) ? given.trimEnd() : given;
  if (mime !== "image/png") return general(withoutColours(text));
  const bytes = Buffer.from(text, "base64");
  try {
    const { width, height, type } = imageSize(bytes);
    return `${type} of ${width} x ${height}`;
  } catch {
    return text;
  }
}

/** Ordered by key; undefined fields are left out. */
function json(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([left], [right]) => (left < right ? -1 : 1)))
      : inner,
  );
}

const COLOUR = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, "g");

function withoutColours(text: string): string {
  return text.replaceAll(COLOUR, "");
}

/** What has another value in every process. */
const REPLACED: readonly (readonly [RegExp, string])[] = [
  [/\/tmp\/ipykernel_\d+\/\d+\.py|(?:\/[\w/]*\/)?<ipython-input-\d+-[0-9a-f]+>|\b\d{6,10}\.py\b/g, "<cell>"],
  [/\/tmp\/compatibility\/(?:reference|ours)\/\d+/g, "<directory>"],
  [/\/tmp\/tmp[a-z0-9_]{8}/g, "<temporary>"],
  [/\b0x[0-9a-f]{6,}/g, "<address>"],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, "<id>"],
  [/\b(?:[0-9a-f]{16}|[0-9a-f]{32})\b/g, "<id>"],
  [/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\b/g, "<time>"],
  [/\b\d+(?:\.\d+)?(?:e\+\d+)? (?:ns|[µμu]s|ms|s)\b/g, "<time>"],
];

function general(text: string): string {
  return REPLACED.reduce((current, [pattern, replacement]) => current.replaceAll(pattern, replacement), text);
}
