import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, expectTypeOf, it } from "vitest";
import * as z from "zod";
import { ExecutionError, type HostCallContext, IpyboxError, NdArray, type Value } from "ipybox";
import { verifies } from "../requirements.ts";
import { rejection, useContainer } from "./sandbox.ts";

const sandbox = useContainer();

const search = {
  description: 'Finds documents.\n\nThe best come first: """so""" \\ it is.',
  input: z.object({
    query: z.string().describe("What to look for."),
    limit: z.int().default(3),
    tags: z.array(z.string()).optional(),
    order: z.enum(["asc", "desc"]).nullable().default(null),
  }),
  output: z.array(z.string()),
  handler: ({ query, limit, tags }: { query: string; limit: number; tags?: string[] | undefined }) =>
    Array.from({ length: limit }, (_, index) => `${query} ${index}${(tags ?? []).join("")}`),
} as const;

describe("a function that is exposed", () => {
  it("is called from Python and gives its value, awaited or not", async () => {
    verifies("HOST-01");
    await using client = await sandbox.connect();
    await client.expose({ search });
    expect((await client.execute("from host import search\nsearch('a', limit=2)")).text).toBe("['a 0', 'a 1']");
    expect((await client.execute("from host.aio import search as find\nawait find('b', tags=['!'])")).text).toBe(
      "['b 0!', 'b 1!', 'b 2!']",
    );
    await client.reset();
    expect((await client.execute("import host\nhost.search('c', 1), await host.aio.search('d', 1)")).text).toBe(
      "(['c 0'], ['d 0'])",
    );
  });

  it("has a signature, hints, documentation and a source", async () => {
    verifies("HOST-01");
    await using client = await sandbox.connect();
    await client.expose({ search });
    const { text } = await client.execute(
      "import inspect\nfrom host import search\nprint(inspect.signature(search))\nprint(inspect.getdoc(search))\nprint(inspect.getsource(search).splitlines()[0])",
    );
    expect(text).toBe(
      "(query: str, limit: int = 3, tags: list[str] | None = None, order: Optional[Literal['asc', 'desc']] = None) -> list[str]\n" +
        'Finds documents.\n\nThe best come first: """so""" \\ it is.\n\nArgs:\n    query: What to look for.\n' +
        'def search(query: str, limit: int = 3, tags: list[str] | None = None, order: _Literal["asc", "desc"] | None = None) -> list[str]:',
    );
    const { stdout } = await client.execute("import asyncio, host.aio\nprint(asyncio.iscoroutinefunction(host.aio.search))");
    expect(stdout).toBe("True\n");
  });

  it("takes and gives JSON, bytes, arrays, large integers and dates", async () => {
    verifies("HOST-01");
    await using client = await sandbox.connect();
    const seen: unknown[] = [];
    await client.expose({
      keep: { input: z.object({ value: z.any() }), handler: ({ value }) => void seen.push(value) },
      give: { input: z.object({ index: z.int() }), handler: ({ index }) => seen[index] },
      made: {
        handler: () => ({
          bytes: new Uint8Array([1, 2]),
          floats: new Float64Array([0.5]),
          when: new Date(0),
          grid: new NdArray(new Int32Array(4), [2, 2]),
        }),
      },
    });
    await client.execute(
      "%pip install -q numpy\nimport numpy\nfrom host import keep, give, made\n" +
        "values = [None, True, 1.5, 'é😀', b'\\x00\\xff', 10**30, [1, {'$': 'a'}], numpy.arange(3), numpy.zeros((2, 2)), float('inf')]\n" +
        "for value in values: keep(value)",
    );
    expect(seen.slice(0, 7)).toEqual([null, true, 1.5, "é😀", new Uint8Array([0, 255]), 10n ** 30n, [1, { $: "a" }]]);
    expect(seen[7]).toEqual(new BigInt64Array([0n, 1n, 2n]));
    expect(seen[8]).toEqual(new NdArray(new Float64Array(4), [2, 2]));
    const { text } = await client.execute(
      "back = [give(i) for i in range(len(values))]\nprint(back[:7] == values[:7], (back[7] == values[7]).all(), back[8].shape, back[9])\n" +
        "print(made()['bytes'], made()['floats'].dtype, made()['when'].year, made()['grid'].shape)",
    );
    expect(text).toBe("True True (2, 2) inf\nb'\\x01\\x02' float64 1970 (2, 2)");
  });

  it("takes and gives megabytes", async () => {
    verifies("HOST-01");
    await using client = await sandbox.connect();
    await client.expose({
      turn: { input: z.object({ data: z.instanceof(Uint8Array) }), handler: ({ data }) => data.toReversed() },
    });
    const { text } = await client.execute(
      "from host import turn\nimport os\ndata = os.urandom(20_000_000)\nturn(data) == data[::-1], turn(b'')",
    );
    expect(text).toBe("(True, b'')");
  });

  it("is told by a JSON Schema as well, which checks and fills in", async () => {
    verifies("HOST-01");
    await using client = await sandbox.connect();
    const seen: unknown[] = [];
    await client.expose({
      book: {
        input: {
          $schema: "http://json-schema.org/draft-07/schema#",
          type: "object",
          properties: {
            seat: { type: "object", properties: { row: { type: "integer" } }, required: ["row"] },
            class: { enum: [1, 2], default: 2 },
          },
          required: ["seat"],
          additionalProperties: false,
        },
        handler: (input) => {
          seen.push(input);
          return "booked";
        },
      },
    });
    await client.execute("from host import book");
    expect((await client.execute("book({'row': 3}), book(seat={'row': 4}, class_=1)")).text).toBe("('booked', 'booked')");
    expect(seen).toEqual([
      { seat: { row: 3 }, class: 2 },
      { seat: { row: 4 }, class: 1 },
    ]);
    const error = await rejection(client.execute("book({'row': 'x'})"), ExecutionError);
    expect(error.message).toBe('HostInputError: book: "seat.row": must be integer');
    expect((await rejection(client.execute("book({})"), ExecutionError)).message).toContain(
      '"seat.row": must have required property',
    );
    expect(seen).toHaveLength(2);
  });

  it("takes what is no object as its one argument, and more arguments where the schema lets it", async () => {
    verifies("HOST-01");
    await using client = await sandbox.connect();
    await client.expose({
      sum: { input: z.array(z.number()), handler: (numbers) => numbers.reduce((a, b) => a + b, 0) },
      all: { input: z.looseObject({ a: z.number() }), handler: (input) => Object.keys(input).join() },
      none: { handler: (input) => JSON.stringify(input) },
    });
    const { text } = await client.execute("from host import *\nsum([1, 2]), all(1, b=2, c=3), none()");
    expect(text).toBe("(3, 'a,b,c', '{}')");
  });

  it("is told which execution calls", async () => {
    verifies("HOST-01");
    await using client = await sandbox.connect();
    const contexts: HostCallContext[] = [];
    await client.expose({ note: { handler: (_, context) => void contexts.push(context) } });
    const execution = client.submit("from host import note\nnote()");
    await execution.result();
    expect(contexts.map(({ executionId }) => executionId)).toEqual([execution.id]);
    expect(contexts[0]?.signal.aborted).toBe(false);
  });

  it("has a handler that is typed by its schema", async () => {
    verifies("HOST-01");
    await using client = await sandbox.connect();
    await client.expose({
      typed: {
        input: z.object({ n: z.string().transform(Number), list: z.array(z.int()).default([]) }),
        handler: (input, context) => {
          expectTypeOf(input).toEqualTypeOf<{ n: number; list: number[] }>();
          expectTypeOf(context.signal).toEqualTypeOf<AbortSignal>();
          return input.n + input.list.length;
        },
      },
      schema: {
        input: { type: "object" },
        handler: (input) => void expectTypeOf(input).toEqualTypeOf<Readonly<Record<string, unknown>>>(),
      },
    });
    expect((await client.execute("from host import typed\ntyped('41', [1])")).text).toBe("42");
  });

  it("is replaced when it is exposed again, also where it is imported already; others stay", async () => {
    verifies("HOST-01");
    await using client = await sandbox.connect();
    await client.expose({ one: { handler: () => "old" }, two: { handler: () => 2 } });
    await client.execute("import host\nfrom host import one\nimport linecache, inspect\n_ = inspect.getsource(one)");
    await client.expose({
      one: { description: "The new one.", input: z.object({ x: z.int() }), handler: ({ x }) => `new ${x}` },
    });
    const { text } = await client.execute(
      "from host import one as again\nprint(host.one(1), again(2), host.two(), host.one.__doc__, 'x: int' in inspect.getsource(host.one))",
    );
    expect(text).toBe("new 1 new 2 2 The new one. True");
  });

  it("is there after a reset, after its kernel's death, and in forks", async () => {
    verifies("HOST-01", "KERN-02", "KERN-03");
    await using client = await sandbox.connect();
    let calls = 0;
    await client.expose({ count: { handler: () => (calls += 1) } });
    const cell = "from host import count\ncount()";
    expect((await client.execute(cell)).text).toBe("1");
    await client.reset();
    expect((await client.execute(cell)).text).toBe("2");
    const killed = client.submit("import os; os._exit(1)");
    const after = client.submit(cell);
    await rejection(killed.result(), IpyboxError);
    expect(await after.result()).toMatchObject({ text: "3", freshKernel: true });
    await using fork = await client.fork();
    expect((await fork.execute("count()")).text).toBe("4");
    await rejection(fork.execute("os = __import__('os'); os._exit(1)"), IpyboxError);
    expect((await fork.execute(cell)).text).toBe("5");
    await fork.expose({ count: { handler: () => "the fork" } });
    expect((await fork.execute("count()")).text).toBe("'the fork'");
    expect((await client.execute("count()")).text).toBe("6");
  });

  it("leaves modules of that name to users as long as none is exposed", async () => {
    verifies("HOST-01");
    await using client = await sandbox.connect();
    const error = await rejection(client.execute("import host"), ExecutionError);
    expect(error.message).toBe("ModuleNotFoundError: No module named 'host'");
  });
});

