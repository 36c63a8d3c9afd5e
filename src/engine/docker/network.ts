import { type Duplex, PassThrough } from "node:stream";
import type Docker from "dockerode";
import { IpyboxError } from "../../errors.ts";
import type { NetworkRequest } from "../engine.ts";
import { createContainer } from "./create.ts";
import { abortable } from "./abortable.ts";
import { helperProfile } from "./helper.ts";

const COMMAND = ["/usr/bin/python3", "-I", "-S", "/opt/ipybox/python/ipybox_network"];
/** An argument of a process has at most 128 KiB. */
const ARGUMENT_CHARACTERS = 100_000;

/**
 * Runs the image's own network set-up in the network of another container; gives what removes itself, or is removed when
 * it fails. It shares nothing else with that container, and has no right but NET_ADMIN, which the other one has not.
 */
export async function runNetworkHelper(
  docker: Docker,
  id: string,
  request: NetworkRequest,
  { signal, remove }: { readonly signal: AbortSignal; readonly remove: (id: string) => Promise<void> },
): Promise<Docker.Container> {
  // No signal ends this: the daemon might still make it, and nobody would learn of it.
  const helper = await createContainer(docker, profile(id, request));
  const discard = (): Promise<void> => remove(helper.id).catch(() => undefined);
  const stop = (): void => void discard(); // which also ends the reading of its output
  signal.addEventListener("abort", stop, { once: true });
  try {
    signal.throwIfAborted();
    const options = { stream: true, stdout: true, stderr: true, ...abortable(signal) };
    const attached = (await helper.attach(options)) as Duplex;
    const output = readOutput(docker, attached);
    output.catch(() => undefined); // awaited below, unless what comes first fails
    await request.after;
    await helper.start(abortable(signal));
    const said = await output;
    if (isReady(said)) return helper;
    throw new IpyboxError(
      "network_failed",
      `The network policy can't be put into effect: ${said.trim() || "nothing was said"}.`,
      {
        details: { containerId: id },
      },
    );
  } catch (error) {
    await discard(); // it may be removing itself
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function profile(id: string, { image, labels, task }: NetworkRequest): Docker.ContainerCreateOptions {
  const pieces = Math.ceil(task.length / ARGUMENT_CHARACTERS);
  return helperProfile({
    image,
    labels,
    command: COMMAND,
    args: Array.from({ length: pieces }, (_, index) =>
      task.slice(index * ARGUMENT_CHARACTERS, (index + 1) * ARGUMENT_CHARACTERS),
    ),
    capabilities: ["NET_ADMIN"],
    memoryMib: 128,
    host: { NetworkMode: `container:${id}`, AutoRemove: true },
  });
}

/** Whether it has said its last line: the policy holds, and only its end follows. */
function isReady(said: string): boolean {
  return /(^|\n)ready\n$/.test(said);
}

/** All that it says, or all until it is ready. */
async function readOutput(docker: Docker, attached: Duplex): Promise<string> {
  const both = new PassThrough({ encoding: "utf8" });
  const modem = docker.modem as { demuxStream(from: NodeJS.ReadableStream, out: PassThrough, err: PassThrough): void };
  modem.demuxStream(attached, both, both);
  attached.on("end", () => both.end());
  attached.on("close", () => both.end());
  attached.on("error", (error) => both.destroy(error));
  let said = "";
  for await (const piece of both) {
    said += piece;
    if (isReady(said)) break;
  }
  attached.destroy();
  return said;
}
