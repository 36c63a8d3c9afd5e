import type { IncomingMessage } from "node:http";
import type WebSocket from "ws";
import * as z from "zod";
import { IpyboxError } from "./errors.ts";
import { atDeadline } from "./internal/timer.ts";
import type { Refusal } from "./protocol/agent-config.ts";
import { FrameKind, readFrames } from "./protocol/frame.ts";
import type { Control } from "./protocol/requests.ts";
import { startFailure } from "./start-failure.ts";
import type { KernelTarget } from "./target.ts";

const MAX_REFUSAL_BYTES = 64 * 1024;

const refusalSchema: z.ZodType<Refusal> = z.object({
  message: z.string(),
  bound: z.enum(["pids", "memory", "disk"]).optional(),
});

/** Waits until the agent says that it takes requests; nothing is read beyond that. */
export async function handshake(
  socket: WebSocket,
  target: KernelTarget,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<Extract<Control, { type: "ready" }>> {
  const where = `${target.host}:${target.port}`;
  try {
    return await new Promise((resolve, reject) => {
      const cancel = atDeadline(timeoutMs, () => {
        reject(
          new IpyboxError(
            "connect_failed",
            `Nothing on ${where} answered within ${timeoutMs} ms. Is that the port of an ipybox container? ` +
              "Raise connectTimeoutMs if it only is slow.",
            { details: { host: target.host, port: target.port, timeoutMs } },
          ),
        );
      });
      const abort = (): void => reject(signal?.reason);
      signal?.addEventListener("abort", abort, { once: true });
      if (signal?.aborted === true) abort();
      const done = (): void => {
        cancel();
        signal?.removeEventListener("abort", abort);
      };
      socket.once("message", (data) => {
        socket.pause();
        done();
        try {
          const [frame] = readFrames(data as Buffer);
          const control = JSON.parse(frame?.payload.toString() ?? "") as Control;
          if (frame?.kind !== FrameKind.control || control.type !== "ready") throw new TypeError("it is not ready");
          resolve(control);
        } catch (cause) {
          reject(notAnAgent(where, cause));
        }
      });
      socket.once("unexpected-response", (_, response) => {
        const failed = readRefusal(response).then((why) => Promise.reject(refusal(response.statusCode ?? 0, why, target)));
        failed.catch(reject).finally(done);
      });
      socket.once("error", (cause) => {
        done();
        reject(connectFailure(where, cause));
      });
      socket.once("close", () => {
        done();
        reject(notAnAgent(where, undefined));
      });
    });
  } catch (error) {
    socket.on("error", () => undefined);
    socket.terminate();
    throw error;
  }
}

function refusal(status: number, why: Refusal | undefined, { host, port, kernelId }: KernelTarget): IpyboxError {
  const where = `${host}:${port}`;
  const details = { host, port, status };
  switch (status) {
    case 401:
      return new IpyboxError("unauthorized", `The container on ${where} does not accept the token. Pass container.token.`, {
        details,
      });
    case 404:
      return new IpyboxError("kernel_not_found", `The container on ${where} has no kernel ${kernelId} (any more).`, { details });
    case 503:
      return startFailure(why?.message ?? `the container on ${where} does not say why`, why?.bound, details);
    default:
      return notAnAgent(where, new Error(`it answered with status ${status}`));
  }
}

/** What the agent says why; undefined when what answers is no agent. */
async function readRefusal(response: IncomingMessage): Promise<Refusal | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > MAX_REFUSAL_BYTES) break;
    }
    return refusalSchema.parse(JSON.parse(Buffer.concat(chunks).toString()));
  } catch {
    return undefined;
  }
}

function connectFailure(where: string, cause: Error): IpyboxError {
  if (!isRefused(cause)) return notAnAgent(where, cause);
  return new IpyboxError("connect_failed", `Nothing listens on ${where}. Is the container running, and is that its port?`, {
    cause,
  });
}

function notAnAgent(where: string, cause: unknown): IpyboxError {
  return new IpyboxError(
    "connect_failed",
    `What listens on ${where} does not answer as an ipybox container does. Is that container.port?`,
    { cause },
  );
}

/** Whether nothing listens there. */
export function isRefused(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ((cause as NodeJS.ErrnoException).code === "ECONNREFUSED") return true;
  }
  return false;
}
