import type { CallToolResult } from "@modelcontextprotocol/client";

/** A part of a tool's answer, as `python/ipybox_kernel/mcp.py` takes it. */
type ContentPart = Readonly<Record<string, string | Uint8Array | null>>;

/** How a call has ended, for the sandbox. */
export type ToolAnswer =
  | {
      readonly status: "ok" | "tool_failed";
      readonly content: readonly ContentPart[];
      readonly structured?: unknown;
    }
  | { readonly status: "server_failed"; readonly message: string };

/** A result by the protocol, in the form that goes to the sandbox. */
export function toAnswer(result: CallToolResult): ToolAnswer {
  const { content, structuredContent, isError } = result;
  return {
    status: isError === true ? "tool_failed" : "ok",
    content: content.map(toPart),
    ...(structuredContent === undefined ? {} : { structured: structuredContent }),
  };
}

function toPart(item: CallToolResult["content"][number]): ContentPart {
  switch (item.type) {
    case "text":
      return { type: "text", text: item.text };
    case "image":
    case "audio":
      return { type: item.type, data: bytesOf(item.data), mime_type: mimeType(item.mimeType, item.type) };
    case "resource_link":
      return {
        type: "resource_link",
        uri: item.uri,
        name: item.name,
        description: item.description ?? null,
        mime_type: item.mimeType ?? null,
      };
    case "resource": {
      const { resource } = item;
      const content = "blob" in resource ? { data: bytesOf(resource.blob) } : { text: resource.text };
      return { type: "resource", uri: resource.uri, mime_type: resource.mimeType ?? null, ...content };
    }
  }
}

function bytesOf(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, "base64"));
}

/** The type by which an image is shown; what is none is shown as nothing. */
function mimeType(given: string, kind: "image" | "audio"): string {
  return new RegExp(`^${kind}/[a-z0-9][a-z0-9.+-]{0,100}$`, "i").test(given) ? given.toLowerCase() : "application/octet-stream";
}
