import { CommanderError } from "commander";
import { expect, test } from "vitest";
import { exitMessage, exitStatus } from "../../src/cli/exit-status.ts";
import { Stopped } from "../../src/cli/stopped.ts";
import { UsageError } from "../../src/cli/usage-error.ts";
import { ExecutionError, ExecutionTimeoutError, IpyboxError, type KernelDeath, KernelDiedError } from "../../src/errors.ts";
import { OutputCollector } from "../../src/outputs.ts";
import { ExecutionResult } from "../../src/result.ts";
import { verifies } from "../requirements.ts";

const result = new ExecutionResult(new OutputCollector(0), { executionCount: 1, freshKernel: false, lostBytes: 0 });

function raised(errorName: string, errorValue: string): ExecutionError {
  return new ExecutionError({ errorName, errorValue, traceback: "", frames: [] }, result);
}

function died(death: Partial<KernelDeath>): KernelDiedError {
  return new KernelDiedError({ reason: "signalled", exitCode: null, signal: null, ...death }, result);
}

test.each([
  { value: "", status: 0, message: undefined },
  { value: "None", status: 0, message: undefined },
  { value: "0", status: 0, message: undefined },
  { value: "3", status: 3, message: undefined },
  { value: "255", status: 255, message: undefined },
  { value: "256", status: 0, message: undefined },
  { value: "-1", status: 255, message: undefined },
  { value: "1267650600228229401496703205379", status: 3, message: undefined },
  { value: "True", status: 1, message: undefined },
  { value: "False", status: 0, message: undefined },
  { value: "no luck", status: 1, message: "no luck" },
  { value: "1.5", status: 1, message: "1.5" },
])("sys.exit($value) gives $status as in Python", ({ value, status, message }) => {
  verifies("CLI-01");
  expect(exitStatus(raised("SystemExit", value))).toBe(status);
  expect(exitMessage(raised("SystemExit", value))).toBe(message);
});

test("an exception gives 1, whatever its text", () => {
  verifies("CLI-01");
  expect(exitStatus(raised("ValueError", "3"))).toBe(1);
  expect(exitMessage(raised("ValueError", "three"))).toBeUndefined();
  expect(exitStatus(raised("KeyboardInterrupt", ""))).toBe(130);
});

test("each other end has a status of its own", () => {
  verifies("CLI-01");
  const statuses = [
    new ExecutionTimeoutError(1, result, false),
    died({ reason: "exited", exitCode: 7 }),
    died({ signal: "SIGSEGV" }),
    died({ reason: "oom", signal: "SIGKILL" }),
    new Stopped("SIGINT"),
    new Stopped("SIGTERM"),
    new Stopped("SIGPIPE"),
    new UsageError("wrong"),
    new CommanderError(1, "commander.unknownOption", "wrong"),
    new CommanderError(0, "commander.helpDisplayed", "(help)"),
    new IpyboxError("invalid_option", "wrong"),
    new IpyboxError("daemon_unreachable", "gone"),
    new Error("a bug"),
  ].map(exitStatus);
  expect(statuses).toEqual([124, 7, 139, 137, 130, 143, 141, 2, 2, 0, 2, 1, 1]);
});
