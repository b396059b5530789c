# The file systems of /fw and /disk, made when they are first used: see storage.c.
import vfs
from machine import FwCfg


def make(disk):
    if disk is None:
        return Files()
    fat = vfs.VfsFat(disk)
    fat.mount(disk.writeblocks(0, b"") != 0, False)
    return fat


class Files:
    """What fw_cfg holds, read-only: opt/... are the user's (-fw_cfg name=opt/x,file=x)."""

    def __init__(self):
        self.chdir("/")
        count = int.from_bytes(FwCfg(0x19, 4).read(), "big")
        entries = FwCfg(0x19, 4 + 64 * count).read()
        # Each: size (4 bytes), selector (2), reserved (2), name.
        self.files = {
            str(entries[at + 8 : at + 64].rstrip(b"\0"), "ascii"): (
                int.from_bytes(entries[at + 4 : at + 6], "big"),
                int.from_bytes(entries[at : at + 4], "big"),
            )
            for at in range(4, len(entries), 64)
        }

    def umount(self):
        pass

    def _name(self, path):
        if path[:1] != "/":
            path = self.cwd + "/" + path
        return path.strip("/")

    def chdir(self, path):
        self.cwd = path

    def getcwd(self):
        return self.cwd

    def stat(self, path):
        name = self._name(path)
        if name in self.files:
            return (0x8000, 0, 0, 0, 0, 0, self.files[name][1], 0, 0, 0)
        self.ilistdir(path)
        return (0x4000, 0, 0, 0, 0, 0, 0, 0, 0, 0)

    def statvfs(self, path):
        return (1, 1, 0, 0, 0, 0, 0, 0, 1, 55)

    def ilistdir(self, path):
        start = self._name(path)
        if start:
            start += "/"
        found = {}
        for name in self.files:
            if name.startswith(start):
                name, sub, _ = name[len(start) :].partition("/")
                found[name] = (name, 0x4000 if sub else 0x8000, 0)
        if not found and start:
            raise OSError(2)  # ENOENT
        return iter(found.values())

    def open(self, path, mode):
        if mode not in ("r", "rt", "rb"):
            raise OSError(30)  # EROFS
        item = self.files.get(self._name(path))
        if not item:
            raise OSError(2)  # ENOENT
        return FwCfg(*item, mode != "rb")
