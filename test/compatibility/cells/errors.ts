import { lines, type Topic } from "../cell.ts";

export const errors: Topic = {
  name: "errors",
  cells: [
    { name: "a division by zero", code: "2 / 0" },
    { name: "an error after output", code: "print('before')\ndisplay('shown')\nraise RuntimeError('stop')" },
    { name: "an unknown name", code: "no_such_name" },
    { name: "an unknown attribute, with a suggestion", code: "import math\nmath.sqr" },
    { name: "a module that is missing", code: "import no_such_module" },
    { name: "an import from a module that lacks it", code: "from math import no_such" },
    {
      name: "an error in functions of this and an earlier cell",
      code: ["def inner(value):\n    return 1 / value", "def outer(value):\n    return inner(value)\n\nouter(0)"],
    },
    { name: "an error in a library", code: "import json\njson.loads('{broken')" },
    {
      name: "a long cell",
      code: `${Array.from({ length: 20 }, (_, index) => `x${index} = ${index}`).join("\n")}\nraise ValueError('line 21')`,
    },
    {
      name: "a deep recursion",
      code: "def deep(n): return deep(n + 1)\ndeep(0)",
      difference: { reason: "traceback-surroundings", ours: "skipping similar frames" },
    },
    { name: "an exception without a text", code: "raise ValueError" },
    { name: "an exception with several arguments", code: "raise ValueError('a', 2, None)" },
    { name: "a text over several lines", code: "raise ValueError('first\\nsecond\\n  third')" },
    { name: "a KeyError", code: "{'a': 1}['b']" },
    { name: "an assertion", code: "assert 1 == 2, 'not equal'" },
    { name: "an exception of the user's", code: "class Own(Exception):\n    def __str__(self): return 'own text'\nraise Own()" },
    {
      name: "an exception whose text can't be had",
      code: "class Mute(Exception):\n    def __str__(self): raise TypeError('no text')\nraise Mute()",
      difference: { reason: "exception-text", ours: "error: Mute: <the exception's text can't be had: TypeError>" },
    },
    {
      name: "a cause",
      code: "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise ValueError('caused') from error",
      difference: { reason: "traceback-surroundings", ours: "----> 2 1 / 0" },
    },
    {
      name: "a context",
      code: "try:\n    1 / 0\nexcept ZeroDivisionError:\n    undefined",
      difference: { reason: "traceback-surroundings", ours: "----> 2 1 / 0" },
    },
    {
      name: "a context that is suppressed",
      code: "try:\n    1 / 0\nexcept ZeroDivisionError:\n    raise ValueError('alone') from None",
    },
    {
      name: "notes",
      code: "error = ValueError('noted')\nerror.add_note('first note')\nerror.add_note('second\\nnote')\nraise error",
    },
    {
      name: "a group",
      code: "raise ExceptionGroup('several', [ValueError('one'), TypeError('two'), ExceptionGroup('inner', [KeyError('three')])])",
      difference: { reason: "error-event", ours: "error: ExceptionGroup: several (3 sub-exceptions)" },
    },
    {
      name: "a group of a task group",
      code: lines(
        "import asyncio",
        "async def fail(text): raise ValueError(text)",
        "async with asyncio.TaskGroup() as group:",
        "    group.create_task(fail('one'))",
      ),
      difference: { reason: "error-event", ours: "error: ExceptionGroup: unhandled errors in a TaskGroup" },
    },
    {
      name: "except*",
      code: "try:\n    raise ExceptionGroup('both', [ValueError(1), TypeError(2)])\nexcept* ValueError:\n    print('handled')",
      difference: { reason: "error-event", ours: "error: ExceptionGroup: both (1 sub-exception)" },
    },
    { name: "a base exception", code: "class Base(BaseException): ...\nraise Base('at the base')" },
    { name: "a KeyboardInterrupt of the cell's own", code: "raise KeyboardInterrupt" },
    { name: "a GeneratorExit and a StopIteration", code: ["raise GeneratorExit('g')", "next(iter([]))"] },
    { name: "a syntax error", code: "x = = 1" },
    { name: "a syntax error on a later line", code: "a = 1\nb = (2\nc = 3" },
    { name: "an indentation error", code: "if True:\nprint('x')" },
    { name: "an unexpected indent", code: "a = 1\n    b = 2" },
    { name: "an unterminated text", code: "x = 'open" },
    { name: "return outside of a function", code: "return 5" },
    { name: "a syntax error of compile", code: "exec('x = = 1')" },
    { name: "a syntax error in a file", code: ["%%writefile badly_written.py\nx = = 1", "import badly_written"] },
    {
      name: "an error in a file",
      code: ["%%writefile raising.py\ndef fail(value):\n    return 1 / value", "import raising\nraising.fail(0)"],
    },
    { name: "an error in exec", code: "exec('1 / 0')" },
    { name: "an error in eval", code: "eval('1 / 0')" },
    { name: "an error in a lambda in a comprehension", code: "[(lambda v: 1 / v)(v) for v in (1, 0)]" },
    { name: "an error in a generator", code: "def g():\n    yield 1\n    raise ValueError('in the generator')\nlist(g())" },
    { name: "an error in a class body", code: "class Broken:\n    attribute = 1 / 0" },
    { name: "an error in a property", code: "class C:\n    @property\n    def p(self): return self.missing\nC().p" },
    {
      name: "an error in a decorator",
      code: "import functools\ndef logged(f):\n    @functools.wraps(f)\n    def wrapper(*a): return f(*a)\n    return wrapper\n@logged\ndef fails(a): return a / 0\nfails(1)",
    },
    { name: "an error in __del__", code: "class D:\n    def __del__(self): raise ValueError('in del')\nd = D()\ndel d" },
    {
      name: "a syntax warning",
      code: "x = 1\nx is 'literal'",
      difference: { reason: "read-twice", ours: "stderr: <cell>:2: SyntaxWarning" },
    },
    {
      name: "an invalid escape",
      code: "'\\d'",
      difference: { reason: "read-twice", ours: "SyntaxWarning: invalid escape sequence" },
    },
    {
      name: "a warning as an error",
      code: "import warnings\nwith warnings.catch_warnings():\n    warnings.simplefilter('error')\n    warnings.warn('serious')",
    },
    { name: "print_exc", code: "import traceback\ntry: 1 / 0\nexcept ZeroDivisionError: traceback.print_exc()" },
    {
      name: "format_exc",
      code: "import traceback\ntry: 1 / 0\nexcept ZeroDivisionError: text = traceback.format_exc()\nprint(text)",
    },
    {
      name: "showtraceback",
      code: "try: 1 / 0\nexcept ZeroDivisionError: get_ipython().showtraceback()\nprint('after')",
      difference: { reason: "traceback-surroundings", ours: "----> 1 try: 1 / 0" },
    },
    { name: "sys.last_exc", code: ["1 / 0", "import sys\nrepr(sys.last_exc), sys.last_type.__name__"] },
    {
      name: "a handler for a type",
      code: [
        "def handle(shell, etype, evalue, tb, tb_offset=None):\n    print('handled:', evalue)\nget_ipython().set_custom_exc((ValueError,), handle)",
        "raise ValueError('odd')",
        "get_ipython().set_custom_exc((), None)",
      ],
      difference: { reason: "error-event", ours: "error: ValueError: odd" },
    },
    {
      name: "an event that fails",
      code: [
        "def broken(): raise ValueError('in the event')\nget_ipython().events.register('post_execute', broken)",
        "print('cell')",
        "get_ipython().events.unregister('post_execute', broken)",
      ],
    },
    {
      name: "an input transformer that fails",
      code: [
        "def broken(lines): raise SyntaxError('no such input')\nget_ipython().input_transformers_cleanup.append(broken)",
        "1 + 1",
        "get_ipython().input_transformers_cleanup.remove(broken)",
      ],
      fresh: true,
    },
    {
      name: "an AST transformer that fails",
      code: [
        "import ast\nclass T(ast.NodeTransformer):\n    def visit_Constant(self, node): raise ValueError('no constants')\ntransformer = T()\nget_ipython().ast_transformers.append(transformer)",
        "1 + 1",
        "2 + 2",
      ],
      fresh: true,
    },
    { name: "unicode in a traceback", code: "naïve = 'ünï 🌍'\nraise ValueError(naïve)" },
    {
      name: "a render traceback of the exception's own",
      code: "class R(Exception):\n    def _render_traceback_(self): return ['rendered', 'by itself']\nraise R('x')",
    },
    {
      name: "a UsageError",
      code: "from IPython.core.error import UsageError\nraise UsageError('used wrongly')",
      difference: { reason: "error-event", ours: "error: UsageError: used wrongly" },
    },
    {
      name: "an excepthook of the user's",
      code: [
        "import sys\nkept = sys.excepthook\nsys.excepthook = lambda *args: print('hooked')",
        "1 / 0",
        "sys.excepthook = kept",
      ],
    },
    {
      name: "an exception with an html of its own",
      code: "class H(Exception):\n    def _repr_html_(self): return '<b>'\nraise H('shown as text')",
    },
    {
      name: "an error in an asynchronous generator",
      code: "async def g():\n    yield 1\n    raise ValueError('async gen')\nasync for _ in g(): pass",
    },
    {
      name: "an error while another is handled in a function",
      code: "def handle():\n    try: {}['missing']\n    except KeyError as error: raise LookupError('wrapped') from error\nhandle()",
      difference: { reason: "traceback-surroundings", ours: "error: LookupError: wrapped" },
    },
    {
      name: "an assertion of numpy",
      code: "import numpy as np\nnp.testing.assert_array_equal([1, 2], [1, 3])",
      requires: ["numpy"],
    },
    { name: "__file__", code: "__file__" },
    {
      name: "an error after one that was shown",
      code: ["%%writefile shown.py\n1 / 0", "%run shown.py\nraise KeyError('the last')"],
    },
    {
      name: "an interrupt while a value is shown",
      code: ["class I:\n    def __repr__(self): raise KeyboardInterrupt\nI()", "get_ipython().showtraceback()\n5"],
      difference: { reason: "reply-names-error", ours: '"status":"ok"' },
    },
    {
      name: "a traceback of one's own, as a text",
      code: "class Own(Exception):\n    def _render_traceback_(self): return 'one text'\nraise Own",
      difference: { reason: "own-traceback", ours: "one text" },
    },
    {
      name: "a traceback of one's own that is none",
      code: "class Own(Exception):\n    def _render_traceback_(self): return None\nraise Own('none')",
      difference: { reason: "own-traceback", ours: "error: Own: none" },
    },
  ],
};
