import { CommanderError } from "commander";
import { ExecutionError, ExecutionTimeoutError, IpyboxError, KernelDiedError } from "../errors.ts";
import { signalStatus, Stopped } from "./stopped.ts";
import { UsageError } from "./usage-error.ts";

const FAILURE = 1;
const USAGE = 2;
const TIMEOUT = 124;

/** The status that the command ends with, because of an error. */
export function exitStatus(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
  if (error instanceof UsageError) return USAGE;
  if (error instanceof Stopped) return signalStatus(error.signal);
  if (error instanceof ExecutionTimeoutError) return TIMEOUT;
  if (error instanceof ExecutionError) return exceptionStatus(error);
  if (error instanceof KernelDiedError) return deathStatus(error);
  if (error instanceof IpyboxError && error.code === "invalid_option") return USAGE;
  return FAILURE;
}

/** What `sys.exit` was given, when that is a text: Python prints it. */
export function exitMessage({ errorName, errorValue }: { errorName: string; errorValue: string }): string | undefined {
  return errorName === "SystemExit" && systemExitStatus(errorValue) === undefined ? errorValue : undefined;
}

/** As `python FILE` would end. */
function exceptionStatus({ errorName, errorValue }: ExecutionError): number {
  if (errorName === "SystemExit") return systemExitStatus(errorValue) ?? FAILURE;
  return errorName === "KeyboardInterrupt" ? signalStatus("SIGINT") : FAILURE;
}

function systemExitStatus(value: string): number | undefined {
  if (value === "" || value === "None" || value === "False") return 0;
  if (value === "True") return 1;
  // Of a number, a process's parent gets the lowest eight bits.
  return /^-?\d+$/.test(value) ? Number(BigInt.asUintN(8, BigInt(value))) : undefined;
}

function deathStatus({ reason, exitCode, signal }: KernelDiedError): number {
  if (reason === "oom") return signalStatus("SIGKILL");
  return signal === null ? (exitCode ?? FAILURE) : signalStatus(signal);
}
