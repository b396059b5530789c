// SPDX-License-Identifier: MIT
// Inflate (RFC 1951) behind the interface of lib/uzlib, in the place of whose tinflate.c this file is
// included by extmod/moddeflate.c: a look-up for each code of up to 8 bits, where that one takes bit
// after bit. No more input is taken than is needed, since what follows belongs to somebody else.

#include <string.h>

#include "lib/uzlib/uzlib.h"

#define FAST_BITS 8
#define DISTANCES 32

// The first 32 of dtree.trans are enough for distances. The rest, by the next 8 bits of input, has
// symbol << 4 | length of the literal or length code they begin with, or 0 when it is longer.
static unsigned short *lookup(uzlib_uncomp_t *d) {
    return d->dtree.trans + DISTANCES;
}

unsigned char uzlib_get_byte(uzlib_uncomp_t *d) {
    if (d->source < d->source_limit) {
        return *d->source++;
    }
    int byte = d->source_read_cb && !d->eof ? d->source_read_cb(d->source_read_data) : -1;
    if (byte < 0) {
        d->eof = true;
        byte = 0;
    }
    return byte;
}

static void need(uzlib_uncomp_t *d, unsigned bits) {
    while (d->bitcount < bits) {
        d->tag |= (unsigned)uzlib_get_byte(d) << d->bitcount;
        d->bitcount += 8;
    }
}

static inline void drop(uzlib_uncomp_t *d, unsigned bits) {
    d->tag >>= bits;
    d->bitcount -= bits;
}

static unsigned take(uzlib_uncomp_t *d, unsigned bits) {
    need(d, bits);
    unsigned value = d->tag & ((1u << bits) - 1);
    drop(d, bits);
    return value;
}

// Huffman codes come with the most significant bit first.
static inline unsigned reversed(unsigned code, unsigned bits) {
    __asm__ ("rbit %w0, %w1" : "=r" (code) : "r" (code));
    return code >> (32 - bits);
}

// t->table: how many codes there are of each length. t->trans: symbols in the order of their codes.
static int build(TINF_TREE *t, const uint8_t *lengths, unsigned count) {
    unsigned short next[16];
    memset(t->table, 0, sizeof(t->table));
    for (unsigned i = 0; i < count; i++) {
        t->table[lengths[i]]++;
    }
    int left = 1;
    for (unsigned len = 1, sum = 0; len < 16; len++) {
        next[len] = sum;
        sum += t->table[len];
        left = left * 2 - t->table[len];
        if (left < 0) {
            return UZLIB_DATA_ERROR; // more codes than there can be
        }
    }
    for (unsigned i = 0; i < count; i++) {
        if (lengths[i] != 0) {
            t->trans[next[lengths[i]]++] = i;
        }
    }
    return UZLIB_OK;
}

static int build_both(uzlib_uncomp_t *d, const uint8_t *lengths, unsigned literals, unsigned distances) {
    if (build(&d->ltree, lengths, literals) != UZLIB_OK || build(&d->dtree, lengths + literals, distances) != UZLIB_OK) {
        return UZLIB_DATA_ERROR;
    }
    memset(lookup(d), 0, sizeof(unsigned short) << FAST_BITS);
    unsigned code = 0, index = 0;
    for (unsigned len = 1; len <= FAST_BITS; len++, code <<= 1) {
        for (unsigned n = d->ltree.table[len]; n != 0; n--, code++, index++) {
            for (unsigned i = reversed(code, len); i < 1 << FAST_BITS; i += 1 << len) {
                lookup(d)[i] = d->ltree.trans[index] << 4 | len;
            }
        }
    }
    // Where longer ones begin: there are no codes of length 0 to count.
    d->dtree.table[0] = code;
    d->ltree.table[0] = index;
    return UZLIB_OK;
}

// The symbol of a code of more than `len` bits that begins with `code`; `first` is the least code
// of one bit more, `index` its place in t->trans.
static int decode(uzlib_uncomp_t *d, const TINF_TREE *t, unsigned len, unsigned code, unsigned first, unsigned index) {
    while (++len < 16) {
        code = code << 1 | take(d, 1);
        if (code - first < t->table[len]) {
            return t->trans[index + code - first];
        }
        index += t->table[len];
        first = (first + t->table[len]) << 1;
    }
    return UZLIB_DATA_ERROR;
}

