// SPDX-License-Identifier: MIT
// Addresses of EL2's for pages that lie anywhere: a range in one piece, whose pages come one by one.
#ifndef HV_WINDOW_H
#define HV_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Boot core. A range where nothing is mapped yet; NULL: no addresses left. To close it frees the pages in it.
void *window_open(size_t bytes);
void window_close(void *at, size_t bytes);
// A page of the page allocator's, at one of its addresses; whoever puts into one window does so one at a time. False: no memory.
bool window_put(void *at, void *page);
uint64_t window_pa(const void *at);     // where that is
bool window_is(const void *at);
bool window_overlaps(uint64_t va, uint64_t size);

#endif
