import { type Topic } from "../cell.ts";

export const sources: Topic = {
  name: "sources",
  cells: [
    { name: "nothing", code: "" },
    { name: "white space", code: "  \n\t\n" },
    { name: "a comment", code: "# nothing to do" },
    { name: "a count that goes on after nothing", code: ["", "1"] },
    { name: "blank lines first", code: "\n\nprint('after blank lines')" },
    { name: "uniform indentation", code: "    x = 1\n    print(x + 1)" },
    { name: "tabs", code: "if True:\n\tprint('tab')" },
    { name: "tabs and spaces mixed", code: "if True:\n\tx = 1\n        y = 2" },
    { name: "CRLF", code: "print('a')\r\nprint('b')\r\n" },
    { name: "CR alone", code: "print('a')\rprint('b')" },
    { name: "a form feed", code: "\fprint('fed')" },
    { name: "no line end", code: "print('open end')" },
    { name: "a prompt of Python", code: ">>> print('prompted')\nprompted" },
    { name: "a prompt of IPython", code: "In [1]: print('prompted')\n   ...: print('again')" },
    { name: "a semicolon alone", code: ";" },
    { name: "a backslash at the end", code: "x = 1 \\" },
    {
      name: "brackets, 10,000 deep",
      code: `${"(".repeat(10_000)}1${")".repeat(10_000)}`,
    },
    { name: "a long sum", code: `${"1 + ".repeat(500)}1` },
    { name: "a million digits", code: `x = 1${"0".repeat(5_000)}` },
    {
      name: "match, walrus and type parameters",
      code: "match (n := 5):\n    case int(value): print(value)\ntype Pair[T] = tuple[T, T]\nPair",
    },
    { name: "a future import", code: "from __future__ import annotations\ndef f(a: NoSuch): ...\nf.__annotations__" },
    { name: "future imports of an earlier cell", code: "def g(a: NoSuch): ...\ng.__annotations__" },
    { name: "names of the module", code: "__name__, __doc__, __builtins__.__name__" },
    { name: "__main__", code: "import __main__\nmarked = 5\n__main__.marked" },
    {
      name: "pickle of what a cell defines",
      code: "import pickle\nclass Kept:\n    value = 1\npickle.loads(pickle.dumps(Kept())).value",
    },
    {
      name: "inspect.getsource",
      code: ["def source(a):\n    # a comment\n    return a", "import inspect\nprint(inspect.getsource(source))"],
    },
    { name: "arguments of the program", code: "import sys\ntype(sys.argv).__name__, len(sys.argv) > 0" },
    {
      name: "what get_ipython gives",
      code: "shell = get_ipython()\ntype(shell).__name__, shell is not None, shell.has_trait('kernel')",
    },
    {
      name: "what libraries ask for to know a notebook",
      code: "'IPKernelApp' in get_ipython().config, 'zmq' in str(type(get_ipython())).lower()",
    },
    { name: "globals and locals", code: "here = 1\n'here' in globals(), 'here' in locals(), globals() is locals()" },
    { name: "an assertion in the bytecode", code: "__debug__" },
    { name: "a help mark within a line", code: "x = 1; print('a')?" },
    { name: "quoting by the first character", code: [",print a b", ";print a b", "/print 'a'"] },
    {
      name: "autocall",
      code: ["%autocall 1", "len [1]", "%autocall 0"],
      difference: { reason: "read-twice", ours: "------> len([1])" },
    },
    { name: "the version of Python's limits", code: "import sys\nsys.getrecursionlimit()" },
  ],
};
