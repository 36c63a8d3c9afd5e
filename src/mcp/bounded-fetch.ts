/** What a server may say at once: a line of its standard output or of an event stream, or a JSON document. */
export const MAX_MESSAGE_BYTES: number = 16 * 1024 * 1024;

const NEW_LINE = 0x0a;

/** `fetch` whose bodies fail when a server answers without an end. An event stream as such may go on for ever. */
export async function boundedFetch(url: string | URL, init?: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  if (response.body === null) return response;
  const isStream = /^text\/event-stream\b/i.test(response.headers.get("content-type") ?? "");
  const body = response.body.pipeThrough(isStream ? boundedLines() : boundedWhole());
  const { status, statusText, headers } = response;
  const bounded = new Response(body, { status, statusText, headers });
  // A response that is made by hand has none, and redirects are judged by it.
  Object.defineProperty(bounded, "url", { value: response.url });
  return bounded;
}

function boundedWhole(): TransformStream<Uint8Array, Uint8Array> {
  let bytes = 0;
  return new TransformStream({
    transform(chunk, controller) {
      bytes += chunk.length;
      if (bytes > MAX_MESSAGE_BYTES) throw tooLong();
      controller.enqueue(chunk);
    },
  });
}

function boundedLines(): TransformStream<Uint8Array, Uint8Array> {
  let bytes = 0;
  return new TransformStream({
    transform(chunk, controller) {
      const end = chunk.lastIndexOf(NEW_LINE);
      bytes = end < 0 ? bytes + chunk.length : chunk.length - end - 1;
      if (bytes > MAX_MESSAGE_BYTES) throw tooLong();
      controller.enqueue(chunk);
    },
  });
}

function tooLong(): Error {
  return new Error(`the server's answer is longer than ${MAX_MESSAGE_BYTES} bytes`);
}
