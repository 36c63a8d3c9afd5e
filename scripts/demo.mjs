// Makes everything ready, then shows the main job: a cell that prints, one that installs a package, and a plot.
import { fileURLToPath } from "node:url";

note("setting up, which takes some minutes the first time");
await import("./setup.mjs");
const { ExecutionClient, ExecutionContainer } = await import("../dist/index.js");

const PLOT = fileURLToPath(new URL("../ipybox-demo.png", import.meta.url));

const CELLS = [
  `import os, sys
print(f"Hello from Python {sys.version.split()[0]}, uid {os.getuid()}, in the directory {os.getcwd()}")`,

  `!pip install einops
import einops
print("einops", einops.__version__, "is there")`,

  `!pip install -q matplotlib
import matplotlib.pyplot as plt, numpy as np
x = np.linspace(0, 10, 200)
for phase in range(5):
    print(f"Drawing curve {phase + 1} of 5")
    plt.plot(x, np.sin(x + phase / 2) * np.exp(-x / 8))
plt.title("Drawn by Python, saved by Node")
plt.show()`,
];

const stopped = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => stopped.abort(new Error(`stopped by ${signal}`)));

let startedAt = performance.now();
const container = new ExecutionContainer({ signal: stopped.signal });
try {
  await container.run();
  const client = await ExecutionClient.connect({ port: container.port, host: container.host, signal: stopped.signal });
  note(`container and kernel are ready after ${sinceStart()}`);
  for (const code of CELLS) {
    console.log(`\n${code.replace(/^/gm, ">>> ")}`);
    startedAt = performance.now();
    // Long, for a slow connection to the package index.
    const execution = client.submit(code, { timeoutMs: 600_000, signal: stopped.signal });
    for await (const chunk of execution.stream()) process.stdout.write(chunk);
    const { images } = await execution.result();
    if (images[0] !== undefined) {
      await images[0].save(PLOT);
      console.log(`The plot (${images[0].width} x ${images[0].height} pixels) is saved as ${PLOT}`);
    }
    note(`took ${sinceStart()}`);
  }
  await client.disconnect();
} catch (error) {
  console.error(`demo: ${error.message}`);
  process.exitCode = 1;
} finally {
  await container.kill();
}

function note(text) {
  console.error(`    ${text}`);
}

function sinceStart() {
  return `${((performance.now() - startedAt) / 1000).toFixed(2)} s`;
}
