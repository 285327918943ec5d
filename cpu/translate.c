/*
 * Decoded instruction to record: picks the handler by operation, form and width.
 *
 * Hot forms have handlers of their own; everything else gets the standard slow record (insn.h) and
 * the handler that slowops.def names for the operation.  Pure: depends on the bytes, the mode word
 * and the CPU model only.
 */
#include "cpu/trace.h"

/* Handlers of one form for 8, 16, 32 bits. */
#define ROW(name, form) {H_##name##8_##form, H_##name##16_##form, H_##name##32_##form}
#define ROW16(name, form) {0, H_##name##16_##form, H_##name##32_##form}

enum { FORM_RR, FORM_RI, FORM_RM, FORM_MR, FORM_MI, FORM_RM_S, FORM_MR_S, FORM_MI_S, FORM_COUNT };

#define ALU2(name)                                                                             \
    {                                                                                          \
        ROW(name, rr), ROW(name, ri), ROW(name, rm), ROW(name, mr), ROW(name, mi),             \
            ROW(name, rm_s), ROW(name, mr_s), ROW(name, mi_s)                                  \
    }
enum { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP, ALU_TEST, ALU_MOV };
static const uint16_t alu2[][FORM_COUNT][3] = {
    [ALU_ADD] = ALU2(add), [ALU_OR] = ALU2(or),   [ALU_ADC] = ALU2(adc),   [ALU_SBB] = ALU2(sbb),
    [ALU_AND] = ALU2(and), [ALU_SUB] = ALU2(sub), [ALU_XOR] = ALU2(xor),   [ALU_CMP] = ALU2(cmp),
    [ALU_TEST] = ALU2(test), [ALU_MOV] = ALU2(mov),
};

/* One-operand: register, memory, memory segmented. */
#define ALU1(name) {ROW(name, r), ROW(name, m), ROW(name, m_s)}
enum { ONE_INC, ONE_DEC, ONE_NEG, ONE_NOT, ONE_MUL, ONE_IMUL, ONE_DIV, ONE_IDIV };
static const uint16_t alu1[][3][3] = {
    [ONE_INC] = ALU1(inc), [ONE_DEC] = ALU1(dec),   [ONE_NEG] = ALU1(neg), [ONE_NOT] = ALU1(not),
    [ONE_MUL] = ALU1(mul), [ONE_IMUL] = ALU1(imul), [ONE_DIV] = ALU1(div), [ONE_IDIV] = ALU1(idiv),
};

/* Shifts: by immediate and by CL; register, memory, memory segmented. */
#define SHIFT(name)                                                                            \
    {                                                                                          \
        {ROW(name, ri), ROW(name, mi), ROW(name, mi_s)},                                       \
            {ROW(name, rc), ROW(name, mc), ROW(name, mc_s)}                                    \
    }
enum { SH_ROL, SH_ROR, SH_RCL, SH_RCR, SH_SHL, SH_SHR, SH_SAR };
static const uint16_t shifts[][2][3][3] = {
    [SH_ROL] = SHIFT(rol), [SH_ROR] = SHIFT(ror), [SH_RCL] = SHIFT(rcl), [SH_RCR] = SHIFT(rcr),
    [SH_SHL] = SHIFT(shl), [SH_SHR] = SHIFT(shr), [SH_SAR] = SHIFT(sar),
};

/* Register-register and memory forms of what exists once. */
static const uint16_t xchg_rr[3] = ROW(xchg, rr), xadd_rr[3] = ROW(xadd, rr),
                      cmpxchg_rr[3] = ROW(cmpxchg, rr);
static const uint16_t xchg_m[2][3] = {ROW(xchg, mr), ROW(xchg, mr_s)};
static const uint16_t xadd_m[2][3] = {ROW(xadd, mr), ROW(xadd, mr_s)};
static const uint16_t cmpxchg_m[2][3] = {ROW(cmpxchg, mr), ROW(cmpxchg, mr_s)};

#define WIDE_RM(name) {ROW16(name, rr), ROW16(name, rm), ROW16(name, rm_s)}
static const uint16_t imul2[3][3] = WIDE_RM(imul2), bsf[3][3] = WIDE_RM(bsf),
                      bsr[3][3] = WIDE_RM(bsr);