static inline int decode_literal(uzlib_uncomp_t *d) {
    for (;;) {
        unsigned entry = lookup(d)[d->tag & ((1 << FAST_BITS) - 1)], len = entry & 15;
        if (len != 0 && len <= d->bitcount) {
            drop(d, len);
            return entry >> 4;
        }
        if (d->bitcount >= FAST_BITS) {
            unsigned code = reversed(d->tag, 32) >> (32 - FAST_BITS);
            drop(d, FAST_BITS);
            return decode(d, &d->ltree, FAST_BITS, code, d->dtree.table[0], d->ltree.table[0]);
        }
        need(d, d->bitcount + 1);
    }
}

// The code lengths of a dynamic block (RFC 1951, 3.2.7).
static int read_trees(uzlib_uncomp_t *d) {
    static const uint8_t order[19] = { 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15 };
    uint8_t lengths[288 + DISTANCES] = { 0 };
    unsigned literals = take(d, 5) + 257, distances = take(d, 5) + 1, orders = take(d, 4) + 4;
    for (unsigned i = 0; i < orders; i++) {
        lengths[order[i]] = take(d, 3);
    }
    if (build(&d->ltree, lengths, 19) != UZLIB_OK) {
        return UZLIB_DATA_ERROR;
    }
    for (unsigned n = 0; n < literals + distances;) {
        int symbol = decode(d, &d->ltree, 0, 0, 0, 0);
        unsigned repeat = 1, value = symbol;
        if (symbol < 0 || (symbol == 16 && n == 0)) {
            return UZLIB_DATA_ERROR;
        } else if (symbol == 16) {
            value = lengths[n - 1];
            repeat = 3 + take(d, 2);
        } else if (symbol > 16) {
            value = 0;
            repeat = symbol == 17 ? 3 + take(d, 3) : 11 + take(d, 7);
        }
        if (repeat > literals + distances - n) {
            return UZLIB_DATA_ERROR;
        }
        memset(lengths + n, value, repeat);
        n += repeat;
    }
    return build_both(d, lengths, literals, distances);
}

static int begin_block(uzlib_uncomp_t *d) {
    d->bfinal = take(d, 1);
    d->btype = take(d, 2);
    if (d->btype == 0) {
        d->tag = d->bitcount = 0; // the rest of a byte
        d->curlen = take(d, 16);
        return take(d, 16) == (~d->curlen & 0xFFFF) && !d->eof ? UZLIB_OK : UZLIB_DATA_ERROR;
    } else if (d->btype == 1) {
        uint8_t lengths[288 + DISTANCES];
        memset(lengths, 8, 288);
        memset(lengths + 144, 9, 112);
        memset(lengths + 256, 7, 24);
        memset(lengths + 288, 5, DISTANCES);
        return build_both(d, lengths, 288, DISTANCES);
    }
    return d->btype == 2 ? read_trees(d) : UZLIB_DATA_ERROR;
}

static inline void put(uzlib_uncomp_t *d, uint8_t byte) {
    *d->dest++ = byte;
    if (d->dict_ring) {
        d->dict_ring[d->dict_idx++] = byte;
        if (d->dict_idx == d->dict_size) {
            d->dict_idx = 0;
        }
    }
}

// Length and distance (3.2.5): four codes to each number of extra bits, or two.
static int begin_match(uzlib_uncomp_t *d, unsigned code) {
    if (code >= 29) {
        return UZLIB_DATA_ERROR;
    }
    unsigned bits = code < 8 || code == 28 ? 0 : code / 4 - 1;
    d->curlen = code < 4 ? 3 + code : code == 28 ? 258 : ((4 + code % 4) << bits) + 3 + take(d, bits);

    int distance = decode(d, &d->dtree, 0, 0, 0, 0);
    if (distance < 0 || distance >= 30) {
        return UZLIB_DATA_ERROR;
    }
    bits = distance < 4 ? 0 : distance / 2 - 1;
    unsigned back = distance < 2 ? 1 + distance : ((2 + distance % 2) << bits) + 1 + take(d, bits);
    if (d->dict_ring) {
        if (back > d->dict_size) {
            return UZLIB_DICT_ERROR;
        }
        d->lzOff = d->dict_idx - back + (back > d->dict_idx ? d->dict_size : 0);
    } else {
        if (back > (size_t)(d->dest - d->dest_start)) {
            return UZLIB_DATA_ERROR;
        }
        d->lzOff = -back;
    }
    return UZLIB_OK;
}

