import { EventEmitter } from "node:events";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { WebSocket } from "ws";
import type { Connection } from "../../src/agent/connection.ts";
import { FrameSplitter } from "../../src/agent/kernel-socket.ts";
import { parseAgentConfig } from "../../src/agent/kernel-spec.ts";
import { readKernelUrl } from "../../src/agent/kernel-url.ts";
import type { Kernel } from "../../src/agent/kernel.ts";
import type { Lease } from "../../src/agent/lease.ts";
import { Owners } from "../../src/agent/owners.ts";
import { type Forks, receive } from "../../src/agent/receive.ts";
import { MessageDecoder } from "../../src/message-decoder.ts";
import { parseAnswer } from "../../src/protocol/answers.ts";
import { controlMessage } from "../../src/protocol/control-messages.ts";
import { encodeFrame, FrameKind, HEADER_BYTES, MAX_KERNEL_FRAME_BYTES } from "../../src/protocol/frame.ts";
import { decodeLifecycle } from "../../src/protocol/lifecycle.ts";
import { decodeMessage, encodeMessage } from "../../src/protocol/messages.ts";
import { FUZZ, FUZZ_TIMEOUT_MS, spoiled, spoiledText } from "../fuzz.ts";
import { verifies } from "../requirements.ts";

const bytes = fc.uint8Array({ maxLength: 400 }).map((array) => Buffer.from(array));

/** A frame, most often with a sound header. */
const frame = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.nat(15), bytes, fc.nat(0xffff_ffff), fc.nat(63))
      .map(([kind, payload, execution, flags]) => encodeFrame(kind, payload, execution, flags)),
  },
  { weight: 1, arbitrary: bytes },
);

function property<Values extends [unknown, ...unknown[]]>(
  ...args: [...arbitraries: { [Key in keyof Values]: fc.Arbitrary<Values[Key]> }, predicate: (...values: Values) => void]
): void {
  fc.assert(fc.property(...(args as unknown as Parameters<typeof fc.property>)), FUZZ);
}

/** Runs a parser; all that it may do besides giving something is to throw an Error. */
function attempt<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
    return undefined;
  }
}

const REQUESTS = [
  { type: "execute_request", execution: 5, code: "1", stopOnError: true, allowStdin: false },
  { type: "fork_request", execution: 5, kernels: ["aaaaaaaa", "bbbbbbbb"] },
  { type: "set_request", execution: 7, name: "x", value: { a: 1 } },
  { type: "input_reply", execution: 7, number: 1, value: "x" },
  ...["interrupt_request", "reset_request", "resume_request", "get_request"].map((type) => ({ type, execution: 9 })),
  { type: "host_call_reply", execution: 9, call: 1 },
  { type: "received", bytes: 10 },
  { type: "shutdown_request" },
];

const ANSWERS = [
  { type: "complete_reply", status: "ok", matches: ["a"], cursor_start: 0, cursor_end: 1, metadata: {} },
  { type: "inspect_reply", status: "ok", found: true, data: { "text/plain": "x" }, metadata: {} },
  { type: "is_complete_reply", status: "incomplete", indent: "  " },
  { type: "get_reply", status: "ok", value: [1] },
  {
    type: "variables_reply",
    status: "ok",
    variables: [{ name: "x", type: "int", module: "builtins", sizeBytes: 1, length: null, shape: null }],
  },
  { type: "fork_reply", status: "error", ename: "OSError", evalue: "x" },
  { type: "error_reply", status: "error", ename: "OSError", evalue: "x" },
];

const MESSAGES = [
  { type: "execute_result", execution_count: 1, data: { "text/plain": "1" }, metadata: {} },
  {
    type: "display_data",
    data: { "image/png": "" },
    metadata: {},
    transient: { display_id: "x" },
    buffers: [[["data", "image/png"], 3]],
  },
  { type: "input_request", prompt: "?", password: false, number: 1 },
  { type: "error", ename: "E", evalue: "v", traceback: ["t"], frames: [{ file: "f", line: 1, function: "g", code: "c" }] },
  { type: "execute_reply", status: "ok", execution_count: 1, payload: [{ source: "page", data: {} }] },
  { type: "clear_output", wait: true },
];

const LIFECYCLE = [
  { type: "kernel_died", reason: "oom", exitCode: null, signal: "SIGKILL", limitBytes: 1, peakBytes: 2 },
  { type: "kernel_start_failed", message: "x", bound: "pids" },
  { type: "execution_aborted", reason: "reset" },
];

const spoiledOneOf = (...good: readonly object[]): fc.Arbitrary<Buffer> => fc.oneof(...good.map(spoiledText));