static const uint16_t imul3[3][3] = {ROW16(imul3, rri), ROW16(imul3, rmi), ROW16(imul3, rmi_s)};
static const uint16_t cmov[16][3][3] = {
    WIDE_RM(cmovo), WIDE_RM(cmovno), WIDE_RM(cmovb), WIDE_RM(cmovnb),
    WIDE_RM(cmovz), WIDE_RM(cmovnz), WIDE_RM(cmovbe), WIDE_RM(cmovnbe),
    WIDE_RM(cmovs), WIDE_RM(cmovns), WIDE_RM(cmovp), WIDE_RM(cmovnp),
    WIDE_RM(cmovl), WIDE_RM(cmovnl), WIDE_RM(cmovle), WIDE_RM(cmovnle),
};
#define DOUBLE(name)                                                                           \
    {                                                                                          \
        {ROW16(name, rri), ROW16(name, mri), ROW16(name, mri_s)},                              \
            {ROW16(name, rrc), ROW16(name, mrc), ROW16(name, mrc_s)}                           \
    }
static const uint16_t shld[2][3][3] = DOUBLE(shld), shrd[2][3][3] = DOUBLE(shrd);

/* rr, ri, mi, mi segmented */
#define BITS(name) {ROW16(name, rr), ROW16(name, ri), ROW16(name, mi), ROW16(name, mi_s)}
static const uint16_t bits[4][4][3] = {BITS(bt), BITS(bts), BITS(btr), BITS(btc)};

/* Stack and near transfers: flat, segmented. */
static const uint16_t push_r[2][3] = {ROW16(push, r), ROW16(push, r_s)};
static const uint16_t push_i[2][3] = {ROW16(push, i), ROW16(push, i_s)};
static const uint16_t push_m[2][3] = {ROW16(push, m), ROW16(push, m_s)};
static const uint16_t pop_r[2][3] = {ROW16(pop, r), ROW16(pop, r_s)};
static const uint16_t call_rel[2][3] = {ROW16(call, rel), ROW16(call, rel_s)};
static const uint16_t call_r[2][3] = {ROW16(call, r), ROW16(call, r_s)};
static const uint16_t call_m[2][3] = {ROW16(call, m), ROW16(call, m_s)};
static const uint16_t jmp_r[2][3] = {ROW16(jmp, r), ROW16(jmp, r_s)};
static const uint16_t jmp_m[2][3] = {ROW16(jmp, m), ROW16(jmp, m_s)};
static const uint16_t ret_n[2][3] = {ROW16(ret, n), ROW16(ret, n_s)};

/* String instructions without REP, flat. */
static const uint16_t lods[3] = ROW(lods, flat), stos[3] = ROW(stos, flat);
static const uint16_t movs[3] = ROW(movs, flat);

#define CC16(pre, suf)                                                                         \
    {                                                                                          \
        H_##pre##o##suf, H_##pre##no##suf, H_##pre##b##suf, H_##pre##nb##suf, H_##pre##z##suf, \
            H_##pre##nz##suf, H_##pre##be##suf, H_##pre##nbe##suf, H_##pre##s##suf,            \
            H_##pre##ns##suf, H_##pre##p##suf, H_##pre##np##suf, H_##pre##l##suf,              \
            H_##pre##nl##suf, H_##pre##le##suf, H_##pre##nle##suf                              \
    }
static const uint16_t jcc[16] = CC16(j, );
static const uint16_t setcc_r[16] = CC16(set, _r), setcc_m[16] = CC16(set, _m),
                      setcc_m_s[16] = CC16(set, _m_s);

/* Operation to slow handler; 0 where there is none. */
static const uint16_t slow_handler[OP_COUNT] = {
#define SLOWOP(name, op) [op] = H_##name,
#include "cpu/slowops.def"
#undef SLOWOP
};

static unsigned width_index(unsigned size)
{
    return size == 1 ? 0 : size == 2 ? 1 : 2;
}

