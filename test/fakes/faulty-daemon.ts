import { request as ask, type IncomingMessage, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { deferred } from "../../src/internal/deferred.ts";
import { fakeDaemon, type Listening } from "./daemon.ts";

/**
 * What goes wrong with a request: `refuse` does not do it and says why; all others do it, and then
 * answer half, nonsense, nothing at all, or drop the connection.
 */
export type Fault = "refuse" | "half" | "nonsense" | "stall" | "drop";

/** The machine's own daemon, but for the first `times` requests that a pattern (`POST /containers/create`) matches. */
export function faultyDaemon(
  socketPath: string,
  pattern: RegExp,
  fault: Fault | ((request: IncomingMessage) => Promise<void>),
  { times = Number.POSITIVE_INFINITY } = {},
): Promise<Listening> {
  let left = times;
  return fakeDaemon((request, response) => {
    // The version of the API is no part of the pattern.
    const what = `${request.method} ${(request.url ?? "").replace(/^\/v[\d.]+/, "")}`;
    const spoiled = pattern.test(what) && left-- > 0 ? fault : undefined;
    if (spoiled === "refuse") {
      request.resume();
      response.writeHead(500, { "content-type": "application/json" }).end('{"message":"the disk is on fire"}');
      return;
    }
    if (typeof spoiled === "function") {
      void spoiled(request);
      return;
    }
    forward(socketPath, request, response, spoiled).catch(() => response.destroy());
  });
}

/**
 * The machine's own daemon, but of requests that a pattern matches nothing is heard any more, and each is done a second after
 * whoever has made it has given up. `done` resolves with the first one's HTTP status.
 */
export async function lateDaemon(
  socketPath: string,
  pattern: RegExp,
): Promise<Listening & { readonly done: Promise<number | undefined> }> {
  const done = deferred<number | undefined>();
  const listening = await faultyDaemon(socketPath, pattern, async (request) => {
    const { method, url: path, headers } = request;
    const body = await buffer(request);
    await new Promise((givenUp) => request.socket.on("close", givenUp));
    await delay(1_000);
    ask({ socketPath, method, path, headers, agent: false }, (answer) => {
      answer.resume();
      done.resolve(answer.statusCode);
    }).end(body);
  });
  return { ...listening, done: done.promise, [Symbol.asyncDispose]: () => listening[Symbol.asyncDispose]() };
}

async function forward(
  socketPath: string,
  request: IncomingMessage,
  response: ServerResponse,
  fault: Exclude<Fault, "refuse"> | undefined,
): Promise<void> {
  const { method, url: path, headers } = request;
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const forwarded = ask({ socketPath, method, path, headers, agent: false }, resolve);
    forwarded.on("error", reject);
    // Whoever gives up on this daemon gives up on the real one.
    response.on("close", () => forwarded.destroy());
    request.pipe(forwarded);
  });
  if (fault === undefined) {
    response.writeHead(answer.statusCode ?? 500, answer.headers);
    response.flushHeaders();
    answer.pipe(response);
    return;
  }
  const body = await buffer(answer);
  switch (fault) {
    case "stall":
      return;
    case "drop":
      response.destroy();
      return;
    case "nonsense":
      response.writeHead(answer.statusCode === 204 ? 200 : (answer.statusCode ?? 200), { "content-type": "application/json" });
      response.end("<html>a proxy's page</html>");
      return;
    case "half":
      response.writeHead(200, { "content-type": "application/json", "content-length": String(body.length + 10) });
      response.write(body.subarray(0, body.length / 2), () => response.destroy());
  }
}
