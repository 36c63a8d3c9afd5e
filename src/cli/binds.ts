import { parseBinds } from "../binds.ts";
import { IpyboxError } from "../errors.ts";
import { UsageError } from "./usage-error.ts";

/** Host path → path in the container, as `ExecutionContainer` takes it. */
export type Binds = Readonly<Record<string, string>>;

// A host path on Windows has a colon of its own.
const BIND = /^((?:[A-Za-z]:[\\/])?[^:]+):([^:]+(?::r[ow])?)$/;

/** Adds one `--bind HOST:PATH[:ro]` to those before it. */
export function addBind(text: string, before: Binds = {}): Binds {
  const [, host, path] = BIND.exec(text) ?? [];
  if (host === undefined || path === undefined) {
    throw new UsageError(
      `--bind must be HOST:PATH or HOST:PATH:ro, for example ./data:data:ro. Given was ${JSON.stringify(text)}.`,
    );
  }
  if (Object.hasOwn(before, host)) {
    throw new UsageError(`--bind: the host path ${JSON.stringify(host)} is bound already. Given was ${JSON.stringify(text)}.`);
  }
  const binds = { ...before, [host]: path };
  try {
    parseBinds(binds);
  } catch (error) {
    if (!(error instanceof IpyboxError)) throw error;
    throw new UsageError(`--bind: PATH must be below /app, and no other's. Given was ${JSON.stringify(text)}.`, { cause: error });
  }
  return binds;
}
