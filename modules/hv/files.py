# SPDX-License-Identifier: MIT
"""The files that a process of a Linux has open: k.files(). Paths are made as fs/d_path.c does."""

from collections import namedtuple

from .rows import rows
from .tasks import find

File = namedtuple("File", ("fd", "path"))
_MOST = 1 << 16  # files of a process
_DEEP = 256  # names of a path, and mounts


def files(k, pid):
    return rows(("fd", "path"), _files(k, find(k, pid)))


def _files(k, task):
    if not task.files:
        return  # a zombie
    table = task.files.fdt
    for fd in range(min(table.max_fds, _MOST)):
        file = table.fd[fd]
        if file:
            yield File(fd, path(k, file.f_path))


def path(k, where):
    """Of a struct path."""
    mount, dentry = k.container_of(where.mnt, "struct mount", "mnt"), where.dentry
    inode, kind = dentry.d_inode, k.string(where.mnt.mnt_sb.s_type.name)
    if kind in ("pipefs", "sockfs"):
        return ("pipe" if kind == "pipefs" else "socket") + f":[{inode.i_ino}]"
    name = k.string(dentry.d_name.name)
    if kind == "anon_inodefs":
        return f"anon_inode:{name}"
    gone = dentry.d_parent != dentry and not dentry.d_hash.pprev
    names = []
    for _ in range(_DEEP):
        parent = dentry.d_parent
        if dentry == mount.mnt.mnt_root or parent == dentry:
            above = mount.mnt_parent
            if above == mount:
                break
            mount, dentry = above, mount.mnt_mountpoint
            continue
        names.insert(0, k.string(dentry.d_name.name))
        dentry = parent
    else:
        k._fault(int(dentry), f"its path has no end: {_DEEP} names")
    if not names and name != "/":
        names = [name]
    return "/" + "/".join(names) + " (deleted)" * gone
