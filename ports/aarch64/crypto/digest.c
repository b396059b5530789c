// SPDX-License-Identifier: MIT
// SHA-1 (FIPS 180-4) and MD5 (RFC 1321): the same padding and chaining around different rounds.

#include <string.h>

#include "lib/axtls/crypto/crypto.h"

static inline uint32_t rol(uint32_t x, unsigned n) {
    return x << n | x >> (32 - n);
}

static void sha1_block(uint32_t *h, const uint8_t *data) {
    uint32_t w[80];
    memcpy(w, data, 64);
    for (int i = 0; i < 16; ++i) {
        w[i] = __builtin_bswap32(w[i]);
    }
    for (int i = 16; i < 80; ++i) {
        w[i] = rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    }
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 80; ++i) {
        uint32_t f;
        if (i < 20) {
            f = ((b & c) | (~b & d)) + 0x5A827999;
        } else if (i < 40) {
            f = (b ^ c ^ d) + 0x6ED9EBA1;
        } else if (i < 60) {
            f = ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDC;
        } else {
            f = (b ^ c ^ d) + 0xCA62C1D6;
        }
        f += rol(a, 5) + e + w[i];
        e = d;
        d = c;
        c = rol(b, 30);
        b = a;
        a = f;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

// floor(2^32 * |sin(i + 1)|)
static const uint32_t md5_sine[64] = {
    0xD76AA478, 0xE8C7B756, 0x242070DB, 0xC1BDCEEE, 0xF57C0FAF, 0x4787C62A, 0xA8304613, 0xFD469501,
    0x698098D8, 0x8B44F7AF, 0xFFFF5BB1, 0x895CD7BE, 0x6B901122, 0xFD987193, 0xA679438E, 0x49B40821,
    0xF61E2562, 0xC040B340, 0x265E5A51, 0xE9B6C7AA, 0xD62F105D, 0x02441453, 0xD8A1E681, 0xE7D3FBC8,
    0x21E1CDE6, 0xC33707D6, 0xF4D50D87, 0x455A14ED, 0xA9E3E905, 0xFCEFA3F8, 0x676F02D9, 0x8D2A4C8A,
    0xFFFA3942, 0x8771F681, 0x6D9D6122, 0xFDE5380C, 0xA4BEEA44, 0x4BDECFA9, 0xF6BB4B60, 0xBEBFBC70,
    0x289B7EC6, 0xEAA127FA, 0xD4EF3085, 0x04881D05, 0xD9D4D039, 0xE6DB99E5, 0x1FA27CF8, 0xC4AC5665,
    0xF4292244, 0x432AFF97, 0xAB9423A7, 0xFC93A039, 0x655B59C3, 0x8F0CCC92, 0xFFEFF47D, 0x85845DD1,
    0x6FA87E4F, 0xFE2CE6E0, 0xA3014314, 0x4E0811A1, 0xF7537E82, 0xBD3AF235, 0x2AD7D2BB, 0xEB86D391,
};

static void md5_block(uint32_t *h, const uint8_t *data) {
    static const uint8_t shift[4][4] = { { 7, 12, 17, 22 }, { 5, 9, 14, 20 }, { 4, 11, 16, 23 }, { 6, 10, 15, 21 } };
    uint32_t w[16];
    memcpy(w, data, 64);
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3];
    for (int i = 0; i < 64; ++i) {
        uint32_t f;
        int g;
        if (i < 16) {
            f = (b & c) | (~b & d);
            g = i;
        } else if (i < 32) {
            f = (d & b) | (~d & c);
            g = 5 * i + 1;
        } else if (i < 48) {
            f = b ^ c ^ d;
            g = 3 * i + 5;
        } else {
            f = c ^ (b | ~d);
            g = 7 * i;
        }
        f += a + md5_sine[i] + w[g & 15];
        a = d;
        d = c;
        c = b;
        b += rol(f, shift[i / 16][i & 3]);
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
}

static void update(digest_t *ctx, const uint8_t *data, size_t len, void (*block)(uint32_t *h, const uint8_t *data)) {
    size_t have = ctx->len % 64;
    ctx->len += len;
    while (have + len >= 64) {
        size_t take = 64 - have;
        memcpy(ctx->block + have, data, take);
        block(ctx->h, ctx->block);
        data += take;
        len -= take;
        have = 0;
    }
    memcpy(ctx->block + have, data, len);
}

// A one bit, zeros, and the length in bits as the last 8 bytes of a block.
static void finish(digest_t *ctx, uint64_t bits, void (*block)(uint32_t *h, const uint8_t *data)) {
    static const uint8_t padding[64] = { 0x80 };
    update(ctx, padding, 1 + (119 - ctx->len % 64) % 64, block);
    update(ctx, (const uint8_t *)&bits, 8, block);
}

void SHA1_Init(SHA1_CTX *ctx) {
    *ctx = (SHA1_CTX) { 0, { 0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0 } };
}

void SHA1_Update(SHA1_CTX *ctx, const uint8_t *data, size_t len) {
    update(ctx, data, len, sha1_block);
}

void SHA1_Final(uint8_t *out, SHA1_CTX *ctx) {
    finish(ctx, __builtin_bswap64(ctx->len * 8), sha1_block);
    for (int i = 0; i < 5; ++i) {
        ctx->h[i] = __builtin_bswap32(ctx->h[i]);
    }
    memcpy(out, ctx->h, SHA1_SIZE);
}

void MD5_Init(MD5_CTX *ctx) {
    *ctx = (MD5_CTX) { 0, { 0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476 } };
}

void MD5_Update(MD5_CTX *ctx, const uint8_t *data, size_t len) {
    update(ctx, data, len, md5_block);
}

void MD5_Final(uint8_t *out, MD5_CTX *ctx) {
    finish(ctx, ctx->len * 8, md5_block);
    memcpy(out, ctx->h, MD5_SIZE);
}
