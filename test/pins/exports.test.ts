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
  "FileError",
  "FileWatch",
  "Files",
  "IpyboxError",
  "KernelDiedError",
  "NdArray",
  "ResultImage",
];

const TYPES = [
  "ApprovalDecision",
  "ApprovalHandler",
  "ApprovalRequest",
  "AttachOptions",
  "BuildProgress",
  "ClearOutputEvent",
  "ClientEvents",
  "Completeness",
  "Completion",
  "DeniedEvent",
  "DisplayEvent",
  "DisplayOutput",
  "DownloadDirectoryOptions",
  "DownloadOptions",
  "ErrorDetails",
  "ErrorEvent",
  "ErrorOutput",
  "ExceptionContent",
  "ExecuteErrorEvent",
  "ExecuteOkEvent",
  "ExecuteReplyEvent",
  "ExecuteResultEvent",
  "ExecutionClientOptions",
  "ExecutionContainerOptions",
  "ExecutionEvent",
  "ExecutionImageOptions",
  "FileData",
  "FileEntry",
  "FileErrorCode",
  "FileErrorOptions",
  "FileEvent",
  "FileInfo",
  "FileOptions",
  "FilePath",
  "ForkOptions",
  "HostCallContext",
  "HostFunction",
  "HostSchema",
  "HostValue",
  "InputDetails",
  "InputHandler",
  "InputRequestEvent",
  "Inspection",
  "IpyboxErrorCode",
  "IpyboxErrorOptions",
  "JsonSchema",
  "KernelDeath",
  "LateOutput",
  "ListOptions",
  "McpHttpConfig",
  "McpServer",
  "McpServerConfig",
  "McpStdioConfig",
  "McpTimeLimits",
  "McpTool",
  "MimeBundle",
  "NamedPath",
  "NetworkPolicy",
  "Output",
  "Payload",
  "PythonException",
  "QuestionOptions",
  "ReadOptions",
  "RemoveOptions",
  "ResultOptions",
  "ResultOutput",
  "SandboxUser",
  "Settable",
  "SettableValue",
  "StatOptions",
  "StreamEvent",
  "StreamOptions",
  "StreamOutput",
  "SubmitOptions",
  "TracebackFrame",
  "TransferProgress",
  "TransferSummary",
  "TypedArray",
  "UploadOptions",
  "Value",
  "Variable",
  "VariableOptions",
  "WatchOptions",
  "WriteOptions",
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
