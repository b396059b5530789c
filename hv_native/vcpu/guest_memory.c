// SPDX-License-Identifier: MIT
// See guest_memory.h.

#include <string.h>
#include "core/access.h"
#include "core/arch.h"
#include "vcpu/guest_memory.h"
#include "vcpu/vcpu.h"
#include "vm/owner.h"
#include "vm/ram.h"
#include "vm/rights.h"
#include "vm/vm.h"

#define MEMATTR_DEVICE_MASK (UINT64_C(3) << 4)  // MemAttr[3:2] of a stage-2 descriptor: 0, a device (DDI 0487 D5.5.5)

// The machine's address of RAM at va. Stage 1 by AT, since only the core knows what it has cached; stage 2 by a walk of
// its tables, since AT would ask for rights too, which watches and breakpoints take away.
static bool ram_at(vcpu_t *v, uint64_t va, uint64_t *ipa_out, uint64_t *pa) {
    vm_t *vm = v->vm;
    uint64_t ipa;
    if (vcpu_translate_va(v, va, false, false, &ipa, NULL) != 0) {
        return false;
    }
    *ipa_out = ipa;
    if (vm_ram_missing(vm, ipa)) {
        vm_ram_fault(vm, ipa, true); // RAM nobody has touched yet is RAM all the same
    }
    uint64_t daif = spin_lock_irq(&vm->lock);
    pgwalk_t w = pgtable_walk(&vm->stage2, ipa);
    spin_unlock_irq(&vm->lock, daif);
    *pa = (w.entry & PTE_ADDR_MASK & ~(w.size - 1)) | (ipa & (w.size - 1));
    return (w.entry & PTE_VALID) && (w.entry & MEMATTR_DEVICE_MASK) && host_is_ram(*pa, 1);
}

// As much as one access takes: 8 bytes, or one where the address or the rest is odd. EL2 need not have the page mapped:
// then the access faults, and says so.
static unsigned access_bytes(uint64_t pa, size_t n) {
    return pa % 8 == 0 && n >= 8 ? 8 : 1;
}

static size_t read_page(uint64_t pa, uint8_t *to, size_t n) {
    size_t done = 0;
    while (done < n) {
        uint64_t value, at = pa + done;
        unsigned size = access_bytes(at, n - done);
        if ((done == 0 || at % 64 == 0) && clean_line(at) != 0) {
            break;
        }
        if (peek(at, size, &value) != 0) {
            break;
        }
        memcpy(to + done, &value, size);
        done += size;
    }
    return done;
}

static size_t write_page(uint64_t pa, const uint8_t *from, size_t n) {
    size_t done = 0;
    while (done < n) {
        uint64_t value = 0, at = pa + done;
        unsigned size = access_bytes(at, n - done);
        memcpy(&value, from + done, size);
        if (clean_line(at) != 0 || poke(at, size, value) != 0) {
            break;
        }
        done += size;
        clean_line(at);
    }
    icache_invalidate();
    return done;
}

static size_t each_page(vcpu_t *v, uint64_t va, uint8_t *to, const uint8_t *from, size_t n) {
    size_t done = 0;
    while (done < n) {
        size_t part = PAGE_SIZE - (va + done) % PAGE_SIZE, got;
        uint64_t ipa, pa;
        part = part < n - done ? part : n - done;
        if (!ram_at(v, va + done, &ipa, &pa)) {
            break;
        }
        if (to != NULL) {
            got = read_page(pa, to + done, part);
            rights_load(v->vm, ipa, got, to + done);
        } else {
            rights_store(v->vm, ipa, part, false, BY_SCRIPT);
            got = write_page(pa, from + done, part);
            rights_store(v->vm, ipa, part, true, BY_SCRIPT);
        }
        done += got;
        if (got < part) {
            break;
        }
    }
    return done;
}

size_t guest_read(vcpu_t *v, uint64_t va, void *to, size_t n) {
    return each_page(v, va, to, NULL, n);
}

size_t guest_write(vcpu_t *v, uint64_t va, const void *from, size_t n) {
    return each_page(v, va, NULL, from, n);
}
