import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The ids that a source cites: in calls of `verifies(…)`, in Python after `# verifies:`. */
export function citedIds(source: string): readonly string[] {
  const calls = [...source.matchAll(/\bverifies\(([^)]*)\)/g)].flatMap(([, list = ""]) => [
    ...list.matchAll(/["']([^"']+)["']/g),
  ]);
  const comments = [...source.matchAll(/#\s*verifies:(.*)$/gm)].flatMap(([, list = ""]) => [...list.matchAll(/([A-Z]+-\d+)/g)]);
  return [...calls, ...comments].map(([, id = ""]) => id);
}

/** Every source of tests, TypeScript and Python, that exists below a root. */
export function testSources(root: string): readonly { readonly path: string; readonly source: string }[] {
  return ["test", "python/tests", "examples"]
    .flatMap((directory) => list(join(root, directory)))
    .filter((path) => /\.(ts|mjs|py)$/.test(path) && !/test\/(requirements|citations|unit\/requirements\.test)\.ts$/.test(path))
    .map((path) => ({ path, source: readFileSync(path, "utf8") }));
}

function list(directory: string): readonly string[] {
  try {
    const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