// As much of a match as there is room for, up to where the ring wraps. It may overlap itself.
static void copy(uzlib_uncomp_t *d) {
    unsigned n = d->curlen;
    if (n > (size_t)(d->dest_limit - d->dest)) {
        n = d->dest_limit - d->dest;
    }
    uint8_t *to = d->dest;
    if (d->dict_ring) {
        unsigned from = d->lzOff, room = d->dict_size - (from > d->dict_idx ? from : d->dict_idx);
        n = n < room ? n : room;
        uint8_t *ring = d->dict_ring + d->dict_idx, *source = d->dict_ring + from;
        for (unsigned i = 0; i < n; i++) {
            to[i] = ring[i] = source[i];
        }
        d->dict_idx = d->dict_idx + n == d->dict_size ? 0 : d->dict_idx + n;
        d->lzOff = from + n == d->dict_size ? 0 : from + n;
    } else {
        const uint8_t *source = to + d->lzOff;
        for (unsigned i = 0; i < n; i++) {
            to[i] = source[i];
        }
    }
    d->dest = to + n;
    d->curlen -= n;
}

static int inflate_codes(uzlib_uncomp_t *d) {
    while (d->dest < d->dest_limit) {
        if (d->curlen == 0) {
            int symbol = decode_literal(d);
            if (symbol < 0 || d->eof) {
                return UZLIB_DATA_ERROR;
            }
            if (symbol < 256) {
                put(d, symbol);
                continue;
            }
            if (symbol == 256) {
                return UZLIB_DONE;
            }
            int error = begin_match(d, symbol - 257);
            if (error != UZLIB_OK) {
                return error;
            }
        }
        copy(d);
    }
    return UZLIB_OK;
}

static int inflate_stored(uzlib_uncomp_t *d) {
    for (; d->curlen != 0; d->curlen--) {
        if (d->dest == d->dest_limit) {
            return UZLIB_OK;
        }
        put(d, uzlib_get_byte(d));
        if (d->eof) {
            return UZLIB_DATA_ERROR;
        }
    }
    return UZLIB_DONE;
}

void uzlib_uncompress_init(uzlib_uncomp_t *d, void *dict, unsigned int dict_size) {
    d->eof = false;
    d->tag = d->bitcount = 0;
    d->bfinal = 0;
    d->btype = -1;
    d->dict_size = dict_size;
    d->dict_ring = dict;
    d->dict_idx = 0;
    d->curlen = 0;
}

int uzlib_uncompress(uzlib_uncomp_t *d) {
    for (;;) {
        if (d->btype < 0) {
            int error = begin_block(d);
            if (error != UZLIB_OK) {
                return error;
            }
        }
        int result = d->btype == 0 ? inflate_stored(d) : inflate_codes(d);
        if (result != UZLIB_DONE || d->bfinal) {
            return result;
        }
        d->btype = -1;
    }
}

static unsigned get_word(uzlib_uncomp_t *d) {
    unsigned word = 0;
    for (int i = 0; i < 4; i++) {
        word |= (unsigned)uzlib_get_byte(d) << 8 * i;
    }
    return word;
}

int uzlib_uncompress_chksum(uzlib_uncomp_t *d) {
    uint8_t *data = d->dest;
    int result = uzlib_uncompress(d);
    if (result < 0 || d->checksum_type == UZLIB_CHKSUM_NONE) {
        return result;
    }
    bool crc = d->checksum_type == UZLIB_CHKSUM_CRC;
    d->checksum = (crc ? uzlib_crc32 : uzlib_adler32)(data, d->dest - data, d->checksum);
    if (result == UZLIB_DONE) {
        unsigned sum = get_word(d);
        if ((crc ? ~sum : __builtin_bswap32(sum)) != d->checksum) {
            return UZLIB_CHKSUM_ERROR;
        }
        if (crc) {
            get_word(d); // the length: the sum says enough
        }
    }
    return result;
}
