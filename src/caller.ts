import { DEFAULTS, type SandboxUser } from "./options.ts";

/** Whose rights cells have unless the caller says otherwise: the caller's own, but never root's. */
export function callerUser(): SandboxUser {
  const uid = process.getuid?.() ?? 0;
  const gid = process.getgid?.() ?? 0;
  return uid === 0 ? DEFAULTS.user : { uid, gid: gid === 0 ? DEFAULTS.user.gid : gid };
}