/** A message's payload: a length, JSON, bytes; the length may be wrong. */
function payloadOf(json: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  return fc
    .tuple(json, bytes, fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, fc.integer({ min: -4, max: 2 ** 30 })))
    .map(([text, rest, off]) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(Math.max(0, text.length + off));
      return Buffer.concat([length, text, rest]);
    });
}

describe("whatever comes from a kernel,", { timeout: FUZZ_TIMEOUT_MS }, () => {
  test("the agent cuts it into whole frames, or lets go of it before it has kept much", () => {
    verifies("LIFE-05");
    property(fc.array(frame, { maxLength: 6 }), fc.array(fc.nat(200), { maxLength: 20 }), (frames, cuts) => {
      const stream = Buffer.concat(frames);
      let given = 0;
      const splitter = new FrameSplitter((block) => {
        for (let at = 0; at < block.length; at += HEADER_BYTES + block.readUInt32LE(at))
          expect(block.length - at).toBeGreaterThanOrEqual(HEADER_BYTES);
        given += block.length;
      });
      let offset = 0;
      attempt(() => {
        for (const length of [...cuts, stream.length]) {
          splitter.push(stream.subarray(offset, (offset += length)));
          expect(Math.min(offset, stream.length) - given).toBeLessThan(MAX_KERNEL_FRAME_BYTES);
        }
      });
    });
  });

  test("the client decodes it as an execution's frames, or refuses it", () => {
    verifies("LIFE-05");
    const payload = fc.oneof(payloadOf(spoiledOneOf(...MESSAGES, ...ANSWERS)), spoiledOneOf(...LIFECYCLE), bytes);
    const parts = fc.array(fc.tuple(fc.nat(12), payload, fc.nat(63)), { maxLength: 6 });
    property(parts, (given) => {
      const decoder = new MessageDecoder();
      for (const [kind, bytes, flags] of given) {
        const event = attempt(() => decoder.decode({ kind, flags, execution: 1, sequence: 1, payload: bytes }));
        if (event !== undefined) expect(typeof event.type).toBe("string");
        expect(decoder.unfinishedBytes).toBeLessThanOrEqual(given.reduce((sum, [, { length }]) => sum + length, 0));
      }
      for (const event of decoder.end()) expect(event.type).toBe("stream");
    });
  });

  test("a message, an answer and what the agent adds are of their types, or refused; no prototype changes", () => {
    verifies("LIFE-05");
    const before = Object.getOwnPropertyNames(Object.prototype);
    property(payloadOf(spoiledOneOf(...MESSAGES, ...ANSWERS)), spoiledOneOf(...LIFECYCLE), (message, lifecycle) => {
      for (const read of [attempt(() => decodeMessage(message)), attempt(() => decodeLifecycle(lifecycle))]) {
        if (read !== undefined)
          expect([...MESSAGES, ...ANSWERS, ...LIFECYCLE].map(({ type }) => type).concat(OTHER_TYPES)).toContain(read.type);
      }
    });
    property(fc.oneof(...ANSWERS.map(spoiled)), (json) => {
      const answer = attempt(() => parseAnswer(json as { type?: unknown }));
      if (answer !== undefined) expect(answer.type).toBe((json as { type: string }).type);
    });
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
  });
});

const OTHER_TYPES = [
  ...[
    "update_display_data",
    "set_reply",
    "execution_queued",
    "execution_started",
    "kernel_restarted",
    "execution_lost",
    "reset_reply",
  ],
];

