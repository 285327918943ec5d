/*
 * Lazy flags and width-generic semantics against a plain bit-by-bit reference: exhaustive for 8
 * bits, random for 16 and 32 bits; every flag image round-trips.
 */
#include <check.h>
#include <stdlib.h>

#include "cpu/ops.h"
#include "tests/suite.h"

static struct cpu *cpu_blank(void)
{
    return calloc(1, sizeof(struct cpu));
}

struct result {
    uint32_t r;
    uint32_t f;
};

static unsigned parity(uint32_t v)
{
    unsigned ones = 0;
    for (unsigned b = 0; b < 8; b++) {
        ones += (v >> b) & 1;
    }
    return !(ones & 1);
}

static uint32_t szp(uint32_t r, unsigned n)
{
    return (r == 0 ? FLAG_ZF : 0) | ((r >> (n - 1)) & 1 ? FLAG_SF : 0) | (parity(r) ? FLAG_PF : 0);
}

/* Adds bit by bit; subtraction adds the complement and inverts the carries. */
static struct result ref_add(uint32_t a, uint32_t b, unsigned cin, unsigned n, bool sub)
{
    uint32_t r = 0, x = sub ? ~b : b;
    unsigned carry = sub ? !cin : cin, into_sign = 0, half = 0;
    for (unsigned k = 0; k < n; k++) {
        unsigned s = ((a >> k) & 1) + ((x >> k) & 1) + carry;
        if (k == n - 1) {
            into_sign = carry;
        }
        r |= (uint32_t)(s & 1) << k;
        carry = s >> 1;
        if (k == 3) {
            half = carry;
        }
    }
    uint32_t f = szp(r, n) | ((into_sign ^ carry) ? FLAG_OF : 0);
    f |= (carry ^ sub) ? FLAG_CF : 0;
    f |= (half ^ sub) ? FLAG_AF : 0;
    return (struct result){r, f};
}

static void expect(struct cpu *c, const char *what, uint32_t a, uint32_t b, uint32_t got,
                   struct result want, uint32_t mask)
{
    uint32_t f = flags_oszapc(c);
    ck_assert_msg(got == want.r && (f & mask) == (want.f & mask),
                  "%s %x,%x: %x flags %x, expected %x flags %x", what, a, b, got, f, want.r,
                  want.f);
}

#define CHECK_ARITH(N, a, b, cf)                                                               \
    do {                                                                                       \
        uint##N##_t ra;                                                                        \
        flags_set_oszapc(c, cf);                                                               \
        ra = sem_add##N(c, a, b);                                                              \
        expect(c, "add", a, b, ra, ref_add(a, b, 0, N, false), FLAGS_OSZAPC);                  \
        flags_set_oszapc(c, cf);                                                               \
        ra = sem_adc##N(c, a, b);                                                              \
        expect(c, "adc", a, b, ra, ref_add(a, b, cf, N, false), FLAGS_OSZAPC);                 \
        flags_set_oszapc(c, cf);                                                               \
        ra = sem_sub##N(c, a, b);                                                              \
        expect(c, "sub", a, b, ra, ref_add(a, b, 0, N, true), FLAGS_OSZAPC);                   \
        flags_set_oszapc(c, cf);                                                               \
        ra = sem_sbb##N(c, a, b);                                                              \
        expect(c, "sbb", a, b, ra, ref_add(a, b, cf, N, true), FLAGS_OSZAPC);                  \
        flags_set_oszapc(c, cf);                                                               \
        ra = sem_inc##N(c, a);                                                                 \
        struct result w = ref_add(a, 1, 0, N, false);                                          \
        w.f = (w.f & ~(uint32_t)FLAG_CF) | cf;                                                 \
        expect(c, "inc", a, 1, ra, w, FLAGS_OSZAPC);                                           \
        flags_set_oszapc(c, cf);                                                               \
        ra = sem_dec##N(c, a);                                                                 \
        w = ref_add(a, 1, 0, N, true);                                                         \
        w.f = (w.f & ~(uint32_t)FLAG_CF) | cf;                                                 \
        expect(c, "dec", a, 1, ra, w, FLAGS_OSZAPC);                                           \
        ra = sem_and##N(c, a, b);                                                              \
        expect(c, "and", a, b, ra, (struct result){(a) & (b), szp((a) & (b), N)}, FLAGS_OSZAPC); \
        ra = sem_xor##N(c, a, b);                                                              \
        expect(c, "xor", a, b, ra, (struct result){(a) ^ (b), szp((a) ^ (b), N)}, FLAGS_OSZAPC); \
    } while (0)

