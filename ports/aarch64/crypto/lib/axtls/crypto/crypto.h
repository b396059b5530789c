// SPDX-License-Identifier: MIT
// SHA-1, MD5 and AES for hashlib and cryptolib, under the names extmod/ calls axTLS by: that library is
// not in every MicroPython source package. Written from FIPS 180-4, RFC 1321 and FIPS 197; not hardened
// against timing, so for checksums and file formats, not for secrets.
#ifndef PORT_CRYPTO_H
#define PORT_CRYPTO_H

#include <stddef.h>
#include <stdint.h>

#define SHA1_SIZE 20
#define MD5_SIZE 16

typedef struct {
    uint64_t len; // bytes so far
    uint32_t h[5];
    uint8_t block[64];
} digest_t;

typedef digest_t SHA1_CTX;
typedef digest_t MD5_CTX;

void SHA1_Init(SHA1_CTX *ctx);
void SHA1_Update(SHA1_CTX *ctx, const uint8_t *data, size_t len);
void SHA1_Final(uint8_t *out, SHA1_CTX *ctx);

void MD5_Init(MD5_CTX *ctx);
void MD5_Update(MD5_CTX *ctx, const uint8_t *data, size_t len);
void MD5_Final(uint8_t *out, MD5_CTX *ctx);

typedef enum { AES_MODE_128, AES_MODE_256 } AES_MODE;

typedef struct {
    uint32_t key[60]; // the expanded key, one big-endian column per word
    unsigned rounds;
    uint8_t iv[16];
} AES_CTX;

void AES_set_key(AES_CTX *ctx, const uint8_t *key, const uint8_t *iv, AES_MODE mode); // iv may be NULL
void AES_convert_key(AES_CTX *ctx);
void AES_encrypt(const AES_CTX *ctx, uint32_t *block); // four columns, as numbers
void AES_decrypt(const AES_CTX *ctx, uint32_t *block);
void AES_cbc_encrypt(AES_CTX *ctx, const uint8_t *in, uint8_t *out, int len); // whole blocks; in may be out
void AES_cbc_decrypt(AES_CTX *ctx, const uint8_t *in, uint8_t *out, int len);

#endif
