"""What to do when the record of a connection cannot be written."""

import errno

_REMEDIES = {
    errno.ENOSPC: "free space, or raise the limits on the mirror's directory",
    errno.EDQUOT: "raise the quota of this user",
    errno.EACCES: "give this user the right to write there",
    errno.EPERM: "give this user the right to write there, and nobody else",
    errno.EROFS: "mount that file system for writing",
    errno.ENOENT: "create the directory again",
    errno.ENOTDIR: "create the directory again",
    errno.EMFILE: "raise the file limit (ulimit -n), or lower max_connections",
    errno.ENFILE: "raise the system's limit fs.file-max",
    errno.EIO: "see the kernel's log: the disk fails",
}


def remedy_of_record(error: OSError) -> str:
    """Return what to do about an error that a record has met."""
    return _REMEDIES.get(error.errno or 0, "see the error, and whether that directory can be used")
