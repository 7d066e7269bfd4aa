"""What a user can do about a file that cannot be written."""

import errno
import os

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
ADVICE = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space, or raise your quota",
    errno.EFBIG: "files may not become as long as that here (ulimit -f); raise the limit",
    errno.ENOENT: "its folder was moved or deleted; put it back",
    errno.EEXIST: "its folder was replaced; put it back",
    errno.ENOTDIR: "its folder was replaced; put it back",
    errno.EACCES: "check its permissions",
    errno.EPERM: "check its permissions",
    errno.EROFS: "make the file system writable again",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "close other programs",
}


def not_enough_space(path: str, needed_bytes: int, free_bytes: int) -> OSError:
    """The error of a file that would not fit, with both sizes in its message."""
    sizes = f"{needed_bytes / 1e6:,.1f} MB are needed and {free_bytes / 1e6:,.1f} MB are free"
    return OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)}: {sizes}", path)


def explain_write_error(error: OSError) -> str:
    """The end of a sentence, with what to do: "(No space left on device); free some space"."""
    return f"({error.strerror or error}); {ADVICE.get(error.errno or 0, 'check the disk')}"
