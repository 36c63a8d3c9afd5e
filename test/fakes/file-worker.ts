import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { FileChannels } from "../../src/files/file-channels.ts";
import { Files } from "../../src/files/files.ts";
import { encodeFileFrame, encodeFileJson, FileFrameDecoder, FileFrameKind } from "../../src/protocol/file-frames.ts";

/** What a worker that was taken over might say. */
export interface Speaker {
  frame(kind: number, payload?: Uint8Array): void;
  json(kind: number, value: unknown): void;
  entry(entry: unknown): void;
  file(name: string, content: string, mode?: number): void;
  reply(): void;
  raw(bytes: Uint8Array): void;
  end(): void;
}

/** An agent whose file workers say what a test wants, and the files that are reached through it. */
export async function withFakeWorker(
  answer: (speaker: Speaker, request: { readonly op: string; readonly path: string }) => void,
  test: (files: Files) => Promise<void>,
): Promise<void> {
  const sockets = new Set<Duplex>();
  const server = createServer().on("upgrade", (_, socket: Duplex) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ipybox-files\r\n\r\n");
    const decoder = new FileFrameDecoder();
    socket.on("data", (chunk: Buffer) => {
      for (const { kind, payload } of decoder.push(chunk)) {
        if (kind === FileFrameKind.request)
          answer(speakerOn(socket), JSON.parse(payload.toString()) as { op: string; path: string });
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const channels = new FileChannels({ host: "127.0.0.1", port, token: "none" }, 5_000);
  try {
    await test(new Files(channels));
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

function speakerOn(socket: Duplex): Speaker {
  const speaker: Speaker = {
    frame: (kind, payload) => void socket.write(encodeFileFrame(kind, payload)),
    json: (kind, value) => void socket.write(encodeFileJson(kind, value)),
    entry: (entry) => speaker.json(FileFrameKind.entry, entry),
    file(name, content, mode = 0o644) {
      speaker.entry({ type: "file", name, mode, size: content.length });
      if (content !== "") speaker.frame(FileFrameKind.data, Buffer.from(content));
      speaker.frame(FileFrameKind.end);
    },
    reply: () => speaker.json(FileFrameKind.reply, {}),
    raw: (bytes) => void socket.write(bytes),
    end: () => void socket.end(),
  };
  return speaker;
}
