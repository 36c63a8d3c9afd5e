import fc from "fast-check";
import { expect, test } from "vitest";
import { HostCalls } from "../../src/host/host-calls.ts";
import { HostFunctions } from "../../src/host/host-functions.ts";
import type { HostCallable } from "../../src/host/host-function.ts";
import { encodeMessage } from "../../src/protocol/messages.ts";
import { decodeCall } from "../../src/protocol/calls.ts";
import { encodeFrame, FrameKind, readFrame } from "../../src/protocol/frame.ts";
import { verifies } from "../requirements.ts";

/** Calls with a line that only notes what is sent. */
function calls(): { readonly hostCalls: HostCalls; readonly sent: Record<string, unknown>[]; readonly ran: unknown[] } {
  const [sent, ran]: [Record<string, unknown>[], unknown[]] = [[], []];
  const callable: HostCallable = {
    kind: "function",
    label: "echo",
    parseInput: (input) => input,
    parseOutput: (output) => output,
    run: (input) => (ran.push(input), input),
  };
  const functions = new HostFunctions();
  functions.set("host", { functions: new Map([["echo", callable]]), modules: {} });
  const hostCalls = new HostCalls(functions, undefined);
  hostCalls.connect({
    client: "me",
    sendFrame: (frame) => sent.push(JSON.parse(readFrame(frame, 0).payload.toString()) as Record<string, unknown>),
    whileAsking: (_, wait) => wait(),
  });
  return { hostCalls, sent, ran };
}

function callFrame(payload: Buffer, flags = 0): ReturnType<typeof readFrame> {
  return readFrame(encodeFrame(FrameKind.call, payload, 7, flags), 0);
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const request = (number: number, more: object = {}): Buffer =>
  encodeMessage({ type: "host_call_request", client: "me", number, name: "echo", value: number, done: [], ...more }, []);

test("a call is answered once; the reply is sent again until it has arrived", async () => {
  verifies("HOST-03");
  const { hostCalls, sent, ran } = calls();
  hostCalls.receive(callFrame(request(1)));
  hostCalls.receive(callFrame(request(1)));
  await settled();
  hostCalls.receive(callFrame(request(1)));
  await settled();
  expect(ran).toEqual([1]);
  expect(sent).toEqual([{ type: "host_call_reply", execution: 7, number: 1, value: 1, buffers: [] }]);
  hostCalls.reconnected();
  expect(sent).toHaveLength(2);
  hostCalls.receive(callFrame(request(2, { done: [1] })));
  await settled();
  hostCalls.reconnected();
  expect(sent.map(({ number }) => number)).toEqual([1, 1, 2, 2]);
});

test("after a gap the kernel is asked what is open; what is not any more is forgotten", async () => {
  verifies("HOST-03", "KERN-08");
  const { hostCalls, sent } = calls();
  hostCalls.receive(callFrame(request(1)));
  await settled();
  hostCalls.gap();
  expect(sent.at(-1)).toEqual({ type: "host_calls_request", execution: 0, client: "me" });
  hostCalls.receive(callFrame(encodeMessage({ type: "host_call_done", client: "me", done: [], open: [] }, [])));
  const before = sent.length;
  hostCalls.reconnected();
  expect(sent).toHaveLength(before);
});

test("calls of other clients are left to them", async () => {
  verifies("HOST-01");
  const { hostCalls, sent, ran } = calls();
  hostCalls.receive(callFrame(request(1, { client: "another" })));
  await settled();
  expect([sent, ran]).toEqual([[], []]);
});

test("whatever bytes come, nothing is thrown, and the next call is answered", async () => {
  verifies("HOST-03", "LIFE-05");
  const { hostCalls, sent } = calls();
  const part = fc.oneof(
    fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    fc.json().map((json) => encodeMessage({ type: "host_call_request", value: JSON.parse(json) as unknown }, [])),
    fc.record({ number: fc.anything(), name: fc.string(), done: fc.anything() }).map((more) => {
      try {
        return request(1, more);
      } catch {
        return Buffer.alloc(0); // what JSON lacks
      }
    }),
  );
  fc.assert(
    fc.property(part, fc.nat(255), (payload, flags) => hostCalls.receive(callFrame(payload, flags))),
    { numRuns: 10_000 },
  );
  hostCalls.receive(callFrame(request(2 ** 40)));
  await settled();
  expect(sent.at(-1)).toMatchObject({ number: 2 ** 40, value: 2 ** 40 });
});

test("a message about calls is taken in its own form alone", () => {
  verifies("HOST-03");
  expect(decodeCall(request(3))).toMatchObject({ type: "host_call_request", number: 3 });
  for (const wrong of [{ number: -1 }, { number: "3" }, { type: "execute_reply" }, { done: undefined }, { client: 5 }]) {
    expect(() => decodeCall(request(3, wrong))).toThrow(/Invalid|Too small/);
  }
});
