import type { HostErrorKind } from "../protocol/requests.ts";

/** Why a call gives no value; raised in Python as the exception that belongs to `kind`. */
export class HostCallError extends Error {
  override readonly name: string = "HostCallError";
  readonly kind: HostErrorKind;
  /** The class that Python shows in `error.name`. */
  readonly errorName: string;

  constructor(kind: HostErrorKind, message: string, errorName = "Error") {
    super(message);
    this.kind = kind;
    this.errorName = errorName;
  }
}

/** Any error as one of a call: what a handler throws has failed. */
export function asHostCallError(error: unknown): HostCallError {
  if (error instanceof HostCallError) return error;
  const name = error instanceof Error ? error.name : typeof error;
  return new HostCallError("failed", messageOf(error), name);
}

export function messageOf(error: unknown): string {
  try {
    return error instanceof Error ? error.message : String(error);
  } catch {
    return "an error whose text can't be had";
  }
}
