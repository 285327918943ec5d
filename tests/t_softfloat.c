/*
 * Soft-float: values and flags worked out from the SDM, the four rounding modes, special operands,
 * boundary cases, and cross-checks between the formats (80-bit arithmetic with precision control 24
 * or 53 must agree with single or double precision).  Broader references: testfloat_run.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/softfloat.h"
#include "tests/suite.h"

#define ONE ((struct f80){ (uint64_t)1 << 63, 0x3fff })
#define INF ((struct f80){ (uint64_t)1 << 63, 0x7fff })
#define ZERO ((struct f80){ 0, 0 })
#define SNAN ((struct f80){ 0xa000000000000000u, 0x7fff })
#define QNAN ((struct f80){ 0xc000000000001234u, 0x7fff })
#define TINY ((struct f80){ 1, 0 })                          /* smallest denormal */
#define SMALL ((struct f80){ (uint64_t)1 << 63, 1 })         /* smallest normal */
#define HUGE_VALUE ((struct f80){ UINT64_MAX, 0x7ffe })      /* largest finite */
#define UNNORMAL ((struct f80){ 0x4000000000000000u, 0x4000 })
#define PSEUDO_DENORMAL ((struct f80){ (uint64_t)1 << 63, 0 })

static struct sf_status status(unsigned round)
{
    return (struct sf_status){ .round = (uint8_t)round, .prec = SF_PREC64, .masks = SF_ALL };
}

static void expect(struct f80 got, struct f80 want)
{
    ck_assert_msg(got.sig == want.sig && got.sexp == want.sexp,
                  "got %04x:%016llx want %04x:%016llx", got.sexp, (unsigned long long)got.sig,
                  want.sexp, (unsigned long long)want.sig);
}

/* Compares and clears the flags. */
static void expect_flags(struct sf_status *s, unsigned flags)
{
    ck_assert_msg(s->flags == flags, "flags %02x want %02x", s->flags, flags);
    s->flags = 0;
}

static struct f80 integer(int64_t n)
{
    return f80_from_i64(n);
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state ^ *state >> 29;
}

START_TEST(rounding_of_one_third)
{
    static const uint64_t third[3][4] = {
        { 0xaaaaab0000000000u, 0xaaaaaa0000000000u, 0xaaaaab0000000000u, 0xaaaaaa0000000000u },
        { 0xaaaaaaaaaaaaa800u, 0xaaaaaaaaaaaaa800u, 0xaaaaaaaaaaaab000u, 0xaaaaaaaaaaaaa800u },
        { 0xaaaaaaaaaaaaaaabu, 0xaaaaaaaaaaaaaaaau, 0xaaaaaaaaaaaaaaabu, 0xaaaaaaaaaaaaaaaau },
    };
    static const uint8_t precision[3] = { SF_PREC24, SF_PREC53, SF_PREC64 };
    for (unsigned p = 0; p < 3; p++) {
        for (unsigned round = 0; round < 4; round++) {
            struct sf_status s = status(round);
            s.prec = precision[p];
            expect(f80_div(ONE, integer(3), &s), (struct f80){ third[p][round], 0x3ffd });
            /* C1 tells that the magnitude went up */
            ck_assert_int_eq(s.up, third[p][round] > 0xaaaaaaaaaaaaaaaau);
            expect_flags(&s, SF_INEXACT);
        }
    }
}
END_TEST

START_TEST(arithmetic_identities)
{
    uint64_t seed = 7;
    struct sf_status s = status(SF_NEAREST);
    for (int i = 0; i < 20000; i++) {
        struct f80 a = { next_random(&seed) | (uint64_t)1 << 63, (uint16_t)next_random(&seed) };
        a.sexp = (uint16_t)((a.sexp & 0x8000) | (0x2000 + (a.sexp & 0x3fff)));
        struct f80 b = { next_random(&seed) | (uint64_t)1 << 63, 0x3ff0 };
        expect(f80_add(a, ZERO, &s), a);
        expect(f80_mul(a, ONE, &s), a);
        expect(f80_div(a, ONE, &s), a);
        expect(f80_div(a, a, &s), ONE);
        expect(f80_sub(a, a, &s), ZERO);
        expect(f80_sub(ZERO, f80_sub(b, a, &s), &s), f80_sub(a, b, &s));
        expect(f80_scale(f80_scale(a, integer(100), &s), integer(-100), &s), a);
        s.flags = 0;
        /* 32-bit factors: products, squares and their roots are exact */
        struct f80 c = integer((int64_t)(next_random(&seed) >> 32 | 1));
        struct f80 d = integer((int64_t)(next_random(&seed) >> 33 | 1));
        expect(f80_sqrt(f80_mul(c, c, &s), &s), c);
        expect(f80_div(f80_mul(c, d, &s), d, &s), c);
        expect(f80_sub(f80_add(c, d, &s), d, &s), c);
        expect_flags(&s, 0);
    }
}
END_TEST

START_TEST(square_root_brackets_the_operand)
{
    /* rounded down and rounded up roots are neighbours, squares on either side of the operand */
    uint64_t seed = 3;
    for (int i = 0; i < 20000; i++) {
        struct sf_status down = status(SF_DOWN), up = status(SF_UP);
        struct f80 a = { next_random(&seed) | (uint64_t)1 << 63, 0x3fff };
        a.sig = i < 64 ? UINT64_MAX << i | (uint64_t)1 << 63 : a.sig;
        a.sexp = (uint16_t)(a.sexp + (i & 1));
        struct f80 lo = f80_sqrt(a, &down), hi = f80_sqrt(a, &up);
        ck_assert_int_eq(down.flags, up.flags);
        if (down.flags != 0) {
            ck_assert(hi.sig == lo.sig + 1);
        }
        ck_assert(f80_compare(f80_mul(lo, lo, &down), a, false, &down) <= SF_EQUAL);
        ck_assert(f80_compare(f80_mul(hi, hi, &up), a, false, &up) >= SF_EQUAL);
    }
}
END_TEST

