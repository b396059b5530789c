# Rows are found by name: nothing in here refers to them.
FLAGS_bench := -fno-function-sections -Wl,--undefined=timer_expiry
