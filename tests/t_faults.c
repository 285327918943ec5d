/*
 * Which fault an instruction reports when there could be several, or none: order of checks, what
 * is checked although nothing is transferred, alignment of odd operands, the state that a fault
 * leaves.  All of it is what a CPU does where diff_native compares (docs/cpu-conformance.md); here
 * it is tested one by one, at CPL 3 with paging, on both layers and on every host.
 */
#include <string.h>

#include "cpu/fpu.h"
#include "cpu/system.h"
#include "cpu_fixture.h"
#include "memory/bytes.h"

enum {
    GDT = 0x2000, IDT = 0x3000, TSS = 0x3800, HANDLERS = 0x4000, PD = 0x5000, PT = 0x6000,
    KERNEL_STACK = 0x7ff0, CODE = 0x20000, DATA = 0x40000,
    ABSENT = 0x50000, /* one page, between two that are there */
    HIGH = 0x51000,   /* and the one behind it is absent, too */
    SEL_CODE = 0x23, SEL_DATA = 0x2b, SEL_EXEC = 0x33,
    NONE = -1,
};

static struct fixture user_fixture(bool generic)
{
    struct fixture f = fix_new(generic);
    struct cpu *c = f.c;
    struct err e;

    ck_assert(cpu_model_select(c, "pentium4", &e));
    cpu_enter_flat32(c, CODE);
    put64(f.ram + GDT + 0x10, 0x00cf9b000000ffff);
    put64(f.ram + GDT + 0x18, 0x00cf93000000ffff);
    put64(f.ram + GDT + 0x20, 0x00cffb000000ffff);
    put64(f.ram + GDT + 0x28, 0x00cff3000000ffff);
    put64(f.ram + GDT + 0x30, 0x00cff9000000ffff);
    for (unsigned v = 0; v < 32; v++) {
        put64(f.ram + IDT + v * 8, 0x00008e0000100000 | (HANDLERS + v * 16));
        f.ram[HANDLERS + v * 16] = 0xf4;
    }
    put32(f.ram + TSS + 4, KERNEL_STACK);
    put16(f.ram + TSS + 8, 0x18);
    put16(f.ram + TSS + 0x66, 0x68);
    memset(f.ram + TSS + 0x68, 0xff, 0x40); /* ports 0 to 1FFh are refused, but for 40h to 47h */
    f.ram[TSS + 0x68 + 8] = 0;
    for (unsigned n = 0; n < 1024; n++) {
        put32(f.ram + PT + n * 4, n << 12 | 7);
    }
    put32(f.ram + PT + (ABSENT >> 12) * 4, 0);
    put32(f.ram + PT + ((HIGH >> 12) + 1) * 4, 0);
    put32(f.ram + PD, PT | 7);
    c->gdtr = (struct desc_table){GDT, 0x37};
    c->idtr = (struct desc_table){IDT, 32 * 8 - 1};
    c->tr = (struct segment){.base = TSS, .limit = 0xa7, .attr = ATTR_P | DESC_TSS32_BUSY};
    cpu_set_reg(c, CPU_CR3, PD);
    cpu_set_reg(c, CPU_CR4, CR4_OSFXSR);
    cpu_set_reg(c, CPU_CR0, c->cr0 | CR0_PG | CR0_AM | CR0_NE | CR0_MP);
    for (unsigned seg = 0; seg < SEG_COUNT; seg++) {
        c->seg[seg] = seg_flat[seg == SEG_CS][true];
        c->seg[seg].sel = seg == SEG_CS ? SEL_CODE : SEL_DATA;
    }
    c->cpl = 3;
    c->fpu.cw = 0x37f;
    c->fpu.empty = 0xff;
    tlb_flush_all(c);
    cpu_update_mode(c);
    return f;
}

/* One instruction, or a few; HLT ends what does not fault (#GP at the HLT). */
struct row {
    const char *what;
    uint8_t code[14], len;
    uint32_t at;          /* 0: CODE */
    uint32_t eax, ecx, esi, edi, esp;
    uint32_t limit;       /* of CS; 0: 4 GB */
    uint32_t flags;
    int vector;           /* NONE: none */
    uint32_t error, cr2;
    uint32_t fault;       /* offset of the faulting instruction from `at` */
};