START_TEST(zero_signs)
{
    for (unsigned round = 0; round < 4; round++) {
        struct sf_status s = status(round);
        struct f80 cancelled = round == SF_DOWN ? f80_neg(ZERO) : ZERO;
        expect(f80_sub(ONE, ONE, &s), cancelled);
        expect(f80_add(ZERO, f80_neg(ZERO), &s), cancelled);
        expect(f80_add(f80_neg(ZERO), f80_neg(ZERO), &s), f80_neg(ZERO));
        expect(f80_sqrt(f80_neg(ZERO), &s), f80_neg(ZERO));
        expect(f80_mul(f80_neg(ZERO), ONE, &s), f80_neg(ZERO));
        expect_flags(&s, 0);
    }
}
END_TEST

START_TEST(invalid_operations)
{
    struct sf_status s = status(SF_NEAREST);
    struct f80 negative = f80_neg(ONE);
    const struct f80 results[] = {
        f80_sub(INF, INF, &s),          f80_mul(ZERO, INF, &s),
        f80_div(ZERO, ZERO, &s),        f80_div(INF, INF, &s),
        f80_sqrt(negative, &s),         f80_scale(ZERO, INF, &s),
        f80_scale(INF, f80_neg(INF), &s), f80_add(UNNORMAL, ONE, &s),
        f80_mul(QNAN, UNNORMAL, &s),    f80_fyl2x(negative, ONE, &s),
        f80_fyl2x(ONE, INF, &s),        f80_rint(UNNORMAL, &s),
    };
    expect_flags(&s, SF_INVALID);
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        expect(results[i], F80_INDEFINITE);
    }
    expect(f80_div(negative, ZERO, &s), f80_neg(INF));
    expect_flags(&s, SF_DIVZERO);
    expect(f80_div(TINY, ZERO, &s), INF); /* goes before the denormal */
    expect_flags(&s, SF_DIVZERO);
}
END_TEST

START_TEST(nan_selection)
{
    struct sf_status s = status(SF_NEAREST);
    struct f80 quieted = { SNAN.sig | (uint64_t)1 << 62, SNAN.sexp };
    struct f80 larger = { 0xf000000000000000u, 0xffff };

    expect(f80_add(QNAN, larger, &s), larger);
    expect(f80_add(larger, QNAN, &s), larger);
    expect(f80_sub(ONE, larger, &s), larger); /* keeps its sign */
    expect(f80_mul(TINY, QNAN, &s), QNAN);    /* a NaN hides the denormal */
    expect_flags(&s, 0);
    expect(f80_add(SNAN, QNAN, &s), QNAN);
    expect_flags(&s, SF_INVALID);
    expect(f80_add(SNAN, ONE, &s), quieted);
    expect_flags(&s, SF_INVALID);
    /* SSE: the first NaN */
    ck_assert_uint_eq(f32_add(0x7fc00001, 0x7fffffff, &s), 0x7fc00001);
    ck_assert_uint_eq(f32_add(0x3f800000, 0xffc00005, &s), 0xffc00005);
    expect_flags(&s, 0);
    ck_assert_uint_eq(f32_sub(0x7fc00001, 0x7f800001, &s), 0x7fc00001);
    expect_flags(&s, SF_INVALID);
    ck_assert_uint_eq(f32_mul(0xff800001, 0x3f800000, &s), 0xffc00001);
    expect_flags(&s, SF_INVALID);
}
END_TEST

START_TEST(denormal_operands)
{
    struct sf_status s = status(SF_NEAREST);

    expect(f80_add(TINY, TINY, &s), (struct f80){ 2, 0 });
    expect_flags(&s, SF_DENORMAL);
    expect(f80_add(PSEUDO_DENORMAL, ZERO, &s), SMALL);
    expect_flags(&s, SF_DENORMAL);
    expect(f80_mul(TINY, integer(1) /* exact, so no underflow */, &s), TINY);
    expect_flags(&s, SF_DENORMAL);
    ck_assert_int_eq(f80_compare(PSEUDO_DENORMAL, SMALL, false, &s), SF_EQUAL);
    expect_flags(&s, SF_DENORMAL);
    s.masks = SF_ALL & ~SF_DENORMAL;
    f80_div(TINY, integer(3), &s); /* stops before it underflows */
    ck_assert(sf_aborted(&s));
    expect_flags(&s, SF_DENORMAL);
    bool denormal;
    struct f80 wide = f80_widen_f32(1, &denormal);
    ck_assert(denormal);
    f80_div(wide, integer(3), &s);
    f80_denormal_operand(integer(3), &s);
    expect_flags(&s, SF_DENORMAL);
    f80_div(wide, ZERO, &s);
    f80_denormal_operand(ZERO, &s);
    expect_flags(&s, SF_DIVZERO);
}
END_TEST

