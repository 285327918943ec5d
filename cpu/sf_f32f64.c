/*
 * Single and double precision with the rules of SSE and SSE2 (SDM volume 1, section 11.5, volume
 * 2), and the conversions of those formats to and from the 80-bit format.
 *
 * The text for one format is sf_f32f64.inc, included twice.  Conversions between the two and the
 * approximations RCPSS and RSQRTSS, which exist in single precision only, are here.
 */
#include "cpu/sf_f80.h"

#define FORMAT(name) f32_##name
#define TO_FORMAT(from) from##_to_f32
#define FROM_FORMAT(to) to##_from_f32
#define WIDEN f80_widen_f32
#define UINT uint32_t
#define WIDTH 32
#define SIG_BITS 23
#define INDEFINITE F32_INDEFINITE
#include "cpu/sf_f32f64.inc"

#define FORMAT(name) f64_##name
#define TO_FORMAT(from) from##_to_f64
#define FROM_FORMAT(to) to##_from_f64
#define WIDEN f80_widen_f64
#define UINT uint64_t
#define WIDTH 64
#define SIG_BITS 52
#define INDEFINITE F64_INDEFINITE
#include "cpu/sf_f32f64.inc"

uint64_t f32_to_f64(uint32_t a, struct sf_status *s)
{
    uint64_t sign = (uint64_t)(a >> 31) << 63;

    a = f32_operand(a, s);
    if (f32_is_nan(a)) {
        return sign | (uint64_t)f32_nan(a, a, s) << 41 >> 12 | (uint64_t)0x7ff << 52;
    }
    if (a << 1 == 0) {
        return sign;
    }
    if (a << 1 >> 24 == 0xff) {
        return sign | (uint64_t)0x7ff << 52;
    }
    if (f32_is_denormal(a) && sf_raise_stops(s, SF_DENORMAL)) {
        return sign;
    }
    struct sf_parts p = f32_unpack(a);
    return sign + ((uint64_t)(p.exp - 127 + 1023 - 1) << 52) + (p.sig >> 11);
}

uint32_t f64_to_f32(uint64_t a, struct sf_status *s)
{
    uint32_t sign = (uint32_t)(a >> 63) << 31;

    a = f64_operand(a, s);
    if (f64_is_nan(a)) {
        return sign | 0x7f800000 | (uint32_t)(f64_nan(a, a, s) << 12 >> 41);
    }
    if (a << 1 == 0) {
        return sign;
    }
    if (a << 1 >> 53 == 0x7ff) {
        return sign | 0x7f800000;
    }
    if (f64_is_denormal(a) && sf_raise_stops(s, SF_DENORMAL)) {
        return sign;
    }
    struct sf_parts p = f64_unpack(a);
    return f32_round(p.sign, p.exp - 1023 + 127, p.sig, s);
}

/* The approximations are the correctly rounded quotients: better than the 1.5 * 2^-12 promised.
 * They look at no control bits; denormals count as zeros and tiny results become zeros. */
static const struct sf_status approximate = { .round = SF_NEAREST, .masks = SF_ALL, .daz = true,
                                              .ftz = true };

uint32_t f32_rcp(uint32_t a)
{
    struct sf_status s = approximate;
    uint32_t r = f32_div(0x3f800000, a, &s);
    /* for 2^126, in the range the SDM leaves open, zero */
    return f32_exp(a) == 253 ? r & 0x80000000 : r;
}

uint32_t f32_rsqrt(uint32_t a)
{
    struct sf_status s = approximate;
    return f32_div(0x3f800000, f32_sqrt(a, &s), &s);
}
