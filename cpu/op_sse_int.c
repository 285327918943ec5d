/*
 * Packed integers in MM and XMM registers: arithmetic, comparison, shifts, packing, shuffles.
 *
 * Source: Intel SDM vol. 1 chapters 9 to 11, instruction pages of vol. 2.
 *
 * A lane function computes one 64-bit half; an MM instruction applies it once, an XMM instruction
 * twice. The cores take it as an argument and are always inlined, so every handler is straight
 * code.
 */
#include "cpu/simd.h"

#define SLOWOP(name, op) struct insn *x_##name(struct cpu *c, struct insn *i);
#include "cpu/ops_simd.def"
#undef SLOWOP

/* Half of a destination from halves of destination and source. */
typedef uint64_t lane_fn(uint64_t a, uint64_t b);
/* Half of a destination shifted by a count of any size. */
typedef uint64_t shift_fn(uint64_t a, uint64_t count);

#define LOW_BITS(n) (~(uint64_t)0 / (((uint64_t)1 << (n)) - 1)) /* bit 0 of every n-bit lane */
#define TOP_BITS(n) (LOW_BITS(n) << ((n) - 1))

/* --- cores ------------------------------------------------------------------------------------ */

/* Every half for itself. */
ALWAYS_INLINE struct insn *packed(struct cpu *c, struct insn *i, lane_fn *op)
{
    if (i->flags & INSN_MM) {
        uint64_t b;
        MMX_CHECK
        if (!mm_source(c, i, 8, &b)) {
            return cpu_fault(c, i);
        }
        mmx_set(c, i->dst, op(mm(c, i->dst), b));
        return insn_next(i);
    }
    struct xmm b, *d = &c->xmm[i->dst];
    SSE_CHECK
    if (!xmm_source(c, i, &b)) {
        return cpu_fault(c, i);
    }
    d->q[0] = op(d->q[0], b.q[0]);
    d->q[1] = op(d->q[1], b.q[1]);
    return insn_next(i);
}

/* PACKxx: op narrows a half to 32 bits and puts the narrowed second one above it. */
ALWAYS_INLINE struct insn *packed_narrow(struct cpu *c, struct insn *i, lane_fn *op)
{
    if (i->flags & INSN_MM) {
        return packed(c, i, op);
    }
    struct xmm b, *d = &c->xmm[i->dst];
    SSE_CHECK
    if (!xmm_source(c, i, &b)) {
        return cpu_fault(c, i);
    }
    d->q[0] = op(d->q[0], d->q[1]);
    d->q[1] = op(b.q[0], b.q[1]);
    return insn_next(i);
}

/* UNPCKL, UNPCKH: op interleaves the lanes of two low 32-bit halves. */
ALWAYS_INLINE struct insn *packed_unpack(struct cpu *c, struct insn *i, bool high, lane_fn *op)
{
    if (i->flags & INSN_MM) {
        uint64_t b, shift = high ? 32 : 0;
        MMX_CHECK
        if (!mm_source(c, i, high ? 8 : 4, &b)) {
            return cpu_fault(c, i);
        }
        mmx_set(c, i->dst, op(mm(c, i->dst) >> shift, b >> shift));
        return insn_next(i);
    }
    struct xmm s, *d = &c->xmm[i->dst];
    SSE_CHECK
    if (!xmm_source(c, i, &s)) {
        return cpu_fault(c, i);
    }
    uint64_t a = d->q[high], b = s.q[high];
    d->q[0] = op(a, b);
    d->q[1] = op(a >> 32, b >> 32);
    return insn_next(i);
}

/* Shifts by an immediate or by the low 64 bits of the source. */
ALWAYS_INLINE struct insn *packed_shift(struct cpu *c, struct insn *i, shift_fn *op)
{
    if (i->flags & INSN_MM) {
        uint64_t n = i->imm;
        MMX_CHECK
        if (!(i->flags & INSN_SRC_IMM) && !mm_source(c, i, 8, &n)) {
            return cpu_fault(c, i);
        }
        mmx_set(c, i->dst, op(mm(c, i->dst), n));
        return insn_next(i);
    }
    struct xmm n = {{i->imm, 0}}, *d = &c->xmm[i->dst];
    SSE_CHECK
    if (!(i->flags & INSN_SRC_IMM) && !xmm_source(c, i, &n)) {
        return cpu_fault(c, i);
    }
    d->q[0] = op(d->q[0], n.q[0]);
    d->q[1] = op(d->q[1], n.q[0]);
    return insn_next(i);
}

