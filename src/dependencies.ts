import { readFile } from "node:fs/promises";
import { parse } from "smol-toml";
import { IpyboxError } from "./errors.ts";

/** Reads a requirements.txt, or the dependencies of a pyproject.toml, as text for `pip install -r`. */
export async function readRequirements(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw failure(path, `can't be read: ${(cause as Error).message}`, cause);
  });
  return path.endsWith(".toml") ? fromPyproject(path, text) : text;
}

function fromPyproject(path: string, text: string): string {
  let document: { readonly project?: unknown; readonly tool?: unknown };
  try {
    document = parse(text);
  } catch (cause) {
    throw failure(path, `is no valid TOML: ${(cause as Error).message.trim()}`, cause);
  }
  const project = document.project as { readonly dependencies?: unknown } | undefined;
  const dependencies = project?.dependencies;
  if (dependencies === undefined) {
    const poetry = (document.tool as { readonly poetry?: { readonly dependencies?: unknown } } | undefined)?.poetry;
    const reason =
      poetry?.dependencies === undefined
        ? 'has no "dependencies" in its [project] table'
        : "lists its dependencies only in [tool.poetry.dependencies], which pip does not understand";
    throw failure(path, `${reason}. List them under [project], or pass a requirements.txt`);
  }
  if (!Array.isArray(dependencies) || !dependencies.every((entry) => typeof entry === "string")) {
    throw failure(path, '"dependencies" in its [project] table must be an array of strings');
  }
  return dependencies.map((entry) => `${entry}\n`).join("");
}

function failure(path: string, reason: string, cause?: unknown): IpyboxError {
  return new IpyboxError("invalid_option", `The dependency file ${path} ${reason}.`, {
    details: { field: "dependencies", path },
    cause,
  });
}
