// SPDX-License-Identifier: MIT
// AES (FIPS 197), a byte at a time: small rather than fast.

#include <string.h>

#include "lib/axtls/crypto/crypto.h"

static const uint8_t sbox[256] = {
    0x63, 0x7C, 0x77, 0x7B, 0xF2, 0x6B, 0x6F, 0xC5, 0x30, 0x01, 0x67, 0x2B, 0xFE, 0xD7, 0xAB, 0x76,
    0xCA, 0x82, 0xC9, 0x7D, 0xFA, 0x59, 0x47, 0xF0, 0xAD, 0xD4, 0xA2, 0xAF, 0x9C, 0xA4, 0x72, 0xC0,
    0xB7, 0xFD, 0x93, 0x26, 0x36, 0x3F, 0xF7, 0xCC, 0x34, 0xA5, 0xE5, 0xF1, 0x71, 0xD8, 0x31, 0x15,
    0x04, 0xC7, 0x23, 0xC3, 0x18, 0x96, 0x05, 0x9A, 0x07, 0x12, 0x80, 0xE2, 0xEB, 0x27, 0xB2, 0x75,
    0x09, 0x83, 0x2C, 0x1A, 0x1B, 0x6E, 0x5A, 0xA0, 0x52, 0x3B, 0xD6, 0xB3, 0x29, 0xE3, 0x2F, 0x84,
    0x53, 0xD1, 0x00, 0xED, 0x20, 0xFC, 0xB1, 0x5B, 0x6A, 0xCB, 0xBE, 0x39, 0x4A, 0x4C, 0x58, 0xCF,
    0xD0, 0xEF, 0xAA, 0xFB, 0x43, 0x4D, 0x33, 0x85, 0x45, 0xF9, 0x02, 0x7F, 0x50, 0x3C, 0x9F, 0xA8,
    0x51, 0xA3, 0x40, 0x8F, 0x92, 0x9D, 0x38, 0xF5, 0xBC, 0xB6, 0xDA, 0x21, 0x10, 0xFF, 0xF3, 0xD2,
    0xCD, 0x0C, 0x13, 0xEC, 0x5F, 0x97, 0x44, 0x17, 0xC4, 0xA7, 0x7E, 0x3D, 0x64, 0x5D, 0x19, 0x73,
    0x60, 0x81, 0x4F, 0xDC, 0x22, 0x2A, 0x90, 0x88, 0x46, 0xEE, 0xB8, 0x14, 0xDE, 0x5E, 0x0B, 0xDB,
    0xE0, 0x32, 0x3A, 0x0A, 0x49, 0x06, 0x24, 0x5C, 0xC2, 0xD3, 0xAC, 0x62, 0x91, 0x95, 0xE4, 0x79,
    0xE7, 0xC8, 0x37, 0x6D, 0x8D, 0xD5, 0x4E, 0xA9, 0x6C, 0x56, 0xF4, 0xEA, 0x65, 0x7A, 0xAE, 0x08,
    0xBA, 0x78, 0x25, 0x2E, 0x1C, 0xA6, 0xB4, 0xC6, 0xE8, 0xDD, 0x74, 0x1F, 0x4B, 0xBD, 0x8B, 0x8A,
    0x70, 0x3E, 0xB5, 0x66, 0x48, 0x03, 0xF6, 0x0E, 0x61, 0x35, 0x57, 0xB9, 0x86, 0xC1, 0x1D, 0x9E,
    0xE1, 0xF8, 0x98, 0x11, 0x69, 0xD9, 0x8E, 0x94, 0x9B, 0x1E, 0x87, 0xE9, 0xCE, 0x55, 0x28, 0xDF,
    0x8C, 0xA1, 0x89, 0x0D, 0xBF, 0xE6, 0x42, 0x68, 0x41, 0x99, 0x2D, 0x0F, 0xB0, 0x54, 0xBB, 0x16,
};

// The inverse of sbox, made at first use.
static uint8_t inverse_sbox[256];

static inline uint8_t byte_of(uint32_t column, unsigned row) {
    return column >> (24 - 8 * row);
}

static inline uint32_t column_of(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
    return (uint32_t)a << 24 | b << 16 | c << 8 | d;
}

static inline uint32_t sub_word(uint32_t w) {
    return column_of(sbox[byte_of(w, 0)], sbox[byte_of(w, 1)], sbox[byte_of(w, 2)], sbox[byte_of(w, 3)]);
}

// Multiply by x in GF(2^8), in all four bytes at once.
static inline uint32_t times_x(uint32_t w) {
    return (w & 0x7F7F7F7F) << 1 ^ (w >> 7 & 0x01010101) * 0x1B;
}

static inline uint32_t rol(uint32_t x, unsigned n) {
    return x << n | x >> (32 - n);
}

