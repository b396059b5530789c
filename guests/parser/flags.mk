# Frame pointers, by which crashes are told apart.
FLAGS_parser := -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer -fno-optimize-sibling-calls
