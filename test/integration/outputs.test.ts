import { describe, expect, it } from "vitest";
import type { ExecutionError, ExecutionEvent, ExecutionResult, Output } from "ipybox";
import { verifies } from "../requirements.ts";
import { useContainer } from "./sandbox.ts";

const sandbox = useContainer();

async function run(code: string): Promise<ExecutionResult> {
  await using client = await sandbox.connect();
  return await client.execute(code);
}

async function eventsOf(code: string): Promise<{ events: ExecutionEvent[]; result: ExecutionResult }> {
  await using client = await sandbox.connect();
  const execution = client.submit(code);
  const events: ExecutionEvent[] = [];
  for await (const event of execution.events()) events.push(event);
  return { events, result: await execution.result() };
}

function bundle(outputs: readonly Output[], index = 0): Readonly<Record<string, unknown>> {
  const output = outputs[index];
  if (output?.kind !== "display" && output?.kind !== "result") throw new Error(`output ${index} is ${output?.kind}`);
  return output.data;
}

describe("outputs", () => {
  it("are in order: streams, displays, the value", async () => {
    verifies("OUT-01");
    const { outputs } = await run(
      "import sys\nprint('out')\nprint('err', file=sys.stderr)\ndisplay('shown')\nprint('again')\n'value'",
    );
    expect(outputs.map((output) => (output.kind === "stream" ? output.name : output.kind))).toEqual([
      "stdout",
      "stderr",
      "display",
      "stdout",
      "result",
    ]);
    expect(bundle(outputs, 4)).toEqual({ "text/plain": "'value'" });
  });

  it("keep every MIME type of a bundle, with its metadata", async () => {
    verifies("OUT-01");
    const types: Record<string, string> = {
      "text/plain": "plain",
      "text/html": "<b>bold</b>",
      "text/markdown": "# head",
      "text/latex": "$x^2$",
      "image/svg+xml": "<svg/>",
      "application/javascript": "1",
      "application/vnd.custom+text": "any",
    };
    const code = `from IPython.display import publish_display_data
publish_display_data({**${JSON.stringify(types)}, "application/json": {"a": [1, None, True]}, "application/vnd.vega.v5+json": {"marks": []},
  "application/vnd.plotly.v1+json": {"data": [{"y": [1.5]}]}, "image/png": "iVBORw0KGgo=", "image/jpeg": b"\\xff\\xd8", "image/webp": b"RIFF",
  "image/gif": b"GIF89a", "application/pdf": b"%PDF-1.4"}, metadata={"image/png": {"width": 7}})`;
    const { outputs, images } = await run(code);
    expect(bundle(outputs)).toMatchObject({
      ...types,
      "application/json": { a: [1, null, true] },
      "application/vnd.vega.v5+json": { marks: [] },
      "application/vnd.plotly.v1+json": { data: [{ y: [1.5] }] },
    });
    const bytes = Object.entries(bundle(outputs)).filter(([, value]) => value instanceof Uint8Array);
    expect(bytes.map(([type, value]) => [type, Buffer.from(value as Uint8Array).toString("latin1")])).toEqual([
      ["image/png", "\x89PNG\r\n\x1a\n"],
      ["image/jpeg", "\xff\xd8"],
      ["image/webp", "RIFF"],
      ["image/gif", "GIF89a"],
      ["application/pdf", "%PDF-1.4"],
    ]);
    expect(outputs[0]).toMatchObject({ metadata: { "image/png": { width: 7 } } });
    expect(images).toHaveLength(1);
  });

  it("may lack text/plain, and hold numbers that JSON lacks", async () => {
    verifies("OUT-01");
    const { outputs, text } = await run(
      "display({'text/html': '<i>only</i>', 'application/json': {'n': float('nan'), 'i': float('inf')}}, raw=True)",
    );
    expect(bundle(outputs)).toEqual({ "text/html": "<i>only</i>", "application/json": { n: "nan", i: "inf" } });
    expect(text).toBeNull();
  });

  it("are 100 MB exactly, as bytes of a display", async () => {
    verifies("OUT-01", "EXEC-04");
    await using client = await sandbox.connect();
    const { outputs } = await client.execute("display({'application/pdf': bytes(range(256)) * 390_625}, raw=True)", {
      maxOutputBytes: 200_000_000,
    });
    const bytes = bundle(outputs)["application/pdf"] as Uint8Array;
    expect(bytes.length).toBe(100_000_000);
    expect(bytes.every((byte, index) => byte === (index & 0xff))).toBe(true);
  });

  it("have tracebacks as data, with the cell's own line numbers", async () => {
    verifies("OUT-07");
    await using client = await sandbox.connect();
    await client.execute("def inner():\n    return [].index(1)\n\ndef outer():\n    return inner()");
    const error = (await client.execute("x = 1\nouter()").catch((reason: unknown) => reason)) as { frames: unknown };
    expect(error.frames).toEqual([
      { file: "In[2]", line: 2, function: "<module>", code: "outer()" },
      { file: "In[1]", line: 5, function: "outer", code: "return inner()" },
      { file: "In[1]", line: 2, function: "inner", code: "return [].index(1)" },
    ]);
  });

  it("have the frames of a group of exceptions, and its parts in the traceback", async () => {
    verifies("OUT-07");
    await using client = await sandbox.connect();
    const code = "def both():\n    raise ExceptionGroup('both', [ValueError('one'), TypeError('two')])\n\nboth()";
    const error = (await client.execute(code).catch((reason: unknown) => reason)) as ExecutionError;
    expect(error.frames).toEqual([
      { file: "In[1]", line: 4, function: "<module>", code: "both()" },
      { file: "In[1]", line: 2, function: "both", code: "raise ExceptionGroup('both', [ValueError('one'), TypeError('two')])" },
    ]);
    expect(error.traceback).toMatch(/ExceptionGroup: both[^]*ValueError: one[^]*TypeError: two/);
    expect(error.traceback).not.toContain("IPython/core");
  });
});

