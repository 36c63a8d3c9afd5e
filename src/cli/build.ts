import { Command } from "commander";
import { ExecutionImage, type BuildProgress } from "../image.ts";
import { DEFAULTS } from "../options.ts";
import { interruptible } from "./interrupt.ts";
import { log } from "./print.ts";

interface BuildFlags {
  readonly tag: string;
  readonly dependencies?: string;
  readonly base?: string;
  readonly preload?: readonly string[];
  readonly caCertificates?: readonly string[];
}

/** `ipybox build` */
export function buildCommand(): Command {
  return new Command("build")
    .description("Build an image for containers")
    .option("-t, --tag <tag>", "name of the image", DEFAULTS.tag)
    .option("-d, --dependencies <file>", "requirements.txt or pyproject.toml whose packages to install")
    .option("--base <image>", "Debian-based image to build on (default: Debian trixie)")
    .option("--preload <modules>", "modules that new kernels have imported already, comma-separated", splitList)
    .option("--ca-certificates <path>", "file or directory with further certificates to trust (repeatable)", append)
    .action((flags: BuildFlags) => interruptible(({ signal }) => build(flags, signal)));
}

async function build(flags: BuildFlags, signal: AbortSignal): Promise<void> {
  const startedAt = performance.now();
  const display = new BuildDisplay();
  try {
    const image = await ExecutionImage.build({ ...flags, signal, onProgress: (progress) => display.show(progress) });
    display.clear();
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    log(`Built ${image.tag} (${Math.round(image.sizeBytes / 1e6)} MB) in ${seconds} s`);
  } finally {
    display.clear();
  }
}

/** One line that is redrawn on a terminal, else one line a step. */
class BuildDisplay {
  readonly #isTerminal = process.stderr.isTTY;
  #step = "";

  show(progress: BuildProgress): void {
    if (progress.kind === "notice") {
      this.clear();
      log(progress.text);
      return;
    }
    if (progress.kind === "step")
      this.#step = `[${progress.step}/${progress.steps}] ${progress.text.replace(/\s+/g, " ").slice(0, 70)}`;
    if (this.#isTerminal) this.#redraw(progress.kind === "output" ? `${this.#step} · ${progress.text.trim()}` : this.#step);
    else if (progress.kind === "step") log(this.#step);
  }

  clear(): void {
    if (this.#isTerminal) process.stderr.write("\r\u001b[K");
  }

  #redraw(line: string): void {
    process.stderr.write(`\r\u001b[K${line.slice(0, (process.stderr.columns || 80) - 1)}`);
  }
}

function splitList(text: string): readonly string[] {
  return text.split(",").map((name) => name.trim());
}

function append(path: string, before: readonly string[] = []): readonly string[] {
  return [...before, path];
}
