/** What has come of a tree, or gone. */
export interface TreeCounts {
  files: number;
  directories: number;
  symlinks: number;
  bytes: number;
  /** Paths from the tree's root, as they are sent. */
  readonly skipped: string[];
  skippedCount: number;
}

/** Names of what was skipped are kept up to so many. */
const MAX_SKIPPED_NAMES = 1_000;

export function newCounts(): TreeCounts {
  return { files: 0, directories: 0, symlinks: 0, bytes: 0, skipped: [], skippedCount: 0 };
}

export function skip(counts: TreeCounts, path: string): void {
  counts.skippedCount += 1;
  if (counts.skipped.length < MAX_SKIPPED_NAMES) counts.skipped.push(path);
}