static uint8_t reg_offset(const struct operand *o)
{
    if (o->kind != OK_REG) {
        return o->reg;
    }
    return (uint8_t)(o->size == 1 ? state_reg8_off(o->reg) : state_reg_off(o->reg, o->size));
}

static uint8_t address_reg(uint8_t reg)
{
    return (uint8_t)state_reg_off(reg == REG_NONE ? REG_ZERO : reg, 4);
}

/* Fills the memory operand; true when the flat form of a handler may be used. */
static bool put_address(const struct decoded *d, uint32_t mode, struct insn *i)
{
    i->base = address_reg(d->has_mem ? d->base : REG_NONE);
    i->index = address_reg(d->has_mem ? d->index : REG_NONE);
    i->scale = d->scale & 3;
    i->disp = (uint32_t)d->disp;
    i->seg = d->seg & 7;
    i->a16 = d->asize == 2;
    return (mode & MODE_FLAT) && d->asize == 4 &&
           (d->seg == SEG_DS || d->seg == SEG_SS || d->seg == SEG_ES);
}

/* What INSN_ flags say about the operands. */
static uint8_t operand_flags(const struct decoded *d)
{
    unsigned dst = d->o[0].kind, src = d->o[1].kind;

    return (uint8_t)((d->has_mem ? INSN_MEM : 0) |
                     (dst >= OK_SREG && dst <= OK_TR ? INSN_SYS_DST : 0) |
                     (dst == OK_MEM ? INSN_DST_MEM : 0) | (dst == OK_REG ? INSN_DST_GPR : 0) |
                     (dst == OK_MM || src == OK_MM ? INSN_MM : 0) |
                     (src == OK_IMM ? INSN_SRC_IMM : 0));
}

static enum translate_kind standard_slow(const struct decoded *d, uint32_t mode,
                                         const uint8_t *bytes, struct insn *i, unsigned id)
{
    put_address(d, mode, i);
    i->id = (uint16_t)id;
    i->dst = reg_offset(&d->o[0]);
    i->src = reg_offset(&d->o[1]);
    i->imm = (uint32_t)d->imm;
    i->imm2 = (uint16_t)d->imm2;
    i->osize = d->osize;
    i->rep = d->rep;
    i->flags = operand_flags(d) | (d->lock ? INSN_LOCK : 0) |
               (d->attr & AT_ALIGN16 ? INSN_ALIGN16 : 0);
    if ((d->attr & AT_FPU) && d->op != OP_FWAIT) { /* WAIT has no second byte */
        const uint8_t *op = bytes + d->nprefix;
        i->fop = (uint16_t)((op[0] & 7) << 8 | op[1]);
    }
    if (d->rep && (d->attr & AT_REP)) {
        return TR_ALONE;
    }
    return d->attr & AT_END ? TR_END : TR_PLAIN;
}

/* Segmented code: shorter handlers for the same record. */
static unsigned segment_form(const struct decoded *d, const struct insn *i)
{
    bool data = i->dst != SEG_SS && i->dst != SEG_CS, mem = i->flags & INSN_MEM;

    if (d->op == OP_MOV_SREG && (i->flags & INSN_SYS_DST)) {
        return !data ? i->id : mem ? H_mov_seg_m_s : H_mov_seg_r;
    }
    if (i->osize != 2) {
        return i->id;
    }
    switch (d->op) {
    case OP_MOV_SREG:
        return mem ? i->id : H_mov_r_seg16;
    case OP_PUSH_SREG:
        return H_push_seg16;
    case OP_POP_SREG:
        return data ? H_pop_seg16 : i->id;
    case OP_LES:
        return H_les16_s;
    case OP_LDS:
        return H_lds16_s;
    case OP_PUSHF:
        return H_pushf16;
    default:
        return i->id;
    }
}

enum translate_kind translate_fault(unsigned vector, struct insn *i)
{
    i->id = H_raise;
    i->imm = vector;
    return TR_END;
}

/* Register or memory form of a handler triple {r, m, m_s}. */
static unsigned pick(const uint16_t h[3][3], bool mem, bool flat, unsigned w)
{
    return h[mem ? (flat ? 1 : 2) : 0][w];
}

