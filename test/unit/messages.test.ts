import fc from "fast-check";
import { describe, expect, expectTypeOf, test } from "vitest";
import type { ExecuteReplyEvent } from "../../src/protocol/events.ts";
import { decodeMessage } from "../../src/protocol/messages.ts";
import { MessageDecoder } from "../../src/message-decoder.ts";
import { FrameFlag, FrameKind, type Frame } from "../../src/protocol/frame.ts";
import { FUZZ, FUZZ_TIMEOUT_MS } from "../fuzz.ts";
import { verifies } from "../requirements.ts";

/** A message's payload, however wrong: the JSON's length, the JSON, bytes. */
function payload(json: string, bytes: Uint8Array = Buffer.alloc(0)): Buffer {
  const text = Buffer.from(json);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  return Buffer.concat([length, text, bytes]);
}

const display = { type: "display_data", data: {}, metadata: {}, transient: {} };
const decode = (message: unknown, bytes?: Uint8Array): unknown => decodeMessage(payload(JSON.stringify(message), bytes));

describe("a message", () => {
  test("gets its bytes where they belong, as a copy of its own", () => {
    const buffers = [
      [["data", "image/png"], 2],
      [["metadata", "x"], 1],
    ];
    const source = payload(JSON.stringify({ ...display, buffers }), Buffer.from([1, 2, 3]));
    const message = decodeMessage(source);
    source.fill(0);
    expect(message).toEqual({ ...display, data: { "image/png": new Uint8Array([1, 2]) }, metadata: { x: new Uint8Array([3]) } });
  });

  test("loses what it should not have", () => {
    expect(decode({ type: "clear_output", wait: true, more: 1 })).toEqual({ type: "clear_output", wait: true });
  });

  test.each([
    ["of no type", {}],
    ["of an unknown type", { type: "comm_open" }],
    ["without its fields", { type: "execute_result", data: {} }],
    ["with fields of other types", { type: "clear_output", wait: "yes" }],
    ["that is a reply of no known status", { type: "execute_reply", status: "aborted", execution_count: 1, payload: [] }],
    ["that is an error's reply without the error", { type: "execute_reply", status: "error", execution_count: 1, payload: [] }],
    ["that is an array", []],
    ["that is null", null],
    ["that is a text", "display_data"],
    ["whose bundle is a text", { ...display, data: "x" }],
    ["whose buffers are none", { ...display, buffers: 5 }],
    ["whose buffer has no path", { ...display, buffers: [[[], 1]] }],
    ["whose buffer has a long path", { ...display, buffers: [[Array.from({ length: 257 }, () => "data"), 1]] }],
    ["whose buffer has a negative length", { ...display, buffers: [[["data", "x"], -1]] }],
    ["whose buffer belongs nowhere", { ...display, buffers: [[["data", "a", "b"], 0]] }],
    ["whose buffer belongs into a prototype", { ...display, buffers: [[["__proto__", "polluted"], 0]] }],
    ["whose buffer belongs into a constructor", { ...display, buffers: [[["constructor", "prototype", "polluted"], 0]] }],
    ["whose buffer replaces its type", { ...display, buffers: [[["type"], 0]] }],
  ])("%s is refused", (_, message) => {
    expect(() => decode(message)).toThrow(Error);
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
  });

  test("that ends a cell has an exception where its status says so", () => {
    verifies("STREAM-05");
    const exception = { ename: "ValueError", evalue: "no", traceback: ["ValueError: no"], frames: [] };
    const reply = decode({
      type: "execute_reply",
      status: "error",
      execution_count: 1,
      payload: [],
      ...exception,
    }) as ExecuteReplyEvent;
    expect(reply.status === "error" && reply.ename).toBe("ValueError");
    expectTypeOf<Extract<ExecuteReplyEvent, { status: "error" }>["ename"]>().toEqualTypeOf<string>();
    expectTypeOf<Extract<ExecuteReplyEvent, { status: "ok" }>>().not.toHaveProperty("ename");
  });

  test.each([
    ["nothing", Buffer.alloc(0)],
    ["less than a length", Buffer.from([1, 0, 0])],
    ["a length beyond the end", Buffer.from([255, 255, 255, 255, 123, 125])],
    ["half of a JSON", payload('{"type":')],
    ["no JSON", payload("\u0000")],
  ])("that is %s is refused", (_, bytes) => {
    expect(() => decodeMessage(bytes)).toThrow(Error);
  });

  test("whose buffers say more than there is gets what there is", () => {
    const message = decode({ ...display, buffers: [[["data", "x"], 2 ** 40]] }, Buffer.from([7]));
    expect(message).toMatchObject({ data: { x: new Uint8Array([7]) } });
  });

  test("may be nested as deep as it fits", () => {
    const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    const json = `{"type":"display_data","data":{"application/json":${deep}},"metadata":{},"transient":{}}`;
    expect(decodeMessage(payload(json))).toMatchObject({ type: "display_data" });
  });

  test("however hostile is read or refused, and changes no prototype", { timeout: FUZZ_TIMEOUT_MS }, () => {
    verifies("LIFE-05");
    const keys = fc.constantFrom(
      "data",
      "metadata",
      "transient",
      "__proto__",
      "constructor",
      "prototype",
      "toString",
      "type",
      "x",
    );
    const hostile = fc.record(
      {
        type: fc.constantFrom(
          "display_data",
          "execute_result",
          "error",
          "clear_output",
          "execute_reply",
          "kernel_died",
          "get_reply",
          "x",
        ),
        data: fc.oneof(fc.dictionary(keys, fc.jsonValue()), fc.jsonValue()),
        metadata: fc.oneof(fc.constant({}), fc.jsonValue()),
        transient: fc.oneof(fc.constant({}), fc.jsonValue()),
        buffers: fc.oneof(fc.array(fc.tuple(fc.array(keys, { maxLength: 4 }), fc.integer({ min: -1, max: 9 }))), fc.jsonValue()),
      },
      { requiredKeys: ["type"] },
    );
    const before = Object.getOwnPropertyNames(Object.prototype);
    fc.assert(
      fc.property(hostile, fc.uint8Array({ maxLength: 12 }), (message, bytes) => {
        try {
          expect(decode(message, bytes)).toHaveProperty("type", message.type);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
      FUZZ,
    );
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
  });
});

describe("the frames of an execution", () => {
  const of = (kind: number, bytes: Buffer, flags = 0): Frame => ({ kind, flags, execution: 1, sequence: 1, payload: bytes });

  test("carry a long message in parts", () => {
    const whole = payload(JSON.stringify({ ...display, data: { "text/plain": "x".repeat(100) } }));
    for (let at = 0; at <= whole.length; at += 1) {
      const decoder = new MessageDecoder();
      expect(decoder.decode(of(FrameKind.message, whole.subarray(0, at), FrameFlag.more))).toBeUndefined();
      expect(decoder.decode(of(FrameKind.stdout, Buffer.from("between")))).toMatchObject({ text: "between" });
      expect(decoder.unfinishedBytes).toBe(at);
      expect(decoder.decode(of(FrameKind.lifecycle, Buffer.from('{"type":"execution_lost"}')))).toEqual({
        type: "execution_lost",
      });
      expect(decoder.decode(of(FrameKind.message, whole.subarray(at), FrameFlag.continued))).toMatchObject({
        type: "display_data",
      });
      expect(decoder.decode(of(FrameKind.message, payload('{"type":"set_reply","status":"ok"}')))).toMatchObject({
        status: "ok",
      });
      expect(decoder.lostBytes).toBe(0);
    }
  });

  test("of which some are gone are counted, and not taken for what they are not", () => {
    verifies("KERN-08");
    const part = (flags: number): unknown => decoder.decode(of(FrameKind.message, Buffer.from("{}{}"), flags));
    const decoder = new MessageDecoder();
    expect(part(FrameFlag.more)).toBeUndefined();
    decoder.gap();
    expect(decoder.lostBytes).toBe(4);
    expect(part(FrameFlag.more | FrameFlag.continued)).toBeUndefined();
    expect(part(FrameFlag.continued)).toBeUndefined();
    expect(decoder.lostBytes).toBe(12);
    expect(part(FrameFlag.more)).toBeUndefined();
    expect(decoder.decode(of(FrameKind.message, payload(JSON.stringify(display))))).toMatchObject(display);
    expect(decoder.lostBytes).toBe(16);
    expect(part(FrameFlag.last | FrameFlag.continued)).toBeUndefined();
    expect(decoder.lostBytes).toBe(16);
  });

  test.each(["kernel_died", "execution_lost", "reset_reply"])("can't be a kernel's and say %s", (type) => {
    expect(() => decode({ type, reason: "oom", exitCode: null, signal: null })).toThrow(Error);
  });

  test("give at their end what is left of both streams", () => {
    const decoder = new MessageDecoder();
    const half = Buffer.from("ü").subarray(0, 1);
    expect(decoder.decode(of(FrameKind.stderr, half, FrameFlag.raw))).toEqual({ type: "stream", name: "stderr", text: "" });
    expect([...decoder.end()]).toEqual([{ type: "stream", name: "stderr", text: "\ufffd" }]);
  });

  test("of another kind are refused", () => {
    expect(() => new MessageDecoder().decode(of(FrameKind.request, Buffer.from("{}")))).toThrow("frames of kind 5");
  });
});
