"""Which calls fail, and with what."""

from __future__ import annotations

READS = ("EIO", "EINTR")
WRITES = ("ENOSPC", "EIO", "EINTR")
PLACES = ("EIO", "ENOMEM", "EACCES")
MADE = ("ENOSPC", "EIO", "EACCES")

ERRORS: dict[str, tuple[str, ...]] = {
    "open": ("EIO", "EMFILE", "ENOMEM", "EACCES", "EINTR"),
    "openat": ("EIO", "EMFILE", "ENOMEM", "EACCES", "EINTR"),
    "read": READS,
    "pread64": READS,
    "readv": READS,
    "preadv": READS,
    "preadv2": READS,
    "lseek": ("EIO",),
    "getdents64": ("EIO", "ENOMEM"),
    "readlink": PLACES,
    "readlinkat": PLACES,
    "stat": PLACES,
    "lstat": PLACES,
    "fstat": ("EIO", "ENOMEM"),
    "newfstatat": PLACES,
    "statx": PLACES,
    "fgetxattr": ("EIO", "ENOMEM"),
    "mmap": ("ENOMEM",),
    "write": WRITES,
    "pwrite64": WRITES,
    "writev": WRITES,
    "fsync": WRITES,
    "fdatasync": WRITES,
    "ftruncate": WRITES,
    "fallocate": WRITES,
    "copy_file_range": ("ENOSPC", "EIO", "EINTR", "EXDEV", "ENOMEM"),
    "sendfile": ("ENOSPC", "EIO", "EINTR", "EINVAL", "ENOMEM"),
    "splice": ("ENOSPC", "EIO", "EINTR", "EINVAL", "ENOMEM"),
    "close": ("EIO", "EINTR", "ENOSPC"),
    "rename": MADE,
    "renameat": MADE,
    "renameat2": MADE,
    "mkdir": MADE,
    "mkdirat": MADE,
    "rmdir": ("EIO", "EACCES"),
    "unlink": ("EIO", "EACCES"),
    "unlinkat": ("EIO", "EACCES"),
    "link": MADE,
    "linkat": MADE,
    "symlink": MADE,
    "symlinkat": MADE,
    "chmod": ("EIO", "EPERM"),
    "fchmod": ("EIO", "EPERM"),
    "fchmodat": ("EIO", "EPERM"),
    "chown": ("EIO", "EPERM"),
    "lchown": ("EIO", "EPERM"),
    "fchownat": ("EIO", "EPERM"),
    "utimensat": ("EIO", "EPERM", "EACCES"),
    "setxattr": ("ENOSPC", "EIO"),
    "lsetxattr": ("ENOSPC", "EIO"),
    "flock": ("ENOLCK", "EINTR"),
    "memfd_create": ("EMFILE", "ENOMEM"),
    "pipe2": ("EMFILE", "ENOMEM"),
    "dup": ("EMFILE",),
    "dup2": ("EMFILE",),
    "fork": ("EAGAIN", "ENOMEM"),
    "clone": ("EAGAIN", "ENOMEM"),
    "clone3": ("EAGAIN", "ENOMEM"),
}
"""Not all of them are there on every machine."""

SAID_OF_THE_TREE = ("EACCES", "EPERM")
"""Errors that a loader may meet itself: what cannot be reached is not there for it, either. After
one of them, what is found may be another thing."""

LETHAL = ("openat", "read", "pread64", "preadv", "write", "copy_file_range", "splice", "close",
          "rename", "mkdir", "unlink", "rmdir", "unlinkat", "utimensat", "chmod", "fchmod",
          "lchown", "symlink", "newfstatat", "getdents64")  # fmt: skip
"""Calls at which a process is ended."""


def picked(numbers: list[int], most: int) -> list[int]:
    """At most so many of them, evenly, the first and the last among them."""
    count = len(numbers)
    if count <= most:
        return numbers
    if most == 1:
        return numbers[-1:]
    return [numbers[n * (count - 1) // (most - 1)] for n in range(most)]
