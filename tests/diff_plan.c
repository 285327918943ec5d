/*
 * What a test may contain: steps it on the core and finds what cannot be compared.
 *
 * Undefined flags are tracked from instruction to instruction; an instruction that would read one
 * is not put into a test, so undefined values never reach a register.  Instructions whose result is
 * documented to differ between CPUs (CPUID), that would leave the sandbox (system calls, far jumps
 * to 64-bit code), or that the host knows in a newer meaning (F3 BSF is TZCNT there), are dropped.
 */
#include "tests/diff.h"

#include <string.h>

#include "cpu/state.h"

enum { CPUNODE_INDEX = 15 }; /* GDT entry whose limit is the number of the host CPU */

/* --- instructions that cannot be compared ---------------------------------------------------- */

/* System calls, and what answers for the host rather than for the architecture. */
static bool never(const struct decoded *d)
{
    switch (d->op) {
    case OP_CPUID:
    case OP_RDTSC:
    case OP_SYSENTER:
    case OP_SYSCALL:
    case OP_SGDT: /* the kernel answers for these with UMIP */
    case OP_SIDT:
    case OP_SLDT:
    case OP_SMSW:
    case OP_STR:
        return true;
    case OP_INT:
        return d->imm == 0x80;
    case OP_ICEBP: /* hypervisors deliver it as a fault */
        return true;
    case OP_LOOPE:
    case OP_LOOPNE: /* AMD takes the condition from a repeat prefix */
        return d->rep != REP_NONE;
    case OP_UD0: /* has a ModR/M byte or not */
        return true;
    default:
        return d->feature == FT_PREFETCHW || d->feature == FT_LM || d->feature == FT_CX16;
    }
}

/* Encodings with a newer meaning on the host: TZCNT, LZCNT, RDPID, RSTORSSP and the like. */
static bool newer(const struct decoded *d, const uint8_t *code)
{
    const uint8_t *opcode = code + d->nprefix;
    bool rep = false, any = false;

    for (unsigned k = 0; k < d->nprefix; k++) {
        rep = rep || code[k] == 0xf2 || code[k] == 0xf3;
        any = any || rep || code[k] == 0x66;
    }
    if (opcode[0] != 0x0f) {
        return false;
    }
    switch (opcode[1]) {
    case 0xbc:
    case 0xbd:
        return rep;
    case 0x01:
    case 0x09:
    case 0x1e:
    case 0xae:
    case 0xc7:
        return any;
    default:
        return false;
    }
}

static uint32_t effective_address(const struct diff_core *c, const struct decoded *d)
{
    uint32_t base = d->base < 8 ? core_reg(c, d->base) : 0;
    uint32_t index = d->index < 8 ? core_reg(c, d->index) : 0;
    uint32_t ea = base + (index << d->scale) + (uint32_t)d->disp;

    return d->asize == 2 ? ea & 0xffff : ea;
}

static uint32_t linear_address(const struct diff_core *c, const struct decoded *d)
{
    return core_segment_base(c, d->seg) + effective_address(c, d);
}

/* Selectors that mean something else on the host from one moment to the next. */
static bool reads_selector(const struct decoded *d)
{
    return d->op == OP_LAR || d->op == OP_LSL || d->op == OP_VERR || d->op == OP_VERW;
}

static bool host_only_selector(struct diff_core *c, const struct decoded *d)
{
    const struct operand *o = &d->o[d->noperands - 1];
    uint32_t sel = 0;

    if (!reads_selector(d)) {
        return false;
    }
    if (o->kind == OK_REG) {
        sel = core_reg(c, o->reg);
    } else {
        uint32_t at = linear_address(c, d) - WIN_LA;
        sel = at < WIN_SIZE - 1 ? get16(core_window(c) + at) : 0;
    }
    return (sel & 0xfff8) == CPUNODE_INDEX << 3;
}

/* Bit 17 of MXCSR exists on the host (misaligned operands). */
static bool host_mxcsr(struct diff_core *c, uint32_t la)
{
    uint32_t at = la - WIN_LA;

    return at <= WIN_SIZE - 4 && (get32(core_window(c) + at) & 0x20000);
}

