import { constants } from "node:os";

/** The user, or the reader of stdout, wants the command to end. */
export class Stopped extends Error {
  override readonly name = "Stopped";
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals) {
    super(`stopped by ${signal}`);
    this.signal = signal;
  }
}

/** The status with which a shell reports that a signal has ended a process. */
export function signalStatus(name: string): number {
  return 128 + (constants.signals[name as NodeJS.Signals] ?? 0);
}

/** Why writing has failed: nobody reads any more (as after `| head`), the terminal is gone, or something worth telling. */
export function writeFailure(error: NodeJS.ErrnoException): Error {
  if (error.code === "EPIPE") return new Stopped("SIGPIPE");
  return error.code === "EIO" ? new Stopped("SIGHUP") : error;
}
