import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PNG } from "pngjs";
import { decodeAsync } from "sixel";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { iterm2Image } from "../../src/cli/plots/iterm2.ts";
import { kittyImage } from "../../src/cli/plots/kitty.ts";
import { toIndexed } from "../../src/cli/plots/palette.ts";
import { type Picture, pictureOf } from "../../src/cli/plots/picture.ts";
import { PlotFiles } from "../../src/cli/plots/plot-files.ts";
import { sixelImage } from "../../src/cli/plots/sixel.ts";
import { terminalImages } from "../../src/cli/plots/terminal-images.ts";
import { verifies } from "../requirements.ts";

function picture(mimeType = "image/png", data: Uint8Array = new Uint8Array([1, 2, 3]), width = 100): Picture {
  return { mimeType, data, width, height: 50 };
}

async function decodeSixel(text: string | undefined): Promise<{ width: number; height: number; data: Uint8Array }> {
  // eslint-disable-next-line no-control-regex
  const [, body = ""] = /^\u001bP0;1q(.*)\u001b\\$/s.exec(text ?? "") ?? [];
  const { width, height, data32 } = await decodeAsync(body);
  return { width, height, data: new Uint8Array(data32.buffer, data32.byteOffset, data32.byteLength) };
}

describe("a terminal", () => {
  test.each([
    [{ TERM: "xterm-kitty" }, kittyImage],
    [{ TERM: "xterm-256color", KITTY_WINDOW_ID: "1" }, kittyImage],
    [{ TERM: "xterm-ghostty" }, kittyImage],
    [{ TERM_PROGRAM: "ghostty" }, kittyImage],
    [{ KONSOLE_VERSION: "230401" }, kittyImage],
    [{ TERM_PROGRAM: "iTerm.app" }, iterm2Image],
    [{ LC_TERMINAL: "iTerm2" }, iterm2Image],
    [{ TERM_PROGRAM: "WezTerm" }, iterm2Image],
    [{ TERM_PROGRAM: "mintty" }, iterm2Image],
    [{ TERM: "xterm-256color" }, undefined],
    [{ TERM_PROGRAM: "Apple_Terminal" }, undefined],
    [{ TERM_PROGRAM: "iTerm.app", TMUX: "/tmp/tmux-0/default,1,0" }, undefined],
    [{ KITTY_WINDOW_ID: "1", TERM: "screen-256color" }, undefined],
    [{}, undefined],
    [{ TERM: "foot" }, sixelImage],
    [{ TERM: "foot-extra" }, sixelImage],
    [{ TERM: "mlterm" }, sixelImage],
    [{ TERM: "xterm", IPYBOX_IMAGES: "sixel" }, sixelImage],
    [{ TMUX: "/tmp/tmux-0/default,1,0", IPYBOX_IMAGES: "kitty" }, kittyImage],
    [{ KITTY_WINDOW_ID: "1", IPYBOX_IMAGES: "none" }, undefined],
  ] as const)("with %j shows pictures in its way", async (env, encoder) => {
    verifies("CLI-01");
    expect(await terminalImages(env)).toBe(encoder);
  });

  test("can't be told to show them in a way that is not known", async () => {
    verifies("CLI-01");
    await expect(terminalImages({ IPYBOX_IMAGES: "ascii" })).rejects.toThrow(
      'The variable IPYBOX_IMAGES must be one of kitty, iterm2, sixel, none. Given was "ascii".',
    );
  });
});

