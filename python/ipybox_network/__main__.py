"""``python3 -I -S /opt/ipybox/python/ipybox_network JSON…``; prints ``ready`` as its last line once the policy holds.

Arguments are pieces of one JSON document: an argument has at most 128 KiB.
"""

import json
import os
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from ipybox_network import denied, flows, table  # noqa: E402


def main() -> None:
    task = json.loads("".join(sys.argv[1:]))
    watch = None
    try:
        if task["log_group"] is not None:
            watch = denied.open_log(task["log_group"])
        tells = True
    except OSError as error:  # this Linux can't
        print(f"untold: {error}", flush=True)
        tells = False
    load = table.replace if task["cells_run"] else table.load
    sets = table.filled(task["sets"], task["generation"], task["near"])
    load(sets, task["rules"], tells)
    if task["cut"] is not None:
        flows.cut(flows.Reach(**task["cut"]))
    if watch is not None:
        try:
            denied.hand_over(watch)
        except OSError as error:
            print(f"untold: {error}", flush=True)
    print("ready", flush=True)


main()
