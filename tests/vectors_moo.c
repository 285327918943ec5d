/*
 * Reader of *.MOO.gz: SingleStepTests of the 80286 in real mode, run on a P6.
 *
 * Format, procedure and the twelve rules for what a P6 does differently are those of the README
 * that comes with the files.
 */
#include "tests/vectors.h"

#include <stdio.h>
#include <string.h>

#include "cpu/fpu.h"
#include "cpu/system.h"

enum {
    RAM = 0x110000, RAM_END = 0x10fff0,
    R_AX = 0, R_BX, R_CX, R_DX, R_CS, R_SS, R_DS, R_ES, R_SP, R_BP, R_SI, R_DI, R_IP, R_FLAGS,
    R_COUNT,
    ARITH = 0x8d5, F_AF = 0x10, F_OF = 0x800,
    COMPARED_FLAGS = 0xfd5,
    NO_EXC = -1, HLT = 0xf4, CODE_MAX = 32,
    RUN_LIMIT = 1000000,
};

static const char *const reg_names[R_COUNT] = {"ax", "bx", "cx", "dx", "cs", "ss", "ds",
                                               "es", "sp", "bp", "si", "di", "ip", "flags"};

/* REGS or RMSK: the registers that are listed. */
struct regs {
    unsigned present; /* bitmap of reg */
    uint16_t reg[R_COUNT];
};

/* A REGS, a RMSK and a RAM chunk. */
struct state {
    struct regs r, mask;
    const uint8_t *ram; /* count entries: address (4 bytes), value */
    uint32_t count;
};

struct test {
    uint32_t index;
    char name[64];
    uint8_t code[CODE_MAX];
    unsigned len; /* with the HLT */
    struct state init, final;
    int exc; /* vector or NO_EXC */
    /* taken apart */
    bool lock;
    int seg; /* last segment override, SEG_*, or -1 */
    unsigned op;
    int modrm; /* -1: none */
    unsigned modrm_at;
};

/* What the rules say about a test. */
struct rules {
    const char *skip;
    unsigned flag_mask;
    unsigned mask[R_COUNT]; /* bits of a register that count */
};

/* --- parsing --------------------------------------------------------------------------------- */

struct chunk {
    char tag[5];
    const uint8_t *p;
    uint32_t n;
};

static bool next_chunk(const uint8_t **at, const uint8_t *end, struct chunk *k)
{
    if (end - *at < 8) {
        return false;
    }
    memcpy(k->tag, *at, 4);
    k->tag[4] = 0;
    k->n = get32(*at + 4);
    k->p = *at + 8;
    if ((size_t)(end - k->p) < k->n) {
        return false;
    }
    *at = k->p + k->n;
    return true;
}

static bool is(const struct chunk *k, const char *tag)
{
    return strcmp(k->tag, tag) == 0;
}

static bool parse_regs(const struct chunk *k, struct regs *r)
{
    unsigned off = 2;

    if (k->n < 2) {
        return false;
    }
    r->present = get16(k->p);
    for (unsigned n = 0; n < R_COUNT; n++) {
        if (r->present >> n & 1) {
            if (off + 2 > k->n) {
                return false;
            }
            r->reg[n] = get16(k->p + off);
            off += 2;
        }
    }
    return true;
}

static bool parse_state(const struct chunk *in, struct state *s)
{
    const uint8_t *at = in->p, *end = in->p + in->n;
    struct chunk k;

    while (next_chunk(&at, end, &k)) {
        if ((is(&k, "REGS") && !parse_regs(&k, &s->r)) ||
            (is(&k, "RMSK") && !parse_regs(&k, &s->mask))) {
            return false;
        }
        if (is(&k, "RAM ") && k.n >= 4) {
            s->count = get32(k.p);
            s->ram = k.p + 4;
            if (s->count > (k.n - 4) / 5) {
                return false;
            }
        }
    }
    return at == end;
}

static bool is_prefix(uint8_t b)
{
    return b == 0xf0 || b == 0xf2 || b == 0xf3 || (b & 0xe7) == 0x26;
}

static bool has_modrm(unsigned op)
{
    return (op < 0x40 && (op & 7) < 4) || op == 0x62 || op == 0x63 || op == 0x69 || op == 0x6b ||
           op == 0xc0 || op == 0xc1 || (op >= 0xc4 && op <= 0xc7) || (op & 0xf0) == 0x80 ||
           (op >= 0xd0 && op <= 0xd3) || (op & 0xf8) == 0xd8 || (op & 0xf6) == 0xf6;
}

