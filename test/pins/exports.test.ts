import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const VALUES = [
  "ContainerDiedError",
  "DEFAULTS",
  "Execution",
  "ExecutionAbortedError",
  "ExecutionClient",
  "ExecutionContainer",
  "ExecutionError",
  "ExecutionImage",
  "ExecutionResult",
  "ExecutionTimeoutError",
  "IpyboxError",
  "KernelDiedError",
  "ResultImage",
];

const TYPES = [
  "ClearOutputEvent",
  "DisplayEvent",
  "DisplayOutput",
  "ErrorDetails",
  "ErrorEvent",
  "ErrorOutput",
  "ExecuteReplyEvent",
  "ExecuteResultEvent",
  "ExecutionClientOptions",
  "ExecutionContainerOptions",
  "ExecutionEvent",
  "IpyboxErrorCode",
  "IpyboxErrorOptions",
  "KernelDeath",
  "MimeBundle",
  "Output",
  "PythonException",
  "ResultOptions",
  "ResultOutput",
  "SandboxUser",
  "StreamEvent",
  "StreamOptions",
  "StreamOutput",
  "SubmitOptions",
  "TracebackFrame",
];

test("the package exports these values", async () => {
  expect(Object.keys(await import("ipybox")).sort()).toEqual(VALUES);
});

test("and these types", () => {
  const declarations = readFileSync(new URL("../../dist/index.d.ts", import.meta.url), "utf8");
  expect(declarations).not.toContain("*");
  const names = [...declarations.matchAll(/export (type )?\{([^}]*)\}/g)].flatMap(([, type = "", list = ""]) =>
    list
      .split(",")
      .map((name) => `${type}${name.trim()}`)
      .filter((name) => name !== type),
  );
  const isType = (name: string): boolean => name.startsWith("type ");
  expect(
    names
      .filter(isType)
      .map((name) => name.slice("type ".length))
      .sort(),
  ).toEqual(TYPES);
  expect(names.filter((name) => !isType(name)).sort()).toEqual(VALUES);
});
