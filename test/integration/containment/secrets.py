@probe("secrets", "token-in-files", "the token is in no file that a cell can read")
def _(context):
    needle = context["reversedToken"][::-1].encode()
    for root in ("/etc", "/run", "/opt/ipybox/agent", "/tmp", "/var", "/app", "/home", "/root", "/dev/shm"):
        for directory, _, names in os.walk(root):
            for name in names:
                path = os.path.join(directory, name)
                try:
                    with open(path, "rb") as file:
                        if stat.S_ISREG(os.fstat(file.fileno()).st_mode) and needle in file.read(4 << 20):
                            return f"it is in {path}"
                except OSError:
                    continue
    return None


@probe("secrets", "token-in-processes", "the token is in no argument list and no environment")
def _(context):
    needle = context["reversedToken"][::-1]
    for pid in processes():
        for name in ("cmdline", "environ", "comm"):
            try:
                if needle in read(f"/proc/{pid}/{name}"):
                    return f"it is in {name} of {pid}"
            except OSError:
                continue
    return None


@probe("secrets", "env-in-arguments", "values of env are in no argument list")
def _(context):
    for pid in processes():
        try:
            if os.environ["PROBE_SECRET"] in read(f"/proc/{pid}/cmdline"):
                return f"one is in that of {pid}"
        except OSError:
            continue
    return None


@probe("secrets", "own-environment", "a cell's environment has nothing of the agent's")
def _(context):
    found = [name for name in os.environ if name.startswith("IPYBOX_") and name != "IPYBOX_KERNEL_ID"]
    return expect("the agent's", found, [])
