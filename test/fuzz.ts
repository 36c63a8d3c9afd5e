import fc from "fast-check";

const { FUZZ_RUNS = "10000", FUZZ_SEED } = process.env;

/** How parsers are tried: `FUZZ_RUNS` inputs each, always the same ones with `FUZZ_SEED`. */
export const FUZZ: { readonly numRuns: number; readonly seed: number } = {
  numRuns: Number(FUZZ_RUNS),
  seed: Number(FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31)),
};

console.log(`FUZZ_SEED=${FUZZ.seed} FUZZ_RUNS=${FUZZ.numRuns}`);

/** Time for a property with that many inputs. */
export const FUZZ_TIMEOUT_MS: number = 30_000 + FUZZ.numRuns * 20;

/** JSON that is what it should be, but for a part of it that is anything. */
export function spoiled(good: object): fc.Arbitrary<unknown> {
  const entries = Object.entries(good);
  const spoiledAt = (index: number): fc.Arbitrary<unknown> => {
    const [name, value] = entries[index] as [string, unknown];
    const deeper = typeof value === "object" && value !== null ? [spoiled(value)] : [];
    return fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constant(undefined), ...deeper).map((part) => {
      if (Array.isArray(good)) return good.with(index, part);
      return { ...good, [name]: part };
    });
  };
  const somewhere = entries.length === 0 ? [] : [fc.nat(entries.length - 1).chain(spoiledAt)];
  return fc.oneof(
    { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
    ...somewhere.map((arbitrary) => ({ weight: 6, arbitrary })),
  );
}

/** Text of JSON, whole or cut, or bytes of anything. */
export function spoiledText(good: object): fc.Arbitrary<Buffer> {
  const json = spoiled(good).map((value) => Buffer.from(JSON.stringify(value) ?? ""));
  const cut = fc.tuple(json, fc.nat(400)).map(([bytes, length]) => bytes.subarray(0, length));
  return fc.oneof(
    { weight: 6, arbitrary: json },
    { weight: 2, arbitrary: cut },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) },
  );
}
