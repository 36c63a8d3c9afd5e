/** The numbers of a version, as far as they are separated by points: `20.10.24+dfsg1` → 20, 10, 24. */
export function versionNumbers(version: string): readonly number[] {
  const [numbers = ""] = /\d+(\.\d+)*/.exec(version) ?? [];
  return numbers === "" ? [] : numbers.split(".").map(Number);
}

/** Whether a version is older than another one. What can't be read is not. */
export function isOlder(version: string, than: string): boolean {
  const [ours, theirs] = [versionNumbers(version), versionNumbers(than)];
  if (ours.length === 0) return false;
  for (let at = 0; at < Math.max(ours.length, theirs.length); at += 1) {
    const difference = (ours[at] ?? 0) - (theirs[at] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

/** Whether a version has a mend that came in several lines at once: the first version of each line that has it. */
export function isMended(version: string, first: readonly string[]): boolean {
  const line = (text: string): string => versionNumbers(text).slice(0, 2).join(".");
  const own = first.find((one) => line(one) === line(version));
  if (own !== undefined) return !isOlder(version, own);
  const newest = first.reduce((a, b) => (isOlder(a, b) ? b : a));
  return !isOlder(version, newest);
}