#define PACKED(name, op) SIMD_INSN(name) { return packed(c, i, lane_##op); }
#define NARROW(name, op) SIMD_INSN(name) { return packed_narrow(c, i, lane_##op); }
#define UNPACK(name, high, op) SIMD_INSN(name) { return packed_unpack(c, i, high, lane_##op); }
#define SHIFT(name, op) SIMD_INSN(name) { return packed_shift(c, i, shift_##op); }

/* --- logic ------------------------------------------------------------------------------------ */

static uint64_t lane_and(uint64_t a, uint64_t b)
{
    return a & b;
}

static uint64_t lane_andn(uint64_t a, uint64_t b)
{
    return ~a & b;
}

static uint64_t lane_or(uint64_t a, uint64_t b)
{
    return a | b;
}

static uint64_t lane_xor(uint64_t a, uint64_t b)
{
    return a ^ b;
}

PACKED(pand, and)
PACKED(pandn, andn)
PACKED(por, or)
PACKED(pxor, xor)
PACKED(andps, and)
PACKED(andpd, and)
PACKED(andnps, andn)
PACKED(andnpd, andn)
PACKED(orps, or)
PACKED(orpd, or)
PACKED(xorps, xor)
PACKED(xorpd, xor)

/* --- addition, comparison: all lanes at once -------------------------------------------------- */

/* The top bits of the lanes are added without carry, so nothing crosses a lane. */
#define WRAPPING(bits)                                                                         \
    static uint64_t lane_add##bits(uint64_t a, uint64_t b)                                     \
    {                                                                                          \
        uint64_t top = TOP_BITS(bits);                                                         \
        return ((a & ~top) + (b & ~top)) ^ ((a ^ b) & top);                                    \
    }                                                                                          \
    static uint64_t lane_sub##bits(uint64_t a, uint64_t b)                                     \
    {                                                                                          \
        uint64_t top = TOP_BITS(bits);                                                         \
        return ((a | top) - (b & ~top)) ^ ((a ^ ~b) & top);                                    \
    }                                                                                          \
    static uint64_t lane_eq##bits(uint64_t a, uint64_t b)                                      \
    {                                                                                          \
        uint64_t top = TOP_BITS(bits), x = a ^ b;                                              \
        uint64_t differ = (((x & ~top) + ~top) | x) & top;                                     \
        return ((differ ^ top) >> (bits - 1)) * (((uint64_t)1 << bits) - 1);                   \
    }
WRAPPING(8)
WRAPPING(16)
WRAPPING(32)

static uint64_t lane_add64(uint64_t a, uint64_t b)
{
    return a + b;
}

static uint64_t lane_sub64(uint64_t a, uint64_t b)
{
    return a - b;
}

PACKED(paddb, add8)
PACKED(paddw, add16)
PACKED(paddd, add32)
PACKED(paddq, add64)
PACKED(psubb, sub8)
PACKED(psubw, sub16)
PACKED(psubd, sub32)
PACKED(psubq, sub64)
PACKED(pcmpeqb, eq8)
PACKED(pcmpeqw, eq16)
PACKED(pcmpeqd, eq32)

/* --- saturation, order, average: all lanes at once -------------------------------------------- */

/* A mask has the top bit of a lane set, or nothing of it; `fill` makes whole lanes of that. */
#define ORDERED(bits)                                                                          \
    static uint64_t fill##bits(uint64_t mask)                                                  \
    {                                                                                          \
        return (mask >> (bits - 1)) * (((uint64_t)1 << bits) - 1);                             \
    }                                                                                          \
    /* whole lanes where a < b: the borrow of a - b */                                         \
    static uint64_t below##bits(uint64_t a, uint64_t b)                                        \
    {                                                                                          \
        uint64_t d = lane_sub##bits(a, b);                                                     \
        return fill##bits(((~a & b) | (~(a ^ b) & d)) & TOP_BITS(bits));                       \
    }                                                                                          \
    static uint64_t less##bits(uint64_t a, uint64_t b)                                         \
    {                                                                                          \
        return below##bits(a ^ TOP_BITS(bits), b ^ TOP_BITS(bits));                            \
    }                                                                                          \
    static uint64_t lane_gt##bits(uint64_t a, uint64_t b)                                      \
    {                                                                                          \
        return less##bits(b, a);                                                               \
    }
