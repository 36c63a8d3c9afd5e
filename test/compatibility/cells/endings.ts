import { type Topic } from "../cell.ts";

export const endings: Topic = {
  name: "endings",
  cells: [
    { name: "sys.exit with a number", code: ["import sys\nsys.exit(3)", "'still there'"] },
    { name: "sys.exit with a text", code: "import sys\nsys.exit('bye')" },
    { name: "sys.exit without anything", code: "import sys\nsys.exit()" },
    { name: "raise SystemExit in a function", code: "def leave(): raise SystemExit(1)\nleave()" },
    {
      name: "exit()",
      code: ["kept = 1\nexit()", "kept"],
      fresh: true,
      difference: { reason: "exit", ours: "error: SystemExit" },
    },
    { name: "exit without brackets", code: ["kept = 1\nexit", "kept"], fresh: true },
    {
      name: "quit()",
      code: ["kept = 1\nquit()", "kept"],
      fresh: true,
      difference: { reason: "exit", ours: "error: SystemExit" },
    },
    { name: "exit(3)", code: ["exit(3)", "1"], fresh: true, difference: { reason: "exit", ours: "error: SystemExit" } },
    {
      name: "exit(keep_kernel=True)",
      code: ["kept = 1\nexit(keep_kernel=True)", "kept"],
      difference: { reason: "exit", ours: "error: SystemExit" },
    },
    { name: "atexit", code: "import atexit\nregistered = atexit.register(print, 'never shown')\nregistered is print" },
    {
      name: "a generator that is left open",
      code: "def g():\n    try: yield 1\n    finally: print('closed')\nit = g()\nnext(it)\ndel it",
    },
  ],
};
