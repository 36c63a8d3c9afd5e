import { request as ask, type IncomingMessage, type ServerResponse } from "node:http";
import { buffer, text } from "node:stream/consumers";
import type Docker from "dockerode";
import type { SandboxFile } from "../../src/engine/engine.ts";
import { rootArchive } from "../../src/engine/docker/archive.ts";
import { fakeDaemon, type Listening } from "./daemon.ts";

/** What a container is to be created from, as the daemon is told. */
export interface CreateRequest extends Docker.ContainerCreateOptions {
  HostConfig: Docker.HostConfig & { CgroupnsMode?: string };
}

/** How containers differ from what was asked for. */
export interface Mutation {
  /** Changes what the container is created from. */
  readonly create?: (request: CreateRequest) => void;
  /** Replaces files of the image in the container. */
  readonly files?: readonly SandboxFile[];
}

/** The machine's own daemon, but for each container that is created: that one is made as the mutation says. */
export function mutatingDaemon(socketPath: string, mutation: Mutation): Promise<Listening> {
  return fakeDaemon((request, response) => {
    const isCreate = request.method === "POST" && /\/containers\/create(\?|$)/.test(request.url ?? "");
    const work = isCreate ? create(socketPath, request, response, mutation) : pass(socketPath, request, response);
    work.catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
  });
}

async function create(socketPath: string, request: IncomingMessage, response: ServerResponse, mutation: Mutation): Promise<void> {
  const document = JSON.parse(await text(request)) as CreateRequest;
  mutation.create?.(document);
  const body = Buffer.from(JSON.stringify(document));
  const answer = await forward(socketPath, request, request.url, body);
  const content = await buffer(answer);
  if (answer.statusCode === 201 && mutation.files !== undefined) {
    const { Id: id } = JSON.parse(content.toString()) as { readonly Id: string };
    const archive = await rootArchive(mutation.files);
    const laid = await forward(
      socketPath,
      { method: "PUT", headers: request.headers },
      `/containers/${id}/archive?path=/`,
      archive,
    );
    if (laid.statusCode !== 200) throw new Error(`the files can't be laid: ${await text(laid)}`);
    laid.resume();
  }
  response.writeHead(answer.statusCode ?? 500, answer.headers).end(content);
}

async function pass(socketPath: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const answer = await forward(socketPath, request, request.url, await buffer(request));
  response.writeHead(answer.statusCode ?? 500, answer.headers);
  response.flushHeaders();
  answer.pipe(response);
  response.on("close", () => answer.destroy());
}

function forward(
  socketPath: string,
  { method, headers }: Pick<IncomingMessage, "method" | "headers">,
  path: string | undefined,
  body: Buffer,
): Promise<IncomingMessage> {
  const { "transfer-encoding": _, ...kept } = headers;
  return new Promise((resolve, reject) => {
    const request = { socketPath, method, path, headers: { ...kept, "content-length": body.length }, agent: false };
    ask(request, resolve).on("error", reject).end(body);
  });
}
