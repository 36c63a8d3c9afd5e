import { lines, type Topic } from "../cell.ts";

export const shellCommands: Topic = {
  name: "shell commands",
  cells: [
    { name: "an echo", code: "!echo hello", difference: { reason: "commands", ours: "stdout: hello" } },
    {
      name: "python values in a command",
      code: "name = 'World'\n!echo Hello {name} $name {1 + 1} $$HOME",
      difference: { reason: "commands", ours: "stdout: Hello World World 2 /home/ipybox" },
    },
    { name: "a command that fails", code: ["!exit 3", "_exit_code"] },
    {
      name: "a command that is missing",
      code: ["!no_such_command", "_exit_code"],
      difference: { reason: "commands", ours: "stderr: /bin/bash: line 1: no_such_command: command not found" },
    },
    { name: "stderr of a command", code: "!echo out; echo err >&2", difference: { reason: "commands", ours: "stderr: err" } },
    { name: "an assignment", code: "found = !printf 'a\\nb\\n'\nfound" },
    {
      name: "the list's own ways",
      code: "found = !printf 'a 1\\nb 2\\n'\nprint(found.n, found.s, found.fields(0), found.grep('b'))",
    },
    { name: "!!", code: "!!printf 'a\\nb\\n'" },
    { name: "an assignment of what fails", code: ["found = !echo partial; exit 4\nfound", "_exit_code"] },
    {
      name: "a command in a loop",
      code: "for i in range(3):\n    !echo number {i}",
      difference: { reason: "commands", ours: "number 2" },
    },
    {
      name: "a command after a print",
      code: "print('before')\n!echo between\nprint('after')",
      difference: { reason: "commands", ours: "between" },
    },
    { name: "a background command", code: "!sleep 0 &", difference: { reason: "commands", ours: '"status":"ok"' } },
    {
      name: "whether it is a terminal",
      code: "!test -t 1 && echo terminal || echo none",
      difference: { reason: "commands", ours: "stdout: none" },
    },
    {
      name: "the environment of a command",
      code: "!echo $PAGER $GIT_PAGER",
      difference: { reason: "commands", ours: "stdout: cat cat" },
    },
    { name: "%%bash", code: "%%bash\necho out\necho $((1 + 1))" },
    { name: "%%bash with stderr", code: "%%bash\necho out\necho err >&2" },
    { name: "%%bash that fails", code: "%%bash\necho partial\nexit 3" },
    { name: "%%bash --no-raise-error", code: ["%%bash --no-raise-error\nexit 3", "_exit_code"] },
    { name: "%%bash --out --err", code: ["%%bash --out text --err trouble\necho out\necho err >&2", "text, trouble"] },
    {
      name: "%%bash --bg",
      code: [
        "%%bash --bg --out background\necho in the background",
        "import inspect\nbackground = background.read()\nbackground = await background if inspect.isawaitable(background) else background\nbackground",
      ],
    },
    { name: "%%sh", code: "%%sh\necho from sh" },
    { name: "%%script", code: "%%script cat\nlines\nof text" },
    {
      name: "%%script false",
      code: "%%script false",
      difference: { reason: "error-event", ours: "error: UsageError: %%script is a cell magic" },
    },
    { name: "%%script of what is missing", code: "%%script no_such_interpreter\ntext" },
    { name: "%%perl or its absence", code: "%%perl\nprint 'from perl';" },
    { name: "subprocess.run with the streams of the kernel", code: "import subprocess\nsubprocess.run(['echo', 'direct']);" },
    {
      name: "subprocess.run, captured",
      code: "import subprocess\nsubprocess.run(['sh', '-c', 'echo out; echo err >&2; exit 2'], capture_output=True, text=True)",
    },
    { name: "subprocess.check_call that fails", code: "import subprocess\nsubprocess.check_call(['false'])" },
    { name: "os.system", code: "import os\nos.system('echo by os.system');" },
    { name: "os.popen", code: "import os\nos.popen('echo by popen').read()" },
    {
      name: "a subprocess between prints",
      code: ["print('a')", "import subprocess\nsubprocess.run(['echo', 'b']);", "print('c')"],
    },
    {
      name: "a subprocess with stdout as its stderr",
      code: "import subprocess, sys\nsubprocess.run(['sh', '-c', 'echo err >&2'], stderr=subprocess.STDOUT)\nNone",
    },
    {
      name: "a child of multiprocessing",
      code: lines(
        "import multiprocessing",
        "def work(): print('from the child', flush=True)",
        "process = multiprocessing.get_context('fork').Process(target=work)",
        "process.start()",
        "process.join()",
        "process.exitcode;",
      ),
    },
    {
      name: "a pool of processes",
      code: lines(
        "import multiprocessing",
        "def square(x): return x * x",
        "with multiprocessing.get_context('fork').Pool(2) as pool: squares = pool.map(square, range(5))",
        "squares",
      ),
    },
    {
      name: "an executor of processes",
      code: lines(
        "import concurrent.futures, multiprocessing",
        "def cube(x): return x ** 3",
        "with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context('fork')) as pool: cubes = list(pool.map(cube, range(4)))",
        "cubes",
      ),
    },
    {
      name: "get_ipython().system",
      code: "get_ipython().system('echo by system')",
      difference: { reason: "commands", ours: "stdout: by system" },
    },
    { name: "get_ipython().getoutput", code: "get_ipython().getoutput('echo a; echo b')" },
    {
      name: "a command with unicode",
      code: "!echo 'héllo 🌍 ∑'",
      difference: { reason: "commands", ours: "stdout: héllo 🌍 ∑" },
    },
    { name: "a command without a line end", code: "!printf 'no end'" },
    {
      name: "a command over several lines",
      code: "!echo one \\\n  two",
      difference: { reason: "commands", ours: "stdout: one two" },
    },
    {
      name: "%ls and %cat",
      code: ["%mkdir listed", "!touch listed/a.txt", "%ls listed", "%cat listed/a.txt", "%rm listed/a.txt", "%rmdir listed"],
      difference: { reason: "commands", ours: "stdout: a.txt" },
    },
    {
      name: "Python's own children",
      code: lines(
        "import multiprocessing, pathlib, sys",
        "pathlib.Path('children.py').write_text('import sys\\ndef tell(_): return sys.prefix, sys.flags.no_site, sys.flags.isolated')",
        "import children",
        "with multiprocessing.get_context('spawn').Pool(1) as pool: print(pool.map(children.tell, [0]))",
      ),
    },
  ],
};
