import { describe, expect, it } from "vitest";
import { ExecutionContainer, IpyboxError } from "ipybox";
import { verifies } from "../requirements.ts";
import { docker, inspect } from "./docker.ts";
import { useContainer } from "./sandbox.ts";

const SECRET = "s3cr3t-4711";

const VALUES: Readonly<Record<string, string>> = {
  PLAIN: "value",
  SECRET,
  EMPTY: "",
  SPACES: "  around  ",
  QUOTES: `'single' "double" \`back\``,
  NEWLINES: "first\nsecond\r\n\tthird\n",
  EQUALS: "a=b=c==",
  UNICODE: "Grüße, 世界 😀 \u202e",
  SHELL: "$HOME $(id) ; rm -rf / & \\ %s {}",
  JSON: '{"key": ["value"]}',
  LONG: "x".repeat(100_000),
  "name.with-dashes and spaces": "odd names work, too",
  PATH: "/only/here",
};

const sandbox = useContainer({ env: VALUES });

describe("env", () => {
  it.each(Object.keys(VALUES))("%s is in os.environ with its exact value", async (name) => {
    verifies("CONT-06");
    await using client = await sandbox.connect();
    const { outputs } = await client.execute(`import os; os.environ[${JSON.stringify(name)}].encode().hex()`);
    const hex = outputs.find((output) => output.kind === "result")?.data["text/plain"];
    expect(Buffer.from(String(hex).slice(1, -1), "hex").toString()).toBe(VALUES[name]);
  });

  it("is seen by what a cell starts", async () => {
    verifies("CONT-06");
    await using client = await sandbox.connect();
    const code =
      "import subprocess\nprint(subprocess.run(['/bin/sh', '-c', 'printf %s \"$EQUALS\"'], capture_output=True, text=True).stdout)";
    expect((await client.execute(code)).text).toBe("a=b=c==");
  });

  it("is the same in every kernel, and what a cell changes stays in its own", async () => {
    verifies("CONT-06");
    await using one = await sandbox.connect();
    await one.execute("import os; os.environ['PLAIN'] = 'changed'");
    await using two = await sandbox.connect();
    expect((await two.execute("import os; print(os.environ['PLAIN'])")).text).toBe("value");
  });

  it("shows neither in docker inspect nor in a log, an argument list or the agent's environment", async () => {
    verifies("CONT-06", "SEC-09");
    await using client = await sandbox.connect();
    expect((await client.execute("import os; print(os.environ['SECRET'])")).text).toBe(SECRET);
    const { id } = sandbox.container;
    const facts = await inspect(id);
    expect(facts?.Config.Env.some((entry) => entry.startsWith("IPYBOX_TOKEN_SHA256="))).toBe(true);
    expect(JSON.stringify(facts)).not.toContain(SECRET);
    expect(JSON.stringify(facts)).not.toContain(sandbox.container.token);
    const log = await docker.getContainer(id).logs({ stdout: true, stderr: true, follow: false });
    expect(log.toString("latin1")).not.toContain(SECRET);
    const processes = await docker.getContainer(id).top({ ps_args: "axeww -o pid,user,args" });
    const own = (processes.Processes as string[][]).filter(([, user]) => user === "root").map((columns) => columns.join(" "));
    expect(own.length).toBeGreaterThan(1);
    expect(own.join("\n")).not.toContain(SECRET);
  });

  it.each(["", "A=B", "A\0B"])("with the name %j is refused", (name) => {
    verifies("CONT-06");
    expect(() => new ExecutionContainer({ env: { [name]: "x" } })).toThrow(IpyboxError);
    expect(() => new ExecutionContainer({ env: { [name]: "x" } })).toThrow("is no name for a variable");
  });
});
