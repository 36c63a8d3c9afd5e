/** Runs inside of a network namespace and is everybody on a small internet: `FakeInternet` starts it. */
import { createSocket } from "node:dgram";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { createServer as createTcpServer, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { wheel } from "./wheel.ts";

export interface HostConfig {
  readonly addresses: readonly string[];
  readonly resolvers: readonly string[];
  readonly certificate: { readonly cert: string; readonly key: string };
}

/** Something that has reached a host of the fake internet. */
export interface Reached {
  readonly kind: "http" | "https" | "tcp" | "udp" | "dns";
  /** The address that it was sent to; of `dns` the name that was asked for. */
  readonly to: string;
  readonly port: number;
  readonly text: string;
}

/** Names and the addresses that they have; several lists are given in turn. */
export type Zone = Readonly<Record<string, readonly (readonly string[])[]>>;

const { addresses: own, resolvers, certificate } = JSON.parse(process.argv[2] ?? "{}") as HostConfig;
let zone: Zone = {};
const asked = new Map<string, number>();
const say = (reached: Reached): void => void process.stdout.write(`${JSON.stringify(reached)}\n`);
const plain = (address: string | undefined): string => (address ?? "").replace(/^::ffff:/, "");

createInterface({ input: process.stdin })
  .on("line", (line) => {
    zone = JSON.parse(line) as Zone;
    asked.clear();
    process.stdout.write("{}\n");
  })
  .on("close", () => process.exit(0)); // whoever started it has ended

const files = new Map(["1.0"].map((version) => wheel("ipybox_probe", version)).map(({ file, bytes }) => [file, bytes]));

for (const [kind, port] of [
  ["http", 80],
  ["http", 8080],
  ["https", 443],
] as const) {
  const listener: Parameters<typeof createServer>[1] = (request, response) => {
    const { localAddress } = request.socket;
    const { method, url = "", rawHeaders } = request;
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString("latin1");
      say({ kind, to: plain(localAddress), port, text: JSON.stringify({ method, url, rawHeaders, body }) });
      const file = files.get(url.slice("/files/".length));
      const redirect = /^\/redirect\?(.*)$/.exec(url)?.[1];
      if (redirect !== undefined) response.writeHead(302, { location: decodeURIComponent(redirect) }).end();
      else if (file !== undefined) response.end(file);
      else if (/^\/simple\/ipybox[-_]probe\/$/.test(url)) {
        const links = [...files.keys()].map((name) => `<a href="../../files/${name}">${name}</a>`);
        response.setHeader("content-type", "text/html").end(`<!DOCTYPE html><html><body>${links.join("\n")}</body></html>`);
      } else response.end("hello from the internet");
    });
  };
  const server = kind === "http" ? createServer(listener) : createSecureServer(certificate, listener);
  server.on("tlsClientError", () => undefined);
  server.on("clientError", (_, socket) => socket.destroy());
  server.on("upgrade", (request, socket) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    socket.pipe(socket);
    socket.on("error", () => socket.destroy());
    say({ kind, to: plain((socket as Socket).localAddress), port, text: `upgrade ${request.url}` });
  });
  server.listen(port, "::");
}

/** An echo that lets a sender wait. */
const SLOW_PORT = 5434;

for (const port of [22, 5432, 5433, SLOW_PORT]) {
  createTcpServer((socket) => {
    const to = plain(socket.localAddress);
    say({ kind: "tcp", to, port, text: "" });
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk: Buffer) => say({ kind: "tcp", to, port, text: chunk.toString("latin1") }));
    if (port === 22) socket.write("SSH-2.0-fake\r\n");
    if (port === SLOW_PORT) socket.on("data", (chunk: Buffer) => setTimeout(() => socket.write(chunk), 3_000));
    else socket.pipe(socket);
  }).listen(port, "::");
}

// One for each address: an answer must come from where the question went.
for (const address of own) {
  for (const port of [99, 123, 443, 5353, 5432]) {
    const sink = createSocket(address.includes(":") ? "udp6" : "udp4");
    sink.on("message", (message, from) => {
      say({ kind: "udp", to: address, port, text: message.toString("latin1") });
      sink.send(message, from.port, from.address);
    });
    sink.bind(port, address);
  }
}

for (const address of resolvers) {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  socket.on("message", (question, from) => socket.send(answer(question), from.port, from.address));
  socket.bind(53, address);
  createTcpServer((client) => {
    client.on("error", () => client.destroy());
    client.on("data", (chunk: Buffer) => {
      const reply = answer(chunk.subarray(2));
      client.write(Buffer.concat([Buffer.from([reply.length >> 8, reply.length & 255]), reply]));
    });
  }).listen(53, address);
}

process.stdout.write("{}\n");

/** A DNS message with the addresses of the name that is asked for. */
function answer(question: Buffer): Buffer {
  const labels: string[] = [];
  let at = 12;
  while ((question[at] ?? 0) > 0) {
    const length = question[at] ?? 0;
    labels.push(question.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  const name = labels.join(".").toLowerCase();
  const type = question.readUInt16BE(at + 1);
  const end = at + 5;
  say({ kind: "dns", to: name, port: 53, text: String(type) });
  const turns = zone[name];
  const key = `${name} ${type}`;
  const turn = asked.get(key) ?? 0;
  asked.set(key, turn + 1);
  const addresses = (turns?.[turn % turns.length] ?? []).filter((address) => address.includes(":") === (type === 28));
  const records = addresses.map((address) => {
    const data = type === 28 ? packed6(address) : Buffer.from(address.split(".").map(Number));
    const head = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 0, 0, data.length]);
    return Buffer.concat([head, data]);
  });
  const header = Buffer.from(question.subarray(0, 12));
  header.writeUInt16BE(turns === undefined ? 0x8183 : 0x8180, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  header.writeUInt32BE(0, 8);
  return Buffer.concat([header, question.subarray(12, end), ...records]);
}

function packed6(address: string): Buffer {
  const [head = "", tail = ""] = address.split("::");
  const groups = (text: string): number[] => (text === "" ? [] : text.split(":").map((part) => Number.parseInt(part, 16)));
  const before = groups(head);
  const after = groups(tail);
  const all = [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 255]));
}
