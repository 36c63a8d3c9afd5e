import { describe, expect, expectTypeOf, it } from "vitest";
import { ExecutionError, ExecutionTimeoutError, IpyboxError, NdArray, type Settable, type SettableValue } from "ipybox";
import { verifies } from "../requirements.ts";
import { rejection, useContainer } from "./sandbox.ts";

const sandbox = useContainer();

describe("get() and set()", () => {
  const values: readonly (readonly [string, SettableValue, string])[] = [
    ["null", null, "None"],
    ["booleans", [true, false], "[True, False]"],
    ["numbers", [0, -1, 1.5, 2 ** 53 - 1, 1e300], "[0, -1, 1.5, 9007199254740991, 1e+300]"],
    ["numbers that JSON lacks", [Infinity, -Infinity], "[inf, -inf]"],
    ["integers beyond 53 bits", [2n ** 64n, -(2n ** 70n)], "[18446744073709551616, -1180591620717411303424]"],
    ["text", "é 😀 \u2028 \ud800 '\"\\", String.raw`'\xe9 \U0001f600 \u2028 \ud800 \'"\\'`],
    [
      "objects",
      { a: { b: [{}] }, "": 1, $: "tagged", __proto__x: 2 },
      "{'a': {'b': [{}]}, '': 1, '$': 'tagged', '__proto__x': 2}",
    ],
    ["bytes", new Uint8Array([0, 255, 10]), String.raw`b'\x00\xff\n'`],
    ["bytes within", [{ deep: [new Uint8Array([1])] }, new Uint8Array()], String.raw`[{'deep': [b'\x01']}, b'']`],
  ];
  it.each(values)("keep %s", async (_, value, repr) => {
    verifies("OUT-09");
    await using client = await sandbox.connect();
    await client.set("value", value);
    expect((await client.execute("print(ascii(value))")).text).toBe(repr);
    expect(await client.get("value")).toEqual(value);
  });

  it("take what interfaces describe; what has no counterpart is no type for set() either", async () => {
    verifies("OUT-09");
    interface Sample {
      readonly name: string;
      readonly at: Date;
      readonly values: Float64Array;
      readonly parent: Sample | null;
    }
    const sample: Sample = { name: "a", at: new Date(0), values: new Float64Array([1]), parent: null };
    const samples: readonly Sample[] = [sample, { ...sample, parent: sample }];
    await using client = await sandbox.connect();
    await client.set("samples", samples);
    expect((await client.execute("[s['parent'] and s['parent']['name'] for s in samples]")).text).toBe("[None, 'a']");
    type Settables = Parameters<typeof client.set<unknown>>[1];
    expectTypeOf<Sample>().toExtend<Settable<Sample>>();
    expectTypeOf<SettableValue>().toExtend<Settables>();
    expectTypeOf<Settable<() => number>>().toBeNever();
    expectTypeOf<Settable<symbol | undefined>>().toBeNever();
    expectTypeOf<Map<string, number>>().not.toExtend<Settable<Map<string, number>>>();
    expectTypeOf<{ deep: () => number }>().not.toExtend<Settable<{ deep: () => number }>>();
  });

  it("keep NaN, dates as datetime, and what Python has", async () => {
    verifies("OUT-09");
    await using client = await sandbox.connect();
    await client.set("value", { n: Number.NaN, d: new Date(Date.UTC(2024, 1, 29)) });
    expect((await client.execute("value['n'] != value['n'], value['d'].year, value['d'].tzinfo is not None")).text).toBe(
      "(True, 2024, True)",
    );
    await client.execute(
      "import datetime, decimal\nmixed = (1, {2: 'two'}, {3}, datetime.date(2024, 2, 29), decimal.Decimal('1.10'), bytearray(b'x'))",
    );
    expect(await client.get("mixed")).toEqual([1, { 2: "two" }, [3], "2024-02-29", "1.10", new Uint8Array([120])]);
  });

  it("give typed arrays without NumPy as array.array, and with it as ndarray", { timeout: 120_000 }, async () => {
    verifies("OUT-09");
    await using client = await sandbox.connect();
    const arrays = [
      new Int8Array([-1]),
      new Int16Array([-2]),
      new Uint16Array([2]),
      new Int32Array([-3]),
      new Uint32Array([3]),
      new BigInt64Array([-(2n ** 62n)]),
      new BigUint64Array([2n ** 63n]),
      new Float32Array([0.5]),
      new Float64Array([0.1, Number.NaN]),
    ];
    await client.set("arrays", arrays);
    expect((await client.execute("type(arrays[0]).__name__")).text).toBe("'array'");
    expect(await client.get("arrays")).toEqual(arrays);
    await client.execute("%pip install -q numpy pandas pyarrow", { timeoutMs: 110_000 });
    await client.set("arrays", arrays);
    expect((await client.execute("print([a.dtype.str for a in arrays])")).text).toBe(
      "['|i1', '<i2', '<u2', '<i4', '<u4', '<i8', '<u8', '<f4', '<f8']",
    );
    expect(await client.get("arrays")).toEqual(arrays);
    const matrix = new NdArray(new Float64Array([1, 2, 3, 4, 5, 6]), [2, 3]);
    await client.set("matrix", matrix);
    expect((await client.execute("matrix.shape, matrix[1, 2]")).text).toBe("((2, 3), np.float64(6.0))");
    expect(await client.get("matrix")).toEqual(matrix);
    await client.execute(
      "t = matrix.T\nbools = matrix > 2\nhalf = matrix.astype('f2')\none = matrix[0, 0]\nbig = matrix.astype('>i4')",
    );
    expect(await client.get("t")).toEqual(new NdArray(new Float64Array([1, 4, 2, 5, 3, 6]), [3, 2]));
    expect(await client.get("bools")).toEqual(new NdArray(new Uint8Array([0, 0, 1, 1, 1, 1]), [2, 3]));
    expect(await client.get("half")).toEqual(new NdArray(new Float32Array([1, 2, 3, 4, 5, 6]), [2, 3]));
    expect(await client.get("one")).toBe(1);
    expect(await client.get("big")).toEqual(new NdArray(new Int32Array([1, 2, 3, 4, 5, 6]), [2, 3]));

    await client.execute(
      "import pandas as pd\ndf = pd.DataFrame({'n': [1, 2], 's': ['x', None], 'd': pd.to_datetime(['2024-02-29', None])})",
    );
    const rows = [
      { n: 1, s: "x", d: "2024-02-29T00:00:00" },
      { n: 2, s: null, d: null },
    ];
    expect(await client.get("df")).toEqual(rows);
    expect(await client.get("df", { as: "rows" })).toEqual(rows);
    const stream = await client.get("df", { as: "arrow" });
    await client.set("copy", stream, { as: "arrow" });
    expect((await client.execute("copy.equals(df)")).text).toBe("True");
    await client.set("records", [{ a: 1 }, { a: 2 }], { as: "rows" });
    expect((await client.execute("type(records).__name__, records['a'].sum()")).text).toBe("('DataFrame', np.int64(3))");
    expect(await client.variables()).toContainEqual(
      expect.objectContaining({ name: "matrix", type: "ndarray", module: "numpy", sizeBytes: 48, shape: [2, 3] }),
    );
  });

  it("say what can't be done", async () => {
    verifies("OUT-09");
    await using client = await sandbox.connect();
    expect((await rejection(client.get("nothing"), ExecutionError)).message).toBe("NameError: name 'nothing' is not defined");
    await client.execute(
      "import sys\nmodule = sys\nloop = []\nloop.append(loop)\nclass Slow:\n    @property\n    def __class__(self):\n        while True: pass\nslow = Slow()",
    );
    expect((await rejection(client.get("module"), ExecutionError)).message).toContain(
      "a value of type module has no counterpart",
    );
    expect((await rejection(client.get("loop"), ExecutionError)).message).toContain("contains itself");
    expect((await rejection(client.get("module", { as: "arrow" }), ExecutionError)).message).toMatch(/no table|pyarrow/);
    await rejection(client.get("slow", { timeoutMs: 300 }), ExecutionTimeoutError);
    const bad: readonly unknown[] = [undefined, () => 1, Symbol("s"), new Map(), { deep: [undefined] }];
    for (const value of bad) {
      const error = await rejection(client.set("x", value as SettableValue), IpyboxError);
      expect(error.code).toBe("invalid_option");
      expect(error.message).toContain("no counterpart in Python");
    }
    for (const name of ["", "a b", "1a", "a.b", 5]) {
      expect((await rejection(client.set(name as string, 1), IpyboxError)).code).toBe("invalid_option");
    }
    expect((await client.execute("1 + 1")).text).toBe("2");
  });
});

