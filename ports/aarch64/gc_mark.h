// SPDX-License-Identifier: MIT
// Of gc_collect.c, twice: MARK is its name, LOOK what is done for each object. One function with a condition would cost what is marked
// while somebody waits an instruction for each object.

static void MARK(void **at, void **end) {
    where_t in = where(&MP_STATE_MEM(area));
    uintptr_t from = heap_low, size = heap_span;
    rest_t *bottom = stack, *top = bottom, *limit = bottom + room;
    for (;;) {
        at = first_address(at, end, from, size);
        if (at >= end) {
            if (top == bottom) {
                return;
            }
            top--;
            at = top->at;
            end = top->end;
        }
        uintptr_t p = (uintptr_t)*at++;
        if (p - in.pool >= in.size) {
            const area_t *other = area_of((void *)p);
            if (other == NULL) {
                continue;
            }
            in = where(other);
        }
        unsigned kinds = mark_one(in.table, p - in.pool);
        if (kinds == 0) {
            continue;
        }
        LOOK;
        at = first_address(at, end, from, size);
        if (at < end) {
            if (top == limit && make_room()) {
                top = stack + (top - bottom);
                bottom = stack;
                limit = stack + room;
            }
            if (top < limit) {
                *top++ = (rest_t) { at, end };
            }
        }
        at = (void **)p;
        end = (void **)(p + BLOCK);
        if (kinds >> 2 == TAIL_KIND) {
            end = (void **)((uintptr_t)end + BLOCK * blocks_alike(in.table, (p - in.pool) / BLOCK + 1, TAIL_KIND, SIZE_MAX));
            at = skip_plain(at, end, from, size);
        }
    }
}
