import { lines, type Topic } from "../cell.ts";

export const prints: Topic = {
  name: "prints",
  cells: [
    { name: "a line", code: "print('Hello, world!')" },
    { name: "three lines", code: "print('first')\nprint('second')\nprint('third')" },
    { name: "nothing", code: "print()" },
    { name: "an empty text without an end", code: "print('', end='')" },
    { name: "values with a separator and an end", code: "print(1, None, [2.5], {'a': 1}, sep='; ', end='.\\n')" },
    { name: "to stderr", code: "import sys\nprint('trouble', file=sys.stderr)" },
    { name: "to both streams", code: "import sys\nprint('out')\nprint('err', file=sys.stderr)\nprint('out again')" },
    {
      name: "by write and writelines",
      code: "import sys\nsys.stdout.writelines(['a\\n', 'b\\n'])\nprint(sys.stdout.write('four'))",
    },
    { name: "with flush", code: "print('now', flush=True)" },
    { name: "a progress that returns to the start of its line", code: "for i in range(4): print(f'\\r{i * 25} %', end='')" },
    { name: "escape sequences of a terminal", code: "print('\\x1b[31mred\\x1b[0m and \\x08back\\x07')" },
    { name: "a long line", code: "print('x' * 100_000)" },
    { name: "many lines", code: "for i in range(5_000): print(i)" },
    {
      name: "an object whose str raises",
      code: lines("class Broken:", "    def __str__(self): raise ValueError('no text')", "print('before', Broken())"),
    },
    {
      name: "to the interpreter's own stdout",
      code: "import sys\nprint('underneath', file=sys.__stdout__)\nsys.__stdout__.flush()",
    },
    {
      name: "to the interpreter's own stderr",
      code: "import sys\nprint('underneath', file=sys.__stderr__)\nsys.__stderr__.flush()",
    },
    {
      name: "bytes to the stream's buffer",
      code: "import sys\nsys.stdout.buffer.write(b'bytes\\n')\nsys.stdout.buffer.flush()",
      difference: { reason: "stream-buffer", ours: "stdout: bytes" },
    },
    {
      name: "a redirected stream",
      code: lines(
        "import contextlib, io",
        "with contextlib.redirect_stdout(io.StringIO()) as caught: print('caught')",
        "caught.getvalue()",
      ),
    },
    {
      name: "what the streams say of themselves",
      code: "import sys\n[(s.name, s.isatty(), s.writable(), s.readable(), s.encoding.lower()) for s in (sys.stdout, sys.stderr)]",
    },
    {
      name: "what is no text",
      code: "import sys\nsys.stdout.write(b'bytes')",
      difference: { reason: "own-frames", ours: "TypeError: write() argument must be str, not bytes" },
    },
    { name: "pprint", code: "from pprint import pprint\npprint({'numbers': list(range(30)), 'words': ['alpha'] * 12})" },
    {
      name: "logging at the default level",
      code: "import logging\nlogging.getLogger('corpus').info('silent')\nlogging.getLogger('corpus').warning('heard')",
    },
    {
      name: "logging that was configured",
      code: lines(
        "import logging, sys",
        "logging.basicConfig(level=logging.DEBUG, stream=sys.stdout, format='%(levelname)s %(name)s: %(message)s', force=True)",
        "logging.getLogger('corpus').debug('fine')",
        "logging.getLogger('corpus').setLevel(logging.INFO)",
      ),
    },
    {
      name: "a logged exception",
      code: lines("import logging", "try: 1 / 0", "except ZeroDivisionError: logging.getLogger('corpus').exception('failed')"),
    },
    { name: "a warning", code: "import warnings\nwarnings.warn('careful')" },
    { name: "a deprecation warning of the cell's own", code: "import warnings\nwarnings.warn('old', DeprecationWarning)" },
    { name: "a warning that is shown once", code: "import warnings\nfor _ in range(3): warnings.warn('again', stacklevel=1)" },
    {
      name: "a print that was replaced",
      code: "import builtins\nkept = builtins.print\nbuiltins.print = lambda *values: kept('replaced:', *values)\ntry: print('text')\nfinally: builtins.print = kept",
    },
    {
      name: "a print that was deleted",
      code: ["kept = print\ndel __builtins__.print\nprint('text')", "__builtins__.print = kept\nprint('back')"],
    },
    { name: "print as an attribute of a class", code: "class Log: write = print\nLog().write('x')" },
    {
      name: "a value that prints while it is printed",
      code: "class Loud:\n    def __str__(self):\n        print('inner')\n        return 'loud'\nprint('a', Loud())",
      difference: { reason: "whole-prints", ours: "stdout: inner\na loud" },
    },
  ],
};
