import { buffer } from "node:stream/consumers";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { extract } from "tar-stream";
import { expect, test } from "vitest";
import { buildArchive, rootArchive } from "../../src/engine/docker/archive.ts";
import { verifies } from "../requirements.ts";

const files = [
  { path: "b", content: "two", mode: 0o755 },
  { path: "a/self.ts", source: fileURLToPath(import.meta.url) },
];

test("equal files give an equal archive, in whatever order they come", async () => {
  verifies("IMG-04");
  const one = await buffer(buildArchive(files));
  const two = await buffer(buildArchive([...files].reverse()));
  expect(one.equals(two)).toBe(true);
  const changed = await buffer(buildArchive([{ path: "b", content: "TWO", mode: 0o755 }]));
  expect(changed.equals(one)).toBe(false);
});

test("a file that can't be read fails the build's stream", async () => {
  await expect(buffer(buildArchive([{ path: "x", source: "/does/not/exist" }]))).rejects.toThrow(/ENOENT/);
});

test("files for a sandbox belong to its root, with their modes", async () => {
  verifies("SEC-09");
  const tar = await rootArchive([{ path: "/run/ipybox/config.json", mode: 0o600, content: "{}" }]);
  const headers = [];
  for await (const entry of Readable.from([tar]).pipe(extract())) {
    headers.push(entry.header);
    entry.resume();
  }
  expect(headers).toMatchObject([{ name: "run/ipybox/config.json", mode: 0o600, uid: 0, gid: 0, size: 2 }]);
});
