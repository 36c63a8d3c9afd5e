import { homedir } from "node:os";

/** This user's directory; the root where neither HOME nor the list of users has one, as for the arbitrary uids of some clusters. */
export function homeDirectory(): string {
  try {
    return homedir() || "/";
  } catch {
    return "/";
  }
}