describe("a picture", () => {
  test("goes to kitty in pieces that give its bytes", () => {
    verifies("CLI-01");
    const data = Buffer.from(Array.from({ length: 7_000 }, (_, index) => index % 256));
    const text = kittyImage(picture("image/png", data), 80) ?? "";
    const pieces = text.split("\u001b\\").map((piece) => {
      const [keys = "", part = ""] = piece.replace("\u001b_G", "").split(";");
      return { keys, part };
    });
    expect(pieces.pop()).toEqual({ keys: "", part: "" });
    expect(pieces.map(({ keys, part }) => [keys, part.length])).toEqual([
      ["a=T,f=100,q=2,m=1", 4096],
      ["m=1", 4096],
      ["m=0", 1144],
    ]);
    expect(text).toBe(pieces.map(({ keys, part }) => `\u001b_G${keys};${part}\u001b\\`).join(""));
    expect(Buffer.from(pieces.map(({ part }) => part).join(""), "base64").equals(data)).toBe(true);
  });

  test("that is wider than the window is made as wide as that", () => {
    verifies("CLI-01");
    expect(kittyImage(picture("image/png", undefined, 2_000), 80)).toContain(",c=80,");
    expect(kittyImage(picture("image/png", undefined, 700), 80)).not.toContain("c=");
  });

  test("goes to iTerm2 in one piece", () => {
    verifies("CLI-01");
    expect(iterm2Image(picture("image/jpeg"))).toBe("\u001b]1337;File=inline=1;size=3;preserveAspectRatio=1:AQID\u0007");
  });

  test("goes to sixel terminals with its colours, and as wide as the window at most", async () => {
    verifies("CLI-01");
    const png = new PNG({ width: 60, height: 12 });
    for (let at = 0; at < png.data.length; at += 4)
      png.data.set([at % 240 < 120 ? 255 : 0, 0, at % 240 < 120 ? 0 : 255, 255], at);
    const plot = pictureOf({ "image/png": new Uint8Array(PNG.sync.write(png)) });
    if (plot === undefined) throw new Error("no picture");
    const wide = await decodeSixel(sixelImage(plot, 80));
    expect([wide.width, wide.height]).toEqual([60, 12]);
    expect([...wide.data.subarray(0, 4)]).toEqual([255, 0, 0, 255]);
    expect([...wide.data.subarray(30 * 4, 31 * 4)]).toEqual([0, 0, 255, 255]);
    const narrow = await decodeSixel(sixelImage(plot, 3));
    expect([narrow.width, narrow.height]).toEqual([30, 6]);
    expect([...narrow.data.subarray(15 * 4, 16 * 4)]).toEqual([0, 0, 255, 255]);
  });

  test("of many colours keeps those that it has most of, and takes the nearest for the rest", () => {
    verifies("CLI-01");
    const size = 200;
    const rgba = new Uint8Array(size * size * 4);
    for (let at = 0; at < size * size; at += 1) {
      // Half of it is white; of the rest each pixel has a colour of its own.
      rgba.set(at % 2 === 0 ? [255, 255, 255, 255] : [at % 251, (at * 7) % 241, (at * 13) % 239, 255], at * 4);
    }
    const { palette, pixels } = toIndexed(rgba);
    expect(palette).toHaveLength(256);
    const white = palette.findIndex(([red, green, blue]) => red + green + blue === 3 * 255);
    let furthest = 0;
    for (const [at, index] of pixels.entries()) {
      if (at % 2 === 0) furthest = Math.max(furthest, index === white ? 0 : 255);
      else
        for (const [channel, level] of (palette[index] ?? []).entries()) {
          furthest = Math.max(furthest, Math.abs(level - (rgba[at * 4 + channel] ?? 0)));
        }
    }
    expect(furthest).toBeLessThan(90);
    expect(toIndexed(new Uint8Array([255, 0, 0, 0, 0, 0, 0, 128])).palette).toEqual([
      [255, 255, 255],
      [127, 127, 127],
    ]);
  });

  test("that sixel terminals can't be given is left to be saved", () => {
    verifies("CLI-01");
    expect(sixelImage(picture("image/jpeg"), 80)).toBeUndefined();
    expect(sixelImage(picture("image/png"), 80)).toBeUndefined();
    expect(sixelImage(picture("image/png", undefined, 1_000_000), 80)).toBeUndefined();
  });

  test("of a kind that the terminal does not take is left to be saved", () => {
    verifies("CLI-01");
    expect(kittyImage(picture("image/jpeg"), 80)).toBeUndefined();
    expect(iterm2Image(picture("image/svg+xml"))).toBeUndefined();
  });

  test("is a raster image before an SVG, and nothing when there is neither", () => {
    verifies("CLI-01");
    const svg = { "image/svg+xml": "<svg/>", "text/plain": "<Figure>" };
    expect(pictureOf({ ...svg, "image/png": new Uint8Array([1]) })?.mimeType).toBe("image/png");
    expect(pictureOf(svg)).toEqual({ mimeType: "image/svg+xml", data: Buffer.from("<svg/>"), width: 0, height: 0 });
    expect(pictureOf({ "text/plain": "1" })).toBeUndefined();
  });
});

describe("plot files", () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "ipybox-plots-"));
  });
  afterEach(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  test("take the next free number, in a directory that is made when it is needed", async () => {
    verifies("CLI-01");
    const target = join(directory, "a/b");
    await new PlotFiles(target).save(picture());
    const plots = new PlotFiles(target);
    const paths = [await plots.save(picture()), await plots.save(picture("image/jpeg")), await plots.save(picture())];
    expect(paths).toEqual(["plot-2.png", "plot-3.jpg", "plot-4.png"].map((name) => join(target, name)));
    expect((await readdir(target)).sort()).toEqual(["plot-1.png", "plot-2.png", "plot-3.jpg", "plot-4.png"]);
  });

  test("of one display are one, in its last state", async () => {
    verifies("CLI-01");
    const plots = new PlotFiles(directory);
    const first = await plots.save(picture(), "id");
    const other = await plots.save(picture(), "other");
    expect(await plots.save(picture("image/png", new Uint8Array([9])), "id")).toBe(first);
    expect([...(await readFile(first))]).toEqual([9]);
    expect([...(await readFile(other))]).toEqual([1, 2, 3]);
  });

  test("that can't be written are told, and thrown by save alone", async () => {
    verifies("CLI-01");
    const file = join(directory, "file");
    await writeFile(file, "");
    const plots = new PlotFiles(file);
    await expect(plots.save(picture())).rejects.toThrow("EEXIST");
    expect(plots.failed).toBe(false);
    expect(await plots.trySave(picture())).toBeUndefined();
    expect(plots.failed).toBe(true);
  });
});