describe("whatever comes from a client,", { timeout: FUZZ_TIMEOUT_MS }, () => {
  test("the agent does it as it is meant, or closes the connection", () => {
    verifies("LIFE-05");
    const json = spoiledOneOf(...REQUESTS);
    const requests = fc.oneof(
      json.map((text) => encodeFrame(FrameKind.request, text)),
      payloadOf(json).map((payload) => encodeFrame(FrameKind.message, payload)),
      frame,
    );
    property(
      fc.array(requests, { maxLength: 3 }).map((frames) => Buffer.concat(frames)),
      (data) => {
        const closed: string[] = [];
        const kernel: Partial<Kernel> = {
          enqueue: ({ number, frame, prepare, onEnd }) => {
            expect(Number.isInteger(number) && number > 0 && number < 2 ** 32).toBe(true);
            expect(frame.readUInt32LE(0)).toBe(frame.length - HEADER_BYTES);
            prepare?.({} as never);
            onEnd?.(true);
          },
          interrupt: (number) => expect(number).toBeGreaterThan(0),
          answer: () => undefined,
          reset: () => undefined,
          resume: () => undefined,
          knows: () => true,
        };
        const connection: Partial<Connection> = {
          received: (count) => expect(Number.isSafeInteger(count)).toBe(true),
          control: () => undefined,
          close: (code) => void closed.push(code),
        };
        const fork = (ids: readonly string[]): Forks => {
          expect(ids.length).toBeGreaterThan(0);
          for (const id of ids) expect(id).toMatch(/^[0-9a-z-]{8,64}$/);
          return { remove: () => undefined };
        };
        receive(data, { kernel: kernel as Kernel, connection: connection as Connection, fork, shutdown: () => undefined });
        expect(["", "protocol_violation"]).toContain(closed.join());
      },
    );
  });

  test("a kernel's URL is read or refused", () => {
    verifies("LIFE-05");
    const part = fc.oneof(
      fc.string({ maxLength: 20 }),
      fc.constantFrom("aaaaaaaa", "..", "%2e", "[", "//", "?", "#", "@", ":", "\0"),
    );
    const query = fc.array(
      fc.tuple(
        fc.constantFrom("client", "after", "create", "grace", "idle", "x"),
        fc.oneof(part, fc.constantFrom("true", "1", "-1", "1e9", "latest", "Infinity")),
      ),
    );
    const sound = fc
      .tuple(part, query)
      .map(([id, pairs]) => `/v1/kernels/${id}?${pairs.map((pair) => pair.join("=")).join("&")}`);
    property(
      fc.oneof(
        sound,
        part,
        fc.tuple(part, part).map((parts) => parts.join("")),
      ),
      (text) => {
        const url = readKernelUrl(text);
        if (url === undefined) return;
        expect(url.id).toMatch(/^[0-9a-z-]{8,64}$/);
        expect(url.after === "latest" || Number.isSafeInteger(url.after)).toBe(true);
        if (url.terms !== undefined) expect(Number.isSafeInteger(url.terms.graceMs)).toBe(true);
      },
    );
  });
});

describe("whatever passes between owner and agent,", { timeout: FUZZ_TIMEOUT_MS }, () => {
  test("the agent answers an owner, or closes the connection", async () => {
    verifies("LIFE-05");
    const lease = { hold: () => undefined, release: () => undefined } as unknown as Lease;
    await fc.assert(
      fc.asyncProperty(spoiledText({ type: "ping_request", id: 7 }), async (text) => {
        const outcome: unknown[] = [];
        const socket = Object.assign(new EventEmitter(), {
          ...{ readyState: 1, OPEN: 1, bufferedAmount: 0 },
          send: (reply: string) => outcome.push((JSON.parse(reply) as { type: unknown }).type),
          close: (code: number) => outcome.push(code),
          terminate: () => outcome.push("terminated"),
        });
        const owners = new Owners(() => ({ type: "ping_reply" }), lease);
        owners.join(socket as unknown as WebSocket);
        socket.emit("message", text);
        await new Promise(setImmediate);
        expect(["ping_reply", 1002]).toContain(outcome.join() === "1002" ? 1002 : outcome.join());
      }),
      FUZZ,
    );
  });

  test("the owner reads what the agent says, or refuses it", () => {
    verifies("LIFE-05");
    const said = [
      { type: "ping_reply", id: 1 },
      { type: "error_reply", id: 1, message: "x" },
      { type: "ending", reason: "x" },
    ];
    property(fc.oneof(...said.map(spoiled)), (json) => {
      const { data } = controlMessage.safeParse(json);
      if (data !== undefined) expect(said.map(({ type }) => type)).toContain(data.type);
    });
  });

  test("the agent's configuration is read or refused", () => {
    verifies("LIFE-05");
    const good = { uid: 1000, gid: 1000, env: { A: "b" }, idleTimeoutMs: 5, detached: false };
    property(spoiledText(good), (text) => {
      const config = attempt(() => parseAgentConfig(text.toString()));
      if (config === undefined) return;
      expect(config.uid > 0 && config.gid > 0).toBe(true);
      for (const value of Object.values(config.env)) expect(typeof value).toBe("string");
    });
  });
});

test("a message with bytes comes back as it was", { timeout: FUZZ_TIMEOUT_MS }, () => {
  verifies("LIFE-05");
  property(fc.uint8Array({ maxLength: 50 }), fc.uint8Array({ maxLength: 50 }), (one, two) => {
    const message = { type: "display_data", data: { "text/plain": "x" }, metadata: {}, transient: {} };
    const decoded = decodeMessage(
      encodeMessage(message, [
        [["data", "image/png"], one],
        [["metadata", "x"], two],
      ]),
    );
    expect(decoded).toEqual({ ...message, data: { ...message.data, "image/png": one }, metadata: { x: two } });
  });
});
