import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { FileFrameKind } from "../../src/protocol/file-frames.ts";
import { type Speaker, withFakeWorker } from "../fakes/file-worker.ts";
import { verifies } from "../requirements.ts";

vi.setConfig({ testTimeout: 60_000 });

let parent: string;
let target: string;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "ipybox-download-"));
  target = join(parent, "target");
});

afterEach(() => {
  rmSync(parent, { recursive: true, force: true });
});

/** Downloads what the worker says, and gives how that went. */
async function download(say: (speaker: Speaker) => void, options = {}): Promise<unknown> {
  let outcome: unknown;
  await withFakeWorker(say, async (files) => {
    outcome = await files.downloadDirectory("anything", target, options).catch((error: unknown) => error);
  });
  return outcome;
}

/** Nothing is there but the target, if that. */
function expectUntouched(): void {
  expect(readdirSync(parent)).toEqual([]);
}

describe("a worker that was taken over can't make a download", () => {
  test.each(["..", ".", "", "a/b", "/etc/passwd", "../x", "a\0b", "x".repeat(256), "\u0100"])(
    "write to the name %j",
    async (name) => {
      verifies("FILE-03");
      for (const entry of [
        { type: "file", name, mode: 0o644, size: 1 },
        { type: "directory", name, mode: 0o755 },
        { type: "symlink", name, target: "a" },
      ]) {
        const outcome = await download((speaker) => {
          speaker.entry(entry);
          speaker.frame(FileFrameKind.end);
          speaker.reply();
        });
        expect(outcome).toMatchObject({ code: "protocol_violation" });
        expectUntouched();
      }
    },
  );

  test("write through a link that it has sent before", async () => {
    verifies("FILE-03");
    const outside = join(parent, "outside");
    mkdirSync(outside);
    const attempts: ((speaker: Speaker) => void)[] = [
      (speaker) => {
        speaker.entry({ type: "symlink", name: "a", target: outside });
        speaker.entry({ type: "directory", name: "a", mode: 0o755 });
        speaker.file("x", "hostile");
        speaker.entry({ type: "leave" });
        speaker.reply();
      },
      (speaker) => {
        speaker.entry({ type: "symlink", name: "a", target: join(outside, "x") });
        speaker.file("a", "hostile");
        speaker.reply();
      },
      (speaker) => {
        speaker.entry({ type: "directory", name: "d", mode: 0o755 });
        speaker.entry({ type: "symlink", name: "a", target: "../../outside" });
        speaker.file("a", "hostile");
        speaker.entry({ type: "leave" });
        speaker.reply();
      },
    ];
    for (const attempt of attempts) {
      expect(await download(attempt, { outsideLinks: "keep" })).toMatchObject({ code: "EEXIST", side: "host" });
      expect(readdirSync(outside)).toEqual([]);
      expect(readdirSync(parent)).toEqual(["outside"]);
    }
  });

  test("write through a link that an earlier download has left", async () => {
    verifies("FILE-03");
    const outside = join(parent, "outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "file"), "ours");
    const links = (speaker: Speaker): void => {
      speaker.entry({ type: "symlink", name: "a", target: outside });
      speaker.entry({ type: "symlink", name: "f", target: join(outside, "file") });
      speaker.reply();
    };
    await download(links, { outsideLinks: "keep" });
    expect(readlinkSync(join(target, "a"))).toBe(outside);
    await download((speaker) => {
      speaker.entry({ type: "directory", name: "a", mode: 0o755 });
      speaker.file("x", "hostile");
      speaker.entry({ type: "leave" });
      speaker.file("f", "hostile");
      speaker.reply();
    });
    expect(readdirSync(outside)).toEqual(["file"]);
    expect(readFileSync(join(outside, "file"), "utf8")).toBe("ours");
    expect(lstatSync(join(target, "a")).isDirectory()).toBe(true);
    expect(readFileSync(join(target, "a/x"), "utf8")).toBe("hostile");
    expect(lstatSync(join(target, "f")).isFile()).toBe(true);
  });

  test("leave its root, go ever deeper, or end too early", async () => {
    verifies("FILE-03");
    const wrong: ((speaker: Speaker) => void)[] = [
      (speaker) => speaker.entry({ type: "leave" }),
      (speaker) => {
        for (let depth = 0; depth < 300; depth += 1) speaker.entry({ type: "directory", name: "d", mode: 0o755 });
      },
      (speaker) => {
        speaker.entry({ type: "directory", name: "d", mode: 0o755 });
        speaker.reply();
      },
      (speaker) => {
        speaker.entry({ type: "file", name: "a", mode: 0o644, size: 1 });
        speaker.reply();
      },
      (speaker) => speaker.frame(FileFrameKind.data, Buffer.from("x")),
      (speaker) => speaker.json(FileFrameKind.entry, [["deep"]]),
      (speaker) => speaker.frame(FileFrameKind.entry, Buffer.from("{")),
    ];
    for (const attempt of wrong) {
      expect(await download(attempt)).toMatchObject({ code: "protocol_violation" });
      expectUntouched();
    }
  });

  test("keep set-id and sticky bits, or leave directories that can't be entered", async () => {
    verifies("FILE-02");
    await download((speaker) => {
      speaker.file("setuid", "x", 0o6755);
      speaker.file("secret", "x", 0o600);
      speaker.entry({ type: "directory", name: "closed", mode: 0o1000 });
      speaker.file("inner", "x");
      speaker.entry({ type: "leave" });
      speaker.reply();
    });
    expect(["setuid", "secret", "closed"].map((name) => lstatSync(join(target, name)).mode & 0o7777)).toEqual([
      0o755, 0o600, 0o700,
    ]);
    expect(readFileSync(join(target, "closed/inner"), "utf8")).toBe("x");
  });

  test("put a file where a directory is, or a directory where a file is, and leaves what was there", async () => {
    verifies("FILE-03");
    mkdirSync(join(target, "tree"), { recursive: true });
    writeFileSync(join(target, "tree/ours"), "ours");
    writeFileSync(join(target, "file"), "ours");
    const first = await download((speaker) => {
      speaker.file("new", "x");
      speaker.file("tree", "x");
      speaker.reply();
    });
    const second = await download((speaker) => {
      speaker.file("new", "x");
      speaker.entry({ type: "directory", name: "file", mode: 0o755 });
      speaker.entry({ type: "leave" });
      speaker.reply();
    });
    expect(first).toMatchObject({ code: "EISDIR", side: "host" });
    expect(second).toMatchObject({ code: "ENOTDIR", side: "host" });
    expect(readdirSync(target).sort()).toEqual(["file", "tree"]);
    expect(readFileSync(join(target, "tree/ours"), "utf8")).toBe("ours");
  });

  test("take more of the disk than maxBytes", async () => {
    verifies("FILE-03");
    const endless = (speaker: Speaker): void => {
      speaker.entry({ type: "file", name: "a", mode: 0o644, size: 1 });
      for (let part = 0; part < 40; part += 1) speaker.frame(FileFrameKind.data, Buffer.alloc(100_000));
    };
    expect(await download(endless, { maxBytes: 1_000_000 })).toMatchObject({ code: "EFBIG" });
    expectUntouched();
  });

  test("write outside with any entries at all", async () => {
    verifies("FILE-03", "LIFE-05");
    const name = fc.constantFrom("a", "b", "c", "..", ".", "a/b", "\0", "é");
    const entry = fc.oneof(
      fc.record({ type: fc.constant("directory"), name, mode: fc.nat(0o7777) }),
      fc.constant({ type: "leave" }),
      fc.record({ type: fc.constant("file"), name, mode: fc.nat(0o7777), size: fc.nat() }),
      fc.record({
        type: fc.constant("symlink"),
        name,
        target: fc.constantFrom("..", "../..", "a", "/", "../outside", "a/../.."),
      }),
      fc.record({ type: fc.constant("skipped"), name }),
    );
    const outside = join(parent, "outside");
    mkdirSync(outside);
    let entries: readonly { readonly type: string }[] = [];
    await withFakeWorker(
      (speaker) => {
        for (const one of entries) {
          speaker.entry(one);
          if (one.type === "file") speaker.frame(FileFrameKind.end);
        }
        speaker.reply();
      },
      async (files) => {
        await fc.assert(
          fc.asyncProperty(fc.array(entry, { maxLength: 12 }), async (said) => {
            entries = said;
            await files.downloadDirectory("x", target, { outsideLinks: "keep" }).catch(() => undefined);
            expect(readdirSync(outside)).toEqual([]);
            expect(readdirSync(parent).filter((name) => name !== "target")).toEqual(["outside"]);
            rmSync(target, { recursive: true, force: true });
          }),
          { numRuns: 1_000 },
        );
      },
    );
  });
});

describe("links that lead outside", () => {
  const say = (speaker: Speaker): void => {
    speaker.entry({ type: "symlink", name: "absolute", target: "/etc/passwd" });
    speaker.entry({ type: "symlink", name: "up", target: "../x" });
    speaker.entry({ type: "symlink", name: "inside", target: "d/f" });
    speaker.entry({ type: "directory", name: "d", mode: 0o755 });
    speaker.entry({ type: "symlink", name: "sibling", target: "../inside" });
    speaker.entry({ type: "symlink", name: "trick", target: "sibling/../../x" });
    speaker.entry({ type: "leave" });
    speaker.entry({ type: "skipped", name: "pipe" });
    speaker.reply();
  };

  test("are left out, and told of", async () => {
    verifies("FILE-03");
    const summary = await download(say);
    expect(summary).toMatchObject({ symlinks: 2, skippedCount: 4 });
    expect((summary as { skipped: { path: string }[] }).skipped.map(({ path }) => path)).toEqual([
      "absolute",
      "up",
      "d/trick",
      "pipe",
    ]);
    expect(readdirSync(target).sort()).toEqual(["d", "inside"]);
  });

  test("stay links where they are asked for, and are not followed", async () => {
    verifies("FILE-02");
    expect(await download(say, { outsideLinks: "keep" })).toMatchObject({ symlinks: 5, skippedCount: 1 });
    expect(readlinkSync(join(target, "absolute"))).toBe("/etc/passwd");
    expect(readlinkSync(join(target, "d/trick"))).toBe("sibling/../../x");
  });
});

describe("a download of one file", () => {
  const info = { type: "file", size: 4, mode: 0o4644, modified: 0, uid: 1, gid: 1 };

  test("takes the place of a link, and leaves what that led to", async () => {
    verifies("FILE-03");
    writeFileSync(join(parent, "ours"), "ours");
    symlinkSync(join(parent, "ours"), target);
    await withFakeWorker(
      (speaker) => {
        speaker.json(FileFrameKind.info, info);
        speaker.frame(FileFrameKind.data, Buffer.from("new!"));
        speaker.frame(FileFrameKind.end);
        speaker.reply();
      },
      async (files) => {
        expect(await files.downloadFile("x", target)).toMatchObject({ bytes: 4, files: 1 });
      },
    );
    expect(readFileSync(join(parent, "ours"), "utf8")).toBe("ours");
    expect(readFileSync(target, "utf8")).toBe("new!");
    expect(lstatSync(target).mode & 0o7777).toBe(0o644);
  });

  test.each([
    ["ends in the middle", (speaker: Speaker) => speaker.end(), "connection_lost"],
    [
      "fails in the middle",
      (speaker: Speaker) => speaker.json(FileFrameKind.error, { code: "EIO", message: "disk", path: "x" }),
      "EIO",
    ],
    [
      "says something that nobody knows",
      (speaker: Speaker) => speaker.json(FileFrameKind.error, { code: "EWHAT", message: "?", path: "x" }),
      "EIO",
    ],
    ["sends nonsense", (speaker: Speaker) => speaker.raw(Buffer.alloc(64, 0xff)), "protocol_violation"],
    ["gives no more sign of life", () => undefined, "connection_lost"],
  ])("leaves nothing when its worker %s", async (_, end, code) => {
    verifies("FILE-03");
    await withFakeWorker(
      (speaker) => {
        speaker.json(FileFrameKind.info, info);
        speaker.frame(FileFrameKind.data, Buffer.from("ne"));
        end(speaker);
      },
      async (files) => {
        await expect(files.downloadFile("x", target, { timeoutMs: 500 })).rejects.toMatchObject({ code });
      },
    );
    expect(existsSync(target)).toBe(false);
    expectUntouched();
  });

  test("goes on as long as there are signs of life", async () => {
    let beats = 0;
    await withFakeWorker(
      (speaker) => {
        speaker.json(FileFrameKind.info, info);
        const timer = setInterval(() => {
          speaker.frame(FileFrameKind.beat);
          beats += 1;
          if (beats < 12) return;
          clearInterval(timer);
          speaker.frame(FileFrameKind.end);
          speaker.reply();
        }, 50);
      },
      async (files) => {
        await files.downloadFile("x", target, { timeoutMs: 300 });
      },
    );
    expect(beats).toBe(12);
  });

  test("is refused where a directory is, and where the host does not let it", async () => {
    mkdirSync(target);
    const say = (speaker: Speaker): void => speaker.json(FileFrameKind.info, info);
    await withFakeWorker(say, async (files) => {
      await expect(files.downloadFile("x", target)).rejects.toMatchObject({ code: "EISDIR", side: "host", path: target });
      const below = join(parent, "file/x");
      writeFileSync(join(parent, "file"), "");
      await expect(files.downloadFile("x", below)).rejects.toMatchObject({ side: "host", path: below });
    });
  });
});
