// SPDX-License-Identifier: MIT
// _hv.symbols(table, what): names and addresses in tables of hundreds of thousands, as they lie in memory. A table is a
// tuple of buffers:
//   (text,)                            System.map: lines "ffff800008010000 T name", in order
//   (symbols, names, sections)         an ELF64 file's SHT_SYMTAB, its string table, its section headers (System V gABI)
//   (names, tokens, index, offsets)    Linux's kallsyms_names, _token_table, _token_index, _offsets (kernel/kallsyms.c);
//                                      in order, and the addresses are those without kallsyms_relative_base
// A guest owns what the last is made of: no number in it is trusted.

#include <string.h>
#include "py/objstr.h"
#include "py/runtime.h"
#include "core/arch.h"
#include "python/objects.h"
#include "trap/numbers.h"

#define NAME_BYTES 512  // Linux's KSYM_NAME_LEN, of all its versions the longest
#define NEAREST 3

enum { MAP = 1, ELF = 3, KALLSYMS = 4 }; // how many buffers

typedef struct {
    const uint8_t *at;
    size_t bytes;
} part_t;

typedef struct {
    size_t kind;
    part_t part[4];
    size_t at;              // where the next symbol is in part[0]
    size_t index;           // its number
    uint64_t value, size;   // of this one; size 0: to the next one
    bool inside;            // it is a place in memory, not merely a number
    const char *name;
    size_t len;
    char text[NAME_BYTES];
} table_t;

static uint64_t le_bytes(const uint8_t *from, unsigned bytes) {
    uint64_t value = 0;
    memcpy(&value, from, bytes); // little-endian, as this core
    return value;
}

// ---- The next symbol of each kind ---------------------------------------------------------------

static bool next_line(table_t *t) {
    const part_t *p = &t->part[0];
    const char *line = (const char *)p->at + t->at;
    if (t->at >= p->bytes) {
        return false;
    }
    size_t left = p->bytes - t->at, at = 0;
    const char *end = memchr(line, '\n', left);
    size_t bytes = end == NULL ? left : (size_t)(end - line);
    t->at += bytes + 1;
    t->value = 0;
    for (; at < bytes && at < 16 && unichar_isxdigit((unsigned char)line[at]); at++) {
        t->value = t->value << 4 | unichar_xdigit_value((unsigned char)line[at]);
    }
    // " T name"
    bool whole = at > 0 && bytes > at + 3 && line[at] == ' ' && line[at + 2] == ' ';
    t->inside = whole && line[at + 1] != 'A' && line[at + 1] != 'a';
    t->name = line + at + 3;
    t->len = whole ? bytes - at - 3 : 0;
    t->size = 0;
    return true;
}

static bool next_elf(table_t *t) {
    const part_t *names = &t->part[1];
    if (t->part[0].bytes - t->at < 24) {
        return false;
    }
    const uint8_t *symbol = t->part[0].at + t->at;
    uint32_t name = (uint32_t)le_bytes(symbol, 4), section = (uint32_t)le_bytes(symbol + 6, 2);
    t->at += 24;
    t->value = le_bytes(symbol + 8, 8);
    t->size = le_bytes(symbol + 16, 8);
    t->name = (const char *)names->at + name;
    t->len = 0;
    // NOTYPE, OBJECT, FUNC that are defined; "$x" and "$d" only tell code from data (AAELF64, mapping symbols).
    if ((symbol[4] & 15) <= 2 && section != 0 && name < names->bytes && *t->name != '$') {
        const char *end = memchr(t->name, 0, names->bytes - name);
        t->len = end == NULL ? 0 : (size_t)(end - t->name);
    }
    t->inside = t->len != 0 && section < t->part[2].bytes / 64;
    if (t->inside && t->size == 0) { // a label: to the end of its section at most
        const uint8_t *header = t->part[2].at + 64 * section;
        t->size = le_bytes(header + 16, 8) + le_bytes(header + 32, 8) - t->value;
        t->inside = t->value >= le_bytes(header + 16, 8) && t->size <= le_bytes(header + 32, 8);
    }
    return true;
}

// One entry: how many tokens (two bytes of seven bits from 128 on), then a byte for each, whose text is in the table.
static const uint8_t *kallsyms_entry(table_t *t, size_t *tokens) {
    const part_t *p = &t->part[0];
    size_t left = p->bytes - t->at;
    const uint8_t *entry = p->at + t->at;
    if (left < 2) {
        return NULL;
    }
    size_t head = entry[0] & 0x80 ? 2 : 1;
    *tokens = head == 2 ? (entry[0] & 0x7F) | (size_t)entry[1] << 7 : entry[0];
    if (*tokens > left - head) {
        return NULL;
    }
    t->at += head + *tokens;
    return entry + head;
}

