import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import {
  ContainerDiedError,
  ExecutionAbortedError,
  ExecutionError,
  ExecutionTimeoutError,
  FileError,
  IpyboxError,
  KernelDiedError,
} from "../../src/errors.ts";
import { OutputCollector } from "../../src/outputs.ts";
import { ExecutionResult } from "../../src/result.ts";

const CODES = [
  "invalid_option",
  "invalid_state",
  "daemon_unreachable",
  "daemon_permission",
  "daemon_too_old",
  "engine_failed",
  "image_not_found",
  "image_build_failed",
  "port_taken",
  "bind_failed",
  "network_failed",
  "container_start_failed",
  "container_died",
  "connect_failed",
  "unauthorized",
  "kernel_not_found",
  "kernel_start_failed",
  "kernel_died",
  "protocol_violation",
  "connection_lost",
  "agent_failed",
  "disconnected",
  "execution_failed",
  "execution_aborted",
  "execution_timeout",
  "execution_not_found",
  "output_lost",
  "mcp_server_failed",
];

/** Linux's own. */
const FILE_CODES = [
  ...["EACCES", "EBUSY", "EDQUOT", "EEXIST", "EFBIG", "EINVAL", "EIO", "EISDIR", "ELOOP", "EMFILE", "EMLINK", "ENAMETOOLONG"],
  ...["ENFILE", "ENODEV", "ENOENT", "ENOMEM", "ENOSPC", "ENOTDIR", "ENOTEMPTY", "EOPNOTSUPP", "EOVERFLOW", "EPERM", "EROFS"],
  ...["ETXTBSY", "EXDEV"],
];

test("programs branch on the codes of errors: none goes, and a new one is a decision", () => {
  const declarations = readFileSync(new URL("../../dist/errors.d.ts", import.meta.url), "utf8");
  const union = /export type IpyboxErrorCode\s*=([^;]+);/.exec(declarations)?.[1] ?? "";
  expect([...union.matchAll(/"([^"]+)"/g)].map(([, code]) => code).sort()).toEqual([...CODES].sort());
});

test("what the operating system says about files keeps its name, and what nobody knows is EIO", () => {
  const codes = [...FILE_CODES, "EWHATEVER"].map(
    (code) => new FileError(code, "why", { operation: "read", path: "p", side: "sandbox" }).code,
  );
  expect(codes).toEqual([...FILE_CODES, "EIO"]);
});

test("each class of errors keeps its name, its code and its root", () => {
  const facts = { executionCount: null, freshKernel: false, lostBytes: 0 };
  const result = new ExecutionResult(new OutputCollector(1), facts);
  const death = { reason: "exited", exitCode: 1, signal: null } as const;
  const errors = [
    new ExecutionError({ errorName: "E", errorValue: "v", traceback: "", frames: [] }, result),
    new ExecutionAbortedError("1", "stopOnError"),
    new ExecutionTimeoutError(1, result, false),
    new KernelDiedError(death, result),
    new ContainerDiedError("removed"),
    new FileError("ENOENT", "No such file or directory", { operation: "read", path: "p", side: "sandbox" }),
  ];
  expect(errors.map((error) => [error.name, error.code, error instanceof IpyboxError])).toEqual([
    ["ExecutionError", "execution_failed", true],
    ["ExecutionAbortedError", "execution_aborted", true],
    ["ExecutionTimeoutError", "execution_timeout", true],
    ["KernelDiedError", "kernel_died", true],
    ["ContainerDiedError", "container_died", true],
    ["FileError", "ENOENT", true],
  ]);
  expect(errors[0]?.message).toBe("E: v");
});