describe("variables()", () => {
  it("lists names with type and size, without what IPython brings", async () => {
    verifies("OUT-09");
    await using client = await sandbox.connect();
    expect(await client.variables()).toEqual([]);
    await client.execute("b = 'text'\na = [1, 2]\n_hidden = 1\ndef f(): pass");
    expect(await client.variables()).toEqual([
      { name: "a", type: "list", module: "builtins", sizeBytes: expect.any(Number) as number, length: 2, shape: null },
      { name: "b", type: "str", module: "builtins", sizeBytes: expect.any(Number) as number, length: 4, shape: null },
      { name: "f", type: "function", module: "builtins", sizeBytes: expect.any(Number) as number, length: null, shape: null },
    ]);
  });
});

describe("completion and inspection", () => {
  it("complete names, attributes and magics, with positions in JavaScript's counting", async () => {
    verifies("OUT-10");
    await using client = await sandbox.connect();
    await client.execute("text_one = 'x'");
    const code = "'😀'; text_o";
    expect(await client.complete(code)).toMatchObject({ matches: ["text_one"], start: 6, end: 12 });
    expect((await client.complete("text_one.upp\nprint(1)", 12)).matches).toContain("upper");
    expect((await client.complete("%timei")).matches).toContain("%timeit");
    const { matches, types } = await client.complete("import js");
    expect(types[matches.indexOf("json")]).toBe("module");
    expect((await client.complete("nothing_like_it_at_al")).matches).toEqual([]);
  });

  it("inspect the name at the cursor", async () => {
    verifies("OUT-10");
    await using client = await sandbox.connect();
    await client.execute("def greet(name: str = 'you') -> str:\n    '''Says hello.'''\n    return f'hello {name}'");
    const { found, data } = await client.inspect("greet(", 3);
    expect(found).toBe(true);
    expect(data["text/plain"]).toContain("greet(name: str = 'you') -> str");
    expect(data["text/plain"]).toContain("Says hello.");
    expect((await client.inspect("greet", 5, { level: 1 })).data["text/plain"]).toContain("return f'hello {name}'");
    expect(await client.inspect("nothing")).toEqual({ found: false, data: {} });
  });

  it("tell whether a cell is complete", async () => {
    verifies("OUT-10");
    await using client = await sandbox.connect();
    expect(await client.isComplete("x = 1")).toEqual({ status: "complete", indent: "" });
    expect(await client.isComplete("for x in y:")).toEqual({ status: "incomplete", indent: "    " });
    expect(await client.isComplete("f(1,")).toMatchObject({ status: "incomplete" });
    expect((await client.isComplete("x = = 1")).status).toBe("invalid");
    expect((await client.isComplete("%%bash\necho")).status).toBe("incomplete");
  });

  it("wait for the cells before them", async () => {
    verifies("OUT-10", "EXEC-10");
    await using client = await sandbox.connect();
    const cell = client.submit("import time; time.sleep(0.2); defined_late = 1");
    const completion = client.complete("defined_l");
    await cell.result();
    expect((await completion).matches).toEqual(["defined_late"]);
  });
});
