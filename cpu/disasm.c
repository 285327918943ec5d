/* disasm.c - text of decoded instructions, Intel syntax in the manner of NASM.
 *
 * Mnemonics come from opname.def, everything else from struct decoded. Memory operands always carry
 * their size; an operand or address size that neither a register nor a keyword shows is written as
 * an o16/o32/a16/a32 prefix. What is implied (string operands, FAR selector order) is not repeated.
 */
#include "cpu/disasm.h"

#include "cpu/decode.h"

static const char mnemonics[OP_COUNT][12] = {
    [OP_INVALID] = "(bad)",
#define X(name, text) [OP_##name] = text,
#include "cpu/opname.def"
#undef X
};

static const char conditions[16][4] = {
    "o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g"
};

static const char segment_names[6][3] = { "es", "cs", "ss", "ds", "fs", "gs" };
static const char byte_names[8][3] = { "al", "cl", "dl", "bl", "ah", "ch", "dh", "bh" };
static const char word_names[8][3] = { "ax", "cx", "dx", "bx", "sp", "bp", "si", "di" };

/* Output buffer that counts what does not fit. */
struct text {
    char *buf;
    size_t len, pos;
};

static void put_char(struct text *t, char ch)
{
    if (t->pos + 1 < t->len) {
        t->buf[t->pos] = ch;
    }
    t->pos++;
}

static void put(struct text *t, const char *s)
{
    while (*s) {
        put_char(t, *s++);
    }
}

static void put_number(struct text *t, unsigned n)
{
    if (n >= 10) {
        put_char(t, (char)('0' + n / 10));
    }
    put_char(t, (char)('0' + n % 10));
}

static void put_hex(struct text *t, uint64_t v)
{
    unsigned shift = 60;

    put(t, "0x");
    while (shift > 0 && !(v >> shift)) {
        shift -= 4;
    }
    for (;; shift -= 4) {
        put_char(t, "0123456789abcdef"[v >> shift & 15]);
        if (shift == 0) {
            break;
        }
    }
}

static uint64_t low_bytes(uint64_t v, unsigned n)
{
    return n >= 8 ? v : v & ((UINT64_C(1) << (8 * n)) - 1);
}

static void put_register(struct text *t, unsigned reg, unsigned size, bool rex)
{
    if (reg >= 8) {
        put_char(t, 'r');
        put_number(t, reg);
        put(t, size == 1 ? "b" : size == 2 ? "w" : size == 4 ? "d" : "");
    } else if (size == 1 && (reg < 4 || !rex)) {
        put(t, byte_names[reg]);
    } else {
        put(t, size == 4 ? "e" : size == 8 ? "r" : "");
        put(t, word_names[reg]);
        put(t, size == 1 ? "l" : "");
    }
}

static unsigned default_asize(const struct decoded *d)
{
    return d->code == CODE16 ? 2 : d->code == CODE32 ? 4 : 8;
}

static unsigned default_osize(const struct decoded *d)
{
    if (d->code == CODE64) {
        return d->attr & (AT_D64 | AT_F64) ? 8 : 4;
    }
    return d->code == CODE16 ? 2 : 4;
}

static const char *size_keyword(unsigned size)
{
    switch (size) {
    case 1:
        return "byte ";
    case 2:
        return "word ";
    case 4:
        return "dword ";
    case 8:
        return "qword ";
    case 10:
        return "tword ";
    case 16:
        return "oword ";
    default:
        return "";
    }
}

static void put_displacement(struct text *t, int64_t disp)
{
    if (disp != 0) {
        put_char(t, disp < 0 ? '-' : '+');
        put_hex(t, disp < 0 ? 0 - (uint64_t)disp : (uint64_t)disp);
    }
}

static void put_address(struct text *t, const struct decoded *d, uint64_t ip)
{
    put_char(t, '[');
    if (d->seg_override) {
        put(t, segment_names[d->seg]);
        put_char(t, ':');
    }
    if (d->base == REG_RIP) {
        put(t, "rel ");
        put_hex(t, low_bytes(ip + d->len + (uint64_t)d->disp, d->asize));
    } else if (d->base == REG_NONE && d->index == REG_NONE) {
        if (d->asize != default_asize(d)) {
            put(t, size_keyword(d->asize));
        }
        put_hex(t, low_bytes((uint64_t)d->disp, d->asize));
    } else {
        if (d->base != REG_NONE) {
            put_register(t, d->base, d->asize, true);
        }
        if (d->index != REG_NONE) {
            put(t, d->base != REG_NONE ? "+" : "");
            put_register(t, d->index, d->asize, true);
            if (d->asize != 2) {
                put_char(t, '*');
                put_number(t, 1u << d->scale);
            }
        }
        put_displacement(t, d->disp);
    }
    put_char(t, ']');
}

static void put_memory(struct text *t, const struct decoded *d, const struct operand *o,
                       uint64_t ip)
{
    if (d->op == OP_CALL_FAR_IND || d->op == OP_JMP_FAR_IND) {
        put(t, size_keyword(d->osize));
        put(t, "far ");
    } else if (d->op < OP_SGDT || d->op > OP_LIDT) {
        put(t, d->attr & AT_SEG && o->size > 2 ? "" : size_keyword(o->size));
    }
    put_address(t, d, ip);
}

