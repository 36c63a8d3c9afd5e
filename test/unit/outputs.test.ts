import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Output, OutputCollector } from "../../src/outputs.ts";
import type { ExecutionEvent } from "../../src/protocol/events.ts";
import { ExecutionResult } from "../../src/result.ts";
import { verifies } from "../requirements.ts";

const out = (text: string, name: "stdout" | "stderr" = "stdout"): ExecutionEvent => ({ type: "stream", name, text });
const show = (text: string, id?: string): ExecutionEvent => ({
  type: "display_data",
  data: { "text/plain": text },
  metadata: {},
  transient: id === undefined ? {} : { display_id: id },
});
const update = (text: string, id: string): ExecutionEvent =>
  ({ ...show(text, id), type: "update_display_data" }) as ExecutionEvent;
const clear = (wait: boolean): ExecutionEvent => ({ type: "clear_output", wait });
const fail: ExecutionEvent = { type: "error", ename: "E", evalue: "v", traceback: ["one", "two"], frames: [] };

function collect(events: readonly ExecutionEvent[], maxBytes = 1_000): OutputCollector {
  const collector = new OutputCollector(maxBytes);
  for (const event of events) collector.add(event, event.type === "stream" ? Buffer.byteLength(event.text) : 10);
  return collector;
}

/** Each output in a word or two. */
function summary(events: readonly ExecutionEvent[], maxBytes?: number): readonly string[] {
  return collect(events, maxBytes)
    .outputs()
    .map((output: Output) => {
      if (output.kind === "stream") return `${output.name} ${output.text}`;
      return output.kind === "error" ? `error ${output.traceback}` : `${output.kind} ${String(output.data["text/plain"])}`;
    });
}

describe("what a cell gives is kept", () => {
  test("in order, neighbouring texts of a stream as one", () => {
    verifies("OUT-01", "STREAM-03");
    expect(summary([out("a"), out("b"), out("c", "stderr"), out("d"), show("x"), out("e"), fail])).toEqual([
      "stdout ab",
      "stderr c",
      "stdout d",
      "display x",
      "stdout e",
      "error one\ntwo",
    ]);
  });

  test("with the pages of help texts as displays", () => {
    const page = { source: "page", data: { "text/plain": "help" } };
    const payload = [page, { source: "set_next_input" }, { source: "page" }];
    expect(summary([{ type: "execute_reply", status: "ok", execution_count: 1, payload }])).toEqual(["display help"]);
  });

  test("in the last state of each display", () => {
    verifies("OUT-02");
    const events = [show("a", "1"), show("b", "2"), show("c", "1"), out("-"), update("A", "1"), update("none", "3")];
    expect(summary(events)).toEqual(["display A", "display b", "display A", "stdout -"]);
  });

  test("up to the bound, shown exceptions, too; the last of them in any case", () => {
    verifies("OUT-08");
    const raised = (name: string): ExecutionEvent => ({ ...fail, traceback: [name] });
    expect(summary([raised("1"), raised("2"), raised("3"), raised("4")], 25)).toEqual(["error 1", "error 2", "error 4"]);
    const { truncated, totalBytes } = collect([raised("1"), raised("2"), raised("3"), raised("4")], 25);
    expect([truncated, totalBytes]).toEqual([true, 40]);
    expect(collect([raised("1")], 0).truncated).toBe(false);
  });

  test("without a search for each update", () => {
    verifies("OUT-02", "OUT-08");
    const count = 50_000;
    const ids = Array.from({ length: count }, (_, index) => String(index));
    const collector = collect([...ids.map((id) => show("a", id)), ...ids.map((id) => update("b", id))], 100 * count);
    const last = collect([...ids.map(() => show("a", "one")), ...ids.map(() => update("b", "one"))], 100 * count);
    for (const one of [collector, last]) {
      expect(one.outputs().every((output) => output.kind === "display" && output.data["text/plain"] === "b")).toBe(true);
    }
  });

  test("from the last clear_output on, at once or when something else is shown", () => {
    verifies("OUT-02");
    expect(summary([out("a"), show("x"), clear(false)])).toEqual([]);
    expect(summary([out("a"), clear(true)])).toEqual(["stdout a"]);
    expect(summary([out("a"), clear(true), out("b"), out("c")])).toEqual(["stdout bc"]);
    expect(summary([out("a"), clear(true), show("x")])).toEqual(["display x"]);
    expect(summary([out("a"), clear(true), fail])).toEqual(["error one\ntwo"]);
  });
});

