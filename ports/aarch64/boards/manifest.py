# What is compiled into the image: the boot script, asyncio, a small unittest, and the package hv.
freeze("$(PORT_DIR)/modules", "_boot.py")  # first, because it is looked for first
freeze("$(PORT_DIR)/modules", ("_mounts.py", "typing.py", "unittest.py"))
include("$(MPY_DIR)/extmod/asyncio")
freeze("$(ROOT_DIR)/modules", opt=2)