describe("a call fails with a Python exception", () => {
  it("when the handler throws: with the message, and the class in `name`", async () => {
    verifies("HOST-01");
    await using client = await sandbox.connect();
    const thrown: unknown[] = [
      new RangeError("no way"),
      "text",
      null,
      {
        toString: () => {
          throw new Error();
        },
      },
    ];
    await client.expose({
      fail: {
        input: z.object({ i: z.int() }),
        handler: ({ i }) => {
          throw thrown[i];
        },
      },
      later: {
        handler: async () => {
          await delay(5);
          throw new TypeError("later");
        },
      },
    });
    const error = await rejection(client.execute("from host import *\nfail(0)"), ExecutionError);
    expect(error.message).toBe("HostError: no way");
    expect(error.traceback).toContain("fail(0)");
    expect(error.traceback).not.toContain("ipybox_kernel");
    const { text } = await client.execute(
      "from host import HostError\nfor f, args in [(fail, (1,)), (fail, (2,)), (fail, (3,)), (later, ())]:\n    try: f(*args)\n    except HostError as e: print(e.name, '|', e)",
    );
    expect(text).toBe("string | text\nobject | null\nobject | an error whose text can't be had\nTypeError | later");
  });

  it("when the arguments don't fit: with the field", async () => {
    verifies("HOST-01");
    await using client = await sandbox.connect();
    await client.expose({ search });
    const error = await rejection(client.execute("from host import search\nsearch('a', tags=['x', 1])"), ExecutionError);
    expect(error.errorName).toBe("HostInputError");
    expect(error.errorValue).toContain('search: "tags.1": ');
    expect((await rejection(client.execute("search()"), ExecutionError)).errorName).toBe("TypeError");
    expect(
      (
        await client.execute(
          "from host import HostInputError, HostError\nissubclass(HostInputError, ValueError), issubclass(HostInputError, HostError)",
        )
      ).text,
    ).toBe("(True, True)");
  });

  it.each([
    ["lambda: 1", "TypeError: keep: a value of type function has no counterpart"],
    ["{1: {(): 2}}", "TypeError: keep: a key of type tuple has no counterpart"],
    ["loop", "ValueError: keep: the value is nested more than 200 deep"],
    ["type('Evil', (dict,), {'items': lambda self: 1 / 0})(a=1)", "ZeroDivisionError"],
  ])("when an argument has no counterpart: %s", async (value, message) => {
    verifies("HOST-01");
    await using client = await sandbox.connect();
    await client.expose({ keep: { input: z.object({ value: z.any() }), handler: () => 1 } });
    const error = await rejection(
      client.execute(`from host import keep\nloop = []\nloop.append(loop)\nkeep(${value})`),
      ExecutionError,
    );
    expect(error.message).toContain(message);
    expect((await client.execute("keep(1)")).text).toBe("1");
  });

  it("when the value has no counterpart, or does not fit the output schema", async () => {
    verifies("HOST-01");
    await using client = await sandbox.connect();
    const loop: Record<string, unknown> = {};
    loop["loop"] = loop;
    const values: unknown[] = [() => 1, { deep: [Symbol("x")] }, new Map(), loop, { gone: undefined }];
    await client.expose({
      give: { input: z.object({ i: z.int() }), handler: ({ i }) => values[i] },
      number: { output: z.number(), handler: () => "5" },
      nothing: { handler: () => undefined },
    });
    await client.execute("from host import *");
    const messages = [];
    for (const index of values.keys()) messages.push((await rejection(client.execute(`give(${index})`), ExecutionError)).message);
    expect(messages.map((message) => message.replace(/, which.*/, ""))).toEqual([
      "HostError: give: the handler's value is function",
      `HostError: give: the handler's value at "deep.0" is symbol`,
      "HostError: give: the handler's value is an object of class Map",
      `HostError: give: the handler's value at "loop" is an object that contains itself`,
      `HostError: give: the handler's value at "gone" is undefined`,
    ]);
    expect((await rejection(client.execute("number()"), ExecutionError)).message).toContain("does not fit its output schema");
    expect((await client.execute("print(nothing())")).text).toBe("None");
  });

  it("when the handler takes longer than its timeoutMs", async () => {
    verifies("HOST-01", "TIME-05");
    await using client = await sandbox.connect();
    let reason: unknown;
    await client.expose({
      hang: {
        timeoutMs: 50,
        handler: (_, { signal }) => {
          signal.addEventListener("abort", () => (reason = signal.reason));
          return new Promise<never>(() => undefined);
        },
      },
    });
    const error = await rejection(client.execute("from host import hang\nhang()"), ExecutionError);
    expect(error.message).toBe("HostTimeoutError: hang has not answered within 50 ms (timeoutMs)");
    expect(reason).toBeInstanceOf(Error);
    expect((await client.execute("from host import HostTimeoutError\nissubclass(HostTimeoutError, TimeoutError)")).text).toBe(
      "True",
    );
  });

  it("at once when nobody exposes it", async () => {
    verifies("HOST-01");
    await using client = await sandbox.connect();
    const error = await rejection(client.execute("from ipybox_kernel.host import call\ncall('nothing', {})"), ExecutionError);
    expect(error.message).toBe("HostUnavailableError: nothing can't be called: no program exposes it");
    expect(
      (
        await rejection(
          client.execute("from ipybox_kernel.host import call_async\nawait call_async('nothing', {})"),
          ExecutionError,
        )
      ).message,
    ).toBe(error.message);
  });

  it("at once in a process that the cell has forked", async () => {
    verifies("HOST-01");
    await using client = await sandbox.connect();
    await client.expose({ one: { handler: () => 1 } });
    const { text } = await client.execute(
      "import os\nfrom host import one, HostUnavailableError\nif os.fork() == 0:\n    try: one()\n    except HostUnavailableError as e: print(e)\n    os._exit(0)\nos.wait()\none()",
    );
    expect(text).toBe("one can't be called: a process that a cell has forked has no connection to it\n1");
  });
});