static void take_apart(struct test *t)
{
    unsigned n = 0;

    t->seg = -1;
    for (; n + 2 < t->len && is_prefix(t->code[n]); n++) {
        t->lock |= t->code[n] == 0xf0;
        if ((t->code[n] & 0xe7) == 0x26) {
            t->seg = t->code[n] >> 3 & 3;
        }
    }
    t->op = t->code[n];
    t->modrm_at = n + 1;
    t->modrm = has_modrm(t->op) && n + 1 < t->len ? t->code[n + 1] : -1;
}

static bool parse_test(const struct chunk *in, struct test *t)
{
    const uint8_t *at = in->p + 4, *end = in->p + in->n;
    struct chunk k;

    memset(t, 0, sizeof *t);
    t->exc = NO_EXC;
    if (in->n < 4) {
        return false;
    }
    t->index = get32(in->p);
    while (next_chunk(&at, end, &k)) {
        if (is(&k, "NAME") && k.n >= 4) {
            snprintf(t->name, sizeof t->name, "%.*s", (int)(k.n - 4), (const char *)k.p + 4);
        } else if (is(&k, "BYTS") && k.n > 4 && k.n - 4 <= CODE_MAX) {
            t->len = k.n - 4;
            memcpy(t->code, k.p + 4, t->len);
        } else if (is(&k, "INIT") && !parse_state(&k, &t->init)) {
            return false;
        } else if (is(&k, "FINA") && !parse_state(&k, &t->final)) {
            return false;
        } else if (is(&k, "EXCP") && k.n >= 1) {
            t->exc = k.p[0];
        }
    }
    take_apart(t);
    return at == end && t->len > 1;
}

/* Final value of a register, which FINA lists only when it changed. */
static uint16_t final_reg(const struct test *t, unsigned r)
{
    return t->final.r.present >> r & 1 ? t->final.r.reg[r] : t->init.r.reg[r];
}

/* Expected byte of memory after the test, -1 when the test does not say. */
static int final_byte(const struct test *t, uint32_t addr)
{
    for (uint32_t n = 0; n < t->final.count; n++) {
        if (get32(t->final.ram + n * 5) == addr) {
            return t->final.ram[n * 5 + 4];
        }
    }
    for (uint32_t n = 0; n < t->init.count; n++) {
        if (get32(t->init.ram + n * 5) == addr) {
            return t->init.ram[n * 5 + 4];
        }
    }
    return -1;
}

/* Address of a byte of the frame an exception pushed. */
static uint32_t frame_at(const struct test *t, unsigned off)
{
    return (uint32_t)final_reg(t, R_SS) * 16 + ((final_reg(t, R_SP) + off) & 0xffff);
}

/* --- rules (numbers as in the README) -------------------------------------------------------- */

/* Rule 2: flags the SDM leaves undefined. */
static unsigned undefined_flags(const struct test *t)
{
    unsigned op = t->op, reg = t->modrm < 0 ? 0 : (unsigned)t->modrm >> 3 & 7;

    if (op < 0x40 && (op & 7) < 6) {
        unsigned k = op >> 3;
        return k == 1 || k == 4 || k == 6 ? F_AF : 0;
    }
    if (op >= 0x80 && op <= 0x83) {
        return reg == 1 || reg == 4 || reg == 6 ? F_AF : 0;
    }
    switch (op) {
    case 0x27:
    case 0x2f:
        return F_OF;
    case 0x37:
    case 0x3f:
        return F_OF | 0xc4;
    case 0xd4:
        return t->exc == EXC_DE ? ARITH : F_OF | F_AF | 1;
    case 0xd5:
        return F_OF | F_AF | 1;
    case 0x84:
    case 0x85:
    case 0xa8:
    case 0xa9:
        return F_AF;
    case 0x69:
    case 0x6b:
        return 0xd4;
    case 0xf6:
    case 0xf7:
        return reg < 2 ? F_AF : reg < 4 ? 0 : reg < 6 ? 0xd4 : ARITH;
    default:
        return 0;
    }
}