/*
 * Exceptions that the manual leaves to the implementation: alignment checks of ENTER's frame and of
 * FXSAVE, MOVUPS and its like, page faults of bytes that MASKMOV does not store.
 */
static bool optional_fault(struct diff_core *c, const struct decoded *d)
{
    struct diff_result r;
    uint32_t la;

    core_result(c, &r);
    switch (d->op) {
    case OP_ENTER:
        return (r.s.eflags & FLAG_AC) != 0;
    case OP_MASKMOVQ:
    case OP_MASKMOVDQU:
        la = core_segment_base(c, d->seg) +
             (d->asize == 2 ? r.s.r[REG_EDI] & 0xffff : r.s.r[REG_EDI]);
        return d->seg_override || r.s.sel[SEG_DS] != SEL_USER_DS ||
               la - WIN_LA > WIN_SIZE - 16 || (r.s.eflags & FLAG_AC);
    case OP_FXSAVE:
    case OP_FXRSTOR: /* #GP or #AC */
        return ((r.s.eflags & FLAG_AC) && (linear_address(c, d) & 15)) ||
               (d->op == OP_FXRSTOR && host_mxcsr(c, linear_address(c, d) + FX_MXCSR));
    case OP_LDMXCSR:
        return host_mxcsr(c, linear_address(c, d));
    default:
        return d->has_mem && (d->attr & AT_UNAL) && (r.s.eflags & FLAG_AC) &&
               (linear_address(c, d) & 15);
    }
}

/* --- undefined flags ------------------------------------------------------------------------- */

static unsigned shift_count(const struct diff_core *c, const struct decoded *d)
{
    const struct operand *o = &d->o[d->noperands - 1];

    return (o->kind == OK_IMM ? (unsigned)d->imm : core_reg(c, REG_ECX)) & 31;
}

/* Flags after an instruction with a count; false when its result is undefined too. */
static bool count_flags(const struct diff_core *c, const struct decoded *d, uint16_t *flags)
{
    const struct oprow *row = decode_row(d->row);
    unsigned n = shift_count(c, d), bits = d->osize * 8;
    bool twice = d->op == OP_SHLD || d->op == OP_SHRD;

    if (n == 0) {
        return true;
    }
    *flags = (uint16_t)((*flags & ~row->fl_write) | row->fl_undef);
    if (n > 1) {
        *flags |= FLAG_OF;
    }
    if ((d->op == OP_SHL || d->op == OP_SHR) && n >= bits) {
        *flags |= FLAG_CF;
    }
    return !twice || n <= bits;
}

enum { FSW_C1 = 0x200, FSW_CODES = 0x4300 /* C0, C1, C3 */ };

/* Two causes of a stack fault at once. */
static bool both_stack_faults(const struct diff_core *c, const struct decoded *d)
{
    struct diff_result r;
    unsigned top, tags;

    core_result(c, &r);
    top = r.s.fx[FX_SW + 1] >> 3 & 7;
    tags = r.s.fx[FX_TAGS];
    return d->op == OP_FLD_STI && !(tags >> ((top + d->o[0].reg) & 7) & 1) &&
           (tags >> ((top + 7) & 7) & 1);
}

/* C1 where AMD and the manual differ, until an instruction sets it again. */
static void x87_taint(const struct diff_core *c, const struct decoded *d, struct diff_taint *t)
{
    switch (d->op) {
    case OP_FCOMI:
    case OP_FCOMIP:
    case OP_FUCOMI:
    case OP_FUCOMIP:
        t->fsw |= FSW_C1;
        break;
    case OP_FLD_STI:
        t->fsw = both_stack_faults(c, d) ? FSW_C1 : 0;
        break;
    case OP_FCMOVB:
    case OP_FCMOVE:
    case OP_FCMOVBE:
    case OP_FCMOVU:
    case OP_FCMOVNB:
    case OP_FCMOVNE:
    case OP_FCMOVNBE:
    case OP_FCMOVNU:
    case OP_FNOP:
    case OP_FWAIT:
    case OP_FFREE_STI:
    case OP_FFREEP_STI:
    case OP_FNCLEX:
    case OP_FLDCW:
    case OP_FNSTCW:
    case OP_FNENI:
    case OP_FNDISI:
    case OP_FNSETPM:
        break;
    default:
        if (d->attr & AT_FPU) {
            t->fsw &= (uint16_t)~FSW_C1;
        }
        break;
    }
}

