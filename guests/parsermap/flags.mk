FLAGS_parsermap := -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer -fno-optimize-sibling-calls -fsanitize-coverage=trace-pc