static void kallsyms_expand(table_t *t, const uint8_t *entry, size_t tokens) {
    const part_t *texts = &t->part[1];
    size_t len = 0;
    for (size_t i = 0; i < tokens; i++) {
        size_t from = le_bytes(t->part[2].at + 2 * entry[i], 2);
        while (from < texts->bytes && texts->at[from] != 0 && len < NAME_BYTES) {
            t->text[len++] = (char)texts->at[from++];
        }
    }
    t->name = t->text + 1; // the first letter is its kind
    t->len = len > 1 ? len - 1 : 0;
}

static bool next_kallsyms(table_t *t, bool named) {
    size_t tokens;
    const uint8_t *entry = t->index < t->part[3].bytes / 4 ? kallsyms_entry(t, &tokens) : NULL;
    if (entry == NULL) {
        return false;
    }
    t->value = le_bytes(t->part[3].at + 4 * t->index++, 4);
    t->size = 0;
    t->inside = true;
    if (named) {
        kallsyms_expand(t, entry, tokens);
    }
    return true;
}

// The same without writing it down: most differ at once.
static bool kallsyms_is(const table_t *t, const uint8_t *entry, size_t tokens, const char *name, size_t len) {
    const part_t *texts = &t->part[1];
    size_t at = 0; // of its kind and the name
    for (size_t i = 0; i < tokens; i++) {
        const uint8_t *c = texts->at + le_bytes(t->part[2].at + 2 * entry[i], 2), *end = texts->at + texts->bytes;
        for (; c < end && *c != 0; c++, at++) {
            if (at > len || (at != 0 && *c != (uint8_t)name[at - 1])) {
                return false;
            }
        }
    }
    return at == len + 1;
}

static bool next(table_t *t) {
    return t->kind == MAP ? next_line(t) : t->kind == ELF ? next_elf(t) : next_kallsyms(t, true);
}

// ---- What is asked -------------------------------------------------------------------------------

static mp_obj_t kallsyms_find(table_t *t, const char *name, size_t len) {
    size_t count = t->part[3].bytes / 4, tokens;
    const uint8_t *entry;
    for (; t->index < count && (entry = kallsyms_entry(t, &tokens)) != NULL; t->index++) {
        if (kallsyms_is(t, entry, tokens, name, len)) {
            return box_u64(le_bytes(t->part[3].at + 4 * t->index, 4));
        }
    }
    return mp_const_none;
}

static mp_obj_t find(table_t *t, const char *name, size_t len) {
    if (t->kind == KALLSYMS) {
        return kallsyms_find(t, name, len);
    }
    while (next(t)) {
        if (t->len == len && memcmp(t->name, name, len) == 0) {
            return box_u64(t->value);
        }
    }
    return mp_const_none;
}

// A name, whatever bytes it has.
static mp_obj_t printable(const char *name, size_t len) {
    vstr_t text;
    vstr_init_len(&text, len < NAME_BYTES ? len : NAME_BYTES);
    for (size_t i = 0; i < text.len; i++) {
        text.buf[i] = name[i] > ' ' && name[i] < 0x7F ? name[i] : '?';
    }
    return mp_obj_new_str_from_utf8_vstr(&text);
}

// (address, bytes or 0, name): of equal ones the first.
static mp_obj_t answer(const table_t *t) {
    mp_obj_t items[3] = { box_u64(t->value), box_u64(t->size), printable(t->name, t->len) };
    return mp_obj_new_tuple(3, items);
}

static mp_obj_t elf_at(table_t *t, uint64_t address) {
    size_t best = SIZE_MAX;
    uint64_t value = 0, until = UINT64_MAX;
    bool function = false;
    for (size_t at = 0; next_elf(t); at = t->at) {
        if (!t->inside) {
            continue;
        }
        if (t->value > address) {
            until = t->value < until ? t->value : until;
        } else if (address - t->value < t->size && (best == SIZE_MAX || t->value > value || (t->value == value && !function))) {
            best = at;
            value = t->value;
            function = (t->part[0].at[at + 4] & 15) == 2;
        }
    }
    if (best == SIZE_MAX) {
        return mp_const_none;
    }
    t->at = best;
    next_elf(t);
    if (le_bytes(t->part[0].at + best + 16, 8) == 0 && until - t->value < t->size) {
        t->size = until - t->value;
    }
    return answer(t);
}

