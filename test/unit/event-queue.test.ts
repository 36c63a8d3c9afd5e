import { describe, expect, test } from "vitest";
import { EventQueue } from "../../src/internal/event-queue.ts";

describe("a queue", () => {
  test("gives its items in order, then its end, as often as it is asked", async () => {
    const queue = new EventQueue<string>();
    queue.push("a", 1);
    queue.push("b", 2);
    queue.close();
    expect(queue.bytes).toBe(3);
    expect((await queue.take())?.value).toBe("a");
    expect(queue.bytes).toBe(2);
    expect((await queue.take())?.value).toBe("b");
    expect(queue.bytes).toBe(0);
    expect(await queue.take()).toBeUndefined();
    expect(await queue.take()).toBeUndefined();
  });

  test("lets its reader wait for what is not there yet", async () => {
    const queue = new EventQueue<number>();
    const first = queue.take();
    const second = first.then(() => queue.take());
    queue.push(1, 1);
    expect(await first).toMatchObject({ value: 1 });
    queue.close();
    expect(await second).toBeUndefined();
  });

  test("fails after all that was queued before", async () => {
    const queue = new EventQueue<number>();
    const reason = new Error("gone");
    queue.push(1, 1);
    queue.close({ reason });
    queue.close();
    expect(await queue.take()).toMatchObject({ value: 1 });
    await expect(queue.take()).rejects.toBe(reason);
    await expect(queue.take()).rejects.toBe(reason);
  });

  test("fails a reader that waits", async () => {
    const queue = new EventQueue<number>();
    const waiting = queue.take();
    queue.close({ reason: new Error("gone") });
    await expect(waiting).rejects.toThrow("gone");
  });

  test("holds an item that is undefined apart from its end", async () => {
    const queue = new EventQueue<undefined>();
    queue.push(undefined, 0);
    queue.close();
    expect(await queue.take()).toBeDefined();
    expect(await queue.take()).toBeUndefined();
  });

  test("takes nothing once it is closed, and forgets what it is told to", async () => {
    const queue = new EventQueue<number>();
    queue.push(1, 10);
    queue.clear();
    expect(queue.bytes).toBe(0);
    queue.push(2, 20);
    queue.close();
    queue.push(3, 30);
    expect(queue.bytes).toBe(20);
    expect(await queue.take()).toMatchObject({ value: 2 });
    expect(await queue.take()).toBeUndefined();
  });
});
