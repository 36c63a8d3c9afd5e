import { expect, it } from "vitest";
import { DEFAULTS, ExecutionClient, ExecutionContainer } from "ipybox";
import { verifies } from "../requirements.ts";
import { docker, removeImages } from "./docker.ts";

const COMMAND = `
import glob
for path in glob.glob("/proc/[0-9]*/cmdline"):
    words = open(path).read().split("\\0")
    if words[0] == "node": print(words[1:-1])
`;

it("the agent starts from the heap that the image has of its Node, and without it where Node is another one", async () => {
  verifies("CONT-01", "CONT-03");
  const commandOf = async (tag: string): Promise<string | null> => {
    await using container = await ExecutionContainer.create({ tag });
    await using client = await ExecutionClient.connect({ port: container.port });
    return (await client.execute(COMMAND)).text;
  };
  expect(await commandOf(DEFAULTS.tag)).toBe("['--snapshot-blob=/opt/ipybox/node.blob', '/opt/ipybox/agent/agent.cjs']");

  // As an upgrade of the distribution's package would leave it.
  const tag = "ipybox-test/other-node:latest";
  const changed = await docker.createContainer({ Image: DEFAULTS.tag, User: "0:0", Entrypoint: ["touch", "/usr/bin/node"] });
  try {
    await changed.start();
    expect(await changed.wait()).toMatchObject({ StatusCode: 0 });
    await changed.commit({ repo: "ipybox-test/other-node", tag: "latest" });
  } finally {
    await changed.remove({ force: true });
  }
  try {
    expect(await commandOf(tag)).toBe("['/opt/ipybox/agent/agent.cjs']");
  } finally {
    await removeImages(tag);
  }
});
