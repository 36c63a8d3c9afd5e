"""Starts the zygote: ``python3 -I -S -u /opt/ipybox/python/ipybox_kernel [SOCKET] [--plain]``.

Isolated, so that nothing a user can write to is on the path of a process that is root. Unbuffered, for the sake of C code in
cells: what that prints has left the process when it returns.
"""

import gc
import os
import sys

# What is imported stays: collections meanwhile would find nothing, and take a seventh of the start.
gc.disable()

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from ipybox_kernel.zygote import main  # noqa: E402

main(plain="--plain" in sys.argv)
