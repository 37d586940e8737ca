"""Confine a process before it evaluates untrusted input, for good.

Each layer stands on its own. Everywhere: resource limits, and an audit hook that refuses what the process must not do.
On Linux, as far as the kernel has them: Landlock, which leaves nothing of the file system but the installed libraries,
read-only; and seccomp, which leaves the system calls of pure computation. The process cannot undo any of them, and
none consults state that evaluated code could change.
"""

import ctypes
import errno
import os
import resource
import signal
import sys
import sysconfig
from importlib import import_module
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any, NoReturn

MEMORY = 4 << 30
"""Bytes of address space; large libraries reserve much more than they use."""
OPEN_FILES = 64
"""Limit of file descriptors; lazy imports need a few."""
PARENT_DEATH_SIGNAL, DUMPABLE, NO_NEW_PRIVS = 1, 4, 38
"""Options of prctl(2)."""
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
OPENS = {"open": 1, "openat": 2}
"""System calls that open files, allowed for reading, with the index of the argument that holds their flags."""
FUTEX_WAKES = 1, 3, 4, 5, 10
"""Operations of futex(2) that do not wait."""
CALLS = (
    "brk", "clock_getres", "clock_gettime", "close", "exit", "exit_group", "fstat", "getcwd", "getdents64", "getegid",
    "geteuid", "getgid", "getpid", "getrandom", "getrusage", "gettid", "gettimeofday", "getuid", "lseek", "lstat",
    "madvise", "mmap", "mprotect", "mremap", "munmap", "newfstatat", "pread64", "read", "readv", "rseq",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sched_getaffinity", "sched_yield", "set_robust_list",
    "sigaltstack", "stat", "statx", "sysinfo", "times", "uname", "write", "writev",
)  # fmt: skip
"""System calls that computing and importing need; importing needs those of stat. None waits, so time is CPU time.

All others fail with ENOSYS, as if the kernel did not have them: libraries then use older calls, and do not take a
refusal for the answer of the call.
"""
REFUSED = (
    "code.__new__",
    "ctypes.",
    "gc.get_",
    "os.chmod",
    "os.chown",
    "os.exec",
    "os.fork",
    "os.kill",
    "os.link",
    "os.mkdir",
    "os.posix_spawn",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.spawn",
    "os.symlink",
    "os.system",
    "os.truncate",
    "pty.",
    "shutil.",
    "socket.",
    "subprocess.",
)
"""Prefixes of the audit events that are refused."""


def confine(seconds: float | None, *kept: int, memory: int = MEMORY) -> None:
    """Confine this process, which must have a single thread.

    Args:
        seconds: CPU seconds that it may use in all; None if another process watches its time.
        kept: the only file descriptors that stay open; 0, 1 and 2 lead to /dev/null.
        memory: bytes of address space.
    """
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    for before, after in pairwise((2, *sorted(kept), os.sysconf("SC_OPEN_MAX"))):
        os.closerange(before + 1, after)
    limits = {"AS": memory, "FSIZE": 0, "CORE": 0, "NPROC": 0, "NOFILE": max(OPEN_FILES, *(one + 1 for one in kept))}
    if seconds is not None:
        limits["CPU"] = ceil(seconds)
    for name, limit in limits.items():
        if (kind := getattr(resource, f"RLIMIT_{name}", None)) is not None:
            hard = resource.getrlimit(kind)[1]
            lowest = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(kind, (lowest, lowest))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0)
        libc.prctl(DUMPABLE, 0, 0, 0, 0)
        _restrict_files()
        _restrict_calls()
    sys.addaudithook(_refuse)


def preload() -> None:
    """Import what `confine` needs, which a confined process could no longer do."""
    if sys.platform == "linux":
        for name in ("landlock", "pyseccomp"):
            _library(name)


def layers() -> tuple[str, ...]:
    """Return the layers that this machine offers."""
    found = ["resource limits", "audit hook"]
    if sys.platform == "linux":
        found += ["Landlock"] if _landlock() is not None else []
        found += ["seccomp"] if _library("pyseccomp") is not None else []
    return tuple(found)


def _library(name: str) -> Any:
    """Return a library; None if it cannot be loaded here, as pyseccomp without libseccomp."""
    try:
        return import_module(name)
    except (ImportError, RuntimeError, OSError):
        return None


def _landlock() -> Any:
    """Return the library for Landlock; None if the kernel has no Landlock."""
    landlock = _library("landlock")
    return landlock if landlock is not None and landlock.landlock_abi_version() > 0 else None


def _restrict_files() -> None:
    """Leave the folders of libraries, read-only, if the kernel has Landlock."""
    landlock = _landlock()
    if landlock is None:
        return
    rules = landlock.Ruleset()
    root = Path(__file__).parents[2]
    folders = {Path(path) for path in (*sys.path, *sysconfig.get_paths().values()) if path}
    if (root / "app.py").exists():
        folders = folders - {root} | {root / "odd"}  # the cache of a checkout has runs
    for folder in (*folders, *map(Path, ("/usr/lib", "/usr/lib64", "/lib", "/lib64"))):
        if folder.exists():
            folder_too = landlock.FSAccess.READ_DIR if folder.is_dir() else 0
            rules.allow(str(folder), rules=landlock.FSAccess.READ_FILE | folder_too)
    rules.apply()


def _restrict_calls() -> None:
    """Leave the system calls of `CALLS`, and opening for reading, if libseccomp is installed."""
    seccomp = _library("pyseccomp")
    if seccomp is None:
        return
    allowed = seccomp.SyscallFilter(seccomp.ERRNO(errno.ENOSYS))
    for call in CALLS:
        try:
            allowed.add_rule(seccomp.ALLOW, call)
        except (OSError, RuntimeError):
            continue  # other architectures lack some of them
    for operation in FUTEX_WAKES:
        allowed.add_rule(seccomp.ALLOW, "futex", seccomp.Arg(1, seccomp.MASKED_EQ, 0x7F, operation))
    for call, at in OPENS.items():
        allowed.add_rule(seccomp.ALLOW, call, seccomp.Arg(at, seccomp.MASKED_EQ, WRITES, 0))
    allowed.load()


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse the events of `REFUSED` and opening for writing."""
    if event == "open":
        _, mode, flags = arguments
        if (isinstance(mode, str) and set(mode) & set("wax+")) or (isinstance(flags, int) and flags & WRITES):
            _deny("writing files")
    elif event.startswith(REFUSED):
        _deny(event)


def _deny(what: str) -> NoReturn:
    raise PermissionError(f"{what} is not allowed here")
