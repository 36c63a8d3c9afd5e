import { expect, test } from "vitest";
import { isComplete } from "../../src/cli/repl/complete-block.ts";
import { verifies } from "../requirements.ts";

const COMPLETE = [
  "x = 1",
  "f(1, [2], {3: 4})",
  "x = {1: 2}",
  "s = 'if x:'",
  "x  # if x:",
  "s = '''a\nb'''",
  "s = 'it is \\'quoted\\':'",
  "print('(') # [",
  "!echo (",
  "%timeit f('",
  "lines[1:]",
  "if x: pass",
  "x = 'unterminated",
  "a \\ b",
  "x = \\\n  1",
  "for i in x:\n  print(i)\n",
  "for i in x:\n  print(i)\n    ",
  "for i in x:\n  print(i)\nprint(1)",
  "def f(\n  a,\n):\n  return a\n",
  "@cache\ndef f(): return 1",
  "%%bash\nls (\n",
  ")",
  "# only a comment:",
];

const INCOMPLETE = [
  "f(",
  "x = [1,\n",
  "x = [\n\n",
  "s = '''a",
  's = """a\n\n',
  "s = '''it\\'''",
  "x = \\",
  "if x:",
  "if x:  # why",
  "def f(\n  a,\n):",
  "for i in x:\n  print(i)",
  "if x:\n  y\nelse:",
  "try:\n  y\nexcept E: z",
  "@cache",
  "@cache(\n)",
  "class A:\n  s = '''\n\n  '''",
  "%%bash\nls",
  "for i in x:\n  !ls (",
];

test.each(COMPLETE)("%j is a cell", (code) => {
  verifies("CLI-01");
  expect(isComplete(code)).toBe(true);
});

test.each(INCOMPLETE)("%j goes on", (code) => {
  verifies("CLI-01");
  expect(isComplete(code)).toBe(false);
});
