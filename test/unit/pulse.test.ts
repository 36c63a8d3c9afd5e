import { describe, expect, it } from "vitest";
import { Pulse } from "../../src/pulse.ts";

function wire(): { bytesRead: number; bytesWritten: number; writableLength: number } {
  return { bytesRead: 0, bytesWritten: 0, writableLength: 0 };
}

describe("the pulse of a connection", () => {
  it("is asked for after 3 s of silence, and given up after 8", () => {
    const pulse = new Pulse(wire(), 0);
    expect([1_000, 3_000, 3_500, 8_000, 8_500].map((now) => pulse.check(now))).toEqual([
      "nothing",
      "nothing",
      "ask",
      "ask",
      "give up",
    ]);
  });

  it("is felt as long as bytes come, however few", () => {
    const socket = wire();
    const pulse = new Pulse(socket, 0);
    for (let now = 1_000; now < 60_000; now += 1_000) {
      socket.bytesRead += 1;
      expect(pulse.check(now)).toBe("nothing");
    }
    expect(pulse.check(68_000)).toBe("give up");
  });

  it("is felt as long as what waits to be sent gets less", () => {
    const socket = { ...wire(), bytesWritten: 1_000_000, writableLength: 1_000_000 };
    const pulse = new Pulse(socket, 0);
    for (let now = 1_000; now < 60_000; now += 1_000) {
      socket.writableLength -= 1_000;
      expect(pulse.check(now)).toBe("nothing");
    }
    expect(pulse.check(68_000)).toBe("give up");
  });

  it("may take longer when much was sent before, but not for ever", () => {
    const socket = wire();
    const pulse = new Pulse(socket, 0);
    socket.bytesWritten = 512 * 1024;
    expect(pulse.check(11_900)).toBe("ask");
    expect(pulse.check(12_100)).toBe("give up");
    socket.bytesWritten = 2 ** 30;
    expect(pulse.check(29_900)).toBe("ask");
    expect(pulse.check(30_100)).toBe("give up");
  });

  it("is not looked for while nothing can come", () => {
    const pulse = new Pulse(wire(), 0);
    pulse.rest(20_000);
    expect(pulse.check(22_000)).toBe("nothing");
    expect(pulse.check(28_100)).toBe("give up");
  });
});
