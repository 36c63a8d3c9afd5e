import type { Topic } from "../cell.ts";

/** Code that asks, where nobody answers. */
export const questions: Topic = {
  name: "questions",
  cells: [
    {
      name: "input",
      code: "input('name? ')",
      difference: { reason: "no-answer", ours: "error: StdinNotImplementedError: input() was called, but nobody answers" },
    },
    {
      name: "getpass",
      code: "import getpass\ngetpass.getpass()",
      difference: { reason: "no-answer", ours: "error: StdinNotImplementedError: input() was called, but nobody answers" },
    },
    { name: "%reset without an answer", code: ["kept = 1", "%reset", "kept"] },
    {
      name: "%debug",
      code: ["def fails(): return 1 / 0\nfails()", "%debug"],
      difference: { reason: "no-answer", ours: "error: StdinNotImplementedError: input() was called, but nobody answers" },
    },
    {
      name: "%debug of a statement",
      code: "%debug 1 + 1",
      difference: { reason: "no-answer", ours: "StdinNotImplementedError: input() was called, but nobody answers" },
    },
    {
      name: "%pdb",
      code: ["%pdb on", "1 / 0", "%pdb off"],
      difference: { reason: "no-answer", ours: '"ename":"ZeroDivisionError"' },
    },
    { name: "%%time after %pdb", code: "%%time\n1 / 0" },
    {
      name: "breakpoint",
      code: "x = 1\nbreakpoint()\nx",
      difference: { reason: "no-answer", ours: "error: StdinNotImplementedError: input() was called, but nobody answers" },
    },
    {
      name: "pdb.set_trace in a function",
      code: "import pdb\ndef stops():\n    pdb.set_trace()\n    return 1\nstops()",
      difference: { reason: "no-answer", ours: "error: StdinNotImplementedError: input() was called, but nobody answers" },
    },
    {
      name: "%run -d",
      code: ["%%writefile debugged.py\nx = 1", "%run -d debugged.py"],
      difference: { reason: "no-answer", ours: "StdinNotImplementedError: input() was called, but nobody answers" },
    },
    { name: "the kernel after all of it", code: "print('still there')\nkept" },
  ],
};
