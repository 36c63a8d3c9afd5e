import { lines, type Topic } from "../cell.ts";

export const descriptors: Topic = {
  name: "descriptors",
  cells: [
    { name: "os.write to 1", code: "import os\nos.write(1, b'by descriptor\\n');" },
    { name: "os.write to 2", code: "import os\nos.write(2, b'by descriptor\\n');" },
    { name: "puts of the C library", code: "import ctypes\nlibc = ctypes.CDLL(None)\nlibc.puts(b'by puts')\nlibc.fflush(None);" },
    {
      name: "printf of the C library, to both",
      code: "import ctypes, os\nlibc = ctypes.CDLL(None)\nlibc.printf(b'number %d\\n', 5)\nlibc.fflush(None)\nlibc.dprintf(2, b'to %s\\n', b'stderr');",
    },
    { name: "invalid UTF-8", code: "import os\nos.write(1, b'bad \\xff\\xfe byte\\n');" },
    {
      name: "a write by fileno",
      code: "import os, sys\nos.write(sys.stdout.fileno(), b'by fileno\\n');",
      difference: { reason: "fileno", ours: "stdout: by fileno" },
    },
    { name: "a stream opened over the descriptor", code: "with open(1, 'w', closefd=False) as out: print('by open', file=out)" },
    {
      name: "dup2 to a file and back",
      code: lines(
        "import os",
        "kept = os.dup(1)",
        "null = os.open(os.devnull, os.O_WRONLY)",
        "os.dup2(null, 1)",
        "os.write(1, b'lost\\n')",
        "os.dup2(kept, 1)",
        "os.write(1, b'kept\\n');",
      ),
    },
    {
      name: "os.fork",
      code: lines("import os", "pid = os.fork()", "if pid == 0: os._exit(7)", "os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])"),
      difference: { reason: "no-threads", ours: "text/plain: 7" },
    },
    {
      name: "os.fork with output of the child",
      code: lines(
        "import os",
        "print('parent')",
        "pid = os.fork()",
        "if pid == 0:",
        "    os.write(1, b'child\\n')",
        "    os._exit(0)",
        "os.waitpid(pid, 0)[1]",
      ),
      difference: { reason: "no-threads", ours: "child" },
    },
    {
      name: "faulthandler.dump_traceback",
      code: "import faulthandler, sys\nfaulthandler.dump_traceback(file=sys.__stderr__, all_threads=False)\nNone",
      difference: { reason: "frames-below", ours: "stderr: " },
    },
    { name: "reading from standard input", code: "import sys\nsys.stdin.read()" },
    {
      name: "a subprocess that is given sys.stdout",
      code: "import subprocess, sys\nsubprocess.run(['echo', 'by stdout'], stdout=sys.stdout).returncode",
      difference: { reason: "fileno", ours: "stdout: by stdout" },
    },
    {
      name: "/dev/stdout and /dev/stderr by name",
      code: "import io\nwith io.open('/dev/stdout', 'w') as out: out.write('by name\\n')\nwith io.open('/dev/stderr', 'w') as out: out.write('by name\\n')",
    },
    { name: "/dev/stderr in a shell", code: "%%bash\necho 'to stderr' > /dev/stderr" },
    {
      name: "a signal's handler that raises",
      code: lines(
        "import signal, time",
        "def ring(*_): raise TimeoutError('rung')",
        "kept = signal.signal(signal.SIGALRM, ring)",
        "signal.setitimer(signal.ITIMER_REAL, 0.01)",
        "time.sleep(5)",
      ),
    },
  ],
};
