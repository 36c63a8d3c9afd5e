import { UsageError } from "./usage-error.ts";

const MIB = 1_048_576;
const UNITS: Readonly<Record<string, number>> = { b: 1, k: 1024, m: MIB, g: 1024 * MIB };

/** `--memory`: bytes, or with a unit as Docker writes it. */
export function readMemory(text: string): number {
  const [, number = "", unit = "b"] = /^(\d+(?:\.\d+)?)([bkmg])?$/i.exec(text) ?? [];
  const bytes = Math.round(Number(number) * (UNITS[unit.toLowerCase()] ?? 1));
  if (number === "" || bytes < 64 * MIB) throw wrong("--memory", "64m or more, for example 512m or 2g", text);
  return bytes;
}

/** `--cpus` */
export function readCpus(text: string): number {
  const cpus = readNumber(text);
  if (!(cpus >= 0.01)) throw wrong("--cpus", "a number, 0.01 or more", text);
  return cpus;
}

/** `--port` */
export function readPort(text: string): number {
  const port = readNumber(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw wrong("--port", "a whole number from 1 to 65535", text);
  return port;
}

/** `--timeout`, in milliseconds; null for no limit. */
export function readTimeout(text: string): number | null {
  const seconds = readNumber(text);
  if (!(seconds >= 0)) throw wrong("--timeout", "a number of seconds, 0 for no limit", text);
  return seconds === 0 ? null : Math.max(1, Math.round(seconds * 1000));
}

/** A number of things, 1 or more. */
export function readCount(flag: string, text: string): number {
  const count = readNumber(text);
  if (!Number.isSafeInteger(count) || count < 1) throw wrong(flag, "a whole number, 1 or more", text);
  return count;
}

function readNumber(text: string): number {
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
}

function wrong(flag: string, allowed: string, given: string): UsageError {
  return new UsageError(`${flag} must be ${allowed}. Given was ${JSON.stringify(given)}.`);
}
