/*
 * What the fuzzers share: a generator of random numbers, and giving up with the seed that repeats
 * the failure.
 */
#ifndef OXBOW_TESTS_FUZZ_H
#define OXBOW_TESTS_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory/base.h"

/* xorshift64*; the state is never zero. */
struct rng {
    uint64_t s;
};

static inline struct rng rng_seed(uint64_t seed)
{
    return (struct rng){seed * 0x9e3779b97f4a7c15ull ^ 0x2545f4914f6cdd1dull};
}

static inline uint32_t rnd(struct rng *r)
{
    if (r->s == 0) {
        r->s = 1;
    }
    r->s ^= r->s >> 12;
    r->s ^= r->s << 25;
    r->s ^= r->s >> 27;
    return (uint32_t)(r->s * 0x2545f4914f6cdd1dull >> 32);
}

/* 0 .. n - 1 */
static inline uint32_t below(struct rng *r, uint32_t n)
{
    return (uint32_t)((uint64_t)rnd(r) * n >> 32);
}

static inline bool one_in(struct rng *r, uint32_t n)
{
    return below(r, n) == 0;
}

/* Numbers of all magnitudes, and those at which things wrap. */
static inline uint64_t odd_number(struct rng *r)
{
    uint64_t v = (uint64_t)rnd(r) << 32 | rnd(r);

    switch (below(r, 8)) {
    case 0:
        return 0;
    case 1:
        return UINT64_MAX;
    case 2:
        return (uint64_t)1 << (v & 63);
    case 3:
        return ((uint64_t)1 << (v & 63)) - 1;
    case 4:
        return v >> (rnd(r) & 63);
    default:
        return v;
    }
}

#endif
