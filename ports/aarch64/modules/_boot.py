# Mount the RAM disk; at power-on there is nothing on it yet.
import vfs
from machine import RAMDisk

disk = RAMDisk()
try:
    vfs.mount(vfs.VfsFat(disk), "/")
except OSError:
    vfs.VfsFat.mkfs(disk)
    vfs.mount(vfs.VfsFat(disk), "/")

del vfs, RAMDisk, disk
