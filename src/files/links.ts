/**
 * Whether a link that lies `depth` directories deep in a tree leads to a place in that tree, whatever the tree's other links
 * are, as long as they do, too. `..` may only come first, since behind a link it would lead anywhere.
 */
export function leadsInside(target: string, depth: number): boolean {
  if (target.startsWith("/")) return false;
  const steps = target.split("/").filter((step) => step !== "" && step !== ".");
  const ups = steps.findIndex((step) => step !== "..");
  const leading = ups < 0 ? steps.length : ups;
  return leading <= depth && !steps.slice(leading).includes("..");
}
