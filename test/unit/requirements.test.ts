import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { citedIds, testSources } from "../citations.ts";
import { claimedIds, REQUIREMENTS, verifies } from "../requirements.ts";

const sources = testSources(fileURLToPath(new URL("../..", import.meta.url)));

describe("the ledger of requirements", () => {
  test("has each claimed one cited by a test", () => {
    const cited = new Set(sources.flatMap(({ source }) => citedIds(source)));
    expect(claimedIds().filter((id) => !cited.has(id))).toEqual([]);
  });

  test("has every id that is cited", () => {
    const unknown = sources.flatMap(({ path, source }) =>
      citedIds(source)
        .filter((id) => !Object.hasOwn(REQUIREMENTS, id))
        .map((id) => `${path}: ${id}`),
    );
    expect(unknown).toEqual([]);
  });

  test("claims groups and single ids, and nothing that does not exist", () => {
    expect(claimedIds(["TIME-05", "DOC"])).toEqual(["TIME-05", "DOC-01", "DOC-02", "DOC-03", "DOC-04"]);
    expect(() => claimedIds(["NONE"])).toThrow('no requirement or group "NONE"');
    expect(() => claimedIds(["EXEC-1"])).toThrow("EXEC-1");
  });

  test("refuses a citation of what it does not have", () => {
    verifies("EXEC-01", "EXEC-02");
    expect(() => verifies("EXEC-99" as never)).toThrow("no requirement EXEC-99");
  });
});

test("citations are found in TypeScript calls over several lines and in Python comments, and nowhere else", () => {
  expect(citedIds('verifies("A-1", \'B-2\');\n// C-3\n  verifies(\n    "D-4",\n  );')).toEqual(["A-1", "B-2", "D-4"]);
  expect(citedIds("def test_it():  # verifies: E-5, F-6\n    assert True  # G-7")).toEqual(["E-5", "F-6"]);
  expect(citedIds('const ids = ["A-1"]; unverifies("B-1")')).toEqual([]);
});
