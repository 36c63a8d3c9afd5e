import { lines, type Topic } from "../cell.ts";

export const tasks: Topic = {
  name: "tasks",
  cells: [
    { name: "top-level await", code: "import asyncio\nawait asyncio.sleep(0.001)\nprint('awaited')" },
    { name: "a value of await", code: "async def f(): return 7\nawait f()" },
    {
      name: "async for and async with",
      code: lines(
        "import contextlib",
        "async def numbers():",
        "    for i in range(3): yield i",
        "@contextlib.asynccontextmanager",
        "async def context(): yield 'inside'",
        "async for i in numbers(): print(i)",
        "async with context() as text: print(text)",
      ),
    },
    {
      name: "an asynchronous comprehension",
      code: "async def numbers():\n    for i in range(3): yield i\n[i async for i in numbers()]",
    },
    {
      name: "gather",
      code: "import asyncio\nasync def double(x):\n    await asyncio.sleep(0)\n    return 2 * x\nawait asyncio.gather(*(double(x) for x in range(4)))",
    },
    { name: "an error in a coroutine", code: "async def fail():\n    raise ValueError('async')\nawait fail()" },
    { name: "a coroutine that is not awaited", code: "async def never(): ...\ntype(never()).__name__" },
    {
      name: "asyncio.run",
      code: "import asyncio\nasync def f(): return 8\nasyncio.run(f())",
      difference: { reason: "asyncio-run", ours: "text/plain: 8" },
      fresh: true,
    },
    {
      name: "a loop of one's own",
      code: "import asyncio\nasync def f(): return 8\nasyncio.new_event_loop().run_until_complete(f())",
      difference: { reason: "asyncio-run", ours: "text/plain: 8" },
      fresh: true,
    },
    {
      name: "a running loop in a cell without await",
      code: "import asyncio\nasyncio.get_running_loop().is_running()",
      difference: { reason: "asyncio-run", ours: "text/plain: False" },
    },
    {
      name: "a task that a later cell awaits",
      code: ["import asyncio\nasync def later(): return 'done'\ntask = asyncio.create_task(later())", "await task"],
    },
    {
      name: "a task that runs between cells",
      code: [
        "import asyncio\nhistory = []\nasync def work(): history.append('worked')\ntask = asyncio.create_task(work())",
        "history",
      ],
    },
    {
      name: "a task started in a cell with await",
      code: [
        "import asyncio\nawait asyncio.sleep(0)\ndone = asyncio.Event()\nasync def signal(): done.set()\ntask = asyncio.create_task(signal())",
        "await done.wait()",
      ],
    },
    {
      name: "ensure_future and get_event_loop",
      code: [
        "import asyncio\nasync def later(): return 'ensured'\nfuture = asyncio.ensure_future(later())\nloop_future = asyncio.get_event_loop().create_future()\nasyncio.get_event_loop().call_soon(loop_future.set_result, 'set')",
        "await future, await loop_future",
      ],
    },
    { name: "a timeout", code: "import asyncio\nasync with asyncio.timeout(0.01): await asyncio.sleep(10)" },
    { name: "to_thread", code: "import asyncio\nawait asyncio.to_thread(lambda: print('in a thread') or 5)" },
    {
      name: "an asynchronous subprocess",
      code: lines(
        "import asyncio",
        "process = await asyncio.create_subprocess_exec('echo', 'async', stdout=asyncio.subprocess.PIPE)",
        "out, _ = await process.communicate()",
        "out, process.returncode",
      ),
    },
    {
      name: "an error of a task that nobody awaits",
      code: [
        "import asyncio\nasync def fail(): raise ValueError('unseen')\ntask = asyncio.create_task(fail())",
        "await asyncio.sleep(0)\ntask.done(), repr(task.exception())",
      ],
    },
    {
      name: "a cancelled task",
      code: "import asyncio\ntask = asyncio.create_task(asyncio.sleep(10))\nawait asyncio.sleep(0)\ntask.cancel()\nawait task",
    },
    { name: "%autoawait", code: ["%autoawait", "%autoawait off", "await asyncio.sleep(0)", "%autoawait asyncio"] },
    { name: "await in a magic", code: "import asyncio\n%time await asyncio.sleep(0)" },
    {
      name: "context variables over await",
      code: [
        "import contextvars\nvariable = contextvars.ContextVar('variable', default='unset')\nvariable.set('set')",
        "variable.get()",
      ],
    },
    {
      name: "a display in a task",
      code: ["import asyncio\nasync def show(): display('from the task')\nawait asyncio.create_task(show())"],
    },
    {
      name: "a task that prints while a later cell runs",
      code: [
        lines(
          "import asyncio",
          "go = asyncio.Event()",
          "async def late():",
          "    await go.wait()",
          "    print('from the first cell')",
          "task = asyncio.create_task(late())",
          "print('first')",
        ),
        "go.set()\nawait task\nprint('second')",
      ],
    },
    {
      name: "nest_asyncio",
      code: "import asyncio, nest_asyncio\nnest_asyncio.apply()\nasync def f(): return 8\nasyncio.run(f()), asyncio.get_event_loop().run_until_complete(f())",
      requires: ["nest_asyncio"],
      fresh: true,
    },
    {
      name: "nest_asyncio in a cell with await",
      code: "import asyncio, nest_asyncio\nnest_asyncio.apply()\nasync def f(): return 8\nawait asyncio.sleep(0)\nasyncio.run(f())",
      requires: ["nest_asyncio"],
      fresh: true,
    },
    {
      name: "a loop in a thread",
      code: "import asyncio, threading\nresults = []\nasync def f(): results.append(8)\nthread = threading.Thread(target=lambda: asyncio.run(f()))\nthread.start()\nthread.join()\nresults",
    },
    {
      name: "a coroutine handed to the loop from a thread",
      code: lines(
        "import asyncio",
        "async def f(): return 'threadsafe'",
        "loop = asyncio.get_running_loop()",
        "await asyncio.to_thread(lambda: asyncio.run_coroutine_threadsafe(f(), loop).result())",
      ),
    },
    {
      name: "a future made in a cell without await",
      code: ["import asyncio\nfuture = asyncio.Future()\nfuture.set_result('set')", "await future"],
    },
    {
      name: "a queue and a lock of an earlier cell",
      code: [
        "import asyncio\nqueue, lock = asyncio.Queue(), asyncio.Lock()\nqueue.put_nowait('queued')",
        "async with lock: item = await queue.get()\nitem",
      ],
    },
    {
      name: "gather in a cell without await",
      code: [
        "import asyncio\nasync def double(x): return 2 * x\ngathered = asyncio.gather(double(1), double(2))",
        "await gathered",
      ],
    },
    {
      name: "the current task in a cell without await",
      code: "import asyncio\nasyncio.current_task() is None",
      fresh: true,
      difference: { reason: "asyncio-run", ours: "RuntimeError: no running event loop" },
    },
    {
      name: "a task after asyncio.run",
      code: [
        "import asyncio\nasync def f(): return 8\nran = asyncio.run(f())\ntask = asyncio.create_task(f())",
        "ran, await task",
      ],
      fresh: true,
      difference: { reason: "asyncio-run", ours: "(8, 8)" },
    },
    {
      name: "a timer that rings between cells",
      code: [
        "import asyncio\nrung = []\nloop = asyncio.get_event_loop()\nhandle = loop.call_later(0.01, rung.append, 1)",
        "import time\ntime.sleep(0.1)",
        "rung",
      ],
    },
    {
      name: "a server that answers between cells",
      code: [
        lines(
          "import asyncio, os, socket, tempfile, threading",
          "path = os.path.join(tempfile.mkdtemp(), 'socket')",
          "async def greet(reader, writer):",
          "    writer.write(b'hi')",
          "    writer.close()",
          "server = await asyncio.start_unix_server(greet, path)",
          "answers = []",
          "def ask():",
          "    with socket.socket(socket.AF_UNIX) as client:",
          "        client.settimeout(10)",
          "        client.connect(path)",
          "        answers.append(client.recv(2))",
          "thread = threading.Thread(target=ask)",
          "thread.start()",
        ),
        ...Array.from({ length: 50 }, () => "import time; time.sleep(0.005)"),
        "thread.join()\nserver.close()\nanswers",
      ],
    },
  ],
};
