/*
 * 80-bit extended reals to and from integers and packed BCD (SDM volume 1, sections 4.2.1 and
 * 4.7; volume 2, FILD, FIST, FISTTP, FBLD, FBSTP).  Out of range values raise invalid and give
 * the integer or BCD indefinite.
 */
#include "cpu/sf_f80.h"

struct f80 f80_from_i64(int64_t a)
{
    if (a == 0) {
        return f80_zero(false);
    }
    uint64_t n = a < 0 ? 0 - (uint64_t)a : (uint64_t)a;
    unsigned shift = sf_clz64(n);
    return f80_make(a < 0, F80_BIAS + 63 - (int32_t)shift, n << shift);
}

/* The magnitude of a as an integer in *n; false, with invalid raised, if it is above max, or above
 * max_negative when a is negative. */
static bool to_magnitude(struct f80 a, uint64_t max, uint64_t max_negative, unsigned round,
                         uint64_t *n, struct sf_status *s)
{
    enum f80_kind k = f80_kind(a);
    bool inexact, up;

    s->up = 0;
    *n = 0;
    if (k == F80_ZERO) {
        return true;
    }
    if (k <= F80_NORMAL && f80_exp(a) < F80_BIAS + 64) {
        struct f80_parts p = f80_unpack(a);
        *n = sf_round_integer(round, p.sign, p.exp - F80_BIAS, p.sig, &inexact, &up);
        if (*n <= (p.sign ? max_negative : max)) {
            s->up = up;
            sf_raise(s, inexact ? SF_INEXACT : 0);
            return true;
        }
    }
    sf_raise(s, SF_INVALID);
    return false;
}

static int64_t to_integer(struct f80 a, unsigned width, unsigned round, struct sf_status *s)
{
    uint64_t limit = (uint64_t)1 << (width - 1), n;

    if (!to_magnitude(a, limit - 1, limit, round, &n, s)) {
        return (int64_t)(0 - limit);
    }
    return (int64_t)(f80_sign(a) ? 0 - n : n);
}

int16_t f80_to_i16(struct f80 a, struct sf_status *s)
{
    return (int16_t)to_integer(a, 16, s->round, s);
}

int32_t f80_to_i32(struct f80 a, struct sf_status *s)
{
    return (int32_t)to_integer(a, 32, s->round, s);
}

int64_t f80_to_i64(struct f80 a, struct sf_status *s)
{
    return to_integer(a, 64, s->round, s);
}

int16_t f80_to_i16_trunc(struct f80 a, struct sf_status *s)
{
    return (int16_t)to_integer(a, 16, SF_ZERO, s);
}

int32_t f80_to_i32_trunc(struct f80 a, struct sf_status *s)
{
    return (int32_t)to_integer(a, 32, SF_ZERO, s);
}

int64_t f80_to_i64_trunc(struct f80 a, struct sf_status *s)
{
    return to_integer(a, 64, SF_ZERO, s);
}

void f80_to_bcd(struct f80 a, uint8_t out[10], struct sf_status *s)
{
    const uint64_t max = 999999999999999999u;
    uint64_t n;

    if (!to_magnitude(a, max, max, s->round, &n, s)) {
        for (int i = 0; i < 7; i++) {
            out[i] = 0;
        }
        out[7] = 0xc0;
        out[8] = out[9] = 0xff;
        return;
    }
    for (int i = 0; i < 9; i++) {
        unsigned pair = (unsigned)(n % 100);
        n /= 100;
        out[i] = (uint8_t)(pair / 10 << 4 | pair % 10);
    }
    out[9] = f80_sign(a) ? 0x80 : 0;
}

struct f80 f80_from_bcd(const uint8_t in[10])
{
    uint64_t n = 0;
    for (int i = 8; i >= 0; i--) {
        n = n * 100 + (in[i] >> 4) * 10u + (in[i] & 15);
    }
    struct f80 r = f80_from_i64((int64_t)n);
    return f80_make(in[9] >> 7 != 0, f80_exp(r), r.sig);
}