static void put_operand(struct text *t, const struct decoded *d, unsigned n, uint64_t ip)
{
    const struct operand *o = &d->o[n];

    switch (o->kind) {
    case OK_REG:
        put_register(t, o->reg, o->size ? o->size : d->osize, d->rex != 0);
        break;
    case OK_MEM:
        put_memory(t, d, o, ip);
        break;
    case OK_IMM:
        put_hex(t, d->op == OP_ENTER && n == 1 ? d->imm2 : d->imm);
        break;
    case OK_SREG:
        put(t, segment_names[o->reg]);
        break;
    case OK_REL:
        put_hex(t, low_bytes(ip + d->len + d->imm, d->osize));
        break;
    case OK_FARPTR:
        put_hex(t, d->imm2);
        put_char(t, ':');
        put_hex(t, d->imm);
        break;
    default:
        put(t, o->kind == OK_CR ? "cr" : o->kind == OK_DR ? "dr" : o->kind == OK_TR ? "tr"
            : o->kind == OK_ST ? "st" : o->kind == OK_MM ? "mm" : "xmm");
        put_number(t, o->reg);
        break;
    }
}

/* Mnemonics that name their width instead of an operand doing so. */
static const char *sized_mnemonic(const struct decoded *d)
{
    unsigned size = d->osize;

    switch (d->op) {
    case OP_CBW:
        return size == 2 ? "cbw" : size == 4 ? "cwde" : "cdqe";
    case OP_CWD:
        return size == 2 ? "cwd" : size == 4 ? "cdq" : "cqo";
    case OP_PUSHA:
        return size == 2 ? "pushaw" : "pushad";
    case OP_POPA:
        return size == 2 ? "popaw" : "popad";
    case OP_PUSHF:
        return size == 2 ? "pushfw" : size == 4 ? "pushfd" : "pushfq";
    case OP_POPF:
        return size == 2 ? "popfw" : size == 4 ? "popfd" : "popfq";
    case OP_IRET:
        return size == 2 ? "iretw" : size == 4 ? "iretd" : "iretq";
    case OP_JCXZ:
        return d->asize == 2 ? "jcxz" : d->asize == 4 ? "jecxz" : "jrcxz";
    default:
        return mnemonics[d->op];
    }
}

/* Operations whose operand size shows in no operand. */
static bool hides_osize(const struct decoded *d)
{
    switch (d->op) {
    case OP_PUSH:
        return d->o[0].kind == OK_IMM;
    case OP_PUSH_SREG: case OP_POP_SREG: case OP_ENTER: case OP_LEAVE:
    case OP_RET_NEAR: case OP_RET_FAR: case OP_CALL_NEAR_REL: case OP_JMP_NEAR_REL:
    case OP_CALL_FAR_PTR: case OP_JMP_FAR_PTR: case OP_JCC: case OP_JCXZ:
    case OP_LOOP: case OP_LOOPE: case OP_LOOPNE:
    case OP_SGDT: case OP_SIDT: case OP_LGDT: case OP_LIDT:
    case OP_FLDENV: case OP_FNSTENV: case OP_FRSTOR: case OP_FNSAVE:
        return true;
    default:
        return false;
    }
}

/* Operations that use the address size without showing a memory operand. */
static bool hides_asize(const struct decoded *d)
{
    switch (d->op) {
    case OP_XLAT: case OP_LOOP: case OP_LOOPE: case OP_LOOPNE: case OP_MONITOR:
    case OP_MASKMOVQ: case OP_MASKMOVDQU:
        return true;
    default:
        return (d->attr & AT_REP) != 0;
    }
}

static const char *width_digits(unsigned size)
{
    return size == 2 ? "16 " : size == 4 ? "32 " : "64 ";
}

static void put_prefixes(struct text *t, const struct decoded *d)
{
    if (d->lock) {
        put(t, "lock ");
    }
    if (d->attr & AT_REP && d->rep != REP_NONE) {
        bool compares = d->op == OP_CMPS || d->op == OP_SCAS;

        put(t, d->rep == REP_F2 ? "repne " : compares ? "repe " : "rep ");
    }
    if (hides_osize(d) && d->osize != default_osize(d)) {
        put_char(t, 'o');
        put(t, width_digits(d->osize));
    }
    if (hides_asize(d)) {
        if (d->asize != default_asize(d)) {
            put_char(t, 'a');
            put(t, width_digits(d->asize));
        }
        if (d->seg_override) {
            put(t, segment_names[d->seg]);
            put_char(t, ' ');
        }
    }
}

size_t disasm(const struct decoded *d, uint64_t ip, char *buf, size_t len)
{
    struct text t = { .buf = buf, .len = len };

    put_prefixes(&t, d);
    put(&t, sized_mnemonic(d));
    if (d->attr & AT_CC) {
        put(&t, conditions[d->cc]);
    }
    if (d->attr & AT_REP) {
        put_char(&t, d->osize == 1 ? 'b' : d->osize == 2 ? 'w' : d->osize == 4 ? 'd' : 'q');
    } else {
        for (unsigned i = 0; i < d->noperands; i++) {
            put_char(&t, i == 0 ? ' ' : ',');
            put_operand(&t, d, i, ip);
        }
    }
    if (len > 0) {
        buf[t.pos < len ? t.pos : len - 1] = '\0';
    }
    return t.pos;
}

const char *disasm_mnemonic(unsigned op)
{
    return op < OP_COUNT ? mnemonics[op] : "(bad)";
}
