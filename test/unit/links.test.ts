import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { leadsInside } from "../../src/files/links.ts";
import { verifies } from "../requirements.ts";

test.each([
  ["a", 0, true],
  ["../a", 1, true],
  ["..", 1, true],
  ["./a//b/", 0, true],
  [".", 0, true],
  ["..", 0, false],
  ["../../a", 1, false],
  ["/etc/passwd", 9, false],
  ["a/..", 5, false],
  ["a/../../b", 5, false],
  ["../a/../..", 5, false],
])("a link to %s from %i directories deep leads inside: %s", (target, depth, inside) => {
  verifies("FILE-03");
  expect(leadsInside(target, depth)).toBe(inside);
});

test("links that lead inside do, whatever other such links they lead through", () => {
  verifies("FILE-03");
  const names = ["a", "b", "c", "d"];
  const step = fc.constantFrom(...names, "..", ".");
  const link = fc.record({
    place: fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }),
    target: fc.array(step, { minLength: 1, maxLength: 5 }),
  });
  const parent = mkdtempSync(join(tmpdir(), "ipybox-links-"));
  let turn = 0;
  try {
    fc.assert(
      fc.property(fc.array(link, { minLength: 1, maxLength: 6 }), (links) => {
        const root = join(parent, String(turn++), "root");
        mkdirSync(root, { recursive: true });
        const made: string[] = [];
        for (const { place, target } of links) {
          const path = join(root, ...place);
          if (!leadsInside(target.join("/"), place.length - 1)) continue;
          try {
            // As in a download: directories are real ones.
            for (let depth = 1; depth < place.length; depth += 1) mkdirReal(join(root, ...place.slice(0, depth)), made);
            symlinkSync(target.join("/"), path);
            made.push(path);
          } catch {
            // Something else has the place.
          }
        }
        for (const path of made) {
          let real: string;
          try {
            real = realpathSync(path);
          } catch {
            continue; // it leads nowhere, or round in circles
          }
          expect(real === root || real.startsWith(`${root}/`)).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  } finally {
    rmSync(parent, { recursive: true });
  }
});

function mkdirReal(path: string, links: readonly string[]): void {
  if (links.includes(path) || links.some((link) => path.startsWith(`${link}/`))) throw new Error(`${dirname(path)} is a link`);
  mkdirSync(path, { recursive: true });
}
