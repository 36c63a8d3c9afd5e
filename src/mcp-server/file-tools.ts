import * as z from "zod";
import type { FileEntry } from "../files/file-info.ts";
import { plainText } from "../plain-text.ts";
import type { AllowedDirectories } from "./allowed-directories.ts";
import { defineTool, textResult, type Tool } from "./tool.ts";

/** Entries of a directory that are read, and those of them that are shown. */
const MAX_ENTRIES = 10_000;
const MAX_SHOWN = 1_000;

const path = z.string().min(1).max(4_096);

/** Tools for the files of the sandbox; those that copy from and to the host only where the operator has allowed directories. */
export function fileTools(allowed: AllowedDirectories): readonly Tool[] {
  const list = defineTool({
    name: "list_files",
    title: "List files of the sandbox",
    description: "Lists a directory of the sandbox: type, size in bytes and name of each entry.",
    annotations: { readOnlyHint: true, openWorldHint: false },
    inputSchema: z.strictObject({
      path: path.default(".").describe("A directory of the sandbox (default: /app, where cells run)"),
    }),
    run: async ({ path }, { sandbox, signal }) => {
      const entries = await sandbox.use(signal, ({ container }) =>
        container.files.list(path, { maxEntries: MAX_ENTRIES, signal }),
      );
      return textResult(`${sandbox.takeNotice()}${table(entries)}`);
    },
  });
  if (allowed.isEmpty) return [list];

  const host = path.describe(`Absolute path on the host, in one of: ${allowed.describe()}`);
  const inside = path.describe("Path in the sandbox; relative ones start at /app, where cells run");
  const upload = defineTool({
    name: "upload_file",
    title: "Copy a file into the sandbox",
    description:
      "Copies a file of the host into the sandbox. Directories to it are made, and a file of the same name is replaced.",
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
    inputSchema: z.strictObject({ local_path: host, path: inside }),
    run: async ({ local_path, path }, { sandbox, signal }) => {
      const { bytes } = await allowed.reading(local_path, (safePath) =>
        sandbox.use(signal, ({ container }) => container.files.uploadFile(safePath, path, { signal })),
      );
      return textResult(`${sandbox.takeNotice()}Copied ${bytes} bytes to ${plainText(path)}.`);
    },
  });
  const download = defineTool({
    name: "download_file",
    title: "Copy a file out of the sandbox",
    description: "Copies a file of the sandbox to the host, in place of a file of the same name. The directory must be there.",
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
    inputSchema: z.strictObject({ path: inside, local_path: host }),
    run: async ({ path, local_path }, { sandbox, signal }) => {
      const { bytes } = await allowed.writing(local_path, (safePath) =>
        sandbox.use(signal, ({ container }) => container.files.downloadFile(path, safePath, { signal })),
      );
      return textResult(`${sandbox.takeNotice()}Copied ${bytes} bytes to ${plainText(local_path)}.`);
    },
  });
  return [list, upload, download];
}

/** A name is what a cell has made it: on one line, without what a terminal would act on. */
function table(entries: readonly FileEntry[]): string {
  if (entries.length === 0) return "(empty)";
  const rows = entries
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .slice(0, MAX_SHOWN)
    .map(({ type, sizeBytes, name, target }) => {
      const link = target === undefined ? "" : ` -> ${oneLine(target.path)}`;
      return `${type.padEnd(9)} ${String(sizeBytes).padStart(12)} ${oneLine(name)}${link}`;
    });
  const rest = entries.length - rows.length;
  return [...rows, ...(rest > 0 ? [`(${rest} more)`] : [])].join("\n");
}

function oneLine(name: string): string {
  return plainText(name.replaceAll("\n", "\\n"));
}