START_TEST(overflow_and_underflow)
{
    static const bool to_infinity[4] = { true, false, true, false };
    for (unsigned round = 0; round < 4; round++) {
        struct sf_status s = status(round);
        expect(f80_mul(HUGE_VALUE, HUGE_VALUE, &s), to_infinity[round] ? INF : HUGE_VALUE);
        ck_assert_int_eq(s.up, to_infinity[round]);
        expect_flags(&s, SF_OVERFLOW | SF_INEXACT);
        expect(f80_mul(SMALL, SMALL, &s), round == SF_UP ? TINY : ZERO);
        expect_flags(&s, SF_UNDERFLOW | SF_INEXACT);
        s.masks = 0;
        expect(f80_mul(HUGE_VALUE, integer(4), &s), (struct f80){ UINT64_MAX, 0x8000 - 24576 });
        expect_flags(&s, SF_OVERFLOW);
        expect(f80_div(SMALL, integer(4), &s),
               (struct f80){ (uint64_t)1 << 63, (uint16_t)(24576 - 1) });
        expect_flags(&s, SF_UNDERFLOW);
        expect(f80_scale(ONE, integer(0x10000), &s), INF); /* beyond the adjustment */
        expect_flags(&s, SF_OVERFLOW | SF_INEXACT);
        expect(f80_scale(ONE, integer(-0x10000), &s), ZERO);
        expect_flags(&s, SF_UNDERFLOW | SF_INEXACT);
    }
    /* tininess is detected after rounding: this one rounds up to the smallest normal */
    struct sf_status s = status(SF_NEAREST);
    struct f80 below_one = { UINT64_MAX, 0x3ffe };
    expect(f80_mul(SMALL, below_one, &s), SMALL);
    expect_flags(&s, SF_UNDERFLOW | SF_INEXACT);
    s.prec = SF_PREC53;
    expect(f80_mul(SMALL, below_one, &s), SMALL);
    expect_flags(&s, SF_INEXACT);
}
END_TEST

START_TEST(remainders)
{
    struct sf_status s = status(SF_NEAREST);
    struct f80 r;
    unsigned q;

    for (int a = -40; a <= 40; a++) {
        for (int b = 1; b <= 9; b++) {
            ck_assert(f80_fprem(integer(a), integer(b), &r, &q, &s));
            expect(f80_abs(r), integer(abs(a % b)));
            ck_assert_int_eq(r.sexp >> 15, a < 0);
            ck_assert_uint_eq(q, (unsigned)(abs(a) / b) & 7);
            ck_assert(f80_fprem1(integer(a), integer(b), &r, &q, &s));
            int near = abs(a) / b, rest = abs(a) % b;
            near += 2 * rest > b || (2 * rest == b && near % 2 != 0);
            expect(f80_abs(r), integer(abs(abs(a) - near * b)));
            ck_assert_uint_eq(q, (unsigned)near & 7);
        }
    }
    /* 2^200 mod 7 = 4, in several partial steps that keep the value modulo 7 */
    struct f80 a = f80_scale(ONE, integer(200), &s);
    int steps = 0;
    while (!f80_fprem(a, integer(7), &r, &q, &s)) {
        ck_assert(r.sexp < a.sexp);
        a = r;
        steps++;
    }
    ck_assert_int_eq(steps, 3);
    expect(r, integer(4));
    expect_flags(&s, 0);
    ck_assert(f80_fprem(ONE, ZERO, &r, &q, &s));
    expect_flags(&s, SF_INVALID);
    ck_assert(f80_fprem(ONE, INF, &r, &q, &s));
    expect(r, ONE);
    expect_flags(&s, 0);
}
END_TEST

START_TEST(round_to_integer)
{
    /* -2.5, -1.5, -0.5, 0.5, 1.5, 2.5 */
    static const int want[4][6] = { { -2, -2, 0, 0, 2, 2 }, { -3, -2, -1, 0, 1, 2 },
                                    { -2, -1, 0, 1, 2, 3 }, { -2, -1, 0, 0, 1, 2 } };
    for (unsigned round = 0; round < 4; round++) {
        struct sf_status s = status(round);
        for (int i = 0; i < 6; i++) {
            struct f80 half = f80_div(integer(2 * i - 5), integer(2), &s);
            expect_flags(&s, 0);
            expect(f80_abs(f80_rint(half, &s)), integer(abs(want[round][i])));
            ck_assert_int_eq(f80_to_i16(half, &s), want[round][i]);
            ck_assert_int_eq(f80_to_i64(half, &s), want[round][i]);
            ck_assert_int_eq(f80_to_i32_trunc(half, &s), want[SF_ZERO][i]);
            expect_flags(&s, SF_INEXACT);
        }
    }
}
END_TEST

START_TEST(scale_and_extract)
{
    struct sf_status s = status(SF_NEAREST);
    struct f80 e, m;

    f80_extract(integer(-12), &e, &m, &s);
    expect(e, integer(3));
    expect(m, (struct f80){ 0xc000000000000000u, 0xbfff });
    expect_flags(&s, 0);
    f80_extract(TINY, &e, &m, &s);
    expect(e, integer(-16445));
    expect(m, ONE);
    expect_flags(&s, SF_DENORMAL);
    f80_extract(f80_neg(ZERO), &e, &m, &s);
    expect(e, f80_neg(INF));
    expect(m, f80_neg(ZERO));
    expect_flags(&s, SF_DIVZERO);
    /* the count is truncated */
    struct f80 count = f80_div(integer(-7), integer(4), &s);
    expect(f80_scale(ONE, count, &s), (struct f80){ ONE.sig, 0x3ffe });
    expect(f80_scale(integer(3), f80_neg(INF), &s), ZERO);
    expect(f80_scale(TINY, integer(16445), &s), ONE);
    expect_flags(&s, SF_DENORMAL);
}
END_TEST

