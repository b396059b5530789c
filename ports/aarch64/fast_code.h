// SPDX-License-Identifier: MIT
// Put before a file that is compiled with -Os (see optimise.mk): its functions are made for speed all
// the same, while its string constants stay packed, which -O2 would align to 8 bytes each.
#pragma GCC optimize ("O2")
