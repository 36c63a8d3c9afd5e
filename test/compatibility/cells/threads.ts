import { lines, type Topic } from "../cell.ts";

export const threads: Topic = {
  name: "threads",
  cells: [
    {
      name: "a print of a thread",
      code: "import threading\nthread = threading.Thread(target=print, args=('from the thread',))\nthread.start()\nthread.join()",
    },
    {
      name: "a display of a thread",
      code: "import threading\nthread = threading.Thread(target=lambda: display('from the thread'))\nthread.start()\nthread.join()",
    },
    {
      name: "an error of a thread",
      code: "import threading\ndef fail(): raise ValueError('in the thread')\nthread = threading.Thread(target=fail, name='worker')\nthread.start()\nthread.join()",
    },
    {
      name: "an executor",
      code: "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(4) as pool: print(list(pool.map(lambda x: x * x, range(5))))",
    },
    {
      name: "an error from an executor",
      code: "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(1) as pool: pool.submit(lambda: 1 / 0).result()",
    },
    {
      name: "a thread that prints while a later cell runs",
      code: [
        lines(
          "import threading",
          "go, printed = threading.Event(), threading.Event()",
          "def late():",
          "    go.wait()",
          "    print('from the first cell')",
          "    printed.set()",
          "thread = threading.Thread(target=late)",
          "thread.start()",
          "print('first')",
        ),
        "go.set()\nprinted.wait()\nthread.join()\nprint('second')",
      ],
      difference: { reason: "late-output", ours: "stdout: first\nfrom the first cell" },
    },
    { name: "a timer", code: "import threading\ntimer = threading.Timer(0.001, print, ('rung',))\ntimer.start()\ntimer.join()" },
    {
      name: "a thread without the threading module's care",
      code: lines(
        "import _thread, threading",
        "done = threading.Event()",
        "def work():",
        "    print('raw thread')",
        "    done.set()",
        "_thread.start_new_thread(work, ())",
        "done.wait()",
      ),
    },
    {
      name: "thread-local and main thread",
      code: "import threading\nthreading.current_thread() is threading.main_thread(), threading.current_thread().name",
    },
    {
      name: "redirect_stdout in a thread",
      code: lines(
        "import contextlib, io, threading",
        "caught = io.StringIO()",
        "def work():",
        "    with contextlib.redirect_stdout(caught): print('caught')",
        "thread = threading.Thread(target=work)",
        "thread.start()",
        "thread.join()",
        "caught.getvalue()",
      ),
    },
    {
      name: "an excepthook of threads",
      code: [
        "import threading\nkept = threading.excepthook\nthreading.excepthook = lambda args: print('hooked:', args.exc_value)",
        "thread = threading.Thread(target=lambda: 1 / 0)\nthread.start()\nthread.join()\nthreading.excepthook = kept",
      ],
    },
    {
      name: "sys.exit in a thread",
      code: "import sys, threading\nthread = threading.Thread(target=sys.exit, args=(3,))\nthread.start()\nthread.join()\nthread.is_alive()",
    },
    {
      name: "a pool that an earlier cell has made",
      code: [
        "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(1)\npool.submit(print, 'one').result()",
        "pool.submit(print, 'two').result()\npool.submit(display, 'three').result()",
        "pool.shutdown()",
      ],
    },
    {
      name: "the event loop's own pool",
      code: [
        "import asyncio\nawait asyncio.get_running_loop().run_in_executor(None, print, 'one')",
        "await asyncio.get_running_loop().run_in_executor(None, print, 'two')",
      ],
      fresh: true,
    },
  ],
};