START_TEST(comparisons)
{
    /* ascending */
    const struct f80 v[] = { f80_neg(INF),  integer(-2), integer(-1), f80_neg(TINY), ZERO,
                             TINY,          SMALL,       ONE,         integer(2),    INF };
    struct sf_status s = status(SF_NEAREST);
    for (int i = 0; i < 10; i++) {
        for (int j = 0; j < 10; j++) {
            int want = i < j ? SF_LESS : i > j ? SF_GREATER : SF_EQUAL;
            ck_assert_int_eq(f80_compare(v[i], v[j], false, &s), want);
            uint64_t a = f80_to_f64(v[i], &s), b = f80_to_f64(v[j], &s);
            if (i != 3 && j != 3 && i != 5 && j != 5 && i != 6 && j != 6) {
                ck_assert_int_eq(f64_compare(a, b, false, &s), want);
            }
        }
    }
    s.flags = 0;
    ck_assert_int_eq(f80_compare(ZERO, f80_neg(ZERO), false, &s), SF_EQUAL);
    ck_assert_int_eq(f80_compare(ONE, QNAN, true, &s), SF_UNORDERED);
    expect_flags(&s, 0);
    ck_assert_int_eq(f80_compare(ONE, QNAN, false, &s), SF_UNORDERED);
    expect_flags(&s, SF_INVALID);
    ck_assert_int_eq(f80_compare(SNAN, ONE, true, &s), SF_UNORDERED);
    expect_flags(&s, SF_INVALID);
}
END_TEST

START_TEST(sse_predicates)
{
    /* columns: predicates 0 to 7 */
    static const struct {
        uint32_t a;
        char result[9];
    } table[4] = { { 0xbf800000, "01101001" },   /* less */
                   { 0x80000000, "10100101" },   /* equal */
                   { 0x40000000, "00001111" },   /* greater */
                   { 0x7fc00000, "00011110" } }; /* unordered */
    for (int row = 0; row < 4; row++) {
        for (int pred = 0; pred < 8; pred++) {
            struct sf_status s = status(SF_NEAREST);
            bool signals = row == 3 && (pred & 3) != 0 && (pred & 3) != 3;
            ck_assert_int_eq(f32_cmp(table[row].a, 0, (enum sf_pred)pred, &s),
                             table[row].result[pred] == '1');
            expect_flags(&s, signals ? SF_INVALID : 0);
        }
    }
}
END_TEST

START_TEST(integer_conversions)
{
    struct sf_status s = status(SF_NEAREST);
    for (int i = INT16_MIN; i <= INT16_MAX; i++) {
        ck_assert_int_eq(f80_to_i16(integer(i), &s), i);
        ck_assert_int_eq(f32_to_i32(f32_from_i32(i, &s), &s), i);
        ck_assert(f64_to_i64(f64_from_i64((int64_t)i * 4294967296 + i, &s), &s) ==
                  (int64_t)i * 4294967296 + i);
    }
    ck_assert(f80_to_i64(integer(INT64_MIN), &s) == INT64_MIN);
    ck_assert(f80_to_i64(integer(INT64_MAX), &s) == INT64_MAX);
    ck_assert_int_eq(f80_to_i32(integer(INT32_MIN), &s), INT32_MIN);
    expect_flags(&s, 0);
    ck_assert_int_eq(f80_to_i16(integer(32768), &s), INT16_MIN);
    expect_flags(&s, SF_INVALID);
    ck_assert_int_eq(f80_to_i32(QNAN, &s), INT32_MIN);
    expect_flags(&s, SF_INVALID);
    ck_assert(f80_to_i64(f80_scale(ONE, integer(63), &s), &s) == INT64_MIN);
    expect_flags(&s, SF_INVALID);
    ck_assert_int_eq(f64_to_i32(0x41dfffffffe00000u, &s), INT32_MIN); /* 2^31 - 0.5 */
    expect_flags(&s, SF_INVALID);
    ck_assert_int_eq(f64_to_i32_trunc(0x41dfffffffe00000u, &s), INT32_MAX);
    expect_flags(&s, SF_INEXACT);
    ck_assert_int_eq(f32_to_i32(0x7fc00000, &s), INT32_MIN);
    expect_flags(&s, SF_INVALID);
}
END_TEST

START_TEST(bcd)
{
    struct sf_status s = status(SF_NEAREST);
    uint8_t digits[10];
    static const uint8_t indefinite[10] = { 0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff };
    static const uint8_t nines[10] = { 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x80 };
    static const uint8_t count[10] = { 0x21, 0x43, 0x65, 0x87, 0x09, 0, 0, 0, 0, 0 };

    f80_to_bcd(integer(-999999999999999999), digits, &s);
    ck_assert_mem_eq(digits, nines, 10);
    expect(f80_from_bcd(nines), integer(-999999999999999999));
    f80_to_bcd(integer(987654321), digits, &s);
    ck_assert_mem_eq(digits, count, 10);
    expect(f80_from_bcd(count), integer(987654321));
    expect_flags(&s, 0);
    f80_to_bcd(integer(1000000000000000000), digits, &s);
    ck_assert_mem_eq(digits, indefinite, 10);
    expect_flags(&s, SF_INVALID);
    f80_to_bcd(f80_div(integer(-1), integer(4), &s), digits, &s);
    ck_assert_int_eq(digits[9], 0x80);
    expect_flags(&s, SF_INEXACT);
}
END_TEST

