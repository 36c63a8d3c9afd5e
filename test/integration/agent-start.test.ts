import { afterEach, expect, it } from "vitest";
import { DEFAULTS, ExecutionClient, ExecutionContainer } from "ipybox";
import { verifies } from "../requirements.ts";
import { docker, removeImages } from "./docker.ts";

const CHANGED = "ipybox-test/changed-node";
const FLAGS = "--max-semi-space-size=2";

afterEach(() => removeImages(`${CHANGED}:latest`));

/** How the agent of an image was started. */
async function agentOf(tag: string): Promise<string | null> {
  await using container = await ExecutionContainer.create({ tag });
  await using client = await ExecutionClient.connect({ port: container.port });
  const code = `
import glob
for path in glob.glob("/proc/[0-9]*/cmdline"):
    try: words = open(path).read().split("\\0")
    except OSError: continue  # it has ended
    if words[0] == "/usr/bin/node": print(*words[1:-1])
`;
  return (await client.execute(code)).text;
}

/** Makes an image of the default one. */
async function change(command: readonly string[], instruction?: string): Promise<void> {
  const container = await docker.createContainer({ Image: DEFAULTS.tag, User: "0:0", Entrypoint: [...command], Cmd: [] });
  try {
    await container.start();
    expect(await container.wait()).toMatchObject({ StatusCode: 0 });
    await container.commit({ repo: CHANGED, tag: "latest", ...(instruction === undefined ? {} : { changes: instruction }) });
  } finally {
    await container.remove({ force: true });
  }
}

it("the agent starts from the heap that the image has stored of its Node", async () => {
  verifies("CONT-01", "CONT-03");
  expect(await agentOf(DEFAULTS.tag)).toBe(`${FLAGS} --snapshot-blob=/opt/ipybox/node.blob /opt/ipybox/agent/agent.cjs`);
});

it.each<[what: string, command: readonly string[], instruction?: string]>([
  ["Node was upgraded", ["touch", "/usr/bin/node"]],
  ["the processor has other features", ["sed", "-i", "s/$/ sse9/", "/opt/ipybox/node.stamp"]],
  ["Node has other flags", ["true"], "ENV NODE_OPTIONS=--max-old-space-size=200"],
  ["there is none", ["rm", "/opt/ipybox/node.blob", "/opt/ipybox/node.stamp"]],
])("the agent starts without a stored heap where %s", async (_, command, instruction) => {
  verifies("CONT-01", "CONT-03");
  await change(command, instruction);
  expect(await agentOf(CHANGED)).toBe(`${FLAGS} /opt/ipybox/agent/agent.cjs`);
});