ORDERED(8)
ORDERED(16)
ORDERED(32)

static uint64_t choose(uint64_t mask, uint64_t yes, uint64_t no)
{
    return (yes & mask) | (no & ~mask);
}

#define SATURATING(bits)                                                                       \
    /* r, but the limit on the side of a's sign in the lanes that overflowed */                \
    static uint64_t clamp##bits(uint64_t a, uint64_t r, uint64_t overflow)                     \
    {                                                                                          \
        uint64_t top = TOP_BITS(bits);                                                         \
        uint64_t limit = ~top + ((a & top) >> (bits - 1));                                     \
        return choose(fill##bits(overflow & top), limit, r);                                   \
    }                                                                                          \
    static uint64_t lane_adds##bits(uint64_t a, uint64_t b)                                    \
    {                                                                                          \
        uint64_t r = lane_add##bits(a, b);                                                     \
        return clamp##bits(a, r, ~(a ^ b) & (a ^ r));                                          \
    }                                                                                          \
    static uint64_t lane_subs##bits(uint64_t a, uint64_t b)                                    \
    {                                                                                          \
        uint64_t r = lane_sub##bits(a, b);                                                     \
        return clamp##bits(a, r, (a ^ b) & (a ^ r));                                           \
    }                                                                                          \
    static uint64_t lane_addus##bits(uint64_t a, uint64_t b)                                   \
    {                                                                                          \
        uint64_t r = lane_add##bits(a, b);                                                     \
        return r | below##bits(r, a);                                                          \
    }                                                                                          \
    static uint64_t lane_subus##bits(uint64_t a, uint64_t b)                                   \
    {                                                                                          \
        return lane_sub##bits(a, b) & ~below##bits(a, b);                                      \
    }                                                                                          \
    /* rounded up: a + b + 1 = 2 * (a | b) - (a ^ b) + 1 */                                    \
    static uint64_t lane_avg##bits(uint64_t a, uint64_t b)                                     \
    {                                                                                          \
        return (a | b) - ((a ^ b) >> 1 & ~TOP_BITS(bits));                                     \
    }
SATURATING(8)
SATURATING(16)

static uint64_t lane_min_u8(uint64_t a, uint64_t b)
{
    return choose(below8(a, b), a, b);
}

static uint64_t lane_max_u8(uint64_t a, uint64_t b)
{
    return choose(below8(a, b), b, a);
}

static uint64_t lane_min_s16(uint64_t a, uint64_t b)
{
    return choose(less16(a, b), a, b);
}

static uint64_t lane_max_s16(uint64_t a, uint64_t b)
{
    return choose(less16(a, b), b, a);
}

PACKED(pcmpgtb, gt8)
PACKED(pcmpgtw, gt16)
PACKED(pcmpgtd, gt32)
PACKED(paddsb, adds8)
PACKED(paddsw, adds16)
PACKED(paddusb, addus8)
PACKED(paddusw, addus16)
PACKED(psubsb, subs8)
PACKED(psubsw, subs16)
PACKED(psubusb, subus8)
PACKED(psubusw, subus16)
PACKED(pavgb, avg8)
PACKED(pavgw, avg16)
PACKED(pminub, min_u8)
PACKED(pmaxub, max_u8)
PACKED(pminsw, min_s16)
PACKED(pmaxsw, max_s16)

/* --- multiplication: lane by lane ------------------------------------------------------------- */

/* expr is the result of the words x and y. */
#define WORDS(name, type, expr)                                                                \
    static uint64_t lane_##name(uint64_t a, uint64_t b)                                        \
    {                                                                                          \
        uint64_t r = 0;                                                                        \
        for (unsigned n = 0; n < 64; n += 16) {                                                \
            type x = (type)(a >> n), y = (type)(b >> n);                                       \
            r |= (uint64_t)(uint16_t)(expr) << n;                                              \
        }                                                                                      \
        return r;                                                                              \
    }
WORDS(mul_low, int16_t, x * y)
WORDS(mul_high, int16_t, (uint32_t)(x * y) >> 16)
WORDS(mul_high_u, uint16_t, (uint32_t)x * y >> 16)

static uint64_t lane_mul32(uint64_t a, uint64_t b)
{
    return (uint64_t)low32(a) * low32(b);
}

/* Products of words, summed in pairs; only -8000h times -8000h twice overflows, and wraps. */
static uint64_t lane_madd(uint64_t a, uint64_t b)
{
    uint64_t r = 0;

    for (unsigned n = 0; n < 64; n += 32) {
        int32_t low = (int16_t)(a >> n) * (int16_t)(b >> n);
        int32_t high = (int16_t)(a >> n >> 16) * (int16_t)(b >> n >> 16);
        r |= (uint64_t)((uint32_t)low + (uint32_t)high) << n;
    }
    return r;
}

static uint64_t lane_sad(uint64_t a, uint64_t b)
{
    unsigned sum = 0;

    for (unsigned n = 0; n < 64; n += 8) {
        int d = (uint8_t)(a >> n) - (uint8_t)(b >> n);
        sum += (unsigned)(d < 0 ? -d : d);
    }
    return sum;
}

PACKED(pmullw, mul_low)
PACKED(pmulhw, mul_high)
PACKED(pmulhuw, mul_high_u)
PACKED(pmuludq, mul32)
PACKED(pmaddwd, madd)
PACKED(psadbw, sad)

/* --- packing ---------------------------------------------------------------------------------- */

static int32_t saturate(int32_t v, int32_t low, int32_t high)
{
    return v < low ? low : v > high ? high : v;
}

#define PACKING(name, from, to, low, high)                                                     \
    static uint64_t lane_##name(uint64_t a, uint64_t b)                                        \
    {                                                                                          \
        uint64_t r = 0;                                                                        \
        for (unsigned n = 0; n < 64; n += (from)) {                                            \
            int32_t x = (CAT3(int, from, _t))(a >> n), y = (CAT3(int, from, _t))(b >> n);      \
            r |= (uint64_t)(CAT3(uint, to, _t))saturate(x, low, high) << n / 2;                \
            r |= (uint64_t)(CAT3(uint, to, _t))saturate(y, low, high) << (32 + n / 2);         \
        }                                                                                      \
        return r;                                                                              \
    }
PACKING(pack_s8, 16, 8, INT8_MIN, INT8_MAX)
PACKING(pack_u8, 16, 8, 0, UINT8_MAX)
PACKING(pack_s16, 32, 16, INT16_MIN, INT16_MAX)

NARROW(packsswb, pack_s8)
NARROW(packuswb, pack_u8)
NARROW(packssdw, pack_s16)

/* --- unpacking -------------------------------------------------------------------------------- */

/* Spreads the 32-bit input so that every lane is followed by a gap of its own width. */
static uint64_t spread16(uint64_t v)
{
    v &= 0xffffffffu;
    return (v | v << 16) & 0x0000ffff0000ffffu;
}

static uint64_t spread8(uint64_t v)
{
    v = spread16(v);
    return (v | v << 8) & 0x00ff00ff00ff00ffu;
}

static uint64_t lane_mix8(uint64_t a, uint64_t b)
{
    return spread8(a) | spread8(b) << 8;
}

static uint64_t lane_mix16(uint64_t a, uint64_t b)
{
    return spread16(a) | spread16(b) << 16;
}

static uint64_t lane_mix32(uint64_t a, uint64_t b)
{
    return join32(low32(a), low32(b));
}

UNPACK(punpcklbw, false, mix8)
UNPACK(punpcklwd, false, mix16)
UNPACK(punpckldq, false, mix32)
UNPACK(punpckhbw, true, mix8)
UNPACK(punpckhwd, true, mix16)
UNPACK(punpckhdq, true, mix32)
UNPACK(unpcklps, false, mix32)
UNPACK(unpckhps, true, mix32)

ALWAYS_INLINE struct insn *unpack_quad(struct cpu *c, struct insn *i, bool high)
{
    struct xmm b, *d = &c->xmm[i->dst];

    SSE_CHECK
    if (!xmm_source(c, i, &b)) {
        return cpu_fault(c, i);
    }
    *d = (struct xmm){{d->q[high], b.q[high]}};
    return insn_next(i);
}

SIMD_INSN(punpcklqdq) { return unpack_quad(c, i, false); }
SIMD_INSN(punpckhqdq) { return unpack_quad(c, i, true); }
SIMD_INSN(unpcklpd) { return unpack_quad(c, i, false); }
SIMD_INSN(unpckhpd) { return unpack_quad(c, i, true); }

/* --- shifts ----------------------------------------------------------------------------------- */

/* Bits that a neighbour shifted into a lane are masked away. */
#define SHIFTS(bits)                                                                           \
    static uint64_t shift_left##bits(uint64_t a, uint64_t count)                               \
    {                                                                                          \
        uint64_t ones = ~(uint64_t)0 >> (64 - bits);                                           \
        return count < bits ? a << count & (ones << count & ones) * LOW_BITS(bits) : 0;        \
    }                                                                                          \
    static uint64_t shift_right##bits(uint64_t a, uint64_t count)                              \
    {                                                                                          \
        uint64_t ones = ~(uint64_t)0 >> (64 - bits);                                           \
        return count < bits ? a >> count & (ones >> count) * LOW_BITS(bits) : 0;               \
    }                                                                                          \
    static uint64_t shift_arith##bits(uint64_t a, uint64_t count)                              \
    {                                                                                          \
        unsigned n = count < bits ? (unsigned)count : bits - 1;                                \
        uint64_t sign = TOP_BITS(bits) >> n, r = shift_right##bits(a, n);                      \
        return lane_sub##bits(r ^ sign, sign);                                                 \
    }
SHIFTS(16)
SHIFTS(32)

static uint64_t shift_left64(uint64_t a, uint64_t count)
{
    return count < 64 ? a << count : 0;
}

static uint64_t shift_right64(uint64_t a, uint64_t count)
{
    return count < 64 ? a >> count : 0;
}

SHIFT(psllw, left16)
SHIFT(pslld, left32)
SHIFT(psllq, left64)
SHIFT(psrlw, right16)
SHIFT(psrld, right32)
SHIFT(psrlq, right64)
SHIFT(psraw, arith16)
SHIFT(psrad, arith32)

SIMD_INSN(pslldq)
{
    struct xmm *d = &c->xmm[i->dst], v = *d;
    unsigned n = i->imm * 8;

    SSE_CHECK
    if (n >= 64) {
        *d = (struct xmm){{0, shift_left64(v.q[0], n - 64)}};
    } else if (n) {
        *d = (struct xmm){{v.q[0] << n, v.q[1] << n | v.q[0] >> (64 - n)}};
    }
    return insn_next(i);
}

SIMD_INSN(psrldq)
{
    struct xmm *d = &c->xmm[i->dst], v = *d;
    unsigned n = i->imm * 8;

    SSE_CHECK
    if (n >= 64) {
        *d = (struct xmm){{shift_right64(v.q[1], n - 64), 0}};
    } else if (n) {
        *d = (struct xmm){{v.q[0] >> n | v.q[1] << (64 - n), v.q[1] >> n}};
    }
    return insn_next(i);
}

/* --- shuffles --------------------------------------------------------------------------------- */

/* Words of a half in the order of the four 2-bit fields. */
static uint64_t shuffle_words(uint64_t v, unsigned order)
{
    uint64_t r = 0;

    for (unsigned n = 0; n < 4; n++) {
        r |= (v >> (order >> n * 2 & 3) * 16 & 0xffff) << n * 16;
    }
    return r;
}

static uint32_t dword_of(const struct xmm *v, unsigned n)
{
    return (uint32_t)(v->q[n >> 1 & 1] >> (n & 1) * 32);
}

/* Two dwords of v as the low four bits of order say. */
static uint64_t pick_dwords(const struct xmm *v, unsigned order)
{
    return join32(dword_of(v, order & 3), dword_of(v, order >> 2 & 3));
}

SIMD_INSN(pshufw)
{
    uint64_t v;

    MMX_CHECK
    if (!mm_source(c, i, 8, &v)) {
        return cpu_fault(c, i);
    }
    mmx_set(c, i->dst, shuffle_words(v, i->imm));
    return insn_next(i);
}

SIMD_INSN(pshufd)
{
    struct xmm v;

    SSE_CHECK
    if (!xmm_source(c, i, &v)) {
        return cpu_fault(c, i);
    }
    c->xmm[i->dst] = (struct xmm){{pick_dwords(&v, i->imm), pick_dwords(&v, i->imm >> 4)}};
    return insn_next(i);
}

SIMD_INSN(pshuflw)
{
    struct xmm v;

    SSE_CHECK
    if (!xmm_source(c, i, &v)) {
        return cpu_fault(c, i);
    }
    c->xmm[i->dst] = (struct xmm){{shuffle_words(v.q[0], i->imm), v.q[1]}};
    return insn_next(i);
}

SIMD_INSN(pshufhw)
{
    struct xmm v;

    SSE_CHECK
    if (!xmm_source(c, i, &v)) {
        return cpu_fault(c, i);
    }
    c->xmm[i->dst] = (struct xmm){{v.q[0], shuffle_words(v.q[1], i->imm)}};
    return insn_next(i);
}

SIMD_INSN(shufps)
{
    struct xmm v, *d = &c->xmm[i->dst];

    SSE_CHECK
    if (!xmm_source(c, i, &v)) {
        return cpu_fault(c, i);
    }
    *d = (struct xmm){{pick_dwords(d, i->imm), pick_dwords(&v, i->imm >> 4)}};
    return insn_next(i);
}

SIMD_INSN(shufpd)
{
    struct xmm v, *d = &c->xmm[i->dst];

    SSE_CHECK
    if (!xmm_source(c, i, &v)) {
        return cpu_fault(c, i);
    }
    *d = (struct xmm){{d->q[i->imm & 1], v.q[i->imm >> 1 & 1]}};
    return insn_next(i);
}

/* --- between lanes and general registers ------------------------------------------------------ */

static bool word_source(struct cpu *c, const struct insn *i, uint64_t *v)
{
    if (i->flags & INSN_MEM) {
        return fpu_load(c, i, 2, v);
    }
    *v = R32(i->src) & 0xffff;
    return true;
}

static uint64_t insert_word(uint64_t q, unsigned n, uint64_t v)
{
    unsigned shift = (n & 3) * 16;

    return (q & ~((uint64_t)0xffff << shift)) | v << shift;
}

SIMD_INSN(pinsrw)
{
    unsigned n = i->imm & 7;
    uint64_t v;

    if (i->flags & INSN_MM) {
        MMX_CHECK
        if (!word_source(c, i, &v)) {
            return cpu_fault(c, i);
        }
        mmx_set(c, i->dst, insert_word(mm(c, i->dst), n, v));
        return insn_next(i);
    }
    SSE_CHECK
    if (!word_source(c, i, &v)) {
        return cpu_fault(c, i);
    }
    uint64_t *q = &c->xmm[i->dst].q[n >> 2];
    *q = insert_word(*q, n, v);
    return insn_next(i);
}

SIMD_INSN(pextrw)
{
    unsigned n = i->imm & 7;

    if (i->flags & INSN_MM) {
        MMX_CHECK
        R32(i->dst) = mm(c, i->src) >> (n & 3) * 16 & 0xffff;
        mmx_enter(c);
        return insn_next(i);
    }
    SSE_CHECK
    R32(i->dst) = c->xmm[i->src].q[n >> 2] >> (n & 3) * 16 & 0xffff;
    return insn_next(i);
}

/* Bit 7 of every byte, side by side: the product moves bit 8k to bit 56 + k, without collisions. */
static uint32_t byte_signs(uint64_t v)
{
    return (uint32_t)((v >> 7 & LOW_BITS(8)) * 0x0102040810204080u >> 56);
}

SIMD_INSN(pmovmskb)
{
    if (i->flags & INSN_MM) {
        MMX_CHECK
        R32(i->dst) = byte_signs(mm(c, i->src));
        mmx_enter(c);
        return insn_next(i);
    }
    SSE_CHECK
    R32(i->dst) = byte_signs(c->xmm[i->src].q[0]) | byte_signs(c->xmm[i->src].q[1]) << 8;
    return insn_next(i);
}