START_TEST(format_conversions)
{
    struct sf_status s = status(SF_NEAREST);
    uint64_t seed = 11;
    for (int i = 0; i < 50000; i++) {
        uint32_t a = (uint32_t)next_random(&seed) & 0x807fffff;
        a |= (uint32_t)(i % 255) << 23;
        s.flags = 0;
        ck_assert_uint_eq(f80_to_f32(f80_from_f32(a, &s), &s), a);
        ck_assert_uint_eq(f64_to_f32(f32_to_f64(a, &s), &s), a);
        ck_assert((s.flags & ~SF_DENORMAL) == 0);
        uint64_t b = next_random(&seed) & 0x800fffffffffffffu;
        b |= (uint64_t)(i % 2047) << 52;
        s.flags = 0;
        ck_assert(f80_to_f64(f80_from_f64(b, &s), &s) == b);
        ck_assert((s.flags & ~SF_DENORMAL) == 0);
    }
    s.flags = 0;
    ck_assert_uint_eq(f80_to_f32(HUGE_VALUE, &s), 0x7f800000);
    expect_flags(&s, SF_OVERFLOW | SF_INEXACT);
    ck_assert_uint_eq(f80_to_f32(UNNORMAL, &s), F32_INDEFINITE);
    expect_flags(&s, SF_INVALID);
    ck_assert(f80_to_f64(SNAN, &s) == 0x7ffc000000000000u);
    expect_flags(&s, SF_INVALID);
    s.masks = SF_ALL & ~SF_UNDERFLOW; /* unmasked: even an exact tiny result, and no store */
    f80_to_f32(f80_scale(ONE, integer(-140), &s), &s);
    ck_assert(sf_no_store(&s));
    expect_flags(&s, SF_UNDERFLOW);
}
END_TEST

/* Patterns at the edges of the format. */
static uint32_t edge32(unsigned i)
{
    static const uint32_t fractions[] = { 0,        1,        2,        0x3fffff,
                                          0x400000, 0x400001, 0x7ffffe, 0x7fffff };
    static const uint32_t exponents[] = { 0, 1, 2, 24, 103, 126, 127, 128, 150, 253, 254, 255 };
    return (i & 1) << 31 | exponents[(i >> 4) % 12] << 23 | fractions[i >> 1 & 7];
}

START_TEST(single_precision_against_80_bit)
{
    /* 64 bits are enough for a second rounding to 24 bits to do no harm */
    for (unsigned i = 0; i < 192; i++) {
        for (unsigned j = 0; j < 192; j++) {
            uint32_t a = edge32(i), b = edge32(j);
            bool nan = (a & 0x7fffffff) > 0x7f800000 || (b & 0x7fffffff) > 0x7f800000;
            for (unsigned round = 0; round < 4 && !nan; round++) {
                struct sf_status s = status(round), w = status(round);
                bool unused;
                struct f80 x = f80_widen_f32(a, &unused), y = f80_widen_f32(b, &unused);
                ck_assert_uint_eq(f32_add(a, b, &s), f80_to_f32(f80_add(x, y, &w), &w));
                ck_assert_uint_eq(f32_sub(a, b, &s), f80_to_f32(f80_sub(x, y, &w), &w));
                ck_assert_uint_eq(f32_mul(a, b, &s), f80_to_f32(f80_mul(x, y, &w), &w));
                ck_assert_uint_eq(s.flags & ~SF_DENORMAL, w.flags);
                s.flags = w.flags = 0;
                ck_assert_uint_eq(f32_div(a, b, &s), f80_to_f32(f80_div(x, y, &w), &w));
                ck_assert_uint_eq(f32_sqrt(a, &s), f80_to_f32(f80_sqrt(x, &w), &w));
                ck_assert_uint_eq(s.flags & ~SF_DENORMAL, w.flags);
            }
        }
    }
}
END_TEST

START_TEST(double_precision_against_precision_control)
{
    uint64_t seed = 99;
    for (int i = 0; i < 50000; i++) {
        uint64_t a = (next_random(&seed) & 0x800fffffffffffffu) | (uint64_t)(1000 + i % 40) << 52;
        uint64_t b = (next_random(&seed) & 0x800fffffffffffffu) | (uint64_t)(1010 + i % 23) << 52;
        a = i % 3 == 0 ? a >> 26 << 26 : a;
        struct sf_status s = status((unsigned)i & 3), w = s;
        w.prec = SF_PREC53;
        struct f80 x = f80_from_f64(a, &w), y = f80_from_f64(b, &w);
        ck_assert(f64_add(a, b, &s) == f80_to_f64(f80_add(x, y, &w), &w));
        ck_assert_uint_eq(s.flags, w.flags);
        ck_assert(f64_sub(a, b, &s) == f80_to_f64(f80_sub(x, y, &w), &w));
        ck_assert(f64_mul(a, b, &s) == f80_to_f64(f80_mul(x, y, &w), &w));
        ck_assert(f64_div(a, b, &s) == f80_to_f64(f80_div(x, y, &w), &w));
        ck_assert(f64_sqrt(a, &s) == f80_to_f64(f80_sqrt(x, &w), &w));
        ck_assert_uint_eq(s.flags, w.flags);
    }
}
END_TEST

/*
 * Random bits, often with an exponent near one end, near another operand's, or a sparse fraction.
 */
