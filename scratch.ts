import { ExecutionClient, ExecutionContainer } from "ipybox";
import { z } from "zod";
await using container = await ExecutionContainer.create();
const asked: unknown[] = [];
let decide: any = () => true;
await using client = await ExecutionClient.connect({ port: container.port, approveShellCommands: true, requireShellEscape: true,
  onApproval: (r) => { asked.push([r.kind, r.name, r.input]); return decide(r); } });
await client.expose({ add: { input: z.object({ a: z.number(), b: z.number().default(2) }), handler: ({ a, b }) => a + b } });
const run = async (code: string) => { try { const r = await client.execute(code); console.log("=>", r.text); } catch (e) { console.log(String(e)); } console.log(JSON.stringify(asked.splice(0))); };
await run("from host import add\nadd(1)");
await run("!echo hi; echo {1+1}");
await run("x = !echo hi\nx");
await run("%sx echo $x");
await run("%%bash\necho one\necho two");
await run("%%script bash\necho one\necho two");
decide = (r: any) => r.kind === "shell" ? { decision: "accept", input: { command: "echo other" } } : { decision: "accept", input: { a: 40 } };
await run("add(1)");
await run("!rm -rf /");
await run("%%bash\nrm x");
decide = () => ({ decision: "reject", reason: "not today" });
await run("add(1)");
await run("!rm -rf /");
decide = () => { throw new Error("gone home") };
await run("add(1)");
decide = () => 5;
await run("add(1)");
decide = () => true;
for (const code of ["import subprocess\nsubprocess.run(['true'])", "import os; os.system('true')", "os.execv('/bin/true', ['true'])", "os.popen('true').read()", "import asyncio; await asyncio.create_subprocess_shell('true')",
  "await asyncio.to_thread(subprocess.run, ['true'])", "exec('import subprocess; subprocess.run([\"true\"])')", "import platform; platform.processor()", "os.posix_spawn('/bin/true', ['true'], {})", "print(os.spawnv(os.P_WAIT, '/bin/true', ['true']))", "import pty; pty.spawn('true')", "!echo still", "%pip --version"]) await run(code);
