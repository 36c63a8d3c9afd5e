import { expect, test } from "vitest";
import { ReplyOutbox } from "../../src/host/reply-outbox.ts";
import { verifies } from "../requirements.ts";

const MIB = 1024 * 1024;
const small = (): Buffer => Buffer.from("lost");

function sizes(outbox: ReplyOutbox): readonly number[] {
  return [...outbox.frames()].map(({ length }) => length);
}

test("replies are kept in order until they have arrived", () => {
  verifies("HOST-03");
  const outbox = new ReplyOutbox();
  for (const number of [1, 2, 3, 4]) outbox.add(number, Buffer.alloc(number), small);
  outbox.delete(2);
  outbox.delete(9);
  expect(sizes(outbox)).toEqual([1, 3, 4]);
  expect([outbox.has(1), outbox.has(2)]).toEqual([true, false]);
  outbox.keepOnly(new Set([4, 5]));
  expect(sizes(outbox)).toEqual([4]);
});

test("the oldest large ones make room, and leave word that they are lost", () => {
  verifies("HOST-03");
  const outbox = new ReplyOutbox();
  const large = Buffer.alloc(100 * MIB);
  for (const number of [1, 2, 3, 4]) outbox.add(number, large, small);
  outbox.add(5, Buffer.alloc(1), small);
  expect(sizes(outbox)).toEqual([4, 4, 100 * MIB, 100 * MIB, 1]);
  outbox.add(6, Buffer.alloc(255 * MIB), small);
  expect(sizes(outbox)).toEqual([4, 4, 4, 4, 1, 255 * MIB]);
});

test("there are never more than there can be calls", () => {
  verifies("HOST-03");
  const outbox = new ReplyOutbox();
  for (let number = 0; number < 10_000; number += 1) outbox.add(number, Buffer.alloc(1), small);
  expect(sizes(outbox)).toHaveLength(8_192);
  expect(outbox.has(9_999)).toBe(true);
});
