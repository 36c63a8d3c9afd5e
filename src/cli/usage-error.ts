/** The command line is wrong. The message names the flag, what was given, and what is allowed. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