/* Rule 2 for shifts and rotates: C0 C1 D0-D3. */
static unsigned undefined_shift_flags(const struct test *t)
{
    unsigned op = t->op, reg = (unsigned)t->modrm >> 3 & 7, count = 1, und = 0;

    if (op < 0xd0) {
        count = t->code[t->len - 2];
    } else if (op >= 0xd2) {
        count = t->init.r.reg[R_CX];
    }
    count &= 31;
    if (count == 0) {
        return 0;
    }
    und = count != 1 ? F_OF : 0;
    if (reg >= 4) {
        und |= F_AF | (reg != 7 && count >= (op & 1 ? 16u : 8u) ? 1 : 0);
    }
    return und;
}

/* Rule 4 */
static bool lockable(const struct test *t)
{
    unsigned reg;

    if (t->modrm < 0 || t->modrm >= 0xc0) {
        return false;
    }
    reg = (unsigned)t->modrm >> 3 & 7;
    return (t->op < 0x38 && (t->op & 7) < 2) || (t->op >= 0x80 && t->op <= 0x83 && reg != 7) ||
           t->op == 0x86 || t->op == 0x87 || (t->op >= 0xfe && reg < 2) ||
           ((t->op == 0xf6 || t->op == 0xf7) && (reg == 2 || reg == 3));
}

/* Rule 6: the access that faulted went through SS. */
static bool through_ss(const struct test *t)
{
    static const uint8_t stack_ops[] = {0x07, 0x17, 0x1f, 0x58, 0x59, 0x5a, 0x5b, 0x5c,
                                        0x5d, 0x5e, 0x5f, 0x60, 0x61, 0x9d, 0xc2, 0xc3,
                                        0xc9, 0xca, 0xcb, 0xcf};
    int m = t->modrm;

    if (memchr(stack_ops, (int)t->op, sizeof stack_ops)) {
        return true;
    }
    if (t->seg >= 0) {
        return t->seg == SEG_SS && t->op != 0x6d && t->op != 0xab && t->op != 0xaf;
    }
    return m >= 0 && m < 0xc0 && ((m & 7) == 2 || (m & 7) == 3 || ((m & 7) == 6 && m >= 0x40));
}

static bool is_string16(unsigned op)
{
    return op == 0x6d || op == 0x6f || op == 0xa5 || op == 0xa7 || op == 0xab || op == 0xad ||
           op == 0xaf;
}

/* Rule 11: offset of the memory operand. */
static unsigned operand_offset(const struct test *t)
{
    static const uint8_t first[] = {R_BX, R_BX, R_BP, R_BP, R_SI, R_DI, R_BP, R_BX};
    const uint8_t *m = &t->code[t->modrm_at];
    unsigned mod = m[0] >> 6, rm = m[0] & 7, a = t->init.r.reg[first[rm]];

    if (rm < 4) {
        a += t->init.r.reg[rm & 1 ? R_DI : R_SI];
    }
    if (mod == 0 && rm == 6) {
        a = get16(m + 1);
    } else if (mod == 1) {
        a += (unsigned)(int8_t)m[1];
    } else if (mod == 2) {
        a += get16(m + 1);
    }
    return a & 0xffff;
}

static bool divide_missed(const struct test *t)
{
    bool idiv = (t->op == 0xf6 || t->op == 0xf7) && ((unsigned)t->modrm >> 3 & 7) == 7;

    if (!idiv || t->exc != NO_EXC) {
        return false;
    }
    return t->op == 0xf6 ? (final_reg(t, R_AX) & 0xff) == 0x80 : final_reg(t, R_AX) == 0x8000;
}

static bool wrong_pushed_cs(const struct test *t)
{
    int lo = final_byte(t, frame_at(t, 2)), hi = final_byte(t, frame_at(t, 3));

    return t->exc != NO_EXC && lo >= 0 && hi >= 0 && (lo | hi << 8) != t->init.r.reg[R_CS];
}

