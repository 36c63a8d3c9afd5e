import { lines, type Topic } from "../cell.ts";

export const updates: Topic = {
  name: "updates",
  cells: [
    {
      name: "a display that is updated",
      code: "display('first', display_id='one')\nfrom IPython.display import update_display\nupdate_display('second', display_id='one')",
    },
    {
      name: "a display that a later cell updates",
      code: [
        "display('first', display_id='two')",
        "from IPython.display import update_display\nupdate_display('second', display_id='two')",
      ],
    },
    { name: "a handle", code: "handle = display('first', display_id=True)\nhandle.update('second')\nhandle.display('third')" },
    {
      name: "a handle of its own",
      code: "from IPython.display import DisplayHandle\nhandle = DisplayHandle('mine')\nhandle.display('first')\nhandle.update('second')\nhandle",
    },
    {
      name: "an update with metadata",
      code: "display('first', display_id='four')\ndisplay('second', display_id='four', update=True, metadata={'m': 1})",
    },
    {
      name: "an update of nothing",
      code: "from IPython.display import update_display\nupdate_display('second', display_id='never')",
    },
    { name: "an update without an id", code: "display('second', update=True)" },
    {
      name: "a raw update",
      code: "display({'text/html': '<1>'}, raw=True, display_id='raw')\ndisplay({'text/html': '<2>'}, raw=True, display_id='raw', update=True)",
    },
    { name: "clear_output", code: "from IPython.display import clear_output\nprint('gone')\nclear_output()\nprint('kept')" },
    {
      name: "clear_output with wait",
      code: "from IPython.display import clear_output\nfor i in range(3):\n    clear_output(wait=True)\n    print(i)",
    },
    {
      name: "clear_output between displays",
      code: "from IPython.display import clear_output\ndisplay('gone')\nclear_output(wait=True)\ndisplay('kept')",
    },
    {
      name: "clear_output in a loop with a failure",
      code: "from IPython.display import clear_output\nfor i in range(2):\n    clear_output(wait=True)\n    print(1 / (1 - i))",
    },
    {
      name: "a display hook of the user's",
      code: [
        lines(
          "publisher = get_ipython().display_pub",
          "def hook(message):",
          "    message['content']['data']['text/plain'] += ' (hooked)'",
          "    return message",
          "publisher.register_hook(hook)",
        ),
        "display('text')",
        "publisher.unregister_hook(hook)",
      ],
    },
  ],
};