describe("hostile schemas", () => {
  const evil = [
    '""" + __import__("os")._exit(9) + """',
    '"\n    pass\nimport os; os._exit(9)\n"',
    "\\",
    '\\"""',
    "a\u2028b\u0000c\r\nd\u0085e\u202ef",
    "{x!r} %s ${y}",
    "😀 \ud800 é",
    "'''",
    "\t\n # comment",
    "",
    "class",
    "__proto__",
    "_call",
    "x: __import__('os')._exit(9)",
  ];

  /** What validators of JSON Schema take for the name of a property. */
  const names = evil.filter((text) => !/\p{Surrogate}/u.test(text));

  it("inject no code: descriptions, names, defaults, choices and whatever else a schema holds", async () => {
    verifies("HOST-01");
    await using client = await sandbox.connect();
    const seen: unknown[] = [];
    const input = {
      type: "object",
      description: evil[0],
      properties: Object.fromEntries<unknown>([
        ...names.map(
          (text, index) => [text, { type: ["string", "null"], description: evil[index], default: text, title: text }] as const,
        ),
        ["choice", { enum: evil, description: evil.join("\n") }],
        ["typed", { $ref: "#/$defs/x", default: { [evil[0] ?? ""]: [evil[1], 1.5, true, null, 0, 1e300] } }],
      ]),
      $defs: { x: { anyOf: [{ type: "array", items: { $ref: "#/$defs/x" } }, { const: evil[1] }, { type: "object" }] } },
    };
    const functions = Object.fromEntries(
      evil.map((description, index) => [
        `f${index}`,
        { description, input, output: { enum: [...evil, null] }, handler: (value: unknown) => (seen.push(value), null) },
      ]),
    );
    await client.expose(functions);
    const { text } = await client.execute(
      `import host, inspect, json\nfs = [getattr(host, f"f{i}") for i in range(${evil.length})]\n` +
        "for f in fs: f(); inspect.getsource(f); inspect.signature(f); inspect.getdoc(f)\n" +
        "print(len(inspect.signature(fs[0]).parameters))",
    );
    expect(text).toBe(String(names.length + 2));
    expect(seen).toHaveLength(evil.length);
    for (const value of seen as Readonly<Record<string, unknown>>[]) {
      for (const name of names) expect(Object.hasOwn(value, name) && value[name]).toBe(name);
      expect(value["typed"]).toEqual({ [evil[0] ?? ""]: [evil[1], 1.5, true, null, 0, 1e300] });
    }
    expect((await client.execute("print(ascii(host.f0.__doc__.splitlines()[0]))")).text).toBe(`'${evil[0]}'`);
  });

  it("may take the names of Python's own types", async () => {
    verifies("HOST-01");
    await using client = await sandbox.connect();
    const input = { type: "object", properties: { list: { type: "array", items: { type: "string" } }, str: { type: "string" } } };
    await client.expose({
      list: { input, handler: () => "list" },
      str: { input, handler: () => "str" },
      dict: { input, handler: () => "dict" },
      print: { input, handler: () => "print" },
      call: { handler: () => "call" },
      Any: { handler: () => "Any" },
    });
    const { text } = await client.execute(
      "import host, inspect\nprint(host.list(), host.str(), host.dict(), host.print(), host.call(), host.Any(), inspect.signature(host.dict))",
    );
    expect(text).toBe("list str dict print call Any (list: list[str] | None = None, str: str | None = None) -> Any");
  });
});

