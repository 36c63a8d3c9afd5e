import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
// #region import
import { ExecutionClient, ExecutionContainer } from "ipybox";
// #endregion

const directory = await mkdtemp(join(tmpdir(), "ipybox-example-"));
await writeFile(join(directory, "notes.txt"), "one\ntwo\nthree\n");

await using container = await ExecutionContainer.create();
// #region usage
await using client = await ExecutionClient.connect({ port: container.port });

const server = await client.addMcpServer("files", {
  command: "npx",
  args: ["-y", "@modelcontextprotocol/server-filesystem", directory],
});

const { text } = await client.execute(`
from mcp_tools.files import read_text_file, write_file

notes = read_text_file.run(read_text_file.Params(path="${directory}/notes.txt"))
lines = notes.content.split()
write_file.run(write_file.Params(path="${directory}/count.txt", content=str(len(lines))))
print(f"{len(lines)} lines")
`);
console.log(text); // 3 lines
// #endregion

// #region sources
const tool = server.tools.find(({ name }) => name === "read_text_file");
console.log(tool?.module); // mcp_tools.files.read_text_file
console.log(tool?.source); // class Params(BaseModel, extra="forbid"): …
// #endregion

// #region approval
await using careful = await ExecutionClient.connect({
  port: container.port,
  onApproval: ({ kind, name, input }) => {
    console.log(`${kind} ${name}`, input); // tool files.write_file { path: …, content: … }
    return name !== "files.write_file";
  },
});
// #endregion
await careful.addMcpServer("files", {
  command: "npx",
  args: ["-y", "@modelcontextprotocol/server-filesystem", directory],
});
const refused = careful.execute(`
from mcp_tools.files.write_file import run, Params
run(Params(path="${directory}/count.txt", content="4"))
`);
await assert.rejects(refused, /ApprovalRejected/);

assert.equal(text, "3 lines");
assert.equal(await readFile(join(directory, "count.txt"), "utf8"), "3");
assert.match(tool?.source ?? "", /class Params\(BaseModel, extra="forbid"\):/);
await rm(directory, { recursive: true });
