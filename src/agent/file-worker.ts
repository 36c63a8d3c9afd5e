import { connect, type Socket } from "node:net";
import { encodeJsonFrame, FrameKind } from "../protocol/frame.ts";
import type { KernelSpec } from "../protocol/requests.ts";

const START_TIMEOUT_MS = 10_000;

/** Has the zygote at `zygotePath` fork a process that works on files with a kernel's rights; resolves once it can be spoken to. */
export async function startFileWorker(zygotePath: string, spec: KernelSpec): Promise<Socket> {
  const socket = connect(zygotePath);
  try {
    await new Promise<void>((resolve, reject) => {
      const late = (): void => reject(new Error(`the process for it did not start within ${START_TIMEOUT_MS} ms`));
      socket.setTimeout(START_TIMEOUT_MS, late);
      socket.once("error", reject);
      socket.once("close", () => reject(new Error("no process for it could be started: out of processes or memory")));
      // Its first word is none that matters here, and left where it is.
      socket.once("readable", resolve);
      socket.write(encodeJsonFrame(FrameKind.request, { file_worker: spec }));
    });
  } catch (error) {
    socket.destroy();
    throw error;
  }
  socket.removeAllListeners("timeout");
  socket.setTimeout(0);
  return socket;
}