static void run_row(const struct row *r, bool generic)
{
    struct fixture f = user_fixture(generic);
    struct cpu *c = f.c;
    uint32_t at = r->at ? r->at : CODE, sp, error = 0;
    int vector;

    for (unsigned n = 0; n < r->len; n++) {
        f.ram[at + n] = r->code[n];
    }
    f.ram[at + r->len] = 0xf4;
    put32(f.ram + DATA + 0x100, 5);
    put32(f.ram + DATA + 0x104, 10);
    put32(f.ram + DATA + 0x600, 0xffffffff);
    c->eip = at;
    if (r->limit) {
        c->seg[SEG_CS].limit = r->limit;
    }
    c->r.q[REG_EAX] = r->eax;
    c->r.q[REG_ECX] = r->ecx;
    c->r.q[REG_ESI] = r->esi;
    c->r.q[REG_EDI] = r->edi;
    c->r.q[REG_EDX] = 0x60;
    c->r.q[REG_ESP] = r->esp ? r->esp : DATA + 0x800;
    flags_put(c, 2 | r->flags);
    cpu_update_mode(c);
    fix_run(&f, 100);
    vector = (int)(c->eip - HANDLERS) / 16;
    sp = KERNEL_STACK - 20;
    if (reg32(c, REG_ESP) == KERNEL_STACK - 24) {
        error = get32(f.ram + KERNEL_STACK - 24);
    }
    if (r->vector == NONE) {
        ck_assert_msg(vector == EXC_GP && get32(f.ram + sp) == at + r->len,
                      "%s: exception %d at %x", r->what, vector, get32(f.ram + sp));
    } else {
        ck_assert_msg(vector == r->vector, "%s: exception %d at %x", r->what, vector,
                      get32(f.ram + sp));
        ck_assert_msg(error == r->error, "%s: error code %x", r->what, error);
        ck_assert_msg(get32(f.ram + sp) == at + r->fault, "%s: EIP %x", r->what,
                      get32(f.ram + sp));
        ck_assert_msg(r->vector != EXC_PF || c->cr2 == r->cr2, "%s: CR2 %x", r->what,
                      (unsigned)c->cr2);
        ck_assert_msg(get32(f.ram + sp + 12) == (r->esp ? r->esp : DATA + 0x800), "%s: ESP %x",
                      r->what, get32(f.ram + sp + 12));
        ck_assert_msg(reg32(c, REG_ECX) == r->ecx, "%s: ECX %x", r->what, reg32(c, REG_ECX));
    }
    fix_free(&f);
}

#define CODE_BYTES(...) .code = {__VA_ARGS__}, .len = sizeof((uint8_t[]){__VA_ARGS__})
#define FAULT(v) .vector = EXC_##v
#define LE32(x) (x) & 0xff, (x) >> 8 & 0xff, (x) >> 16 & 0xff, (x) >> 24 & 0xff

