import { expect, it } from "vitest";
import { ExecutionError, IpyboxError } from "ipybox";
import { verifies } from "../requirements.ts";
import { rejection, useContainer } from "./sandbox.ts";

const sandbox = useContainer();

it("a module's source is given by its name, as a cell would import it", async () => {
  verifies("FILE-04");
  await using client = await sandbox.connect();
  await client.files.write("own.py", "raise SystemExit('it was run')\n");
  await client.files.write("package/__init__.py", "INIT = 1\n");
  await client.files.write("package/inner.py", "INNER = 2\n");
  const names = ["own", "package", "package.inner", "json", "math"];
  expect(await client.getModuleSources(names)).toEqual({
    own: "raise SystemExit('it was run')\n",
    package: "INIT = 1\n",
    "package.inner": "INNER = 2\n",
    json: expect.stringContaining("def dumps("),
    math: "",
  });
  expect(await client.getModuleSources([])).toEqual({});
});

it("a package that was installed by a cell has its source, too", async () => {
  verifies("FILE-04");
  await using client = await sandbox.connect();
  await client.execute(`
import os, sysconfig
site = sysconfig.get_paths(vars={"base": "/venv"})["purelib"]
os.makedirs(f"{site}/einops_like", exist_ok=True)
open(f"{site}/einops_like/__init__.py", "w").write("__version__ = '1'\\n")`);
  expect(await client.getModuleSources(["einops_like"])).toEqual({ einops_like: "__version__ = '1'\n" });
});

it("a module that is not there is an error, and so is what is no name", async () => {
  verifies("FILE-04");
  await using client = await sandbox.connect();
  expect(await rejection(client.getModuleSources(["json", "nowhere"]), ExecutionError)).toMatchObject({
    errorName: "ModuleNotFoundError",
    errorValue: "No module named 'nowhere'",
  });
  expect((await rejection(client.getModuleSources(["a; b"]), IpyboxError)).code).toBe("invalid_option");
  expect((await rejection(client.getModuleSources("json" as never), IpyboxError)).code).toBe("invalid_option");
});