static bool next_taint(const struct diff_core *c, const struct decoded *d, struct diff_taint *t)
{
    x87_taint(c, d, t);
    if (d->attr & AT_COUNT) {
        return count_flags(c, d, &t->flags);
    }
    if (d->op == OP_BSWAP && d->osize == 2) {
        return false;
    }
    t->flags = (uint16_t)((t->flags & ~d->fl_write) | d->fl_undef);
    return true;
}

static bool stores_status(unsigned op)
{
    return op == OP_FNSTSW_M16 || op == OP_FNSTSW_AX || op == OP_FNSTENV || op == OP_FNSAVE ||
           op == OP_FXSAVE;
}

/* --- approximations -------------------------------------------------------------------------- */

static bool is_approximate(unsigned op)
{
    switch (op) {
    case OP_RCPPS:
    case OP_RCPSS:
    case OP_RSQRTPS:
    case OP_RSQRTSS:
    case OP_F2XM1:
    case OP_FYL2X:
    case OP_FPTAN:
    case OP_FPATAN:
    case OP_FYL2XP1:
    case OP_FSINCOS:
    case OP_FSIN:
    case OP_FCOS:
        return true;
    default:
        return false;
    }
}

/* Of two values without sign bit; unnormals do not matter here. */
static bool above(const uint8_t *st, uint64_t sig, unsigned exp)
{
    unsigned e = get16(st + 8) & 0x7fff;

    return e > exp || (e == exp && get64(st) > sig);
}

/* Operands for which the manual does not define F2XM1 and FYL2XP1. */
static bool outside_domain(const struct diff_core *c, const struct decoded *d)
{
    struct diff_result r;
    const uint8_t *st = r.s.fx + FX_ST;

    if (d->op != OP_F2XM1 && d->op != OP_FYL2XP1) {
        return false;
    }
    core_result(c, &r);
    if (d->op == OP_F2XM1) {
        return above(st, (uint64_t)1 << 63, 0x3fff);
    }
    return get16(st + 8) >> 15 ? above(st, 0x95f619980c4336f7u, 0x3ffd) /* 1 - sqrt(1/2) */
                               : above(st, 0xd413cccfe7799211u, 0x3ffd); /* sqrt(2) - 1 */
}

/* --- memory that is not compared ------------------------------------------------------------- */

static void hole(struct diff_test *t, uint32_t at, unsigned len)
{
    t->hole[t->nholes].at = at;
    t->hole[t->nholes++].len = len;
}

/* The host stores no x87 pointers without a pending exception. */
static void find_holes(const struct diff_core *c, struct diff_test *t, const struct decoded *d)
{
    uint32_t at = d->has_mem ? linear_address(c, d) : 0;

    uint32_t esp = core_segment_base(c, SEG_SS) + core_reg(c, REG_ESP);

    t->image.at = at;
    t->image.len = 0;
    if (d->op == OP_IRET || d->op == OP_RET_FAR) {
        t->image = (struct diff_hole){esp, 3u * d->osize};
    }
    for (unsigned n = 0; n < d->noperands && d->has_mem; n++) {
        if (d->o[n].kind == OK_MEM && d->o[n].size > 10 && d->o[n].size != 16) {
            t->image.len = d->o[n].size;
        }
    }
    if (d->op == OP_FNSTENV || d->op == OP_FNSAVE) {
        hole(t, at + (d->osize == 2 ? 6 : 12), d->osize == 2 ? 8 : 14);
    } else if (d->op == OP_FXSAVE) {
        hole(t, at + 6, 18);
        hole(t, at + 28, 4);
        hole(t, at + FX_END, 512 - FX_END);
    }
}

