import { describe, expect, test } from "vitest";
import { IpyboxError } from "../../src/errors.ts";
import { resolveConfig } from "../../src/mcp/config.ts";
import { redactor } from "../../src/mcp/redaction.ts";
import { verifies } from "../requirements.ts";

const ENVIRONMENT = { TOKEN: "s3cret-value", EMPTY: "", HOST: "example.org" };

function failure(config: unknown): IpyboxError {
  try {
    resolveConfig("files", config, ENVIRONMENT);
  } catch (error) {
    if (error instanceof IpyboxError) return error;
    throw error;
  }
  throw new Error("the config was taken");
}

describe("a server's config", () => {
  test("is taken as configuration files write it", () => {
    verifies("MCP-01");
    const stdio = { command: "npx", args: ["-y", "server"], env: { A: "1" }, cwd: "/tmp" };
    expect(resolveConfig("files", { type: "stdio", ...stdio }, {})).toMatchObject({ kind: "stdio", ...stdio, location: "host" });
    for (const type of ["http", "streamable-http", "streamableHttp"]) {
      expect(resolveConfig("web", { type, url: "https://example.org/mcp" }, {})).toMatchObject({
        kind: "http",
        transport: "http",
      });
    }
    expect(resolveConfig("web", { url: "http://example.org/mcp" }, {})).toMatchObject({ kind: "http", transport: undefined });
    expect(resolveConfig("web", { type: "sse", url: "http://example.org/sse" }, {})).toMatchObject({ transport: "sse" });
  });

  test("has its variables filled from the environment", () => {
    verifies("MCP-01");
    const config = {
      url: "https://${HOST}/${PATH_OF:-mcp}?e=${EMPTY}&d=${EMPTY:-x}",
      headers: { Authorization: "Bearer ${TOKEN}" },
    };
    const resolved = resolveConfig("web", config, ENVIRONMENT);
    expect(resolved).toMatchObject({ headers: { Authorization: "Bearer s3cret-value" } });
    expect(String((resolved as { url: URL }).url)).toBe("https://example.org/mcp?e=&d=x");
  });

  test.each([
    ["a variable that is not set", { command: "x", args: ["${MISSING}"] }, ['"args.0"', "variable MISSING"]],
    ["what names no variable", { command: "x", env: { A: "${env:TOKEN}" } }, ['"env.A"', "${env:TOKEN}", "${NAME}"]],
    ["neither a command nor a url", { args: [] }, ["either a command or a url"]],
    ["both", { command: "x", url: "https://example.org" }, ["either a command or a url"]],
    ["something else", "npx server", ["either a command or a url"]],
    ["an unknown field", { command: "x", arguments: [] }, ['"arguments"', "command, args, env"]],
    ["a wrong type", { command: "x", type: "http" }, ['"type"', '"stdio"']],
    ["a wrong field", { command: "x", args: ["a", 5] }, ['"args.1"', "must be a string"]],
    ["a URL that is none", { url: "example.org/${TOKEN}" }, ['"url"', "http://"]],
    ["a URL of a file", { url: "file:///etc/passwd" }, ['"url"', "http://"]],
    ["a time that is none", { command: "x", callTimeoutMs: 0 }, ['"callTimeoutMs"', "1 or more"]],
  ])("with %s is an error that says so", (_, config, parts) => {
    verifies("MCP-01");
    const error = failure(config);
    expect(error.code).toBe("invalid_option");
    for (const part of [...parts, 'MCP server "files"']) expect(error.message).toContain(part);
    expect(error.message).not.toContain("s3cret");
  });

  test("never shows values of env and headers in errors", () => {
    verifies("MCP-01", "SEC-09");
    for (const config of [
      { command: "x", env: { KEY: "s3cret\0" } },
      { url: "https://example.org", headers: { Authorization: "Bearer s3cret\0" } },
    ]) {
      const error = failure(config);
      expect(`${error.message} ${JSON.stringify(error.details)}`).not.toContain("s3cret");
    }
  });
});

test("secrets are taken out of texts, also as they stand in a URL", () => {
  verifies("MCP-01", "SEC-09");
  const { secrets } = resolveConfig(
    "web",
    { url: "https://x/?k=${TOKEN}", headers: { A: "a value&more", B: "no" } },
    ENVIRONMENT,
  );
  const redact = redactor(secrets);
  expect(redact("s3cret-value at https://x/?k=s3cret-value: a value&more, a%20value%26more; no")).toBe(
    "${TOKEN} at https://x/?k=${TOKEN}: …, …; no",
  );
});
