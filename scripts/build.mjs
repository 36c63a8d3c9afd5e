// Compiles src/ to dist/.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
rmSync(`${root}/dist`, { recursive: true, force: true });
const { status } = spawnSync(process.execPath, [`${root}/node_modules/typescript/bin/tsc`, "-p", root], { stdio: "inherit" });
if (status !== 0) process.exit(status ?? 1);

// The agent is one file: it starts faster, and the image needs no packages for it.
rmSync(`${root}/dist/agent`, { recursive: true });
const { build } = await import("esbuild");
await build({
  entryPoints: [`${root}/src/agent/main.ts`],
  outfile: `${root}/dist/agent/agent.cjs`,
  bundle: true,
  platform: "node",
  target: "node20",
  format: "cjs",
  legalComments: "inline",
  logLevel: "warning",
});

if (existsSync(`${root}/dist/cli/main.js`)) chmodSync(`${root}/dist/cli/main.js`, 0o755);
