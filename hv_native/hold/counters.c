// SPDX-License-Identifier: MIT
// What rules and devices count: see counters.h.

#include "core/arch.h"
#include "hold/counters.h"
#include "vm/hook.h"
#include "vm/vm.h"

typedef void (*each_t)(hook_t *h, void *arg);

static void each_of(hook_t *h, each_t f, void *arg) {
    for (; h != NULL; h = h->below) {
        f(h, arg);
    }
}

static void each_hook(vm_t *vm, each_t f, void *arg) {
    const hook_table_t *tables[] = { &vm->hvc, &vm->smc, &vm->sysreg, &vm->imm };
    const hook_ranges_t *ranges[] = { &vm->mmio, &vm->rules };
    for (unsigned k = 0; k < ARRAY_LEN(tables); k++) {
        for (uint32_t i = 0; tables[k]->slot != NULL && i <= tables[k]->mask; i++) {
            each_of(tables[k]->slot[i], f, arg);
        }
    }
    for (unsigned k = 0; k < ARRAY_LEN(ranges); k++) {
        for (uint32_t i = 0; i < ranges[k]->count; i++) {
            each_of(ranges[k]->range[i], f, arg);
        }
    }
}

typedef struct {
    const hook_t *hook;
    uint64_t key, hits, value;
} counter_t;

static void save_one(hook_t *h, void *arg) {
    counter_t is = { h, h->key, h->hits, h->value };
    stream_put(arg, &is, sizeof(is));
}

void counters_save(vm_t *vm, device_stream_t *s) {
    each_hook(vm, save_one, s);
}

static void load_one(hook_t *h, void *arg) {
    const counter_t *was = arg;
    if (h == was->hook && h->key == was->key) {
        h->hits = was->hits;
        h->value = was->value;
    }
}

// In the same order, most often; what has come or gone since is looked for among all.
typedef struct {
    vm_t *vm;
    device_stream_t *s;
    bool more;
} walk_t;

static void load_next(hook_t *h, void *arg) {
    walk_t *walk = arg;
    counter_t was;
    if (walk->more && walk->s->end - walk->s->next >= sizeof(was)) {
        stream_get(walk->s, &was, sizeof(was));
        load_one(h, &was);
        walk->more = h == was.hook;
        if (!walk->more) {
            each_hook(walk->vm, load_one, &was);
        }
    }
}

void counters_load(vm_t *vm, device_stream_t *s) {
    walk_t walk = { vm, s, true };
    each_hook(vm, load_next, &walk);
    for (counter_t was; s->end - s->next >= sizeof(was);) {
        stream_get(s, &was, sizeof(was));
        each_hook(vm, load_one, &was);
    }
}
