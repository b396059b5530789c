# Mount the RAM disk. At power-on there is no filesystem on it yet: then mount makes one. The u in
# umachine is for the built-in module at once, without a look for a machine.py to extend it.
import umachine
import vfs

vfs.mount(vfs.VfsFat(umachine.RAMDisk()), "/", mkfs=True)

del umachine, vfs
