import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Cell } from "../compatibility/cell.ts";
import { corpus } from "../compatibility/corpus.ts";
import { answersOf, type Message } from "../compatibility/messages.ts";
import { codeOf, messagesPerCell, packagesOf, type Session, sessionsOf } from "../compatibility/sessions.ts";
import { transcript } from "../compatibility/transcript.ts";
import { verifies } from "../requirements.ts";
import { useContainer } from "./sandbox.ts";

const directory = await mkdtemp(join(tmpdir(), "ipybox-compatibility-"));
const shared = join(directory, "shared");
const sandbox = useContainer({ binds: { [shared]: "compatibility" } });
const sessions = sessionsOf(corpus);
const reference = new Map<Cell, Message[]>();
const ours = new Map<Cell, Message[]>();

beforeAll(async () => {
  await install();
  await Promise.all([runReference(), runOurs()]);
}, 300_000);

afterAll(() => rm(directory, { recursive: true, force: true }));

/** The users' packages for both kernels, and ipykernel where only it finds its own. */
async function install(): Promise<void> {
  await using client = await sandbox.connect();
  await using other = await sandbox.connect();
  await Promise.all([
    client.execute(`!pip install -q ${packagesOf(corpus).join(" ")}`, { timeoutMs: null }),
    other.execute("!pip install -q --target /tmp/reference ipykernel", { timeoutMs: null }),
  ]);
}

async function runReference(): Promise<void> {
  const driver = fileURLToPath(new URL("../compatibility/reference.py", import.meta.url));
  await copyFile(driver, join(shared, "reference.py"));
  const code = sessions.map((session, index) => codeOf(session, "reference", index));
  await writeFile(join(shared, "cells.json"), JSON.stringify(code));
  await using client = await sandbox.connect();
  // First the IPython of our own kernel: both sides must have the same.
  const path = "PYTHONPATH=/opt/ipybox/python:/tmp/reference IPYTHONDIR=/tmp/reference/ipython";
  const files = ["reference.py", "cells.json", "messages.json"].map((name) => `compatibility/${name}`);
  const { text } = await client.execute(`!${path} python ${files.join(" ")}`, { timeoutMs: null });
  const answered = await readFile(join(shared, "messages.json"), "utf8").catch(() => {
    throw new Error(`ipykernel's answers are missing: ${text}`);
  });
  const answers = JSON.parse(answered) as Message[][][];
  sessions.forEach((session, index) => add(reference, session, answers[index] ?? []));
}

async function runOurs(): Promise<void> {
  for (const [index, session] of sessions.entries()) {
    await using client = await sandbox.connect();
    add(ours, session, await answersOf(client, codeOf(session, "ours", index)));
  }
}

function add(all: Map<Cell, Message[]>, session: Session, answers: readonly Message[][]): void {
  for (const [cell, messages] of messagesPerCell(session, answers)) all.set(cell, messages);
}

describe.each(corpus)("$name", ({ cells }) => {
  it.each(cells)("$name", (cell) => {
    verifies("OUT-01", "OUT-02", "OUT-03", "OUT-04", "OUT-05", "OUT-06", "EXEC-06", "EXEC-07", "EXEC-08", "EXEC-12", "KERN-12");
    const [expected, actual] = [reference, ours].map((all) => transcript(all.get(cell) ?? []));
    expect(expected).not.toEqual([]);
    if (cell.difference === undefined) {
      expect(actual).toEqual(expected);
    } else {
      expect(actual).not.toEqual(expected);
      expect(actual?.join("\n")).toContain(cell.difference.ours);
    }
    for (const { type, traceback } of ours.get(cell) ?? []) {
      if (type === "error") expect(JSON.stringify(traceback)).not.toContain("\\u001b");
    }
  });
});

describe("an error that is shown by code that goes on", () => {
  it.each([
    [
      "a representation that raises",
      "class Bad:\n    def _repr_html_(self): raise ValueError('no html')\ndisplay(Bad())\nprint('after')",
    ],
    ["%tb", "%tb\nprint('after')"],
    ["showtraceback", "try: 1 / 0\nexcept ZeroDivisionError: get_ipython().showtraceback()\nprint('after')"],
  ])("does not fail the cell: %s", async (_, code) => {
    verifies("EXEC-07", "OUT-01");
    await using client = await sandbox.connect();
    await client
      .submit("1 / 0")
      .result()
      .catch(() => undefined);
    const { outputs, stdout } = await client.execute(code);
    expect(stdout).toBe("after\n");
    expect(outputs.map(({ kind }) => kind)).toContain("error");
  });
});