describe("what expose() refuses", () => {
  const handler = (): number => 1;
  it.each([
    [{ class: { handler } }, "class", "is no name for a function"],
    [{ "a b": { handler } }, "a b", "is no name for a function"],
    [{ _a: { handler } }, "_a", "is no name for a function"],
    [{ é: { handler } }, "é", "is no name for a function"],
    [{ HostError: { handler } }, "HostError", "is a name of the module itself"],
    [{ a: {} }, "a.handler", "must be a function"],
    [{ a: 5 }, "a", "must be an object"],
    [{ a: { handler, inputs: {} } }, "a.inputs", "is unknown. Known are"],
    [{ a: { handler, description: 5 } }, "a.description", "must be a string"],
    [{ a: { handler, timeoutMs: 0 } }, "a.timeoutMs", "must be 1 or more milliseconds"],
    [{ a: { handler, input: 5 } }, "a.input", "must be a schema"],
    [{ a: { handler, input: { type: "nonsense" } } }, "a.input", "is no JSON Schema"],
    [5, "functions", "must be an object"],
  ])("%j", async (functions, field, message) => {
    verifies("HOST-01");
    await using client = await sandbox.connect();
    const error = await rejection(client.expose(functions as never), IpyboxError);
    expect(error).toMatchObject({ code: "invalid_option", details: { field } });
    expect(error.message).toContain(`expose: ${JSON.stringify(field)} ${message}`);
  });

  it("does not take away what was exposed before", async () => {
    verifies("HOST-01");
    await using client = await sandbox.connect();
    await client.expose({ one: { handler } });
    await rejection(client.expose({ one: { handler: 5 as never } }), IpyboxError);
    await client.expose({ two: { handler: (): Value => 2 } });
    expect((await client.execute("from host import one, two\none(), two()")).text).toBe("(1, 2)");
  });
});
