// SPDX-License-Identifier: MIT
// A VM's state as bytes: see state.h.

#include <string.h>
#include "core/arch.h"
#include "memory/mem.h"
#include "vm/state.h"

typedef struct {
    char name[12];
    uint32_t version;
    uint64_t bytes;     // behind this
} section_t;

static bool make_room(device_stream_t *s, size_t size) {
    size_t room = s->room == 0 ? 2 * PAGE_SIZE : s->room;
    while (room - s->used < size) {
        room *= 2;
    }
    if (room == s->room) {
        return true;
    }
    uint8_t *at = page_alloc(room);
    if (at == NULL) {
        s->bad = true;
        return false;
    }
    memcpy(at, s->at, s->used);
    page_free(s->at, s->room);
    s->at = at;
    s->room = room;
    return true;
}

void stream_put(device_stream_t *s, const void *data, size_t size) {
    if (s->room - s->used >= size || make_room(s, size)) {
        memcpy(s->at + s->used, data, size);
        s->used += size;
    }
}

void stream_get(device_stream_t *s, void *data, size_t size) {
    if (size > s->end - s->next) {
        memset(data, 0, size);
        s->bad = true;
        return;
    }
    memcpy(data, s->at + s->next, size);
    s->next += size;
}

void stream_pass(device_stream_t *s, void *data, size_t size) {
    if (s->loads) {
        stream_get(s, data, size);
    } else {
        stream_put(s, data, size);
    }
}

void stream_free(device_stream_t *s) {
    page_free(s->at, s->room);
    memset(s, 0, sizeof(*s));
}

size_t stream_begin(device_stream_t *s, const char *name, unsigned version) {
    section_t section = { .version = version };
    size_t begun = s->used;
    strncpy(section.name, name, sizeof(section.name));
    STREAM_PUT(s, section);
    return begun;
}

void stream_close(device_stream_t *s, size_t begun) {
    if (!s->bad) {
        uint64_t bytes = s->used - begun - sizeof(section_t);
        memcpy(s->at + begun + offsetof(section_t, bytes), &bytes, sizeof(bytes));
    }
}

unsigned stream_open(device_stream_t *s, const char *name) {
    section_t section;
    if (s->used - s->next < sizeof(section)) {
        return 0;
    }
    memcpy(&section, s->at + s->next, sizeof(section));
    if (strncmp(section.name, name, sizeof(section.name)) != 0 || section.bytes > s->used - s->next - sizeof(section)) {
        return 0;
    }
    s->next += sizeof(section);
    s->end = s->next + section.bytes;
    return section.version;
}

void stream_leave(device_stream_t *s) {
    s->bad = s->bad || s->next != s->end;
    s->next = s->end;
}

bool stream_check(device_stream_t *s, bool ok) {
    s->bad = s->bad || (s->foreign && !ok);
    return !s->bad;
}
