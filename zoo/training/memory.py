"""The allocator's treatment of memory that has been freed."""

import ctypes
import platform

# mallopt's parameters, of <malloc.h>.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
LARGEST_HEAP_BLOCK, KEPT = 2**25, 2**31 - 1


def keep_memory() -> None:
    """Let glibc reuse freed memory, where it would return it and fault every page in again.

    Page faults are slow in virtual machines; a training step frees and takes hundreds of
    megabytes. For whole processes, such as the command; a library must not decide it. Elsewhere
    than on glibc this does nothing.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    # glibc takes no threshold above 32 MiB; larger blocks are still mapped one by one.
    libc.mallopt(MMAP_THRESHOLD, LARGEST_HEAP_BLOCK)
    libc.mallopt(TRIM_THRESHOLD, KEPT)
