import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as z from "zod";
import { mcpCommand } from "../../src/cli/mcp.ts";
import { verifies } from "../requirements.ts";

const read = (path: string): Record<string, unknown> =>
  JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url), "utf8")) as Record<string, unknown>;

const input = {
  description: z.string().optional(),
  isRequired: z.boolean().optional(),
  isSecret: z.boolean().optional(),
  format: z.enum(["string", "number", "boolean", "filepath"]).optional(),
  value: z.string().optional(),
};

/** What the MCP registry takes, as far as it is used here; a field more is a mistake. */
const manifest = z.strictObject({
  $schema: z.literal("https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"),
  name: z
    .string()
    .max(200)
    .regex(/^[a-zA-Z0-9.-]+\/[a-zA-Z0-9._-]+$/),
  title: z.string().max(100),
  description: z.string().min(1).max(100),
  version: z.string().regex(/^\d+\.\d+\.\d+/),
  packages: z.array(
    z.strictObject({
      registryType: z.literal("npm"),
      identifier: z.string(),
      version: z.string(),
      runtimeHint: z.literal("npx"),
      transport: z.strictObject({ type: z.literal("stdio") }),
      packageArguments: z.array(
        z.union([
          z.strictObject({ type: z.literal("positional"), ...input, value: z.string() }),
          z.strictObject({ type: z.literal("named"), name: z.string(), isRepeated: z.boolean().optional(), ...input }),
        ]),
      ),
      environmentVariables: z.array(z.strictObject({ name: z.string(), ...input })),
    }),
  ),
});

test("the MCP registry's manifest has its shape, and is that of this package", () => {
  verifies("MCP-05");
  const server = manifest.parse(read("server.json"));
  const { name, version, mcpName } = read("package.json");
  expect([server.name, server.version]).toEqual([mcpName, version]);
  expect(server.packages.map((one) => [one.identifier, one.version])).toEqual([[name, version]]);
  const [first, ...flags] = server.packages[0]?.packageArguments ?? [];
  expect(first?.value).toBe("mcp");
  const known = mcpCommand().options.map(({ long }) => long);
  for (const flag of flags) expect(known).toContain(flag.type === "named" ? flag.name : undefined);
});
