# What any image has, and a main.py.
include("$(PORT_DIR)/boards/manifest.py")
freeze("$(ROOT_DIR)/tests/bench/launch", "main.py")
