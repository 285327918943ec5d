/*
 * Little-endian access to guest memory and wide integer helpers.
 *
 * Guest memory is a byte array; it may be unaligned and the host may be big-endian.  memcpy keeps
 * the access defined; compilers turn it into one load or store (plus a byte swap where needed).
 */
#ifndef OXBOW_MEMORY_BYTES_H
#define OXBOW_MEMORY_BYTES_H

#include <string.h>

#include "memory/base.h"

ALWAYS_INLINE uint16_t le16(uint16_t v)
{
    return HOST_BIG_ENDIAN ? __builtin_bswap16(v) : v;
}

ALWAYS_INLINE uint32_t le32(uint32_t v)
{
    return HOST_BIG_ENDIAN ? __builtin_bswap32(v) : v;
}

ALWAYS_INLINE uint64_t le64(uint64_t v)
{
    return HOST_BIG_ENDIAN ? __builtin_bswap64(v) : v;
}

ALWAYS_INLINE uint8_t get8(const void *p)
{
    return *(const uint8_t *)p;
}

ALWAYS_INLINE uint16_t get16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return le16(v);
}

ALWAYS_INLINE uint32_t get32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return le32(v);
}

ALWAYS_INLINE uint64_t get64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return le64(v);
}

ALWAYS_INLINE void put8(void *p, uint8_t v)
{
    *(uint8_t *)p = v;
}

ALWAYS_INLINE void put16(void *p, uint16_t v)
{
    v = le16(v);
    memcpy(p, &v, sizeof v);
}

ALWAYS_INLINE void put32(void *p, uint32_t v)
{
    v = le32(v);
    memcpy(p, &v, sizeof v);
}

ALWAYS_INLINE void put64(void *p, uint64_t v)
{
    v = le64(v);
    memcpy(p, &v, sizeof v);
}

/* size is 1, 2, 4 or 8. */
ALWAYS_INLINE uint64_t get_n(const void *p, unsigned size)
{
    switch (size) {
    case 1:
        return get8(p);
    case 2:
        return get16(p);
    case 4:
        return get32(p);
    default:
        return get64(p);
    }
}

ALWAYS_INLINE void put_n(void *p, unsigned size, uint64_t v)
{
    switch (size) {
    case 1:
        put8(p, (uint8_t)v);
        break;
    case 2:
        put16(p, (uint16_t)v);
        break;
    case 4:
        put32(p, (uint32_t)v);
        break;
    default:
        put64(p, v);
        break;
    }
}

/* floor(a * num / den) without overflow; the result must fit in 64 bits. */
uint64_t muldiv64(uint64_t a, uint64_t num, uint64_t den);
/* ceil(a * num / den). */
uint64_t muldiv64_up(uint64_t a, uint64_t num, uint64_t den);

#endif