void AES_set_key(AES_CTX *ctx, const uint8_t *key, const uint8_t *iv, AES_MODE mode) {
    unsigned words = mode == AES_MODE_128 ? 4 : 8;
    ctx->rounds = words + 6;
    for (unsigned i = 0; i < words; ++i) {
        ctx->key[i] = column_of(key[4 * i], key[4 * i + 1], key[4 * i + 2], key[4 * i + 3]);
    }
    uint32_t rcon = 0x01000000;
    for (unsigned i = words; i < 4 * (ctx->rounds + 1); ++i) {
        uint32_t w = ctx->key[i - 1];
        if (i % words == 0) {
            w = sub_word(rol(w, 8)) ^ rcon;
            rcon = times_x(rcon);
        } else if (words == 8 && i % 8 == 4) {
            w = sub_word(w);
        }
        ctx->key[i] = ctx->key[i - words] ^ w;
    }
    memset(ctx->iv, 0, sizeof(ctx->iv));
    if (iv != NULL) {
        memcpy(ctx->iv, iv, sizeof(ctx->iv));
    }
    for (unsigned i = 0; i < 256; ++i) {
        inverse_sbox[sbox[i]] = i;
    }
}

// Decryption walks the same key backwards.
void AES_convert_key(AES_CTX *ctx) {
}

static void add_key(const AES_CTX *ctx, uint32_t *block, unsigned round) {
    for (unsigned i = 0; i < 4; ++i) {
        block[i] ^= ctx->key[4 * round + i];
    }
}

// Substitute each byte and rotate row r by r columns, left (step 1) or right (step 3).
static void sub_shift(uint32_t *block, const uint8_t *box, unsigned step) {
    uint32_t out[4];
    for (unsigned i = 0; i < 4; ++i) {
        out[i] = column_of(box[byte_of(block[i], 0)], box[byte_of(block[(i + step) & 3], 1)],
            box[byte_of(block[(i + 2) & 3], 2)], box[byte_of(block[(i + 3 * step) & 3], 3)]);
    }
    memcpy(block, out, sizeof(out));
}

static inline uint32_t mix_column(uint32_t w) {
    uint32_t x2 = times_x(w);
    return x2 ^ rol(x2 ^ w, 8) ^ rol(w, 16) ^ rol(w, 24);
}

void AES_encrypt(const AES_CTX *ctx, uint32_t *block) {
    add_key(ctx, block, 0);
    for (unsigned round = 1; round <= ctx->rounds; ++round) {
        sub_shift(block, sbox, 1);
        if (round < ctx->rounds) {
            for (unsigned i = 0; i < 4; ++i) {
                block[i] = mix_column(block[i]);
            }
        }
        add_key(ctx, block, round);
    }
}

void AES_decrypt(const AES_CTX *ctx, uint32_t *block) {
    for (unsigned round = ctx->rounds; round > 0; --round) {
        add_key(ctx, block, round);
        if (round < ctx->rounds) {
            for (unsigned i = 0; i < 4; ++i) {
                // MixColumns is its own inverse but for this factor.
                uint32_t x4 = times_x(times_x(block[i]));
                block[i] = mix_column(block[i] ^ x4 ^ rol(x4, 16));
            }
        }
        sub_shift(block, inverse_sbox, 3);
    }
    add_key(ctx, block, 0);
}

static void load(uint32_t *block, const uint8_t *in) {
    memcpy(block, in, 16);
    for (unsigned i = 0; i < 4; ++i) {
        block[i] = __builtin_bswap32(block[i]);
    }
}

static void store(uint8_t *out, const uint32_t *block) {
    for (unsigned i = 0; i < 4; ++i) {
        uint32_t w = __builtin_bswap32(block[i]);
        memcpy(out + 4 * i, &w, 4);
    }
}

void AES_cbc_encrypt(AES_CTX *ctx, const uint8_t *in, uint8_t *out, int len) {
    uint32_t chain[4], block[4];
    load(chain, ctx->iv);
    for (; len >= 16; len -= 16, in += 16, out += 16) {
        load(block, in);
        for (unsigned i = 0; i < 4; ++i) {
            chain[i] ^= block[i];
        }
        AES_encrypt(ctx, chain);
        store(out, chain);
    }
    store(ctx->iv, chain);
}

void AES_cbc_decrypt(AES_CTX *ctx, const uint8_t *in, uint8_t *out, int len) {
    uint32_t chain[4], block[4], next[4];
    load(chain, ctx->iv);
    for (; len >= 16; len -= 16, in += 16, out += 16) {
        load(block, in);
        memcpy(next, block, sizeof(next));
        AES_decrypt(ctx, block);
        for (unsigned i = 0; i < 4; ++i) {
            block[i] ^= chain[i];
        }
        store(out, block);
        memcpy(chain, next, sizeof(chain));
    }
    store(ctx->iv, chain);
}