static uint64_t awkward64(uint64_t *seed, uint64_t near)
{
    uint64_t v = 0;
    for (int k = 0; k < 4; k++) {
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        v = v << 16 | *seed >> 48;
    }
    switch (*seed >> 40 & 7) {
    case 0:
        return (v & ~((uint64_t)0x7ff << 52)) | (*seed >> 33 & 3) << 52;
    case 1:
        return v | (uint64_t)0x7fc << 52;
    case 2:
    case 3:
        return (v & 0x800fffffffffffffu) | ((near >> 52 & 0x7ff) + (*seed >> 33 & 1)) << 52;
    case 4:
        return v & 0xfff8000000000000u;
    case 5:
        return near ^ (v & 1) << 63 ^ (v >> 60);
    default:
        return v;
    }
}

/*
 * What the host's arithmetic may answer is what the integers answer, and raises nothing but
 * "inexact".
 */
START_TEST(host_arithmetic)
{
    static uint64_t (*const wide[])(uint64_t, uint64_t, struct sf_status *) = {f64_add, f64_sub,
                                                                               f64_mul, f64_div};
    static uint32_t (*const narrow[])(uint32_t, uint32_t, struct sf_status *) = {f32_add, f32_sub,
                                                                                 f32_mul, f32_div};
    uint64_t seed = 7, a = 0, b = 0;
    for (unsigned k = 0; k < 400000; k++) {
        struct sf_status s = {.round = SF_NEAREST, .masks = SF_ALL}, h = s;
        unsigned op = k & 3;
        a = awkward64(&seed, b);
        b = awkward64(&seed, a);
        h.host = true;
        uint64_t r = wide[op](a, b, &s), t = wide[op](a, b, &h);
        ck_assert_msg(r == t && (s.flags | SF_INEXACT) == (h.flags | SF_INEXACT),
                      "op %u: %016llx %016llx: %016llx, host %016llx", op, (unsigned long long)a,
                      (unsigned long long)b, (unsigned long long)r, (unsigned long long)t);
        s.flags = h.flags = 0;
        uint32_t x = (uint32_t)(a >> 32 & 0x80000000u) | (uint32_t)(a >> 29 & 0x7fffffff);
        uint32_t y = (uint32_t)(b >> 32 & 0x80000000u) | (uint32_t)(b >> 29 & 0x7fffffff);
        uint32_t p = narrow[op](x, y, &s), q = narrow[op](x, y, &h);
        ck_assert_msg(p == q && (s.flags | SF_INEXACT) == (h.flags | SF_INEXACT),
                      "op %u: %08x %08x: %08x, host %08x", op, x, y, p, q);
    }
}
END_TEST

START_TEST(sse_modes)
{
    struct sf_status s = status(SF_NEAREST);

    s.daz = true;
    ck_assert_uint_eq(f32_add(0x00000001, 0x80000001, &s), 0);
    ck_assert_uint_eq(f32_sqrt(0x80000005, &s), 0x80000000);
    expect_flags(&s, 0);
    s.ftz = true;
    ck_assert_uint_eq(f32_mul(0x80800000, 0x3f000000, &s), 0x80000000);
    expect_flags(&s, SF_UNDERFLOW | SF_INEXACT);
    s.daz = s.ftz = false;
    ck_assert_uint_eq(f32_mul(0x80800000, 0x3f000000, &s), 0x80400000);
    expect_flags(&s, 0);
    s.masks = SF_ALL & ~SF_UNDERFLOW;
    f32_mul(0x80800000, 0x3f000000, &s);
    ck_assert(sf_no_store(&s));
    expect_flags(&s, SF_UNDERFLOW);
    s.masks = SF_ALL;
    ck_assert_uint_eq(f32_min(0, 0x80000000, &s), 0x80000000);
    ck_assert_uint_eq(f32_max(0x80000000, 0, &s), 0);
    ck_assert_uint_eq(f32_min(0x3f800000, 0xbf800000, &s), 0xbf800000);
    expect_flags(&s, 0);
    ck_assert_uint_eq(f32_min(0x7fc00000, 0x3f800000, &s), 0x3f800000);
    ck_assert_uint_eq(f32_max(0x3f800000, 0x7f800001, &s), 0x7f800001);
    expect_flags(&s, SF_INVALID);
    ck_assert_uint_eq(f32_rint(0xbf000000, &s), 0x80000000);
    ck_assert(f64_rint(0x4004000000000000u, &s) == 0x4000000000000000u);
    expect_flags(&s, SF_INEXACT);
    ck_assert_uint_eq(f32_rcp(0x40000000), 0x3f000000);
    ck_assert_uint_eq(f32_rcp(0x80000001), 0xff800000);
    ck_assert_uint_eq(f32_rsqrt(0x40800000), 0x3f000000);
    ck_assert_uint_eq(f32_rsqrt(0xbf800000), F32_INDEFINITE);
}
END_TEST

START_TEST(constants_and_classes)
{
    static const struct {
        enum sf_const c;
        uint64_t nearest, down;
    } table[] = {
        { SF_L2T, 0xd49a784bcd1b8afeu, 0xd49a784bcd1b8afeu },
        { SF_L2E, 0xb8aa3b295c17f0bcu, 0xb8aa3b295c17f0bbu },
        { SF_PI, 0xc90fdaa22168c235u, 0xc90fdaa22168c234u },
        { SF_LG2, 0x9a209a84fbcff799u, 0x9a209a84fbcff798u },
        { SF_LN2, 0xb17217f7d1cf79acu, 0xb17217f7d1cf79abu },
    };
    struct sf_status nearest = status(SF_NEAREST), down = status(SF_DOWN), up = status(SF_UP);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ck_assert(f80_const(table[i].c, &nearest).sig == table[i].nearest);
        ck_assert(f80_const(table[i].c, &down).sig == table[i].down);
        ck_assert(f80_const(table[i].c, &up).sig == table[i].down + 1);
    }
    expect(f80_const(SF_ONE, &up), ONE);
    ck_assert_int_eq(f80_class(UNNORMAL), SF_CLASS_UNSUPPORTED);
    ck_assert_int_eq(f80_class((struct f80){ 0, 0x7fff }), SF_CLASS_UNSUPPORTED);
    ck_assert_int_eq(f80_class(SNAN), SF_CLASS_NAN);
    ck_assert_int_eq(f80_class(ONE), SF_CLASS_NORMAL);
    ck_assert_int_eq(f80_class(f80_neg(INF)), SF_CLASS_INFINITY);
    ck_assert_int_eq(f80_class(f80_neg(ZERO)), SF_CLASS_ZERO);
    ck_assert_int_eq(f80_class(PSEUDO_DENORMAL), SF_CLASS_DENORMAL);
}
END_TEST