/* --- one step -------------------------------------------------------------------------------- */

/*
 * Whether an operand that begins below 4 GB may go on at 0 is up to the CPU (SDM vol. 3 sect. 5.3),
 * so the last bytes there are not used, and no stack that wraps around.
 */
static bool at_the_top(uint32_t la)
{
    return la >= 0xfffffe00u;
}

static bool wraps(const struct diff_core *c, const struct decoded *d)
{
    uint32_t esp = core_reg(c, REG_ESP);

    for (unsigned n = 0; n < d->noperands; n++) {
        if ((d->o[n].kind == OK_STRING_SRC && at_the_top(core_reg(c, REG_ESI))) ||
            (d->o[n].kind == OK_STRING_DST && at_the_top(core_reg(c, REG_EDI)))) {
            return true;
        }
    }
    if (d->op == OP_LEAVE || d->op == OP_ENTER) {
        uint32_t ebp = core_reg(c, REG_EBP);
        if (at_the_top(ebp) || at_the_top(ebp - 0x200)) {
            return true;
        }
    }
    return (d->has_mem && (at_the_top(linear_address(c, d)) ||
                           at_the_top(effective_address(c, d)) ||
                           (d->asize == 2 && effective_address(c, d) >= 0xfe00))) ||
           at_the_top(esp) || at_the_top(esp - 0x200);
}

/* The bytes behind the instructions are not there yet while a test is planned. */
static bool reads_code(const struct diff_core *c, const struct diff_test *t,
                       const struct decoded *d)
{
    static const uint8_t implied[] = {REG_ESP, REG_EBP, REG_ESI, REG_EDI, REG_EBX};
    uint32_t from = t->code_la - 0x400, len = 0x400 + DIFF_MAX_CODE + 0x400;

    for (unsigned n = 0; n < sizeof implied; n++) {
        uint32_t v = core_reg(c, implied[n]);
        if (v - from < len || v + t->cs_base - from < len) {
            return true;
        }
    }
    return d->has_mem && linear_address(c, d) - from < len;
}

static bool forbidden(uint32_t la)
{
    if (at_the_top(la)) {
        return true;
    }
    return (la >= EXIT_LA && la < EXIT_LA + EXIT_SIZE) ||
           (la >= KERNEL_LA && la < KERNEL_LA + KERNEL_SIZE);
}

/* After an instruction that ended in CPL 3: goes on behind it, or somewhere else. */
static enum plan landed(struct diff_core *c, struct diff_test *t, unsigned k, uint32_t eip,
                        unsigned cs)
{
    uint32_t start = t->code_la - t->cs_base, next = start + t->at[k] + t->d[k].len;
    struct diff_result r;

    core_result(c, &r);
    for (unsigned seg = 0; seg < 6; seg++) {
        if ((r.s.sel[seg] & ~3u) == CPUNODE_INDEX << 3) {
            return PLAN_DROP;
        }
    }
    if ((cs & ~3u) == (SEL_USER64 & ~3u)) {
        return PLAN_DROP;
    }
    if (cs == t->before.sel[SEG_CS]) {
        if (eip == next || (eip > next && eip < next + 16 && eip - start < DIFF_MAX_CODE - 48)) {
            t->at[k + 1] = (uint8_t)(eip - start);
            return PLAN_NEXT;
        }
        if (eip - start < t->len + 32u) {
            return PLAN_DROP; /* a loop, or into the far jump */
        }
    }
    uint32_t la = cs == SEL_USER32 ? eip : core_segment_base(c, SEG_CS) + eip;
    if ((la >= WIN_LA - 16 && la < RO_LA + RO_SIZE) || /* not executable on the host */
        core_step(c, false, &eip, &cs)) {
        return PLAN_DROP;
    }
    core_result(c, &r);
    t->traps = true;
    return r.trap == EXC_PF && forbidden(r.cr2) ? PLAN_DROP : PLAN_END;
}

/*
 * The host takes ES:eDI first in CMPS, but DS:eSI in REPE CMPSB: its fault is comparable when there
 * is nothing wrong with DS:eSI.
 */
