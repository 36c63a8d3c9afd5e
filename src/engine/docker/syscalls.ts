/**
 * The system calls of 64-bit Linux that a sandbox may make whatever their arguments are, by topic. What is not
 * named here is refused: tracing and reading of other processes, mounts and namespaces, keyrings, BPF, performance
 * counters, io_uring, kernel AIO, userfaultfd, file handles, modules, clocks that can be set, and what is only there for old programs.
 */
export const ALLOWED_SYSCALLS: readonly string[] = [
  // Files: open, read, write
  "access faccessat faccessat2 open openat openat2 creat close close_range dup dup2 dup3 fcntl flock ioctl",
  "read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 lseek",
  "truncate ftruncate fallocate fadvise64 readahead fsync fdatasync sync syncfs sync_file_range cachestat",
  "sendfile copy_file_range splice tee vmsplice pipe pipe2",
  // Files: names and attributes
  "stat fstat lstat newfstatat statx statfs fstatfs getdents getdents64 getcwd chdir fchdir umask",
  "mkdir mkdirat rmdir mknod mknodat link linkat symlink symlinkat readlink readlinkat unlink unlinkat",
  "rename renameat renameat2 chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat",
  "utime utimes futimesat utimensat",
  "getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr fsetxattr setxattrat",
  "listxattr llistxattr flistxattr listxattrat removexattr lremovexattr fremovexattr removexattrat",
  "inotify_init inotify_init1 inotify_add_watch inotify_rm_watch",
  // Memory
  "brk mmap mprotect mremap munmap msync madvise mincore mlock mlock2 mlockall munlock munlockall",
  "membarrier memfd_create pkey_alloc pkey_free pkey_mprotect mseal map_shadow_stack",
  // Processes and threads
  "fork vfork execve execveat exit exit_group wait4 waitid set_tid_address set_robust_list get_robust_list rseq",
  "futex futex_waitv futex_wait futex_wake futex_requeue arch_prctl prctl restart_syscall",
  "getpid getppid gettid getpgid getpgrp setpgid getsid setsid",
  "sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam sched_setparam",
  "sched_getscheduler sched_setscheduler sched_get_priority_max sched_get_priority_min sched_rr_get_interval",
  "getcpu getpriority setpriority ioprio_get ioprio_set getrlimit setrlimit getrusage times",
  "uname sysinfo getrandom pidfd_open",
  // Users and rights: only ever to have fewer
  "getuid geteuid getresuid getgid getegid getresgid getgroups setuid setreuid setresuid setfsuid",
  "setgid setregid setresgid setfsgid setgroups capget capset seccomp",
  "landlock_create_ruleset landlock_add_rule landlock_restrict_self",
  // Signals
  "kill tkill tgkill pidfd_send_signal rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_tgsigqueueinfo",
  "rt_sigreturn rt_sigsuspend rt_sigtimedwait sigaltstack signalfd signalfd4 pause",
  // Time
  "time gettimeofday clock_gettime clock_getres nanosleep clock_nanosleep alarm getitimer setitimer",
  "timer_create timer_delete timer_getoverrun timer_gettime timer_settime",
  "timerfd_create timerfd_gettime timerfd_settime",
  // Waiting
  "poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd eventfd2",
  // Sockets; `socket` and `socketpair` themselves are in `seccomp.ts`
  "bind listen accept accept4 connect shutdown getsockname getpeername getsockopt setsockopt",
  "sendto sendmsg sendmmsg recvfrom recvmsg recvmmsg",
  // System V and POSIX IPC
  "shmget shmat shmctl shmdt semget semctl semop semtimedop msgget msgctl msgsnd msgrcv",
  "mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr",
  // Of other architectures
  "riscv_flush_icache riscv_hwprobe",
].flatMap((line) => line.split(" "));