static const char *skip_reason(const struct test *t)
{
    unsigned reg = t->modrm < 0 ? 0 : (unsigned)t->modrm >> 3 & 7;

    if (t->lock && !lockable(t)) {
        return "rule 4: LOCK is #UD on a P6";
    }
    if (wrong_pushed_cs(t)) {
        return "rule 12: capture error, pushed CS is not CS";
    }
    if (t->op == 0xcd) {
        return NULL;
    }
    if (divide_missed(t)) {
        return "rule 10: the 286 may miss this IDIV overflow";
    }
    if (t->op == 0xd8 && t->modrm < 0xc0 && operand_offset(t) > 0xfffc) {
        return "rule 11: x87 operand beyond the segment limit";
    }
    if (t->exc == EXC_GP && reg && (t->op == 0x8f || t->op == 0xc6 || t->op == 0xc7)) {
        return "rule 8: reserved form, #UD on a P6";
    }
    if ((t->exc == EXC_UD || t->exc == EXC_GP) && t->len - 1 > 10) {
        return "rule 5: longer than 10 bytes";
    }
    if ((t->op == 0x8c || t->op == 0x8e) && (reg == 4 || reg == 5)) {
        return "rule 9: FS and GS exist on a P6";
    }
    if (t->exc == EXC_GP && t->op == 0x8f) {
        return "rule 8: the 286 leaves SP incremented";
    }
    if (t->exc == EXC_GP && through_ss(t)) {
        return "rule 6: #SS on a P6";
    }
    return NULL;
}

static void apply_mask(struct rules *r, const struct regs *m)
{
    for (unsigned n = 0; n < R_COUNT; n++) {
        r->mask[n] &= m->present >> n & 1 ? m->reg[n] : 0xffff;
    }
}

static struct rules apply_rules(const struct test *t, const struct regs *file_mask)
{
    struct rules r = {.flag_mask = COMPARED_FLAGS, .skip = skip_reason(t)};
    bool shift = t->op == 0xc0 || t->op == 0xc1 || (t->op >= 0xd0 && t->op <= 0xd3);

    memset(r.mask, 0xff, sizeof r.mask);
    apply_mask(&r, file_mask);
    apply_mask(&r, &t->final.mask);
    r.flag_mask &= ~(shift ? undefined_shift_flags(t) : undefined_flags(t)) & r.mask[R_FLAGS];
    r.mask[R_FLAGS] = r.flag_mask;
    if (t->exc == EXC_GP && is_string16(t->op)) {
        r.mask[R_SI] = r.mask[R_DI] = r.mask[R_CX] = 0; /* rule 7 */
    }
    return r;
}

/* --- running --------------------------------------------------------------------------------- */

static const uint8_t general[] = {[R_AX] = REG_EAX, [R_BX] = REG_EBX, [R_CX] = REG_ECX,
                                  [R_DX] = REG_EDX, [R_SP] = REG_ESP, [R_BP] = REG_EBP,
                                  [R_SI] = REG_ESI, [R_DI] = REG_EDI};
static const uint8_t segments[] = {[R_CS] = SEG_CS, [R_SS] = SEG_SS, [R_DS] = SEG_DS,
                                   [R_ES] = SEG_ES};

static bool is_segment(unsigned r)
{
    return r >= R_CS && r <= R_ES;
}

static void load_state(struct vec_machine *m, const struct test *t)
{
    struct cpu *c = m->cpu;

    memset(m->ram, 0, m->size);
    for (uint32_t n = 0; n < t->init.count; n++) {
        const uint8_t *e = t->init.ram + n * 5;
        bus_write(m->mem, get32(e), 1, e[4]); /* code may have been decoded there: tell the CPU */
    }
    c->cr0 &= ~(uint64_t)(CR0_PE | CR0_EM | CR0_TS | CR0_PG);
    c->idtr = (struct desc_table){0, 0x3ff};
    c->halted = c->shutdown = c->step = false;
    c->shadow = 0;
    flags_put(c, t->init.r.reg[R_FLAGS] & 0xfffu); /* rule 1 */
    for (unsigned r = 0; r < R_IP; r++) {
        if (is_segment(r)) {
            seg_load_real(c, segments[r], t->init.r.reg[r]);
            c->seg[segments[r]].limit = 0xffff;
        } else {
            c->r.q[general[r]] = t->init.r.reg[r];
        }
    }
    seg_load_real(c, SEG_FS, 0);
    seg_load_real(c, SEG_GS, 0);
    c->eip = t->init.r.reg[R_IP];
    cpu_set_cpl(c, 0);
    cpu_update_mode(c);
    fpu_init(c);
}