START_TEST(arith8_exhaustive)
{
    struct cpu *c = cpu_blank();
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            for (unsigned cf = 0; cf < 2; cf++) {
                CHECK_ARITH(8, (uint8_t)a, (uint8_t)b, cf);
            }
        }
    }
    free(c);
}
END_TEST

static uint32_t next_random(uint64_t *s)
{
    *s = *s * 6364136223846793005ull + 1442695040888963407ull;
    uint32_t v = (uint32_t)(*s >> 32);
    /* Half of the values near the edges. */
    static const uint32_t edge[] = {0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff,
                                    0x80000000, 0xffffffff};
    return v & 1 ? edge[(v >> 8) % ARRAY_LEN(edge)] + ((v >> 4) & 3) - 1 : v;
}

START_TEST(arith_random)
{
    struct cpu *c = cpu_blank();
    uint64_t s = 1;
    for (unsigned k = 0; k < 200000; k++) {
        uint32_t a = next_random(&s), b = next_random(&s);
        unsigned cf = next_random(&s) >> 7 & 1;
        CHECK_ARITH(16, (uint16_t)a, (uint16_t)b, cf);
        CHECK_ARITH(32, a, b, cf);
    }
    free(c);
}
END_TEST

/* One bit at a time, as the manual describes shifts and rotates. */
static struct result ref_shift(unsigned op, uint32_t a, unsigned count, unsigned n, unsigned cf)
{
    uint32_t mask = n == 32 ? 0xffffffffu : (1u << n) - 1, msb = 1u << (n - 1), r = a;
    for (unsigned k = 0; k < count; k++) {
        unsigned out;
        switch (op) {
        case 0: /* rol */
            out = (r & msb) != 0;
            r = ((r << 1) | out) & mask;
            cf = out;
            break;
        case 1: /* ror */
            out = r & 1;
            r = (r >> 1) | (out ? msb : 0);
            cf = out;
            break;
        case 2: /* rcl */
            out = (r & msb) != 0;
            r = ((r << 1) | cf) & mask;
            cf = out;
            break;
        case 3: /* rcr */
            out = r & 1;
            r = (r >> 1) | (cf ? msb : 0);
            cf = out;
            break;
        case 4: /* shl */
            cf = (r & msb) != 0;
            r = (r << 1) & mask;
            break;
        case 5: /* shr */
            cf = r & 1;
            r >>= 1;
            break;
        default: /* sar */
            cf = r & 1;
            r = (r >> 1) | (r & msb);
            break;
        }
    }
    uint32_t f = cf ? FLAG_CF : 0;
    bool top = (r & msb) != 0, second = (r & (msb >> 1)) != 0;
    switch (op) {
    case 0: case 2: case 4:
        f |= top != (cf != 0) ? FLAG_OF : 0;
        break;
    case 1: case 3:
        f |= top != second ? FLAG_OF : 0;
        break;
    case 5:
        f |= (a & msb) ? FLAG_OF : 0;
        break;
    default:
        break;
    }
    return (struct result){r, f | szp(r, n)};
}

