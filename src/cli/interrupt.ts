import { log } from "./print.ts";
import { signalStatus, Stopped, writeFailure } from "./stopped.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;

/** npx passes on a signal that its child has got already: what comes so soon is the same one. */
const SAME_SIGNAL_MS = 250;

/** How a command is asked to stop. */
export interface Interrupts {
  /** Aborts with a `Stopped`, or with the error of stdout. */
  readonly signal: AbortSignal;
  /** Gets Ctrl-C first. Where it gives false, the command stops. */
  onCtrlC: (() => boolean) | undefined;
}

/**
 * Runs something that signals, and a stdout that nobody reads any more, end in good order. While it tidies up, a further
 * signal ends it at once.
 */
export async function interruptible<T>(run: (interrupts: Interrupts) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const interrupts: Interrupts = { signal: controller.signal, onCtrlC: undefined };
  let last: { readonly name: NodeJS.Signals; readonly at: number } | undefined;
  let isStopping = false;

  const onSignal = (name: NodeJS.Signals): void => {
    const at = performance.now();
    const isSame = last?.name === name && at - last.at < SAME_SIGNAL_MS;
    last = { name, at };
    if (isSame) return;
    // A terminal that goes away may say so several times: that is no impatience.
    if (isStopping && name !== "SIGHUP") {
      log("Not tidied up. `ipybox ls` shows what is left, `ipybox cleanup` removes it.");
      process.exit(signalStatus(name));
    }
    if (name === "SIGINT" && interrupts.onCtrlC?.() === true) return;
    isStopping = true;
    controller.abort(new Stopped(name));
  };
  const onClosed = (error: Error): void => controller.abort(writeFailure(error));

  for (const name of SIGNALS) process.on(name, onSignal);
  process.stdout.on("error", onClosed);
  try {
    const result = await run(interrupts);
    controller.signal.throwIfAborted();
    return result;
  } finally {
    for (const name of SIGNALS) process.off(name, onSignal);
    process.stdout.off("error", onClosed);
  }
}