/* Until HLT retires; the time limit is for instructions that go astray. */
static bool execute(struct vec_machine *m)
{
    struct cpu *c = m->cpu;
    return cpu_run(c, c->icount + RUN_LIMIT) == CPU_STOP_HALT;
}

static uint16_t got_reg(const struct cpu *c, unsigned r)
{
    if (is_segment(r)) {
        return c->seg[segments[r]].sel;
    }
    return r == R_IP      ? (uint16_t)c->eip
           : r == R_FLAGS ? (uint16_t)flags_get(c)
                          : (uint16_t)c->r.q[general[r]];
}

struct printer {
    const struct test *t;
    bool show, differs;
};

static void head(struct printer *p)
{
    if (p->show && !p->differs) {
        printf("  #%u %s:", (unsigned)p->t->index, p->t->name);
        for (unsigned n = 0; n + 1 < p->t->len; n++) {
            printf(" %02x", p->t->code[n]);
        }
        if (p->t->exc != NO_EXC) {
            printf("  (exception %d)", p->t->exc);
        }
        printf("\n");
    }
    p->differs = true;
}

/* Rule 3: bits of a byte that count; the FLAGS word of an exception frame is masked. */
static unsigned byte_mask(const struct test *t, const struct rules *r, uint32_t addr)
{
    if (t->exc == NO_EXC) {
        return 0xff;
    }
    return addr == frame_at(t, 4)   ? r->flag_mask & 0xff
           : addr == frame_at(t, 5) ? r->flag_mask >> 8
                                    : 0xff;
}

static void compare_ram(const struct vec_machine *m, struct printer *p, const struct rules *r,
                        const struct state *s)
{
    for (uint32_t n = 0; n < s->count; n++) {
        uint32_t addr = get32(s->ram + n * 5);
        unsigned want = (unsigned)final_byte(p->t, addr);
        unsigned got = addr < m->size ? m->ram[addr] : want;

        if ((want ^ got) & byte_mask(p->t, r, addr)) {
            head(p);
            if (p->show) {
                printf("    [%05x] want %02x got %02x\n", (unsigned)addr, want, got);
            }
        }
    }
}

static bool compare(const struct vec_machine *m, const struct test *t, const struct rules *rules,
                    bool halted, bool show)
{
    struct printer p = {t, show, false};

    if (!halted) {
        head(&p);
        if (show) {
            printf("    did not reach HLT\n");
        }
    }
    for (unsigned r = 0; r < R_COUNT; r++) {
        unsigned want = final_reg(t, r), got = got_reg(m->cpu, r);
        unsigned mask = rules->mask[r] & 0xffff;

        if ((want ^ got) & mask) {
            head(&p);
            if (show) {
                printf("    %-5s was %04x want %04x got %04x (mask %04x)\n", reg_names[r],
                       t->init.r.reg[r], want, got, mask);
            }
        }
    }
    compare_ram(m, &p, rules, &t->init);
    compare_ram(m, &p, rules, &t->final);
    return !p.differs;
}

bool vec_moo(const struct vec_data *d, struct tally *tally, const struct vec_options *o)
{
    const uint8_t *at = d->bytes, *end = d->bytes + d->size;
    struct vec_machine m;
    struct regs mask = {0};
    struct chunk k;
    struct test t;
    bool ok = next_chunk(&at, end, &k) && is(&k, "MOO ") && k.n >= 12 && k.p[0] == 1;
    uint32_t count = ok ? get32(k.p + 4) : 0;

    if (!ok || !vec_machine_new(&m, RAM, o)) {
        return false;
    }
    while (ok && next_chunk(&at, end, &k)) {
        if (is(&k, "RMSK")) {
            ok = parse_regs(&k, &mask);
        }
        if (!is(&k, "TEST")) {
            continue;
        }
        ok = parse_test(&k, &t);
        if (!ok) {
            break;
        }
        count--;
        if (!vec_wanted(tally, o)) {
            continue;
        }
        struct rules r = apply_rules(&t, &mask);
        if (r.skip) {
            vec_skip(tally, r.skip, o);
            continue;
        }
        load_state(&m, &t);
        bool halted = execute(&m);
        bool same = compare(&m, &t, &r, halted, false);
        if (vec_count(tally, same, o)) {
            compare(&m, &t, &r, halted, true);
        }
    }
    vec_machine_free(&m);
    return ok && at == end && count == 0;
}