describe("what a cell changes after it has shown it", () => {
  it("is its final state in the result, and every step in the events", async () => {
    verifies("OUT-02");
    const { events, result } = await eventsOf(
      "handle = display('one', display_id='a')\ndisplay('other', display_id='b')\nhandle.update('two')\nhandle.update('three')",
    );
    expect(result.outputs.map((_, index) => bundle(result.outputs, index)["text/plain"])).toEqual(["'three'", "'other'"]);
    expect(events.filter(({ type }) => type.endsWith("display_data")).map(({ type }) => type)).toEqual([
      "display_data",
      "display_data",
      "update_display_data",
      "update_display_data",
    ]);
    expect(result.totalBytes).toBeGreaterThan(100);
  });

  it("is cleared by clear_output, with wait when the next output comes", async () => {
    verifies("OUT-02");
    const clear = "from IPython.display import clear_output\n";
    expect((await run(`${clear}print('gone')\nclear_output()\nprint('kept')`)).text).toBe("kept");
    expect((await run(`${clear}print('kept')\nclear_output(wait=True)`)).text).toBe("kept");
    const { events, result } = await eventsOf(
      `${clear}for i in range(3):\n    print('step', i)\n    clear_output(wait=True)\nprint('end')`,
    );
    expect(result.text).toBe("end");
    expect(events.filter(({ type }) => type === "clear_output")).toHaveLength(3);
    expect(events.flatMap((event) => (event.type === "stream" ? [event.text] : []))).toEqual([
      "step 0\n",
      "step 1\n",
      "step 2\n",
      "end\n",
    ]);
  });

  it.each([
    ["for i in range(3): print(f'\\r{i}/2', end='')", "2/2"],
    ["print('long text\\rshort')", "shorttext"],
    ["print('abc\\b\\bX')", "aXc"],
    ["print('a\\r\\nb')", "a\nb"],
  ])("is overwritten as on a terminal: %j", async (code, text) => {
    verifies("OUT-02");
    const { events, result } = await eventsOf(code);
    expect(result.text).toBe(text);
    expect(events.flatMap((event) => (event.type === "stream" ? [event.text] : [])).join("")).toBe(result.stdout);
    expect(result.stdout).toMatch(/[\r\b]/);
  });

  it("is the last line of a progress bar", async () => {
    verifies("OUT-02");
    const { text, stderr } = await run(
      "!pip install -q tqdm\nfrom tqdm import tqdm\nfor _ in tqdm(range(50), mininterval=0): pass",
    );
    expect(stderr).toContain("10%");
    expect(text).toMatch(/^100%\|.*50\/50/);
    expect(text).not.toContain("10%");
  });
});

