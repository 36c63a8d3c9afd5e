import type { FileChannels } from "./file-channels.ts";
import { FileFrameKind } from "../protocol/file-frames.ts";
import { receiveInfo, sendBytes, sendEnd } from "./file-content.ts";
import { FileOperation, type OperationOptions } from "./file-operation.ts";

const ENDED = new Error("the stream was cancelled");

/** Reads when it is read, and not before. */
export function readStream(channels: FileChannels, path: string, options: OperationOptions): ReadableStream<Uint8Array> {
  let operation: FileOperation | undefined;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          if (operation === undefined) {
            operation = await FileOperation.begin(channels, { op: "read", path }, options);
            await receiveInfo(operation);
          }
          const { kind, payload } = await operation.receive(FileFrameKind.data, FileFrameKind.end);
          if (kind === FileFrameKind.data) {
            controller.enqueue(payload);
            return;
          }
          await operation.finish();
          controller.close();
        } catch (error) {
          throw operation === undefined ? error : operation.fail(error);
        }
      },
      cancel() {
        operation?.fail(ENDED);
      },
    },
    { highWaterMark: 0 },
  );
}

/** Writes what it is given; the file is there when closing it has resolved. */
export function writeStream(
  channels: FileChannels,
  request: { readonly path: string; readonly mode: number | undefined },
  options: OperationOptions,
): WritableStream<Uint8Array> {
  let operation: FileOperation | undefined;
  const guarded = async (work: (operation: FileOperation) => Promise<void>): Promise<void> => {
    if (operation === undefined) throw ENDED;
    try {
      await work(operation);
    } catch (error) {
      throw operation.fail(error);
    }
  };
  return new WritableStream<Uint8Array>(
    {
      async start() {
        operation = await FileOperation.begin(channels, { op: "write", ...request }, options);
      },
      write: (bytes) =>
        guarded(async (operation) => {
          await sendBytes(operation, bytes, () => undefined);
          if (operation.answered) await operation.finish(); // it has failed: this says why
        }),
      close: () =>
        guarded(async (operation) => {
          await sendEnd(operation);
          operation.done();
          await operation.finish();
        }),
      abort() {
        operation?.fail(ENDED);
      },
    },
    { highWaterMark: 1 },
  );
}