static int alu2_index(unsigned op)
{
    switch (op) {
    case OP_ADD: return ALU_ADD;
    case OP_OR: return ALU_OR;
    case OP_ADC: return ALU_ADC;
    case OP_SBB: return ALU_SBB;
    case OP_AND: return ALU_AND;
    case OP_SUB: return ALU_SUB;
    case OP_XOR: return ALU_XOR;
    case OP_CMP: return ALU_CMP;
    case OP_TEST: return ALU_TEST;
    case OP_MOV: return ALU_MOV;
    default: return -1;
    }
}

static int alu1_index(unsigned op)
{
    switch (op) {
    case OP_INC: return ONE_INC;
    case OP_DEC: return ONE_DEC;
    case OP_NEG: return ONE_NEG;
    case OP_NOT: return ONE_NOT;
    case OP_MUL: return ONE_MUL;
    case OP_IMUL1: return ONE_IMUL;
    case OP_DIV: return ONE_DIV;
    case OP_IDIV: return ONE_IDIV;
    default: return -1;
    }
}

static int shift_index(unsigned op)
{
    switch (op) {
    case OP_ROL: return SH_ROL;
    case OP_ROR: return SH_ROR;
    case OP_RCL: return SH_RCL;
    case OP_RCR: return SH_RCR;
    case OP_SHL: return SH_SHL;
    case OP_SHR: return SH_SHR;
    case OP_SAR: return SH_SAR;
    default: return -1;
    }
}

static unsigned alu2_form(const struct decoded *d, bool flat)
{
    if (d->o[0].kind == OK_MEM) {
        if (d->o[1].kind == OK_IMM) {
            return flat ? FORM_MI : FORM_MI_S;
        }
        return flat ? FORM_MR : FORM_MR_S;
    }
    if (d->o[1].kind == OK_MEM) {
        return flat ? FORM_RM : FORM_RM_S;
    }
    return d->o[1].kind == OK_IMM ? FORM_RI : FORM_RR;
}

/* Direct branches: target and return address as offsets from the start of the page. */
static enum translate_kind branch(const struct decoded *d, unsigned pgoff, struct insn *i,
                                  unsigned id, enum translate_kind k)
{
    i->id = (uint16_t)id;
    i->disp = pgoff + d->len;
    i->imm = pgoff + d->len + (uint32_t)d->imm;
    i->a16 = d->osize == 2;
    return k;
}

static enum translate_kind transfer(const struct decoded *d, uint32_t mode, unsigned pgoff,
                                    struct insn *i)
{
    unsigned seg = mode & MODE_FLAT ? 0 : 1;
    unsigned w = width_index(d->osize);
    bool mem = d->o[0].kind == OK_MEM;
    bool flat = put_address(d, mode, i);

    i->dst = reg_offset(&d->o[0]);
    switch (d->op) {
    case OP_CALL_NEAR_IND:
        i->imm = pgoff + d->len;
        /* a flat operand of a CALL on a segmented stack cannot occur: flat covers SS too */
        i->id = mem ? call_m[flat ? 0 : 1][w] : call_r[seg][w];
        return TR_STOP;
    case OP_JMP_NEAR_IND:
        i->id = mem ? jmp_m[flat ? 0 : 1][w] : jmp_r[seg][w];
        return TR_STOP;
    case OP_RET_NEAR:
        i->imm = d->o[0].kind == OK_IMM ? (uint32_t)d->imm : 0;
        i->id = ret_n[seg][w];
        return TR_STOP;
    default:
        return branch(d, pgoff, i, call_rel[seg][w], TR_JUMP);
    }
}

static enum translate_kind widen(const struct decoded *d, bool flat, struct insn *i)
{
    bool mem = d->o[1].kind == OK_MEM, sx = d->op == OP_MOVSX;
    unsigned form = mem ? (flat ? 1 : 2) : 0;
    static const uint16_t from8[2][2][3] = {
        {{H_movzx16_r8, H_movzx16_m8, H_movzx16_m8_s},
         {H_movzx32_r8, H_movzx32_m8, H_movzx32_m8_s}},
        {{H_movsx16_r8, H_movsx16_m8, H_movsx16_m8_s},
         {H_movsx32_r8, H_movsx32_m8, H_movsx32_m8_s}},
    };
    static const uint16_t from16[2][3] = {
        {H_movzx32_r16, H_movzx32_m16, H_movzx32_m16_s},
        {H_movsx32_r16, H_movsx32_m16, H_movsx32_m16_s},
    };
    static const uint16_t same16[3] = {H_mov16_rr, H_mov16_rm, H_mov16_rm_s};

