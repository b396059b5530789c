// SPDX-License-Identifier: MIT
// Compression for files of snapshots: see pack.h. A block is sequences of a token, literals, and a match behind it that is
// told by its offset (16 bits) and length (from 4 on); lengths from 15 on have more bytes. The last one has literals alone.

#include <string.h>
#include "core/arch.h"
#include "hold/pack.h"
#include "memory/mem.h"

#define SHORTEST 4u
#define LAST_LITERALS 5u    // the format's: the block ends with so many at least,
#define LAST_MATCH 12u      // and no match begins nearer to its end
#define SEEN_BITS 12u
#define SEEN_BYTES (sizeof(uint16_t) << SEEN_BITS)

static inline uint32_t word_at(const uint8_t *p) {
    uint32_t word;
    memcpy(&word, p, sizeof(word));
    return word;
}

static inline uint64_t long_at(const uint8_t *p) {
    uint64_t value;
    memcpy(&value, p, sizeof(value));
    return value;
}

static size_t match_length(const uint8_t *a, const uint8_t *b, const uint8_t *end) {
    const uint8_t *begin = b;
    for (; b + 8 <= end; a += 8, b += 8) {
        uint64_t differ = long_at(a) ^ long_at(b);
        if (differ != 0) {
            return (size_t)(b - begin) + (unsigned)__builtin_ctzll(differ) / 8;
        }
    }
    for (; b < end && *a == *b; a++, b++) {
    }
    return (size_t)(b - begin);
}

static uint8_t *put_more(uint8_t *to, size_t length) {
    for (; length >= 255; length -= 255) {
        *to++ = 255;
    }
    *to++ = (uint8_t)length;
    return to;
}

// A sequence; length 0: the last one. NULL: no room.
static uint8_t *put_sequence(uint8_t *to, const uint8_t *end, const uint8_t *literals, size_t count, size_t offset, size_t length) {
    size_t more = length == 0 ? 0 : length - SHORTEST;
    if ((size_t)(end - to) < count + count / 255 + more / 255 + 5) {
        return NULL;
    }
    *to++ = (uint8_t)((count < 15 ? count : 15) << 4 | (more < 15 ? more : 15));
    to = count < 15 ? to : put_more(to, count - 15);
    memcpy(to, literals, count);
    to += count;
    if (length != 0) {
        *to++ = (uint8_t)offset;
        *to++ = (uint8_t)(offset >> 8);
        to = more < 15 ? to : put_more(to, more - 15);
    }
    return to;
}

static size_t pack_by(const uint8_t *from, size_t size, uint8_t *to, size_t room, uint16_t *seen) {
    uint8_t *out = to;
    const uint8_t *end = from + size, *literals = from, *at = from;
    while (at + LAST_MATCH < end && out != NULL) {
        uint32_t hash = word_at(at) * 0x9E3779B1u >> (32 - SEEN_BITS);
        const uint8_t *was = from + seen[hash];
        seen[hash] = (uint16_t)(at - from);
        if (was < at && word_at(was) == word_at(at)) {
            size_t length = SHORTEST + match_length(was + SHORTEST, at + SHORTEST, end - LAST_LITERALS);
            out = put_sequence(out, to + room, literals, (size_t)(at - literals), (size_t)(at - was), length);
            literals = at += length;
        } else {
            at += 1 + ((size_t)(at - literals) >> 6); // the longer nothing has been found, the less is looked for
        }
    }
    out = out == NULL ? NULL : put_sequence(out, to + room, literals, (size_t)(end - literals), 0, 0);
    return out == NULL ? 0 : (size_t)(out - to);
}

size_t pack(const uint8_t *from, size_t size, uint8_t *to, size_t room) {
    uint16_t *seen = size > PACK_MAX ? NULL : page_alloc(SEEN_BYTES);
    if (seen == NULL) {
        return 0;
    }
    page_zero(seen, SEEN_BYTES);
    size_t n = pack_by(from, size, to, room, seen);
    page_free(seen, SEEN_BYTES);
    return n;
}

// Of a length whose four bits are all ones, the rest. False: the block ends in it.
static bool get_more(const uint8_t **at, const uint8_t *end, size_t *length) {
    uint8_t byte = 255;
    while (*length >= 15 && byte == 255) {
        if (*at == end) {
            return false;
        }
        byte = *(*at)++;
        *length += byte;
    }
    return true;
}

// It may overlap: what it copies is then what it has copied.
static void repeat(uint8_t *to, size_t offset, size_t length) {
    if (offset == 1) {
        memset(to, to[-1], length);
    } else if (offset >= length) {
        memcpy(to, to - offset, length);
    } else {
        for (size_t i = 0; i < length; i++) {
            to[i] = to[i - offset];
        }
    }
}

size_t unpack(const uint8_t *from, size_t size, uint8_t *to, size_t room) {
    const uint8_t *end = from + size;
    size_t done = 0;
    while (from < end) {
        unsigned token = *from++;
        size_t count = token >> 4, length = token & 15;
        if (!get_more(&from, end, &count) || count > (size_t)(end - from) || count > room - done) {
            return 0;
        }
        memcpy(to + done, from, count);
        done += count;
        from += count;
        if (from == end) {
            return done;
        }
        if (end - from < 2) {
            return 0;
        }
        size_t offset = from[0] | (size_t)from[1] << 8;
        from += 2;
        if (offset == 0 || offset > done || !get_more(&from, end, &length) || length + SHORTEST > room - done) {
            return 0;
        }
        repeat(to + done, offset, length + SHORTEST);
        done += length + SHORTEST;
    }
    return 0;
}
