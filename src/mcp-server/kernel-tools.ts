import * as z from "zod";
import { runCell } from "./cells.ts";
import { defineTool, textResult, type Tool } from "./tool.ts";

/** Bytes of a cell; more is no cell that somebody has written. */
const MAX_CODE_CHARACTERS = 4 * 1_048_576;
const MAX_TIMEOUT_SECONDS = 24 * 60 * 60;

/** A requirement as pip takes it, and nothing that pip takes for an option. */
const REQUIREMENT = /^[A-Za-z0-9][ -~]*$/;

/** Tools that need nothing but the session's kernel. */
export function kernelTools({ timeoutMs }: { readonly timeoutMs: number | null }): readonly Tool[] {
  const limit = timeoutMs === null ? "no limit" : `${timeoutMs / 1000}`;
  const timeout = z
    .number()
    .positive()
    .max(MAX_TIMEOUT_SECONDS)
    .optional()
    .describe(`Seconds that it may take (default: ${limit}). After that it is interrupted; variables are kept.`);
  const timeoutOf = (seconds: number | undefined): number | null =>
    seconds === undefined ? timeoutMs : Math.max(1, seconds * 1000);

  const execute = defineTool({
    name: "execute_ipython_cell",
    title: "Run Python",
    description:
      "Runs a cell in a stateful IPython kernel in a sandbox. Gives what it prints, the value of its last expression, and its plots " +
      "as images. Variables are kept from call to call; files in the current directory, too. !shell commands, %magics and " +
      "top-level await work.",
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
    inputSchema: z.strictObject({ code: z.string().max(MAX_CODE_CHARACTERS).describe("The cell's code"), timeout }),
    run: ({ code, timeout }, call) => runCell({ code, timeoutMs: timeoutOf(timeout) }, call),
  });

  const install = defineTool({
    name: "install_package",
    title: "Install Python packages",
    description: "Installs packages in the sandbox with pip. They can be imported at once, and are gone with the session.",
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    inputSchema: z.strictObject({
      packages: z
        .array(z.string().max(500).regex(REQUIREMENT, "must be a requirement as pip takes it, and no option"))
        .min(1)
        .max(100)
        .describe("Requirements, for example numpy or pandas>=2,<3"),
      timeout,
    }),
    run: ({ packages, timeout }, call) =>
      runCell({ code: installCell(packages), timeoutMs: timeoutOf(timeout), storeHistory: false }, call),
  });

  const reset = defineTool({
    name: "reset",
    title: "Reset Python",
    description: "Ends the running cell, and gives a fresh kernel: all variables are gone; files and packages stay.",
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
    inputSchema: z.strictObject({}),
    run: async (_, { sandbox, signal }) => {
      await sandbox.use(signal, ({ client }) => client.reset({ signal }));
      const notice = sandbox.takeNotice();
      return textResult(`${notice}${notice === "" ? "" : "\n"}The kernel is fresh: all variables are gone.`);
    },
  });

  return [execute, install, reset];
}

/** Runs pip without leaving a name behind. What it is given is data, not code. */
function installCell(packages: readonly string[]): string {
  const command = ["pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar=off", "--", ...packages];
  return [
    `(lambda status: status and __import__("sys").exit(f"pip has ended with status {status}"))(`,
    `    __import__("subprocess").run(__import__("json").loads(${pythonString(JSON.stringify(command))})).returncode`,
    `); __import__("importlib").invalidate_caches()`,
  ].join("\n");
}

/** A literal that Python reads as this text: JSON's escapes are Python's, and all else is ASCII. */
function pythonString(text: string): string {
  return JSON.stringify(text).replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
