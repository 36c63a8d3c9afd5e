import { lines, type Topic } from "../cell.ts";

export const results: Topic = {
  name: "results",
  cells: [
    { name: "a number", code: "2 + 2" },
    { name: "a text", code: "'text with \\'quotes\\' and \\n'" },
    { name: "nothing for None", code: "None" },
    { name: "nothing for an assignment", code: "x = 1" },
    { name: "nothing after a semicolon", code: "1;" },
    { name: "nothing after a semicolon and a comment", code: "1;  # not shown" },
    { name: "only the last expression", code: "1\n2\n3" },
    { name: "no result of a last statement", code: "1\nif True:\n    2" },
    { name: "a print and a value", code: "print('a')\n1" },
    { name: "a nested list, pretty", code: "[list(range(20)) for _ in range(6)]" },
    { name: "a deep dict", code: "{'outer': {str(n): {'value': n, 'text': 'x' * n} for n in range(12)}}" },
    { name: "a list that holds itself", code: "loop = [1]\nloop.append(loop)\nloop" },
    { name: "a very long list", code: "list(range(2000))" },
    { name: "a set, a frozen set, a tuple of one", code: "({3, 1, 2}, frozenset({1}), (1,), set(), ())" },
    { name: "a function, a class, a module", code: "def f(a, b=1): ...\nclass C: ...\nimport json\n(f, C, json, len, dict)" },
    { name: "an object with an address", code: "object()" },
    {
      name: "a dataclass, an enum, a named tuple",
      code: lines(
        "import collections, dataclasses, enum",
        "@dataclasses.dataclass",
        "class D:\n    a: int = 1\n    b: str = 'x'",
        "class E(enum.Enum):\n    ONE = 1",
        "N = collections.namedtuple('N', 'x y')",
        "[D(), E.ONE, E, N(1, 2)]",
      ),
    },
    {
      name: "counters and their kin",
      code: "import collections\n[collections.Counter('abca'), collections.OrderedDict(a=1), collections.defaultdict(int, b=2), collections.deque([1, 2], 5)]",
    },
    {
      name: "numbers of all kinds",
      code: "import decimal, fractions\n[1e100, -0.0, float('nan'), float('inf'), 3 + 4j, 10 ** 30, decimal.Decimal('1.10'), fractions.Fraction(1, 3), True]",
    },
    { name: "bytes, a range, a slice, an ellipsis", code: "[b'\\x00\\xff', bytearray(b'ab'), range(3), slice(1, 2), ...]" },
    {
      name: "dates",
      code: "import datetime\n[datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 12), datetime.timedelta(hours=1)]",
    },
    { name: "an exception as a value", code: "ValueError('kept')" },
    {
      name: "an object with a pretty printer of its own",
      code: lines(
        "class P:",
        "    def _repr_pretty_(self, printer, cycle): printer.text('P(...)' if cycle else 'P(pretty)')",
        "P()",
      ),
    },
    { name: "%precision", code: ["%precision 2", "3.14159", "%precision", "3.14159"] },
    { name: "%pprint off and on", code: ["%pprint", "[list(range(20)) for _ in range(6)]", "%pprint"] },
    {
      name: "all expressions, where that is asked for",
      code: [
        "from IPython.core.interactiveshell import InteractiveShell\nInteractiveShell.ast_node_interactivity = 'all'\nget_ipython().ast_node_interactivity = 'all'",
        "1\n2",
        "get_ipython().ast_node_interactivity = 'last_expr'",
      ],
    },
    { name: "the last results", code: ["11", "12", "13", "(_, __, ___)"] },
    { name: "In and Out", code: ["'kept'", "Out[len(In) - 2], In[-2], len(In) == len(get_ipython().user_ns['_ih'])"] },
    { name: "a numbered result", code: ["'numbered'", "eval(f'_{len(In) - 2}'), eval(f'_i{len(In) - 2}'), _i"] },
    { name: "an underscore of the user's own", code: ["_ = 'mine'", "5", "_", "del _\n6", "_"] },
    {
      name: "a formatter for a type",
      code: [
        "class T: ...\nget_ipython().display_formatter.formatters['text/html'].for_type(T, lambda value: '<b>T</b>')",
        "T()",
      ],
    },
    { name: "the text of the cell itself", code: "In[-1]" },
    { name: "sys.displayhook, called", code: "import sys\nsys.displayhook('by hook')" },
    {
      name: "a cell run by a cell",
      code: "done = get_ipython().run_cell('inner = 5\\ninner')\ndone.success, done.result, inner",
    },
    {
      name: "a failing cell run by a cell",
      code: "done = get_ipython().run_cell('1 / 0')\ndone.success, repr(done.error_in_exec)",
    },
    {
      name: "user_ns and its hidden names",
      code: "sorted(name for name in get_ipython().user_ns_hidden if not name.startswith('_'))",
    },
    { name: "names that start with an underscore", code: "sorted(name for name in globals() if name.startswith('__'))" },
    {
      name: "how often an object is counted",
      code: "import json, sys\nown = object()\nsys.getrefcount(own), sys.getrefcount(json) == sys.getrefcount(None)",
      difference: { reason: "kept-objects", ours: "text/plain: (2, True)" },
    },
    { name: "_dh", code: "import os\nlen(_dh), str(_dh[0]) == '/app'" },
  ],
};