// The number of the first offset above this one.
static size_t above(const table_t *t, uint64_t address) {
    size_t low = 0, high = t->part[3].bytes / 4;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (le_bytes(t->part[3].at + 4 * middle, 4) <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static mp_obj_t kallsyms_at(table_t *t, uint64_t address) {
    size_t count = t->part[3].bytes / 4, end = above(t, address), first = end;
    if (end == 0 || end == count) {
        return mp_const_none; // below the first or above the last, the kernel's _end
    }
    uint64_t value = le_bytes(t->part[3].at + 4 * (end - 1), 4);
    while (first > 0 && le_bytes(t->part[3].at + 4 * (first - 1), 4) == value) {
        first--;
    }
    while (t->index < first) {
        if (!next_kallsyms(t, false)) {
            return mp_const_none;
        }
    }
    if (!next_kallsyms(t, true)) {
        return mp_const_none;
    }
    t->size = le_bytes(t->part[3].at + 4 * end, 4) - value;
    return answer(t);
}

// The line that begins at or before this byte.
static size_t line_at(const table_t *t, size_t at) {
    while (at > 0 && t->part[0].at[at - 1] != '\n') {
        at--;
    }
    return at;
}

static mp_obj_t map_at(table_t *t, uint64_t address) {
    size_t low = 0, high = t->part[0].bytes;
    while (low < high) { // the first line that is above
        t->at = line_at(t, (low + high) / 2);
        if (!next_line(t) || t->len == 0 || t->value > address) {
            high = line_at(t, (low + high) / 2);
        } else {
            low = t->at;
        }
    }
    if (high == 0) {
        return mp_const_none;
    }
    t->at = high;
    bool more = next_line(t) && t->len != 0;
    uint64_t end = t->value;
    size_t at = line_at(t, high - 1);
    t->at = at;
    next_line(t);
    uint64_t value = t->value;
    while (at > 0) { // the first of equal ones
        t->at = line_at(t, at - 1);
        next_line(t);
        if (t->value != value) {
            break;
        }
        at = line_at(t, at - 1);
    }
    t->at = at;
    next_line(t);
    t->size = more ? end - value : 0;
    return t->inside && (more || value == address) ? answer(t) : mp_const_none;
}

// How much of two names is the same at both ends, less what is not; -NAME_BYTES: they are nothing alike.
static int alike(const char *one, size_t n, const char *two, size_t m) {
    size_t most = n < m ? n : m, head = 0, tail = 0;
    while (head < most && one[head] == two[head]) {
        head++;
    }
    while (tail < most - head && one[n - 1 - tail] == two[m - 1 - tail]) {
        tail++;
    }
    return 3 * (head + tail) < 2 * most || most < 2 ? -NAME_BYTES : 2 * (int)(head + tail) - (int)(n > m ? n : m);
}

static mp_obj_t nearest(table_t *t, const char *name, size_t len) {
    struct { int score;
             size_t len;
             char text[64];
    } best[NEAREST];
    for (unsigned i = 0; i < NEAREST; i++) {
        best[i].score = -NAME_BYTES;
        best[i].len = 0;
    }
    while (next(t)) {
        int score = t->len < sizeof(best[0].text) ? alike(name, len, t->name, t->len) : -NAME_BYTES;
        for (unsigned i = 0; i < NEAREST && score > -NAME_BYTES; i++) {
            if (score > best[i].score) {
                memmove(&best[i + 1], &best[i], (NEAREST - 1 - i) * sizeof(best[0]));
                best[i].score = score;
                best[i].len = t->len;
                memcpy(best[i].text, t->name, t->len);
                break;
            }
            if (t->len == best[i].len && memcmp(t->name, best[i].text, t->len) == 0) {
                break; // a static function of the same name
            }
        }
    }
    mp_obj_t list = mp_obj_new_list(0, NULL);
    for (unsigned i = 0; i < NEAREST && best[i].score > -NAME_BYTES; i++) {
        mp_obj_list_append(list, printable(best[i].text, best[i].len));
    }
    return list;
}

// symbols(table, address) -> (address, bytes or 0, name) or None; symbols(table, name) -> its address, or None;
// symbols(table, name, True) -> up to three names that are nearly it.
static mp_obj_t hv_symbols(size_t n_args, const mp_obj_t *args) {
    mp_obj_t *parts;
    table_t t = { 0 };
    mp_obj_get_array(args[0], &t.kind, &parts);
    if (t.kind != MAP && t.kind != ELF && t.kind != KALLSYMS) {
        mp_raise_ValueError(MP_ERROR_TEXT("a table of symbols has 1, 3 or 4 parts"));
    }
    for (size_t i = 0; i < t.kind; i++) {
        mp_buffer_info_t buf;
        mp_get_buffer_raise(parts[i], &buf, MP_BUFFER_READ);
        t.part[i] = (part_t) { buf.buf, buf.len };
    }
    if (t.kind == KALLSYMS && t.part[2].bytes < 512) {
        mp_raise_ValueError(MP_ERROR_TEXT("kallsyms_token_index has 512 bytes"));
    }
    if (mp_obj_is_int(args[1])) {
        uint64_t address = unbox_u64(args[1]);
        return t.kind == MAP ? map_at(&t, address) : t.kind == ELF ? elf_at(&t, address) : kallsyms_at(&t, address);
    }
    size_t len;
    const char *name = mp_obj_str_get_data(args[1], &len);
    return n_args > 2 && unbox_bool(args[2]) ? nearest(&t, name, len) : find(&t, name, len);
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(hv_symbols_obj, 2, 3, hv_symbols);
