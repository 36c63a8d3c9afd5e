import { type Topic } from "../cell.ts";

const DOCUMENTED =
  "def documented(a: int, b='x', *, c=None) -> str:\n    '''What it does.\n\n    And more.\n    '''\n    return b";

export const help: Topic = {
  name: "help",
  cells: [
    { name: "a mark after a name", code: [DOCUMENTED, "documented?"] },
    { name: "a mark before a name", code: "?documented" },
    { name: "two marks", code: "documented??" },
    { name: "a builtin", code: "len?" },
    { name: "an object", code: "x = [1, 2]\nx?" },
    { name: "a class", code: "class K:\n    '''A class.'''\n    def __init__(self, a): '''Makes one.'''\nK?" },
    { name: "a module", code: "import this_is_missing_for_sure?" },
    { name: "a module's own", code: "import keyword\nkeyword?" },
    { name: "a magic", code: "%pwd?" },
    { name: "what is missing", code: "no_such_object?" },
    { name: "a pattern", code: "documen*?" },
    { name: "the general one", code: "?" },
    { name: "help() of a function", code: "help(documented)" },
    { name: "help() of a text", code: "help('if')" },
    { name: "help() of what is missing", code: "help('no_such_thing_at_all')" },
    { name: "%%latex?", code: "%%latex?" },
    { name: "the pager hook", code: "from IPython.core import page\npage.page('text for the pager')" },
    {
      name: "a pager with html",
      code: "from IPython.core import page\npage.page({'text/plain': 'plain', 'text/html': '<b>html</b>'}, start=2)",
    },
    {
      name: "several payloads",
      code: "from IPython.core import page\npage.page('one')\npage.page('two')",
      difference: { reason: "every-page", ours: "text/plain: one" },
    },
    { name: "a payload and an error", code: "from IPython.core import page\npage.page('one')\n1 / 0" },
    { name: "set_next_input", code: "get_ipython().set_next_input('x = 1')" },
    { name: "set_next_input that replaces", code: "get_ipython().set_next_input('x = 1', replace=True)" },
    { name: "pydoc.pager", code: "import pydoc\npydoc.pager('paged by pydoc')" },
    { name: "copyright, credits, license", code: "copyright" },
  ],
};
