import type { Engine, PullProgress } from "./engine/engine.ts";
import { IpyboxError } from "./errors.ts";

/** How an image that is not there is obtained. */
export interface EnsureImageOptions {
  /** Show a bar on stderr, if that is a terminal. */
  readonly showProgress: boolean;
  readonly signal: AbortSignal;
}

/** Makes sure that the daemon has an image; a missing one is pulled. */
export async function ensureImage(engine: Engine, image: string, { showProgress, signal }: EnsureImageOptions): Promise<void> {
  if (await engine.hasImage(image, signal)) return;
  const bar = showProgress && process.stderr.isTTY ? await pullBar(image) : undefined;
  try {
    await engine.pullImage(image, { signal, onProgress: bar?.update });
  } catch (error) {
    if (!(error instanceof IpyboxError) || error.code !== "engine_failed") throw error;
    const reason = error.message.replace(/^Image .*? can't be pulled: /, "");
    const text =
      `Image ${image} is not on this machine and can't be pulled: ${reason}. ` +
      `Build it with \`npx ipybox build -t ${image}\`, or pass another tag.`;
    throw new IpyboxError("image_not_found", text, { details: { image, reason }, cause: error });
  } finally {
    bar?.stop();
  }
}

interface PullBar {
  readonly update: (progress: PullProgress) => void;
  readonly stop: () => void;
}

async function pullBar(image: string): Promise<PullBar> {
  const { SingleBar, Presets } = await import("cli-progress");
  const format = `Pulling ${image} {bar} {percentage}% {value}/{total} MB`;
  const bar = new SingleBar({ stream: process.stderr, format, hideCursor: true, clearOnComplete: true }, Presets.shades_classic);
  const megabytes = (bytes: number): number => Math.round(bytes / 1e6);
  bar.start(1, 0);
  return {
    update: ({ receivedBytes, totalBytes }) => {
      bar.setTotal(Math.max(1, megabytes(totalBytes)));
      bar.update(megabytes(receivedBytes));
    },
    stop: () => bar.stop(),
  };
}
