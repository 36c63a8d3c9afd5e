"""What a kernel has before its first cell, and what it does not have."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from ipybox_kernel import shell
shell.IPYTHON_DIR = sys.argv[1]
from ipybox_kernel.kernel import Kernel
kernel = Kernel.warm()
print("stack_data" in sys.modules)
for _ in kernel.warm_further():
    pass
print("stack_data" in sys.modules, [name for name in vars(sys) if name.startswith("last_")])
kernel._shell.run_line_magic("tb", "")
print(kernel._shell.error, kernel._shell.execution_count, kernel._shell.payloads)
print(sorted(type(part).__name__ for part in kernel._shell.configurables if "Quick" in type(part).__name__ or "Session" in type(part).__name__))
"""


def test_an_error_was_rehearsed_and_is_forgotten(tmp_path: Path) -> None:
    # verifies: KERN-03
    process = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert process.stdout.splitlines() == ["False", "True []", "None 1 []", "[]"]
    assert process.stderr == "No traceback available to show.\n"