static bool source_fault(const struct decoded *d, const struct diff_result *r)
{
    uint32_t esi = d->asize == 2 ? r->s.r[REG_ESI] & 0xffff : r->s.r[REG_ESI];

    return d->seg != SEG_DS || r->s.sel[SEG_DS] != SEL_USER_DS ||
           esi - WIN_LA >= WIN_SIZE + RO_SIZE;
}

/*
 * The host takes a 10-byte operand as 8 and 2 bytes, and a 16:32 pointer as 4 and 2: a page fault
 * or an alignment check of the first may come before the limit fault of the second.
 */
static bool split_operand(const struct decoded *d, const struct diff_result *r, uint32_t la)
{
    bool split = false;

    for (unsigned n = 0; n < d->noperands; n++) {
        split = split || (d->o[n].kind == OK_MEM && (d->o[n].size == 10 || d->o[n].size == 6));
    }
    return split && (r->trap == EXC_GP || r->trap == EXC_SS) &&
           (la - WIN_LA > WIN_SIZE - 10 || (r->s.eflags & FLAG_AC));
}

/* Instructions that meet two causes of an exception in another order on the host. */
static bool other_order(const struct decoded *d, const struct diff_result *r, uint32_t frame)
{
    uint32_t pops = 3u * d->osize + 8;
    bool flat = frame >= WIN_LA && frame + pops <= RO_LA + RO_SIZE && !(r->s.eflags & FLAG_AC) &&
                r->s.sel[SEG_SS] == SEL_USER_DS && d->noperands == 0;

    if (d->has_mem && (d->attr & AT_ALIGN16) && r->trap == EXC_SS) {
        return true; /* or #GP for its alignment */
    }
    switch (d->op) {
    case OP_CALL_FAR_PTR:
    case OP_CALL_FAR_IND: /* pushes the return address before it looks at the limit */
        return r->trap == EXC_SS || r->trap == EXC_GP || r->trap == EXC_PF;
    case OP_CALL_NEAR_REL:
    case OP_CALL_NEAR_IND:
        return r->trap == EXC_GP;
    case OP_RET_FAR:
    case OP_IRET: /* look for an outer stack before they know that there is none */
        return (r->trap == EXC_GP && !flat) || r->s.sel[SEG_SS] != SEL_USER_DS;
    case OP_CMPS:
        return d->rep == REP_F3 && d->osize == 1 && source_fault(d, r);
    case OP_INVALID:
    case OP_UD1:
    case OP_MOV_TR: /* #UD before the ModR/M byte is fetched */
        return r->trap == EXC_PF || r->trap == EXC_GP;
    default:
        return false;
    }
}

bool diff_extension(const uint8_t *code, unsigned nprefix)
{
    const uint8_t *opcode = code + nprefix;
    bool memory;

    if (opcode[0] != 0x0f) {
        /* VEX, EVEX, XOP; XABORT and XBEGIN */
        return opcode[0] == 0x62 || opcode[0] == 0xc4 || opcode[0] == 0xc5 || opcode[0] == 0x8f ||
               ((opcode[0] & 0xfe) == 0xc6 && opcode[1] == 0xf8);
    }
    memory = opcode[2] < 0xc0;
    switch (opcode[1]) {
    case 0x00: /* LOCK VERW is VERW on AMD CPUs */
        return (opcode[2] >> 3 & 7) == 5;
    case 0x01: /* VMCALL, XGETBV, MONITORX and many more */
    case 0x0d: /* prefetches */
    case 0xae: /* XSAVE, FSGSBASE, CLWB, ... */
    case 0xc7: /* RDRAND, RDPID, XSAVES, ... */
        return true;
    case 0x05: /* SYSCALL */
    case 0x07:
    case 0x0e: /* 3DNow! */
    case 0x0f:
    case 0x37: /* GETSEC */
    case 0x38: /* SSSE3, SSE4 */
    case 0x3a:
    case 0x78: /* SSE4A */
    case 0x79:
    case 0xb8: /* POPCNT */
    case 0xff: /* UD0 with or without ModR/M */
        return true;
    case 0x2b: /* MOVNTSS */
        return memory;
    case 0x20: /* LOCK MOV CR0 is CR8 */
    case 0x22:
        return true;
    default:
        return false;
    }
}

