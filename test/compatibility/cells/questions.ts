import type { Topic } from "../cell.ts";

/** Code that asks, where nobody answers. */
export const questions: Topic = {
  name: "questions",
  cells: [
    { name: "input", code: "input('name? ')" },
    { name: "getpass", code: "import getpass\ngetpass.getpass()" },
    { name: "%reset without an answer", code: ["kept = 1", "%reset", "kept"] },
    { name: "%debug", code: ["def fails(): return 1 / 0\nfails()", "%debug"] },
    { name: "%debug of a statement", code: "%debug 1 + 1" },
    { name: "%pdb", code: ["%pdb on", "1 / 0", "%pdb off"] },
    { name: "%%time after %pdb", code: "%%time\n1 / 0" },
    { name: "breakpoint", code: "x = 1\nbreakpoint()\nx" },
    { name: "pdb.set_trace in a function", code: "import pdb\ndef stops():\n    pdb.set_trace()\n    return 1\nstops()" },
    { name: "%run -d", code: ["%%writefile debugged.py\nx = 1", "%run -d debugged.py"] },
    { name: "the kernel after all of it", code: "print('still there')\nkept" },
  ],
};
