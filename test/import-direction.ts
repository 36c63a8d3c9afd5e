import { posix } from "node:path";

/** A source below `src/`, by its path from there. */
export interface Source {
  readonly path: string;
  readonly source: string;
}

interface Layer {
  /** Layers whose files may be imported; its own always may. */
  readonly layers: readonly string[];
  /** Single files of layers that may not be imported as a whole. */
  readonly files?: readonly string[];
  /** npm packages that may be imported; undefined for any. */
  readonly packages?: readonly string[];
}

/** `cli, mcp → index → container, client, … → engine, network, protocol → internal`; `agent → network, protocol, internal`. */
const LAYERS: Readonly<Record<string, Layer>> = {
  cli: { layers: ["mcp-server", "index", "root", "files", "mcp", "host", "engine", "network", "protocol", "internal"] },
  "mcp-server": { layers: ["root", "files", "mcp", "protocol", "internal"] },
  frameworks: { layers: ["root", "protocol", "internal"] },
  index: { layers: ["root", "files", "mcp", "host", "engine", "network", "protocol", "internal"] },
  root: { layers: ["files", "mcp", "host", "engine", "network", "protocol", "internal"] },
  mcp: { layers: ["host", "protocol", "internal"], files: ["errors.ts", "parse-options.ts"] },
  host: { layers: ["protocol", "internal"], files: ["errors.ts", "message-parts.ts", "parse-options.ts", "variables.ts"] },
  // A part of the SDK: it takes from beside it what every part needs, and nothing that uses it.
  files: {
    layers: ["protocol", "internal"],
    files: ["errors.ts", "handshake.ts", "options.ts", "parse-options.ts", "target.ts"],
  },
  // Errors are one vocabulary for all of the SDK.
  engine: { layers: ["protocol", "internal"], files: ["errors.ts"] },
  agent: { layers: ["network", "protocol", "internal"], packages: ["ws"] },
  // What a policy means: agent and SDK decide alike.
  network: { layers: ["internal"], packages: [] },
  protocol: { layers: ["network", "internal"], packages: ["zod"] },
  internal: { layers: [], packages: [] },
};

/** The imports that go the wrong way, one line each. */
export function wrongImports(sources: readonly Source[]): readonly string[] {
  return sources.flatMap(({ path, source }) => {
    const layer = LAYERS[layerOf(path)];
    if (layer === undefined) return [`${path}: src/${layerOf(path)}/ belongs to no layer`];
    return importsOf(source).flatMap((target) => {
      const reason = objection(path, layer, target);
      return reason === undefined ? [] : [`${path}: ${reason}`];
    });
  });
}

function objection(path: string, layer: Layer, target: string | undefined): string | undefined {
  if (target === undefined) return "imports something that only shows at run time";
  if (target.startsWith("node:")) return undefined;
  if (!target.startsWith(".")) {
    const name = /^(?:@[^/]+\/)?[^/]+/.exec(target)?.[0] ?? target;
    return layer.packages === undefined || layer.packages.includes(name) ? undefined : `imports the package ${name}`;
  }
  const file = posix.join(posix.dirname(path), target);
  if (file.startsWith("..")) return `imports ${target} from outside of src`;
  const allowed = layerOf(file) === layerOf(path) || layer.layers.includes(layerOf(file)) || layer.files?.includes(file);
  return allowed ? undefined : `imports ${file}`;
}

/** The first folder, `root` for files in none, and a layer of its own for `index.ts`. */
function layerOf(path: string): string {
  if (path === "index.ts") return "index";
  return path.includes("/") ? path.slice(0, path.indexOf("/")) : "root";
}

/** What a source imports, statically, dynamically or to export it again; undefined when it is no literal. */
export function importsOf(source: string): readonly (string | undefined)[] {
  const code = source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  const statements = /^\s*(?:(?:import|export)\b[^;"'()=]*?\bfrom|import)\s*["']([^"']+)["']/gm;
  const calls = /\bimport\s*\(\s*(?:["'`]([^"'`$]+)["'`]\s*\))?/g;
  return [...code.matchAll(statements), ...code.matchAll(calls)].map(([, target]) => target);
}