static const struct row rows[] = {
    /* I/O permission comes before the count */
    {"rep insb, count 0, refused", CODE_BYTES(0xf3, 0x6c), .edi = DATA, FAULT(GP)},
    {"rep outsd, count 0, refused", CODE_BYTES(0xf3, 0x6f), .esi = DATA, FAULT(GP)},
    {"rep insb, count 0, allowed", CODE_BYTES(0xb2, 0x40, 0xf3, 0x6c), .edi = ABSENT,
     .vector = NONE},
    {"rep insb, allowed, absent page", CODE_BYTES(0xb2, 0x40, 0xf3, 0x6c), .edi = ABSENT, .ecx = 1,
     FAULT(PF), .error = 6, .cr2 = ABSENT, .fault = 2},
    /* the other operand of CMPS */
    {"cmpsd, both absent", CODE_BYTES(0xa7), .esi = ABSENT, .edi = ABSENT + 4, FAULT(PF),
     .error = 4, .cr2 = ABSENT + 4},
    /* branches out of the code segment fault where they are and do nothing */
    {"jmp beyond the limit", CODE_BYTES(0xe9, 0x00, 0x10, 0x00, 0x00), .limit = CODE + 0xfff,
     FAULT(GP)},
    {"jmp short beyond the limit", CODE_BYTES(0xeb, 0x70), .limit = CODE + 0x6f, FAULT(GP)},
    {"je beyond the limit", CODE_BYTES(0x74, 0x70), .limit = CODE + 0x6f, .flags = FLAG_ZF,
     FAULT(GP)},
    {"je not taken", CODE_BYTES(0x74, 0x70), .limit = CODE + 0x6f, .vector = NONE},
    {"loop beyond the limit", CODE_BYTES(0xe2, 0x70), .limit = CODE + 0x6f, .ecx = 5, FAULT(GP)},
    {"jecxz beyond the limit", CODE_BYTES(0xe3, 0x70), .limit = CODE + 0x6f, FAULT(GP)},
    {"call beyond the limit", CODE_BYTES(0xe8, 0x00, 0x10, 0x00, 0x00), .limit = CODE + 0xfff,
     FAULT(GP)},
    {"jmp eax beyond the limit", CODE_BYTES(0xff, 0xe0), .limit = CODE + 0xfff,
     .eax = CODE + 0x1000, FAULT(GP)},
    {"call eax beyond the limit", CODE_BYTES(0xff, 0xd0), .limit = CODE + 0xfff,
     .eax = CODE + 0x1000, FAULT(GP)},
    {"ret beyond the limit", CODE_BYTES(0xc3), .limit = CODE + 0xfff, .esp = DATA + 0x600,
     FAULT(GP)}, /* to the -1 that the test puts there */
    /* an instruction across the end of the segment and of the last page */
    {"limit before page", CODE_BYTES(0xb8, 0x01), .at = HIGH + 0xffe, .limit = HIGH + 0xfff,
     FAULT(GP)},
    {"page without limit", CODE_BYTES(0xb8, 0x01), .at = HIGH + 0xffe, FAULT(PF), .error = 4,
     .cr2 = HIGH + 0x1000},
    /* stack frames are checked in the order of the pushes */
    {"pusha across pages", CODE_BYTES(0x60), .esp = HIGH + 0x10, FAULT(PF), .error = 6,
     .cr2 = HIGH - 4},
    {"pusha in an absent page", CODE_BYTES(0x60), .esp = HIGH, FAULT(PF), .error = 6,
     .cr2 = HIGH - 4},
    {"call far across pages", CODE_BYTES(0x9a, LE32(CODE + 0x40), SEL_CODE, 0), .esp = HIGH + 4,
     FAULT(PF), .error = 6, .cr2 = HIGH - 4},
    {"enter across pages", CODE_BYTES(0xc8, 0x20, 0x00, 0x00), .esp = HIGH, FAULT(PF), .error = 6,
     .cr2 = HIGH - 4},
    /* alignment checks */
    {"call far, stack at 2", CODE_BYTES(0x9a, LE32(CODE + 0x40), SEL_CODE, 0), .esp = DATA + 0x402,
     .flags = FLAG_AC, FAULT(AC)},
    {"push, stack at 2", CODE_BYTES(0x50), .esp = DATA + 0x402, .flags = FLAG_AC, FAULT(AC)},
    {"les 16:32 at 2", CODE_BYTES(0xc4, 0x06), .esi = DATA + 2, .flags = FLAG_AC, FAULT(AC)},
    {"les 16:16 at 2", CODE_BYTES(0x66, 0xc4, 0x06), .esi = DATA + 2, .flags = FLAG_AC,
     .vector = NONE},
    {"les 16:16 at 1", CODE_BYTES(0x66, 0xc4, 0x06), .esi = DATA + 1, .flags = FLAG_AC, FAULT(AC)},
    {"bound of words at 2", CODE_BYTES(0x66, 0x62, 0x06), .esi = DATA + 2, .flags = FLAG_AC,
     .vector = NONE},
    {"bound of words at 1", CODE_BYTES(0x66, 0x62, 0x06), .esi = DATA + 1, .flags = FLAG_AC,
     FAULT(AC)},
    {"bound of dwords at 2", CODE_BYTES(0x62, 0x06), .esi = DATA + 2, .flags = FLAG_AC, FAULT(AC)},
    {"fldenv of words at 2", CODE_BYTES(0x66, 0xd9, 0x26), .esi = DATA + 2, .flags = FLAG_AC,
     .vector = NONE},
    {"fldenv of words at 1", CODE_BYTES(0x66, 0xd9, 0x26), .esi = DATA + 1, .flags = FLAG_AC,
     FAULT(AC)},
    {"fldenv of dwords at 2", CODE_BYTES(0xd9, 0x26), .esi = DATA + 2, .flags = FLAG_AC,
     FAULT(AC)},
    {"fnsave of words at 2", CODE_BYTES(0x66, 0xdd, 0x36), .esi = DATA + 2, .flags = FLAG_AC,
     .vector = NONE},
    {"fnsave of dwords at 2", CODE_BYTES(0xdd, 0x36), .esi = DATA + 2, .flags = FLAG_AC,
     FAULT(AC)},
    {"fld m80 at 4", CODE_BYTES(0xdb, 0x2e), .esi = DATA + 4, .flags = FLAG_AC, FAULT(AC)},
    {"fld m80 at 8", CODE_BYTES(0xdb, 0x2e), .esi = DATA + 8, .flags = FLAG_AC, .vector = NONE},
    /* not accesses of data */
    {"clflush, absent page", CODE_BYTES(0x0f, 0xae, 0x3e), .esi = ABSENT, FAULT(PF), .error = 4,
     .cr2 = ABSENT},
    {"prefetch, absent page", CODE_BYTES(0x0f, 0x18, 0x0e), .esi = ABSENT,
     .vector = NONE},
};

START_TEST(order)
{
    run_row(&rows[_i / 2], _i % 2);
}
END_TEST

