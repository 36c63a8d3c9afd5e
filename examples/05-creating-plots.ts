import assert from "node:assert/strict";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
// #region import
import { ExecutionClient, ExecutionContainer } from "ipybox";
// #endregion

// Files are written here: sine.png.
const directory = join(import.meta.dirname, "output/05-creating-plots");
await rm(directory, { recursive: true, force: true });
await mkdir(directory, { recursive: true });
process.chdir(directory);

// #region usage
await using container = await ExecutionContainer.create();
await using client = await ExecutionClient.connect({ port: container.port });

const execution = client.submit(`
!pip install matplotlib

import matplotlib.pyplot as plt
import numpy as np

x = np.linspace(0, 10, 100)
plt.figure(figsize=(8, 6))
plt.plot(x, np.sin(x))
plt.title("Sine Wave")
plt.show()

print("Plot generation complete!")
`);

for await (const chunk of execution.stream()) {
  process.stdout.write(chunk); // Collecting matplotlib … Plot generation complete!
}

const { images } = await execution.result();
await images[0]?.save("sine.png");
// #endregion

const { text } = await execution.result();
assert.ok(text?.endsWith("Plot generation complete!"));
assert.ok(!text?.includes("<Figure"));
assert.equal(images.length, 1);
assert.ok(images[0] !== undefined && images[0].width > 400 && images[0].height > 300);
assert.deepEqual([...(await readFile("sine.png")).subarray(0, 4)], [0x89, 0x50, 0x4e, 0x47]);