bool diff_comparable(const struct diff_taint *t, const struct decoded *d, const uint8_t *code)
{
    return !never(d) && !newer(d, code) && !(d->fl_read & t->flags) &&
           !(t->fsw && stores_status(d->op));
}

/*
 * Reserved encodings too, as an operation without operands; how many of its bytes a CPU fetches
 * before it knows is its own business.
 */
static bool decode_any(const uint8_t *code, const struct diff_test *t, struct decoded *d)
{
    enum decode_status st = decode(code, DECODE_MAX_LEN, t->code16 ? CODE16 : CODE32, d);
    bool inside = t->code_la + (uint32_t)(code - t->code) + DECODE_MAX_LEN < CODE_LA + CODE_SIZE;

    if (st == DEC_UD && inside && !diff_extension(code, d->nprefix)) {
        *d = (struct decoded){.op = OP_INVALID, .len = d->len, .nprefix = d->nprefix};
        return true;
    }
    return st == DEC_OK;
}

enum plan diff_plan(struct diff_core *c, struct diff_test *t, unsigned k)
{
    struct decoded *d = &t->d[k];
    const uint8_t *code = t->code + t->at[k];
    struct diff_taint taint = t->taint[k];
    struct diff_result r;
    uint32_t eip, frame = core_segment_base(c, SEG_SS) + core_reg(c, REG_ESP);
    unsigned cs;
    bool wrapped;

    if (!decode_any(code, t, d) || !diff_comparable(&taint, d, code) || host_only_selector(c, d) ||
        optional_fault(c, d) || outside_domain(c, d) || reads_code(c, t, d) ||
        !next_taint(c, d, &taint)) {
        return PLAN_DROP;
    }
    t->taint[k + 1] = taint;
    wrapped = wraps(c, d);
    find_holes(c, t, d);
    if (is_approximate(d->op)) {
        t->approximate = true;
        t->taint[k + 1].fsw |= FSW_CODES;
    }
    if (core_step(c, d->rep && (d->attr & AT_REP), &eip, &cs)) {
        enum plan p = landed(c, t, k, eip, cs);
        return p == PLAN_NEXT && (t->nholes || t->approximate) ? PLAN_END : p;
    }
    core_result(c, &r);
    t->traps = true;
    if (wrapped || r.trap == TRAP_CRASH || (r.trap == EXC_PF && forbidden(r.cr2))) {
        return PLAN_DROP;
    }
    if (other_order(d, &r, frame) || split_operand(d, &r, t->image.at) ||
        (t->image.len && (r.trap == EXC_GP || r.trap == EXC_SS) && d->has_mem)) {
        return PLAN_DROP;
    }
    /* The host has loaded some of the registers by then, and ARPL writes only when it has to. */
    if (d->op == OP_POPA || d->op == OP_ARPL) {
        return PLAN_DROP;
    }
    /* A task return through NT, and gates, exist in the core's tables only. */
    if ((d->op == OP_IRET && (r.s.eflags & FLAG_NT)) || (r.err & 0xfff8) == CPUNODE_INDEX << 3) {
        return PLAN_DROP;
    }
    return PLAN_END;
}

void diff_finish(struct diff_test *t)
{
    uint8_t *p = t->code + t->at[t->n];
    unsigned n = 0;

    p[n++] = 0x90;
    t->at[t->n + 1] = (uint8_t)(t->at[t->n] + 1);
    if (t->code16) {
        p[n++] = 0x66;
    }
    p[n++] = 0xea;
    p[n++] = (uint8_t)EXIT_LA;
    p[n++] = (uint8_t)(EXIT_LA >> 8 & 0xff);
    p[n++] = (uint8_t)(EXIT_LA >> 16 & 0xff);
    p[n++] = (uint8_t)(EXIT_LA >> 24 & 0xff);
    p[n++] = SEL_USER64;
    p[n++] = 0;
    t->len = t->at[t->n] + n;
}
