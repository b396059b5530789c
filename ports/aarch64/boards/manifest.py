# What is compiled into the image: the boot script, asyncio, a small unittest, and the package hv.
freeze("$(PORT_DIR)/modules")
include("$(MPY_DIR)/extmod/asyncio")
freeze("$(ROOT_DIR)/modules")