/* Correctly rounded values, worked out with 500-bit arithmetic (and the 66-bit pi). */
START_TEST(sine_cosine_tangent)
{
    static const struct {
        struct f80 x, sine, cosine, tangent;
    } table[] = {
        { { 0x8000000000000000u, 0x3fff }, { 0xd76aa47848677021u, 0x3ffe },
          { 0x8a51407da8345c92u, 0x3ffe }, { 0xc75922e5f71d2dc5u, 0x3fff } },
        { { 0xc000000000000000u, 0x4000 }, { 0x9081c36db6aada79u, 0x3ffc },
          { 0xfd7025f42f2e9308u, 0xbffe }, { 0x91f7b892a5c37866u, 0xbffc } },
        { { 0xc800000000000000u, 0x4005 }, { 0x81a12dbc626dc036u, 0xbffe },
          { 0xdcc0edfb32fefb21u, 0x3ffe }, { 0x9653a6b15ae9bd79u, 0xbffe } },
        { { 0xe35fa931a0000000u, 0x4030 }, { 0xdbb7b8f40de0426eu, 0x3ffe },
          { 0x8360bcba0acc128fu, 0xbffe }, { 0xd6118703d2409693u, 0xbfff } },
        { { 0x8000000000000000u, 0x403d }, { 0xb506a9dd559cf157u, 0xbffe },
          { 0xb5033c867715345au, 0xbffe }, { 0x80026c6541a088b0u, 0x3fff } },
        { { 0x8000000000000000u, 0xbffe }, { 0xf57743a2582f7f44u, 0xbffd },
          { 0xe0a94032dbea7ceeu, 0x3ffe }, { 0x8bda7adf9a3a5219u, 0xbffe } },
    };
    struct sf_status s = status(SF_NEAREST);
    struct f80 r, r2;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ck_assert(f80_fsin(table[i].x, &r, &s));
        expect(r, table[i].sine);
        ck_assert(f80_fcos(table[i].x, &r, &s));
        expect(r, table[i].cosine);
        ck_assert(f80_fptan(table[i].x, &r, &s));
        expect(r, table[i].tangent);
        ck_assert(f80_fsincos(table[i].x, &r, &r2, &s));
        expect(r, table[i].sine);
        expect(r2, table[i].cosine);
        expect_flags(&s, SF_INEXACT);
    }
    r = QNAN;
    ck_assert(!f80_fsin((struct f80){ (uint64_t)1 << 63, 0x403e }, &r, &s));
    expect(r, QNAN); /* untouched */
    expect_flags(&s, 0);
    ck_assert(f80_fsin(f80_neg(ZERO), &r, &s));
    expect(r, f80_neg(ZERO));
    ck_assert(f80_fcos(ZERO, &r, &s));
    expect(r, ONE);
    expect_flags(&s, 0);
    ck_assert(f80_fptan(INF, &r, &s));
    expect(r, F80_INDEFINITE);
    expect_flags(&s, SF_INVALID);
    ck_assert(f80_fsin(TINY, &r, &s));
    expect(r, TINY);
    expect_flags(&s, SF_DENORMAL | SF_UNDERFLOW | SF_INEXACT);
}
END_TEST

START_TEST(arctangent)
{
    static const struct {
        int y, x;
        struct f80 want;
    } table[] = {
        { 1, 2, { 0xed63382b0dda7b45u, 0x3ffd } },   { 1, 1, { 0xc90fdaa22168c235u, 0x3ffe } },
        { -1, 3, { 0xa4bc7d1934f70924u, 0xbffd } },  { 3, -1, { 0xf23ef9e86ea6847eu, 0x3fff } },
        { -5, -7, { 0xa15dafbbb75c005du, 0xc000 } }, { 1, 1000, { 0x83126bba8b70ab74u, 0x3ff5 } },
        { 0, -1, { 0xc90fdaa22168c235u, 0x4000 } },  { -1, 0, { 0xc90fdaa22168c235u, 0xbfff } },
    };
    struct sf_status s = status(SF_NEAREST);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        expect(f80_fpatan(integer(table[i].x), integer(table[i].y), &s), table[i].want);
        expect_flags(&s, SF_INEXACT);
    }
    expect(f80_fpatan(INF, ONE, &s), ZERO);
    expect(f80_fpatan(ONE, f80_neg(ZERO), &s), f80_neg(ZERO));
    expect_flags(&s, 0);
    expect(f80_fpatan(f80_neg(INF), INF, &s), (struct f80){ 0x96cbe3f9990e91a8u, 0x4000 });
    expect_flags(&s, SF_INEXACT);
}
END_TEST