/* A value that an unmasked exception holds back is not stored, but its place is looked at. */
START_TEST(held_back_stores)
{
    static const struct {
        uint32_t esi, flags;
        int vector;
    } cases[] = {
        {DATA + 0x10, 0, NONE}, {ABSENT, 0, EXC_PF}, {DATA + 0x12, FLAG_AC, EXC_AC},
    };

    for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
        struct fixture f = user_fixture(_i);
        struct cpu *c = f.c;

        memcpy(f.ram + CODE, "\xd9\x16\xf4", 3); /* fst dword [esi] ; hlt */
        c->eip = CODE;
        c->fpu.cw = 0x35f; /* precision unmasked, and inexact it is: pi */
        c->fpu.top = 7;
        c->fpu.empty = 0x7f;
        c->fpu.st[7] = (struct f80){0xc90fdaa22168c235, 0x4000};
        c->r.q[REG_ESI] = cases[k].esi;
        c->r.q[REG_ESP] = DATA + 0x800;
        put32(f.ram + DATA + 0x10, 0x12345678);
        flags_put(c, 2 | cases[k].flags);
        cpu_update_mode(c);
        fix_run(&f, 10);
        if (cases[k].vector != NONE) {
            ck_assert_int_eq((int)(c->eip - HANDLERS) / 16, cases[k].vector);
            ck_assert_uint_eq(fpu_status_word(c) & 0x80bf, 0);
        } else {
            ck_assert_uint_eq(fpu_status_word(c) & 0x80bf, 0x80a0); /* inexact; stored rounded */
        }
        fix_free(&f);
    }
}
END_TEST

/* The same with an overflow, which keeps the destination. */
START_TEST(overflow_holds_back)
{
    for (unsigned k = 0; k < 2; k++) {
        struct fixture f = user_fixture(_i);
        struct cpu *c = f.c;

        memcpy(f.ram + CODE, "\xd9\x1e\xf4", 3); /* fstp dword [esi] ; hlt */
        c->eip = CODE;
        c->fpu.cw = 0x377; /* overflow unmasked */
        c->fpu.top = 7;
        c->fpu.empty = 0x7f;
        c->fpu.st[7] = (struct f80){0x8000000000000000, 0x5000};
        c->r.q[REG_ESI] = k ? ABSENT : DATA + 0x10;
        c->r.q[REG_ESP] = DATA + 0x800;
        put32(f.ram + DATA + 0x10, 0x12345678);
        cpu_update_mode(c);
        fix_run(&f, 10);
        ck_assert_uint_eq(get32(f.ram + DATA + 0x10), 0x12345678);
        ck_assert_uint_eq(c->fpu.empty, 0x7f); /* not popped */
        ck_assert_uint_eq(fpu_status_word(c) & 0x8088, k ? 0 : 0x8088);
        ck_assert_int_eq((int)(c->eip - HANDLERS) / 16, k ? EXC_PF : EXC_GP);
        fix_free(&f);
    }
}
END_TEST

/* EMMS empties the registers and, like every MMX instruction, sets TOP to 0. */
START_TEST(emms_top)
{
    struct fixture f = user_fixture(_i);

    memcpy(f.ram + CODE, "\xd9\xe8\xd9\xe8\xd9\xe8\x0f\x77\xf4", 9);
    f.c->eip = CODE;
    fix_run(&f, 10);
    ck_assert_uint_eq(f.c->fpu.top, 0);
    ck_assert_uint_eq(f.c->fpu.empty, 0xff);
    fix_free(&f);
}
END_TEST

/* CLFLUSH goes through an execute-only segment, a load does not. */
START_TEST(execute_only)
{
    for (unsigned k = 0; k < 2; k++) {
        struct fixture f = user_fixture(_i);

        memcpy(f.ram + CODE, k ? "\x2e\x8b\x06\x90\xf4" : "\x2e\x0f\xae\x3e\xf4", 5);
        f.c->eip = CODE;
        f.c->seg[SEG_CS].sel = SEL_EXEC;
        f.c->seg[SEG_CS].attr &= ~(uint32_t)TYPE_READ;
        f.c->r.q[REG_ESI] = DATA;
        f.c->r.q[REG_ESP] = DATA + 0x800;
        cpu_update_mode(f.c);
        fix_run(&f, 10);
        ck_assert_int_eq((int)(f.c->eip - HANDLERS) / 16, EXC_GP);
        ck_assert_uint_eq(get32(f.ram + KERNEL_STACK - 20), k ? CODE : CODE + 4);
        fix_free(&f);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("faults");
    TCase *t = tcase_create("faults");

    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, order, 0, 2 * ARRAY_LEN(rows));
    tcase_add_loop_test(t, held_back_stores, 0, 2);
    tcase_add_loop_test(t, overflow_holds_back, 0, 2);
    tcase_add_loop_test(t, emms_top, 0, 2);
    tcase_add_loop_test(t, execute_only, 0, 2);
    suite_add_tcase(s, t);
    return suite_run(s);
}
