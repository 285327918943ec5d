/*
 * Fixed types and the compiler attributes the whole tree uses.
 *
 * GNU extensions are named here and nowhere else, so that another compiler needs this file only.
 * Endianness of the host matters in two places: memory/bytes.h (guest memory is little-endian) and
 * the register file of cpu/state.h (byte lanes of a register slot).
 */
#ifndef OXBOW_MEMORY_BASE_H
#define OXBOW_MEMORY_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))
#define COLD __attribute__((cold, noinline))
#define UNUSED __attribute__((unused))
#define FORMAT_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* The optimiser may not know anything about v from here on. */
#define OPAQUE(v) __asm__("" : "+r"(v))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(p, type, member) ((type *)(void *)((char *)(p) - offsetof(type, member)))

/* Token pasting after expansion of the arguments. */
#define CAT3_(a, b, c) a##b##c
#define CAT3(a, b, c) CAT3_(a, b, c)
#define CAT4_(a, b, c, d) a##b##c##d
#define CAT4(a, b, c, d) CAT4_(a, b, c, d)

/* Arguments without side effects only: one of them is evaluated twice. */
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define HOST_BIG_ENDIAN 1
#else
#define HOST_BIG_ENDIAN 0
#endif

/* Guest page: the unit of translation, of dirty tracking and of code marks. */
#define PAGE_SHIFT 12
#define PAGE_SIZE 4096u
#define PAGE_MASK 4095u

#endif
