import type { ExecutionClient } from "ipybox";

/** Tells why Python can't compile or load a generated module, or what it does beyond what it should. */
const CHECKER = String.raw`
import ast, importlib.util, json, sys, types

CALLS = {"Field", "Params", "call_tool", "call_tool_async", "float"}
MODULES = {"__future__", "typing", "pydantic", "ipybox_kernel.mcp"}

def is_text(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)

def objection(tree):
    """Why a module is more than classes of fields and the two functions; None when it isn't."""
    for node in tree.body:
        if is_text(node):
            continue
        if isinstance(node, ast.ImportFrom) and node.module in MODULES:
            continue
        if isinstance(node, ast.Import) and [(name.name, name.asname) for name in node.names] == [("datetime", "dt")]:
            continue
        if isinstance(node, ast.ClassDef):
            if all(is_text(item) or isinstance(item, (ast.AnnAssign, ast.Pass)) for item in node.body) and not node.decorator_list:
                continue
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name in ("run", "run_async"):
            *doc, last = node.body
            if len(doc) < 2 and all(map(is_text, doc)) and isinstance(last, ast.Return):
                continue
        return ast.dump(node)[:300]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id in CALLS):
            return ast.dump(node)[:300]
        if isinstance(node, ast.Attribute) and not (isinstance(node.value, ast.Name) and node.value.id == "dt"):
            return ast.dump(node)[:300]
    return None

def load(name, source):
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(compile(source, name, "exec"), module.__dict__)
    return module

def check(name, source):
    import warnings
    try:
        reason = objection(ast.parse(source))
        if reason is not None:
            return f"does more than it should: {reason}"
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            module = load(name, source)
            module.Params.model_rebuild()
            module.Params.model_json_schema()
            if hasattr(module, "Result"):
                module.Result.model_rebuild()
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
`;

/** The objection to each source, by its place in the list; empty when all is well. */
export async function objections(client: ExecutionClient, sources: readonly string[]): Promise<Readonly<Record<string, string>>> {
  await client.execute(CHECKER);
  await client.set("sources", [...sources]);
  await client.execute("found = {str(n): o for n, s in enumerate(sources) if (o := check(f'generated_{n}', s)) is not None}");
  return (await client.get("found")) as Readonly<Record<string, string>>;
}