#define CHECK_SHIFTS(N, a, count, cf)                                                              \
    do {                                                                                           \
        uint##N##_t (*const fn[])(struct cpu *, uint##N##_t, unsigned) = {                         \
            sem_rol##N, sem_ror##N, sem_rcl##N, sem_rcr##N, sem_shl##N, sem_shr##N, sem_sar##N};   \
        for (unsigned op = 0; op < 7; op++) {                                                      \
            uint32_t before = cf | FLAG_ZF;                                                        \
            flags_set_oszapc(c, before);                                                           \
            uint32_t got = fn[op](c, a, count);                                                    \
            struct result w = ref_shift(op, a, count, N, cf);                                      \
            /* rotates leave SF ZF AF PF, shifts define them but AF; OF only for count 1 */        \
            uint32_t mask = FLAG_CF | (count == 1 ? FLAG_OF : 0);                                  \
            if (op >= 4) {                                                                         \
                /* a shift by the width or more: CF is undefined */                                \
                mask = (mask & (count >= N ? ~(uint32_t)FLAG_CF : ~0u)) | FLAG_SF | FLAG_ZF |      \
                       FLAG_PF;                                                                    \
            } else {                                                                               \
                w.f = (w.f & (FLAG_CF | FLAG_OF)) | FLAG_ZF;                                       \
                mask |= FLAG_SF | FLAG_ZF | FLAG_PF | FLAG_AF;                                     \
            }                                                                                      \
            if (count == 0) {                                                                      \
                w.f = before;                                                                      \
                mask = FLAGS_OSZAPC;                                                               \
            }                                                                                      \
            expect(c, "shift", a, op << 8 | count, got, w, mask);                                  \
        }                                                                                          \
    } while (0)

START_TEST(shifts)
{
    struct cpu *c = cpu_blank();
    uint64_t s = 2;
    for (unsigned count = 0; count < 32; count++) {
        for (unsigned cf = 0; cf < 2; cf++) {
            for (unsigned a = 0; a < 256; a++) {
                CHECK_SHIFTS(8, (uint8_t)a, count, cf);
            }
            for (unsigned k = 0; k < 500; k++) {
                uint32_t a = next_random(&s);
                CHECK_SHIFTS(16, (uint16_t)a, count, cf);
                CHECK_SHIFTS(32, a, count, cf);
            }
        }
    }
    free(c);
}
END_TEST

START_TEST(images)
{
    struct cpu *c = cpu_blank();
    for (unsigned k = 0; k < 64; k++) {
        uint32_t f = (k & 1 ? FLAG_CF : 0) | (k & 2 ? FLAG_PF : 0) | (k & 4 ? FLAG_AF : 0) |
                     (k & 8 ? FLAG_ZF : 0) | (k & 16 ? FLAG_SF : 0) | (k & 32 ? FLAG_OF : 0);
        flags_set_oszapc(c, f);
        ck_assert_uint_eq(flags_oszapc(c), f);
        ck_assert_uint_eq(flag_l(c), ((f & FLAG_SF) != 0) ^ ((f & FLAG_OF) != 0));
        for (unsigned cf = 0; cf < 2; cf++) {
            flags_set_oszapc(c, f);
            flags_set_cf(c, cf);
            ck_assert_uint_eq(flags_oszapc(c), (f & ~(uint32_t)FLAG_CF) | cf);
            for (unsigned of = 0; of < 2; of++) {
                flags_set_oszapc(c, f);
                flags_set_cf_of(c, cf, of);
                ck_assert_uint_eq(flags_oszapc(c),
                                  (f & ~(uint32_t)(FLAG_CF | FLAG_OF)) | cf | of << 11);
            }
        }
        for (unsigned cc = 0; cc < 16; cc++) {
            flags_set_oszapc(c, f);
            bool zf = f & FLAG_ZF, cf = f & FLAG_CF, sf = f & FLAG_SF, of = f & FLAG_OF,
                 pf = f & FLAG_PF;
            bool want[] = {of, cf, zf, cf || zf, sf, pf, sf != of, sf != of || zf};
            ck_assert_uint_eq(flag_cond(c, cc), want[cc >> 1] ^ (cc & 1));
        }
    }
    free(c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("flags");
    TCase *t = tcase_create("flags");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, arith8_exhaustive);
    tcase_add_test(t, arith_random);
    tcase_add_test(t, shifts);
    tcase_add_test(t, images);
    suite_add_tcase(s, t);
    return suite_run(s);
}