describe("libraries", () => {
  it("show what they show in a notebook", { timeout: 180_000 }, async () => {
    verifies("OUT-03");
    await using client = await sandbox.connect();
    await client.execute("%pip install -q pandas nbformat plotly altair sympy pillow rich bokeh pyarrow", { timeoutMs: 170_000 });
    const frame = await client.execute(
      "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2], 'b': ['x', None], 'big': [2**60, 1]})\ndf",
    );
    expect(frame.text).toMatch(/a\s+b/);
    expect(bundle(frame.outputs)["text/html"]).toContain("<table");
    const rows = await client.execute("df", { tables: "rows" });
    expect(bundle(rows.outputs)["application/vnd.dataresource+json"]).toEqual({
      schema: { fields: [{ name: "a" }, { name: "b" }, { name: "big" }] },
      data: [
        { a: 1, b: "x", big: "1152921504606846976" },
        { a: 2, b: null, big: 1 },
      ],
    });
    const arrow = await client.execute("display(df)", { tables: "arrow" });
    const stream = bundle(arrow.outputs)["application/vnd.apache.arrow.stream"];
    await client.set("stream", stream as Uint8Array);
    expect((await client.execute("import pyarrow\npyarrow.ipc.open_stream(stream).read_all().to_pandas().equals(df)")).text).toBe(
      "True",
    );
    expect(Object.keys(bundle((await client.execute("df")).outputs))).not.toContain("application/vnd.dataresource+json");

    const plotly = await client.execute("import plotly.express as px\npx.line(x=[1, 2], y=[3, 4])");
    expect(plotly.outputs.at(-1)).toMatchObject({ data: { "application/vnd.plotly.v1+json": { data: [{ type: "scatter" }] } } });
    const altair = await client.execute("import altair as alt\nalt.Chart(df).mark_bar().encode(x='a')");
    const spec = Object.entries(bundle(altair.outputs)).find(([type]) => type.startsWith("application/vnd.vegalite"));
    expect(spec?.[1]).toMatchObject({ mark: { type: "bar" } });
    const sympy = await client.execute("import sympy\nsympy.init_printing()\nsympy.Symbol('x') ** 2");
    expect(bundle(sympy.outputs)["text/latex"]).toContain("x^{2}");
    const pillow = await client.execute("from PIL import Image\nImage.new('RGB', (5, 4), 'red')");
    expect(pillow.images[0]).toMatchObject({ mimeType: "image/png", width: 5, height: 4 });
    const rich = await client.execute(
      "import rich\nfrom rich.table import Table\nt = Table('head'); t.add_row('cell')\nrich.print(t)",
    );
    expect(rich.text).toContain("cell");
    const bokeh = await client.execute(
      "from bokeh.plotting import figure, show\nfrom bokeh.io import output_notebook\noutput_notebook(hide_banner=True)\np = figure(); p.line([1, 2], [3, 4]); show(p)",
    );
    expect(JSON.stringify(bokeh.outputs)).toContain("application/vnd.bokehjs_exec.v0+json");
  });
});

describe("help", () => {
  it.each([
    ["print?", "Prints the values to a stream"],
    ["%page 'paged'", "paged"],
    ["help(print)", "Prints the values to a stream"],
    ["import textwrap\ntextwrap.dedent??", "def dedent(text):"],
  ])("of %j is its text", async (code, text) => {
    verifies("OUT-05");
    expect((await run(code)).text).toContain(text);
  });
});

describe("set_next_input", () => {
  it("offers the text of whatever it is given", async () => {
    verifies("OUT-05");
    const { events, result } = await eventsOf("get_ipython().set_next_input(5)\n'done'");
    expect(events.find(({ type }) => type === "execute_reply")).toMatchObject({
      payload: [{ source: "set_next_input", text: "5", replace: false }],
    });
    expect(result.text).toBe("'done'");
  });
});

describe("maxOutputBytes", () => {
  it("bounds the result, not stream and events; totalBytes is exact", async () => {
    verifies("OUT-08");
    await using client = await sandbox.connect();
    const execution = client.submit("for i in range(100): print('é' * 500, end='')", { maxOutputBytes: 10_001 });
    let streamed = "";
    for await (const chunk of execution.stream()) streamed += chunk;
    const result = await execution.result();
    expect(streamed).toBe("é".repeat(50_000));
    expect(result).toMatchObject({ truncated: true, totalBytes: 100_000 });
    expect(result.stdout).toBe("é".repeat(5_000));
    expect(await client.execute("print('x')", { maxOutputBytes: 2 })).toMatchObject({ truncated: false, stdout: "x\n" });
    expect(await client.execute("print('x')", { maxOutputBytes: 0 })).toMatchObject({
      truncated: true,
      totalBytes: 2,
      text: null,
    });
  });

  it("keeps the host's memory bounded while a cell prints for ever, and the cell can be interrupted", async () => {
    verifies("OUT-08");
    await using client = await sandbox.connect();
    global.gc?.();
    const before = process.memoryUsage().rss;
    const execution = client.submit("while True: print('x' * 1000)", { timeoutMs: 6_000 });
    let peak = before;
    const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 100);
    const error = await execution.result().catch((reason: unknown) => reason);
    clearInterval(timer);
    expect(error).toMatchObject({ code: "execution_timeout", stateLost: false });
    const { result } = error as { result: ExecutionResult };
    expect(result.truncated).toBe(true);
    expect(result.totalBytes).toBeGreaterThan(50_000_000);
    expect((peak - before) / 2 ** 20).toBeLessThan(128);
    expect((await client.execute("1 + 1")).text).toBe("2");
  });
});