    if (d->o[1].size == 1) {
        i->id = from8[sx][d->o[0].size == 4][form];
    } else {
        i->id = d->o[0].size == 4 ? from16[sx][form] : same16[form];
    }
    return TR_PLAIN;
}

/* Integer instructions with hot handlers; 0 in i->id when there is none for this form. */
static enum translate_kind hot(const struct decoded *d, uint32_t mode, unsigned pgoff,
                               struct insn *i)
{
    const struct operand *o = d->o;
    bool flat = put_address(d, mode, i);
    unsigned seg = mode & MODE_FLAT ? 0 : 1, ms = flat ? 0 : 1;
    bool mem0 = o[0].kind == OK_MEM, mem1 = o[1].kind == OK_MEM;
    unsigned w = width_index(d->osize);
    int k;

    i->dst = reg_offset(&o[0]);
    i->src = reg_offset(&o[1]);
    i->imm = (uint32_t)d->imm;

    if ((k = alu2_index(d->op)) >= 0) {
        i->id = alu2[k][alu2_form(d, flat)][w];
        return TR_PLAIN;
    }
    if ((k = alu1_index(d->op)) >= 0) {
        i->id = (uint16_t)pick(alu1[k], mem0, flat, w);
        return TR_PLAIN;
    }
    if ((k = shift_index(d->op)) >= 0) {
        i->id = (uint16_t)pick(shifts[k][o[1].kind == OK_REG], mem0, flat, w);
        return TR_PLAIN;
    }
    switch (d->op) {
    case OP_MOVZX:
    case OP_MOVSX:
        return widen(d, flat, i);
    case OP_XCHG:
        i->id = mem0 ? xchg_m[ms][w] : mem1 ? 0 : xchg_rr[w];
        return TR_PLAIN;
    case OP_XADD:
        i->id = mem0 ? xadd_m[ms][w] : xadd_rr[w];
        return TR_PLAIN;
    case OP_CMPXCHG:
        i->id = mem0 ? cmpxchg_m[ms][w] : cmpxchg_rr[w];
        return TR_PLAIN;
    case OP_IMUL2:
        i->id = (uint16_t)pick(imul2, mem1, flat, w);
        return TR_PLAIN;
    case OP_IMUL3:
        i->id = (uint16_t)pick(imul3, mem1, flat, w);
        return TR_PLAIN;
    case OP_BSF:
        i->id = (uint16_t)pick(bsf, mem1, flat, w);
        return TR_PLAIN;
    case OP_BSR:
        i->id = (uint16_t)pick(bsr, mem1, flat, w);
        return TR_PLAIN;
    case OP_SHLD:
    case OP_SHRD:
        i->id = (uint16_t)pick((d->op == OP_SHLD ? shld : shrd)[o[2].kind == OK_REG], mem0,
                               flat, w);
        return TR_PLAIN;
    case OP_BT:
    case OP_BTS:
    case OP_BTR:
    case OP_BTC:
        k = d->op == OP_BT ? 0 : d->op == OP_BTS ? 1 : d->op == OP_BTR ? 2 : 3;
        if (mem0) {
            if (o[1].kind != OK_IMM) {
                i->id = H_bt_string;
                i->osize = d->osize;
                i->imm = (uint32_t)k;
            } else {
                i->id = bits[k][flat ? 2 : 3][w];
            }
        } else {
            i->id = bits[k][o[1].kind == OK_IMM ? 1 : 0][w];
        }
        return TR_PLAIN;
    case OP_LEA:
        i->id = w == 1 ? H_lea16_r : H_lea32_r;
        return TR_PLAIN;
    case OP_CMOVCC:
        i->id = (uint16_t)pick(cmov[d->cc & 15], mem1, flat, w);
        return TR_PLAIN;
    case OP_SETCC:
        i->id = mem0 ? (flat ? setcc_m : setcc_m_s)[d->cc & 15] : setcc_r[d->cc & 15];
        return TR_PLAIN;
    case OP_PUSH:
        i->src = i->dst;
        i->id = mem0 ? push_m[ms][w] : o[0].kind == OK_IMM ? push_i[seg][w] : push_r[seg][w];
        return TR_PLAIN;
    case OP_POP:
        i->id = mem0 ? 0 : pop_r[seg][w];
        return TR_PLAIN;
    case OP_LEAVE:
        i->id = !seg && d->osize == 4 ? H_leave32 : 0;
        return TR_PLAIN;
    case OP_JCC:
        return branch(d, pgoff, i, jcc[d->cc & 15], TR_BRANCH);
    case OP_JMP_NEAR_REL:
        return branch(d, pgoff, i, H_jmp_rel, TR_JUMP);
    case OP_LOOP:
        return branch(d, pgoff, i, d->asize == 2 ? H_loop16 : H_loop32, TR_BRANCH);
    case OP_LOOPE:
        return branch(d, pgoff, i, d->asize == 2 ? H_loope16 : H_loope32, TR_BRANCH);
    case OP_LOOPNE:
        return branch(d, pgoff, i, d->asize == 2 ? H_loopne16 : H_loopne32, TR_BRANCH);
    case OP_JCXZ:
        return branch(d, pgoff, i, d->asize == 2 ? H_jcxz16 : H_jcxz32, TR_BRANCH);
    case OP_CALL_NEAR_REL:
    case OP_CALL_NEAR_IND:
    case OP_JMP_NEAR_IND:
    case OP_RET_NEAR:
        return transfer(d, mode, pgoff, i);
    case OP_LODS:
    case OP_STOS:
    case OP_MOVS:
        if (flat && !d->rep) {
            i->id = (d->op == OP_LODS ? lods : d->op == OP_STOS ? stos : movs)[w];
        }
        return TR_PLAIN;
    case OP_CBW:
        i->id = d->osize == 2 ? H_cbw : H_cwde;
        return TR_PLAIN;
    case OP_CWD:
        i->id = d->osize == 2 ? H_cwd : H_cdq;
        return TR_PLAIN;
    case OP_BSWAP:
        i->id = d->osize == 2 ? H_bswap16 : H_bswap32;
        return TR_PLAIN;
    case OP_LAHF:
        i->id = H_lahf;
        return TR_PLAIN;
    case OP_SAHF:
        i->id = H_sahf;
        return TR_PLAIN;
    case OP_CLC:
        i->id = H_clc;
        return TR_PLAIN;
    case OP_STC:
        i->id = H_stc;
        return TR_PLAIN;
    case OP_CMC:
        i->id = H_cmc;
        return TR_PLAIN;
    case OP_CLD:
        i->id = H_cld;
        return TR_PLAIN;
    case OP_STD:
        i->id = H_std;
        return TR_PLAIN;
    case OP_NOP:
    case OP_PAUSE:
    case OP_PREFETCHNTA:
    case OP_PREFETCHT0:
    case OP_PREFETCHT1:
    case OP_PREFETCHT2:
    case OP_PREFETCHW:
    case OP_LFENCE:
    case OP_MFENCE:
    case OP_SFENCE:
        i->id = H_nop;
        return TR_PLAIN;
    default:
        return TR_PLAIN;
    }
}

enum translate_kind translate(const struct cpu *c, const struct decoded *d, uint32_t mode,
                              unsigned pgoff, const uint8_t *bytes, struct insn *i)
{
    if (!cpu_has(c, d->feature)) {
        return translate_fault(EXC_UD, i);
    }
    i->id = 0;
    enum translate_kind k = hot(d, mode, pgoff, i);
    if (i->id) {
        return k;
    }
    memset(i, 0, sizeof *i);
    if (slow_handler[d->op]) {
        k = standard_slow(d, mode, bytes, i, slow_handler[d->op]);
        i->id = (uint16_t)(mode & MODE_FLAT ? i->id : segment_form(d, i));
        return k;
    }
    return translate_fault(EXC_UD, i);
}
