@probe("syscalls", "io-uring", "io_uring can't be set up")
def _(context):
    return all_refused(("io_uring_setup", 0, 0), ("io_uring_enter", -1, 0, 0, 0), ("io_uring_register", -1, 0, 0, 0))


@probe("syscalls", "aio", "Linux's own asynchronous input and output, whose limit is the host's, can't be used")
def _(context):
    return all_refused(("io_setup", 0, 0), ("io_submit", 0, 1, 0))


@probe("syscalls", "tracing", "no process can be traced, or its memory or descriptors taken")
def _(context):
    return all_refused(
        ("ptrace", 9999, 0, 0, 0),
        ("process_vm_readv", 0, 0, 0, 0, 0, 0),
        ("process_vm_writev", 0, 0, 0, 0, 0, 0),
        ("kcmp", 0, 0, 99, 0, 0),
        ("pidfd_getfd", -1, 0, 0),
        ("process_madvise", -1, 0, 0, 0, 0),
    )


@probe("syscalls", "bpf", "no BPF program can be loaded")
def _(context):
    return refused("bpf", 9999, 0, 0)


@probe("syscalls", "perf", "no performance counter can be opened")
def _(context):
    return refused("perf_event_open", 0, 0, 0, 0, 0)


@probe("syscalls", "userfaultfd", "page faults can't be held up")
def _(context):
    return refused("userfaultfd", 1 | 4)


@probe("syscalls", "fanotify", "no mark can be set on whole mounts")
def _(context):
    return refused("fanotify_init", 0x200, 0)  # what Linux lets anybody ask for


@probe("syscalls", "keyrings", "the keyrings, which are not namespaced, are closed")
def _(context):
    return all_refused(("add_key", 0, 0, 0, 0, 0), ("request_key", 0, 0, 0, 0), ("keyctl", 9999, 0, 0, 0, 0))


@probe("syscalls", "file-handles", "files can't be opened past their directories")
def _(context):
    return all_refused(("name_to_handle_at", -1, 0, 0, 0, 0), ("open_by_handle_at", -1, 0, 0))


@probe("syscalls", "mounts", "nothing can be mounted, unmounted or made the root")
def _(context):
    return all_refused(
        ("mount", 0, 0, 0, 0, 0),
        ("umount2", 0, 0x1000),
        ("chroot", 0),
        ("open_tree", -1, 0, 0x7FFF_0000),
        ("mount_setattr", -1, 0, 0x7FFF_0000, 0, 0),
        ("pivot_root", 0, 0),
        ("move_mount", -1, 0, -1, 0, 0),
        ("fsopen", 0, 0),
        ("fsconfig", -1, 0, 0, 0, 0),
        ("fsmount", -1, 0, 0),
        ("fspick", -1, 0, 0),
        ("swapon", 0, 0),
    )


@probe("syscalls", "namespaces", "no namespace can be left or entered")
def _(context):
    return all_refused(("unshare", 0), ("setns", -1, 0))


@probe("syscalls", "clone-namespaces", "no process can be started in a namespace of its own")
def _(context):
    share_files = 0x200  # contradicts each of them: what Linux itself would refuse otherwise
    kinds = {"user": 0x1000_0000, "mount": 0x2_0000, "user and network": 0x5000_0000}
    return first(refused("clone", flags | share_files | signal.SIGCHLD, 0, 0, 0, 0) for flags in kinds.values())


@probe("syscalls", "clone3", "the call whose flags no filter can see is unknown")
def _(context):
    result, error = call("clone3", 0, 0)
    return expect("clone3", (result, error), (-1, ENOSYS))


@probe("syscalls", "clocks", "no clock can be set")
def _(context):
    return all_refused(("clock_settime", 9999, 0), ("clock_adjtime", 9999, 0), ("adjtimex", 0), ("settimeofday", 0, 0))


@probe("syscalls", "hardware", "neither ports nor descriptor tables nor memory policies of the hardware are in reach")
def _(context):
    return all_refused(
        ("iopl", 4), ("ioperm", 0, 0, 0), ("modify_ldt", 0, 0, 0),
        ("get_mempolicy", 0, 0, 0, 0, 0), ("mbind", 0, 0, 0, 0, 0, 0), ("migrate_pages", 0, 0, 0, 0), ("move_pages", 0, 0, 0, 0, 0, 0),
    )  # fmt: skip


@probe("syscalls", "system", "modules, kernels, log, accounts and names of the system are out of reach")
def _(context):
    return all_refused(
        ("init_module", 0, 0, 0), ("finit_module", -1, 0, 0), ("delete_module", 0, 0), ("kexec_load", 0, 0, 0, 0),
        ("reboot", 0, 0, 0, 0), ("acct", 0), ("syslog", 9999, 0, 0), ("sethostname", 0, -1), ("setdomainname", 0, -1), ("vhangup",),
    )  # fmt: skip


@probe("syscalls", "personality", "a cell can't pass for an older Linux")
def _(context):
    seen = refused("personality", 0x0020000)
    call("personality", 0)
    return seen


@probe("syscalls", "others-limits", "a process's limits are set by itself alone")
def _(context):
    limits = (ctypes.c_ulong * 2)(1, 1)
    return refused("prlimit64", context["victimPid"], resource.RLIMIT_CORE, limits, 0)


@probe("syscalls", "entry-32-bit", "the 32-bit entry ends who uses it")
def _(context):
    return None if not X86 else _entry(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3", "int 0x80")  # mov eax, getpid; int 0x80; ret


@probe("syscalls", "entry-x32", "the entry with 32-bit pointers ends who uses it")
def _(context):
    return None if not X86 else _entry(b"\xb8\x27\x00\x00\x40\x0f\x05\xc3", "x32")  # mov eax, x32's getpid; syscall; ret


def _entry(code, what):
    import mmap

    def enter():
        page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(code)
        ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()

    return expect(f"the end after {what}", in_child(enter), -signal.SIGSYS)


@probe("syscalls", "control-syscalls", "what is allowed can be told from what is not: getpid and Landlock work")
def _(context):
    landlock = call("landlock_create_ruleset", 0, 0, 1)
    return expect("getpid", call("getpid")[0], os.getpid()) or (None if landlock[0] > 0 or landlock[1] != EPERM else "Landlock is refused")