START_TEST(logarithms_and_power)
{
    static const struct {
        struct f80 x, want;
    } power[] = {
        { { 0x8000000000000000u, 0x3ffe }, { 0xd413cccfe7799211u, 0x3ffd } },
        { { 0x8000000000000000u, 0xbffd }, { 0xa2ec0cd4a58a542fu, 0xbffc } },
        { { 0x8000000000000000u, 0x3fb9 }, { 0xb17217f7d1cf79acu, 0x3fb8 } },
        { { 0xc000000000000000u, 0x3ffe }, { 0xae89f995ad3ad5e8u, 0x3ffe } },
        { { 0x8000000000000000u, 0x3fff }, { 0x8000000000000000u, 0x3fff } },
        { { 0x8000000000000000u, 0xbfff }, { 0x8000000000000000u, 0xbffe } },
    };
    struct sf_status s = status(SF_NEAREST);
    for (size_t i = 0; i < sizeof power / sizeof *power; i++) {
        expect(f80_f2xm1(power[i].x, &s), power[i].want);
        expect_flags(&s, SF_INEXACT);
    }
    expect(f80_fyl2x(integer(10), ONE, &s), (struct f80){ 0xd49a784bcd1b8afeu, 0x4000 });
    expect(f80_fyl2x((struct f80){ 0xe000000000000000u, 0x3ffe }, ONE, &s),
           (struct f80){ 0xc544c055fde99333u, 0xbffc });
    expect(f80_fyl2x(integer(3), integer(5), &s), (struct f80){ 0xfd9810643d6614c4u, 0x4001 });
    expect(f80_fyl2x(integer(1024), integer(-3), &s), integer(-30));
    expect(f80_fyl2xp1((struct f80){ 0x8000000000000000u, 0x3fb9 }, ONE, &s),
           (struct f80){ 0xb8aa3b295c17f0bcu, 0x3fb9 });
    expect(f80_fyl2xp1((struct f80){ 0x8000000000000000u, 0x3ffd }, integer(3), &s),
           (struct f80){ 0xf73da38d9d4a83ebu, 0x3ffe });
    expect(f80_fyl2xp1((struct f80){ 0x8000000000000000u, 0xbffd }, ONE, &s),
           (struct f80){ 0xd47fcb8c0852f0c1u, 0xbffd });
    expect_flags(&s, SF_INEXACT);
    expect(f80_fyl2x(ONE, integer(-1), &s), f80_neg(ZERO));
    expect(f80_f2xm1(f80_neg(INF), &s), f80_neg(ONE));
    expect_flags(&s, 0);
    expect(f80_fyl2x(ZERO, ONE, &s), f80_neg(INF));
    expect_flags(&s, SF_DIVZERO);
}
END_TEST

/* --- against 600-bit arithmetic --------------------------------------------------------------- */

enum transcendental { F2XM1, FSIN, FCOS, FPTAN, FPATAN, FYL2X, FYL2XP1 };

static struct f80 transcendental(unsigned which, struct f80 x, struct f80 y)
{
    struct sf_status s = status(SF_NEAREST);
    struct f80 r = ZERO;

    switch (which) {
    case F2XM1:
        return f80_f2xm1(x, &s);
    case FSIN:
        ck_assert(f80_fsin(x, &r, &s));
        return r;
    case FCOS:
        ck_assert(f80_fcos(x, &r, &s));
        return r;
    case FPTAN:
        ck_assert(f80_fptan(x, &r, &s));
        return r;
    case FPATAN:
        return f80_fpatan(x, y, &s);
    case FYL2X:
        return f80_fyl2x(x, y, &s);
    default:
        return f80_fyl2xp1(x, y, &s);
    }
}

/* Random operands over the domains: correctly rounded, all of them. */
START_TEST(transcendentals)
{
    static const struct {
        uint64_t x;
        uint64_t y;
        uint64_t want;
        uint16_t which, x_sexp, y_sexp, want_sexp;
    } table[] = {
#define X(f, x, xe, y, ye, r, re) { x, y, r, f, xe, ye, re },
#include "tests/transcendentals.inc"
#undef X
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        expect(transcendental(table[i].which, (struct f80){ table[i].x, table[i].x_sexp },
                              (struct f80){ table[i].y, table[i].y_sexp }),
               (struct f80){ table[i].want, table[i].want_sexp });
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("softfloat");
    TCase *t = tcase_create("softfloat");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, rounding_of_one_third);
    tcase_add_test(t, arithmetic_identities);
    tcase_add_test(t, square_root_brackets_the_operand);
    tcase_add_test(t, zero_signs);
    tcase_add_test(t, invalid_operations);
    tcase_add_test(t, nan_selection);
    tcase_add_test(t, denormal_operands);
    tcase_add_test(t, overflow_and_underflow);
    tcase_add_test(t, remainders);
    tcase_add_test(t, round_to_integer);
    tcase_add_test(t, scale_and_extract);
    tcase_add_test(t, comparisons);
    tcase_add_test(t, sse_predicates);
    tcase_add_test(t, integer_conversions);
    tcase_add_test(t, bcd);
    tcase_add_test(t, format_conversions);
    tcase_add_test(t, single_precision_against_80_bit);
    tcase_add_test(t, double_precision_against_precision_control);
    tcase_add_test(t, host_arithmetic);
    tcase_add_test(t, sse_modes);
    tcase_add_test(t, constants_and_classes);
    tcase_add_test(t, sine_cosine_tangent);
    tcase_add_test(t, arctangent);
    tcase_add_test(t, logarithms_and_power);
    tcase_add_test(t, transcendentals);
    suite_add_tcase(suite, t);
    return suite_run(suite);
}