describe("a limit of bytes", () => {
  test("cuts a text between characters and counts all of it", () => {
    verifies("OUT-08");
    const collector = collect([out("aé"), out("€uro"), out("more"), show("x")], 5);
    expect(collector.outputs()).toMatchObject([{ kind: "stream", text: "aé" }]);
    expect(collector).toMatchObject({ truncated: true, totalBytes: 3 + 6 + 4 + 10 });
  });

  test("leaves whole what just fits", () => {
    const collector = collect([out("12345"), show("x")], 15);
    expect(collector.outputs()).toHaveLength(2);
    expect(collector).toMatchObject({ truncated: false, totalBytes: 15 });
    expect(collect([out("")], 0)).toMatchObject({ truncated: false, totalBytes: 0 });
  });

  test("keeps no display in part, and the error always", () => {
    expect(summary([show("x"), show("y"), out("abcdef"), fail], 15)).toEqual(["display x", "stdout abcde", "error one\ntwo"]);
  });

  test("gives its room back when the output is cleared", () => {
    verifies("OUT-02");
    const events = Array.from({ length: 50 }, (_, step) => [clear(true), out(`step ${step}`)]).flat();
    const collector = collect(events, 20);
    expect(collector).toMatchObject({ truncated: false });
    expect(collector.outputs()).toMatchObject([{ text: "step 49" }]);
  });

  test("holds for any text, and what is kept is its start", () => {
    verifies("OUT-08");
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "binary" })), fc.nat(40), (texts, maxBytes) => {
        const collector = collect(
          texts.map((text) => out(text)),
          maxBytes,
        );
        const { stdout, truncated, totalBytes } = new ExecutionResult(collector, {
          ...{ executionCount: 1, freshKernel: false, lostBytes: 0 },
        });
        expect(Buffer.byteLength(stdout)).toBeLessThanOrEqual(maxBytes);
        expect(texts.join("").startsWith(stdout)).toBe(true);
        expect(totalBytes).toBe(texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0));
        expect(truncated).toBe(totalBytes > maxBytes);
      }),
    );
  });
});

test("a result's texts and images are computed from its outputs", () => {
  verifies("EXEC-02", "EXEC-08");
  const png = Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAYAAAC56t6BAAAAC0lEQVR4nGNgwAUAABUAAb0Bzj0AAAAASUVORK5CYII=",
    "base64",
  );
  const figure: ExecutionEvent = {
    type: "display_data",
    data: { "text/plain": "<Figure>", "image/png": new Uint8Array(png) },
    metadata: {},
    transient: {},
  };
  const collector = collect([out("  a\n"), figure, out("oops\n", "stderr"), show("x")]);
  const result = new ExecutionResult(collector, { executionCount: 4, freshKernel: true, lostBytes: 7 });
  expect(result).toMatchObject({ executionCount: 4, freshKernel: true, lostBytes: 7, truncated: false });
  expect([result.text, result.stdout, result.stderr]).toEqual(["a\noops\nx", "  a\n", "oops\n"]);
  expect(result.images.map(({ mimeType, width, height }) => [mimeType, width, height])).toEqual([["image/png", 2, 3]]);
  expect(result.images).toBe(result.images);
  const silent = new ExecutionResult(new OutputCollector(1), { executionCount: 1, freshKernel: false, lostBytes: 0 });
  expect([silent.text, silent.stdout, silent.images]).toEqual([null, "", []]);
});
