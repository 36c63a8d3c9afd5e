import { open, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createContainer } from "../bench.ts";
import { atLeast, atMost, type Scenario } from "../scenario.ts";
import { median } from "../statistics.ts";

const MB = 1e6;
const SMALL_FILES = 10_000;

export const files: Scenario = {
  name: "files",
  title: "Files",
  about:
    "A file of 1 GiB is uploaded and downloaded (256 MiB with `--quick`), then a directory of 10,000 files of about 20 bytes, " +
    "then small files one call at a time. Both ends are on the machine's own disk. The memory is the greatest resident memory " +
    "of the client's process during the transfers of the large file, less what it was before.",
  limitMs: 600_000,
  async run(bench) {
    const bytes = (bench.quick ? 256 : 1024) * 2 ** 20;
    const rounds = bench.quick ? 1 : 3;
    const [up, down, manyUp, manyDown, calls]: [number[], number[], number[], number[], number[]] = [[], [], [], [], []];
    const local = await mkdtemp(join(tmpdir(), "ipybox-bench-"));
    await using container = await createContainer(bench);
    try {
      const { files } = container;
      await writeZeros(join(local, "large"), bytes);
      await mkdir(join(local, "many"));
      for (let index = 0; index < SMALL_FILES; index += 1)
        await writeFile(join(local, "many", `${index}`), `content of file ${index}`);
      await files.exists("anything"); // a worker is there
      const before = process.memoryUsage().rss;
      let peak = before;
      const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 10);
      for (let round = 0; round < rounds; round += 1) {
        up.push(bytes / MB / (await seconds(() => files.uploadFile(join(local, "large"), "large"))));
        down.push(bytes / MB / (await seconds(() => files.downloadFile("large", join(local, "back")))));
      }
      clearInterval(timer);
      for (let round = 0; round < rounds; round += 1) {
        manyUp.push(SMALL_FILES / (await seconds(() => files.uploadDirectory(join(local, "many"), `many-${round}`))));
        manyDown.push(
          SMALL_FILES / (await seconds(() => files.downloadDirectory(`many-${round}`, join(local, `back-${round}`)))),
        );
        const count = 200;
        calls.push(
          ((await seconds(async () => {
            for (let index = 0; index < count; index += 1) await files.write(`small/${index}`, "content");
          })) *
            1_000) /
            count,
        );
      }
      const figure = { subject: "ipybox" } as const;
      return {
        figures: [
          { what: "upload of a large file", ...figure, unit: "MB/s", samples: up },
          { what: "download of a large file", ...figure, unit: "MB/s", samples: down },
          { what: "files of an uploaded directory", ...figure, unit: "per second", samples: manyUp },
          { what: "files of a downloaded directory", ...figure, unit: "per second", samples: manyDown },
          { what: "a small file, one call after the other", ...figure, unit: "ms", samples: calls },
          { what: "growth of the client's memory", ...figure, unit: "MB", samples: [(peak - before) / 2 ** 20] },
        ],
        goals: [
          atLeast("upload of a large file", 200, "MB/s", median(up)),
          atLeast("download of a large file", 200, "MB/s", median(down)),
          atLeast("files of an uploaded directory", 5_000, "per second", median(manyUp)),
          atLeast("files of a downloaded directory", 5_000, "per second", median(manyDown)),
          atMost("growth of the client's memory while it transfers a large file", 64, "MB", (peak - before) / 2 ** 20),
        ],
      };
    } finally {
      await rm(local, { recursive: true, force: true });
    }
  },
};

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1_000;
}

/** Written, not left sparse, so that the disk has no advantage in reading it. */
async function writeZeros(path: string, bytes: number): Promise<void> {
  const file = await open(path, "w");
  const block = Buffer.alloc(2 ** 20);
  for (let written = 0; written < bytes; written += block.length) await file.write(block);
  await file.close();
}
