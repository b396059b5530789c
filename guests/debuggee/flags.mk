# What a debugger can unwind and show.
FLAGS_debuggee := -Og -fno-omit-frame-pointer -fno-asynchronous-unwind-tables
