import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { corpus } from "../compatibility/corpus.ts";
import { verifies } from "../requirements.ts";

const cells = corpus.flatMap((topic) => topic.cells);

describe("the corpus that is compared with ipykernel", () => {
  it("has at least 150 cells, each with a name of its own in its topic", () => {
    verifies("OUT-01");
    expect(cells.length).toBeGreaterThanOrEqual(150);
    for (const { name, cells: own } of corpus)
      expect({ name, names: new Set(own.map((cell) => cell.name)).size }).toEqual({ name, names: own.length });
  });

  it("declares differences that docs/compatibility.md explains, and no others are explained", async () => {
    verifies("OUT-01");
    const page = await readFile(new URL("../../docs/compatibility.md", import.meta.url), "utf8");
    const explained = [...page.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, key]) => key);
    const declared = new Set(cells.flatMap(({ difference }) => (difference === undefined ? [] : [difference.reason])));
    expect(explained.toSorted()).toEqual([...declared].toSorted());
  });
});
