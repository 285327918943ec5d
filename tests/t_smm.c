/*
 * System management mode: state on entry, the state save map, RSM and what makes it fail, SMI#, NMI
 * and INIT# while it lasts, restart of HLT and of I/O instructions, SMBASE, the A20 gate,
 * snapshots; on the board the APM port, the SMRAM behind the video memory, the local APIC, and
 * SeaBIOS, which uses all of that.  Expected values are written from the SDM, vol. 3 chapter 34.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cpu/cpuid.h"
#include "cpu/system.h"
#include "cpu_fixture.h"
#include "devices/machine.h"
#include "memory/bytes.h"

enum {
    SMBASE = 0x30000, ENTRY = SMBASE + 0x8000, MAP = SMBASE + 0x8000,
    GDT = 0x2000, LDT = 0x2800, IDT = 0x3000, TSS = 0x3800, PD = 0x10000, PT = 0x11000,
    COUNT = 0x500, /* where handlers count */
};

static const uint8_t loop_code[] = {0x40, 0xeb, 0xfd}; /* inc eax ; jmp back (or inc ax) */
#define HANDLER_RSM 0x0f, 0xaa
/* inc byte [cs:...] would need the address; DS is flat: inc byte [0x500] */
#define HANDLER_COUNT 0xfe, 0x06, 0x00, 0x05

static uint32_t map32(const struct fixture *f, unsigned off)
{
    return get32(f->ram + MAP + off);
}

static void handler(struct fixture *f, const void *code, size_t n)
{
    bus_write_block(f->mem, ENTRY, code, n);
}

#define HANDLER(f, ...)                                                                        \
    do {                                                                                       \
        static const uint8_t handler_code[] = {__VA_ARGS__};                                   \
        handler(f, handler_code, sizeof handler_code);                                         \
    } while (0)

static void run(struct fixture *f, unsigned n)
{
    cpu_run(f->c, cpu_icount(f->c) + n);
}

/* Paging with 4 KB pages 1:1, tables, a TSS; the state is as odd as can be. */
static struct fixture protected_fixture(bool generic)
{
    struct fixture f = fix_new(generic);
    struct cpu *c = f.c;

    for (unsigned n = 0; n < 1024; n++) {
        put32(f.ram + PT + n * 4, n << 12 | 7);
    }
    put32(f.ram + PD, PT | 7);
    fix_flat(&f, FIX_CODE, loop_code, sizeof loop_code);
    c->gdtr = (struct desc_table){GDT, 0x3f};
    c->idtr = (struct desc_table){IDT, 0x7ff};
    c->ldtr = (struct segment){.base = LDT, .limit = 0x17, .sel = 0x30, .attr = ATTR_P | DESC_LDT};
    c->tr = (struct segment){.base = TSS, .limit = 0x67, .sel = 0x28,
                             .attr = ATTR_P | DESC_TSS32_BUSY};
    for (unsigned r = 0; r < 8; r++) {
        c->r.q[r] = r == REG_ESP ? FIX_STACK : 0x11111111u * (r + 1);
    }
    cpu_set_reg(c, CPU_CR3, PD);
    cpu_set_reg(c, CPU_CR4, CR4_PSE | CR4_OSFXSR);
    c->cr0 |= CR0_PG | CR0_TS | CR0_WP | CR0_NE;
    c->seg[SEG_FS] = (struct segment){.base = 0x12340, .limit = 0xfff, .sel = 0x3c,
                                      .attr = ATTR_P | ATTR_S | ATTR_DPL | TYPE_DOWN | TYPE_WRITE};
    c->dr[0] = 0x700000;
    c->dr[7] = 0x000d0402; /* data breakpoint, global */
    c->dr[6] = 0xffff0ff1;
    flags_put(c, 2 | FLAG_IF | FLAG_CF | FLAG_DF | FLAG_ID);
    tlb_flush_all(c);
    cpu_update_mode(c);
    return f;
}

/* --- entry ----------------------------------------------------------------------------------- */

START_TEST(entry)
{
    struct fixture f = protected_fixture(_i);
    struct cpu *c = f.c;
    unsigned n;

    HANDLER(&f, 0xf4);
    cpu_smi(c);
    run(&f, 100);
    ck_assert(c->smm && c->halted && c->nmi_blocked);
    ck_assert_uint_eq(c->eip, 0x8001);
    ck_assert_uint_eq(c->seg[SEG_CS].sel, 0x3000);
    ck_assert_uint_eq(c->seg[SEG_CS].base, SMBASE);
    for (n = 0; n < SEG_COUNT; n++) {
        ck_assert_uint_eq(c->seg[n].limit, 0xffffffff);
        ck_assert_uint_eq(c->seg[n].attr & ATTR_DB, 0);
        ck_assert(n == SEG_CS || (c->seg[n].sel == 0 && c->seg[n].base == 0));
    }
    ck_assert_uint_eq(c->cr0, CR0_ET | CR0_WP | CR0_NE | (c->cr0 & (CR0_CD | CR0_NW)));
    ck_assert_uint_eq(c->cr4, 0);
    ck_assert_uint_eq(c->dr[7], 0x400);
    ck_assert_uint_eq(flags_get(c), 2);
    ck_assert_uint_eq(c->cpl, 0);
    fix_free(&f);
}
END_TEST

START_TEST(save_map)
{
    struct fixture f = protected_fixture(_i);
    unsigned n;

    HANDLER(&f, 0xf4);
    cpu_smi(f.c);
    run(&f, 100);
    ck_assert_uint_eq(map32(&f, 0x7ffc) & ~(CR0_CD | CR0_NW),
                      CR0_PG | CR0_PE | CR0_TS | CR0_WP | CR0_NE | CR0_ET);
    ck_assert_uint_eq(map32(&f, 0x7ff8), PD);
    ck_assert_uint_eq(map32(&f, 0x7ff4), 2 | FLAG_IF | FLAG_CF | FLAG_DF | FLAG_ID);
    ck_assert_uint_eq(map32(&f, 0x7ff0), FIX_CODE);
    for (n = 0; n < 8; n++) { /* EDI at 7FECh down to EAX at 7FD0h */
        ck_assert_uint_eq(map32(&f, 0x7fd0 + n * 4),
                          n == REG_ESP ? FIX_STACK : 0x11111111u * (n + 1));
    }
    ck_assert_uint_eq(map32(&f, 0x7fcc), 0xffff0ff1);
    ck_assert_uint_eq(map32(&f, 0x7fc8), 0x000d0402);
    ck_assert_uint_eq(map32(&f, 0x7fc4), 0x28);
    ck_assert_uint_eq(map32(&f, 0x7fc0), 0x30);
    ck_assert_uint_eq(map32(&f, 0x7fbc), 0x18);
    ck_assert_uint_eq(map32(&f, 0x7fb8), 0x3c);
    ck_assert_uint_eq(map32(&f, 0x7fb4), 0x18);
    ck_assert_uint_eq(map32(&f, 0x7fb0), 0x18);
    ck_assert_uint_eq(map32(&f, 0x7fac), 0x10);
    ck_assert_uint_eq(map32(&f, 0x7fa8), 0x18);
    ck_assert_uint_eq(map32(&f, 0x7f00), 0); /* both restart fields */
    ck_assert_uint_eq(map32(&f, 0x7efc), 0x00030000);
    ck_assert_uint_eq(map32(&f, 0x7ef8), SMBASE);
    fix_free(&f);
}
END_TEST

/* --- RSM ------------------------------------------------------------------------------------- */

/* What RSM restores, and what neither entry nor RSM touches. */
static void same_state(const struct cpu *a, const struct cpu *b)
{
    for (unsigned n = 0; n < SEG_COUNT; n++) {
        ck_assert_uint_eq(a->seg[n].sel, b->seg[n].sel);
        ck_assert_uint_eq(a->seg[n].base, b->seg[n].base);
        ck_assert_uint_eq(a->seg[n].limit, b->seg[n].limit);
        ck_assert_uint_eq(a->seg[n].attr, b->seg[n].attr);
        ck_assert_uint_eq(a->seg[n].lo, b->seg[n].lo);
        ck_assert_uint_eq(a->seg[n].rlen, b->seg[n].rlen);
        ck_assert_uint_eq(a->seg[n].wlen, b->seg[n].wlen);
    }
    for (unsigned n = 0; n < 8; n++) {
        ck_assert_uint_eq(a->r.q[n], b->r.q[n]);
        ck_assert_uint_eq(a->dr[n], b->dr[n]);
    }
    ck_assert_uint_eq(a->eip, b->eip);
    ck_assert_uint_eq(flags_get(a), flags_get(b));
    ck_assert_uint_eq(a->cpl, b->cpl);
    ck_assert_uint_eq(a->mode, b->mode);
    ck_assert_uint_eq(a->cr0, b->cr0);
    ck_assert_uint_eq(a->cr2, b->cr2);
    ck_assert_uint_eq(a->cr3, b->cr3);
    ck_assert_uint_eq(a->cr4, b->cr4);
    ck_assert_uint_eq(a->ldtr.sel, b->ldtr.sel);
    ck_assert_uint_eq(a->ldtr.base, b->ldtr.base);
    ck_assert_uint_eq(a->ldtr.limit, b->ldtr.limit);
    ck_assert_uint_eq(a->ldtr.attr, b->ldtr.attr);
    ck_assert_uint_eq(a->tr.sel, b->tr.sel);
    ck_assert_uint_eq(a->tr.base, b->tr.base);
    ck_assert_uint_eq(a->tr.limit, b->tr.limit);
    ck_assert_uint_eq(a->tr.attr, b->tr.attr);
    ck_assert_uint_eq(a->gdtr.base, b->gdtr.base);
    ck_assert_uint_eq(a->gdtr.limit, b->gdtr.limit);
    ck_assert_uint_eq(a->idtr.base, b->idtr.base);
    ck_assert_uint_eq(a->idtr.limit, b->idtr.limit);
    ck_assert_uint_eq(a->smbase, b->smbase);
}

enum { REAL, UNREAL, FLAT_PAGED, USER, V86, PAE, WORLDS };

static struct fixture world(unsigned kind)
{
    struct fixture f = protected_fixture(false);
    struct cpu *c = f.c;

    switch (kind) {
    case REAL:
    case UNREAL:
        fix_real(&f, loop_code, sizeof loop_code);
        if (kind == UNREAL) {
            c->seg[SEG_FS] = (struct segment){.limit = 0xffffffff, .sel = 0x1234, .base = 0x55,
                                              .attr = ATTR_G | ATTR_P | ATTR_S | TYPE_WRITE};
        }
        break;
    case USER:
        for (unsigned seg = 0; seg < SEG_COUNT; seg++) {
            c->seg[seg].sel |= 3;
            c->seg[seg].attr |= ATTR_DPL;
        }
        cpu_set_cpl(c, 3);
        break;
    case V86:
        flags_put(c, 2 | FLAG_VM | FLAG_IOPL | FLAG_IF);
        c->cpl = 3;
        for (unsigned seg = 0; seg < SEG_COUNT; seg++) {
            seg_load_real(c, seg, (uint16_t)(seg == SEG_CS ? 0 : seg << 8));
        }
        break;
    case PAE:
        put64(f.ram + 0x12000, 0x13001);
        put64(f.ram + 0x13000, 0xe3); /* 2 MB page */
        put64(f.ram + 0x13008, 0x2000e3);
        c->cr0 &= ~(uint64_t)CR0_PG;
        c->cr4 |= CR4_PAE;
        cpu_set_reg(c, CPU_CR3, 0x12000);
        cpu_set_reg(c, CPU_CR0, c->cr0 | CR0_PG);
        break;
    default:
        break;
    }
    tlb_flush_all(c);
    cpu_update_mode(c);
    return f;
}

START_TEST(round_trip)
{
    for (unsigned kind = 0; kind < WORLDS; kind++) {
        struct fixture f = world(kind), g = world(kind);

        HANDLER(&f, HANDLER_RSM);
        cpu_smi(f.c);
        run(&f, 2); /* the entry counts one, RSM another */
        ck_assert(!f.c->smm && !f.c->nmi_blocked);
        ck_assert_uint_eq(map32(&f, 0x7efc), 0x00030000);
        same_state(f.c, g.c);
        ck_assert(memcmp(f.c->pdpte, g.c->pdpte, sizeof f.c->pdpte) == 0);
        run(&f, 100);
        run(&g, 100);
        same_state(f.c, g.c);
        fix_free(&f);
        fix_free(&g);
    }
}
END_TEST

START_TEST(undefined_outside)
{
    static const uint8_t code[] = {HANDLER_RSM};

    for (unsigned cpl = 0; cpl < 4; cpl += 3) {
        struct fixture f = fix_new(_i);
        struct cpu *c = f.c;

        fix_flat(&f, FIX_CODE, code, sizeof code);
        c->idtr = (struct desc_table){IDT, 0x7ff};
        c->gdtr = (struct desc_table){GDT, 0x3f};
        c->tr = (struct segment){.base = TSS, .limit = 0x67, .attr = ATTR_P | DESC_TSS32_BUSY};
        put32(f.ram + TSS + 4, 0x9000);
        put16(f.ram + TSS + 8, 0x18);
        put64(f.ram + GDT + 0x10, 0x00cf9b000000ffff);
        put64(f.ram + GDT + 0x18, 0x00cf93000000ffff);
        put64(f.ram + IDT + EXC_UD * 8, 0x00008e0000107000);
        f.ram[0x7000] = 0xf4;
        if (cpl) {
            for (unsigned seg = 0; seg < SEG_COUNT; seg++) {
                c->seg[seg].attr |= ATTR_DPL;
                c->seg[seg].sel |= 3;
            }
            cpu_set_cpl(c, 3);
            cpu_update_mode(c);
        }
        fix_run(&f, 100);
        ck_assert_uint_eq(c->eip, 0x7001);
        fix_free(&f);
    }
}
END_TEST

START_TEST(bad_state_shuts_down)
{
    static const struct {
        const char *model;
        unsigned off;
        uint32_t set, clear;
        bool fine;
    } rows[] = {
        {"pentium3", 0x7ffc, 0, CR0_PE, false},             /* PG without PE */
        {"pentium3", 0x7ffc, CR0_NW, CR0_CD, false},        /* NW without CD */
        {"pentium3", 0x7ffc, CR0_CD | CR0_NW, 0, true},
        {"pentium3", 0x7f14, 0x800, 0, false},              /* reserved in CR4 */
        {"pentium3", 0x7f14, CR4_TSD, 0, true},
        {"pentium3", 0x7ef8, 0x1000, 0, true},              /* the P6 takes any base */
        {"pentium", 0x7ef8, 0x1000, 0, false},
        {"486", 0x7ef8, 0x4000, 0, false},
        {"pentium", 0x7ef8, 0x8000, 0, true},
        {"pentium", 0x7f14, CR4_PAE, 0, false},             /* not in this model */
    };

    for (unsigned k = 0; k < ARRAY_LEN(rows); k++) {
        struct fixture f = protected_fixture(false);
        struct err e = {{0}};

        ck_assert(cpu_model_select(f.c, rows[k].model, &e));
        f.c->cr4 &= cpu_cr4_mask(f.c);
        HANDLER(&f, 0xf4, HANDLER_RSM);
        cpu_smi(f.c);
        run(&f, 10);
        put32(f.ram + MAP + rows[k].off,
              (map32(&f, rows[k].off) & ~rows[k].clear) | rows[k].set);
        f.c->halted = false;
        run(&f, 1);
        ck_assert_int_eq(f.c->shutdown, !rows[k].fine);
        ck_assert_int_eq(f.c->smm, !rows[k].fine);
        fix_free(&f);
    }
}
END_TEST

/* Pointers of PAE paging with reserved bits are found when RSM loads them. */
START_TEST(bad_pdptes_shut_down)
{
    struct fixture f = world(PAE);

    HANDLER(&f, 0xf4, HANDLER_RSM);
    cpu_smi(f.c);
    run(&f, 10);
    put64(f.ram + 0x12008, 0x13003); /* W is reserved here */
    f.c->halted = false;
    run(&f, 1);
    ck_assert(f.c->shutdown);
    fix_free(&f);
}
END_TEST

START_TEST(relocation)
{
    struct fixture f = protected_fixture(_i);

    /* mov dword [0x3fef8], 0x40000 ; rsm, with 32-bit address and operand */
    HANDLER(&f, 0x66, 0x67, 0xc7, 0x05, 0xf8, 0xfe, 0x03, 0x00, 0x00, 0x00, 0x04, 0x00,
            HANDLER_RSM);
    memcpy(f.ram + 0x48000, "\x67\xfe\x05\x00\x05\x00\x00\x0f\xaa", 9); /* count ; rsm */
    cpu_smi(f.c);
    run(&f, 10);
    ck_assert(!f.c->smm);
    ck_assert_uint_eq(f.c->smbase, 0x40000);
    ck_assert_uint_eq(f.ram[COUNT], 0);
    cpu_smi(f.c);
    run(&f, 10);
    ck_assert_uint_eq(f.ram[COUNT], 1);
    ck_assert_uint_eq(get32(f.ram + 0x40000 + 0xfef8), 0x40000);
    fix_free(&f);
}
END_TEST

/* --- HLT and I/O ----------------------------------------------------------------------------- */

START_TEST(halt_restart)
{
    static const uint8_t code[] = {0xf4, 0x40, 0xeb, 0xfe}; /* hlt ; inc ax ; jmp $ */

    for (unsigned again = 0; again < 2; again++) {
        struct fixture f = fix_new(_i);

        fix_real(&f, code, sizeof code);
        fix_run(&f, 10);
        HANDLER(&f, HANDLER_COUNT, 0xf4, HANDLER_RSM);
        cpu_smi(f.c);
        run(&f, 10);
        ck_assert_uint_eq(map32(&f, 0x7f00), 0x10000);
        put16(f.ram + MAP + 0x7f02, (uint16_t)again);
        f.c->halted = false;
        run(&f, 10);
        ck_assert(!f.c->smm);
        ck_assert_uint_eq(f.ram[COUNT], 1);
        ck_assert_int_eq(f.c->halted, again == 1);
        ck_assert_uint_eq(reg16(f.c, REG_EAX), !again);
        fix_free(&f);
    }
}
END_TEST

struct port {
    struct fixture *f;
    unsigned writes, reads;
    uint8_t last;
    bool quiet;
};

static void port_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct port *p = dev;

    (void)off;
    (void)size;
    p->writes++;
    p->last = (uint8_t)val;
    if (!p->quiet) {
        p->quiet = true;
        cpu_smi(p->f->c);
    }
}

static uint64_t port_read(void *dev, uint64_t off, unsigned size)
{
    struct port *p = dev;

    (void)off;
    (void)size;
    p->reads++;
    if (!p->quiet) {
        p->quiet = true;
        cpu_smi(p->f->c);
    }
    return 0x40 + p->reads;
}

static const struct io_ops port_ops = {port_read, port_write, 1, 1, "smi-trap"};

/* mov word [0x3ff00], ax ; rsm, with AX what the handler asks for; DS is flat */
#define HANDLER_IO_RESTART(v)                                                                  \
    0x67, 0xc7, 0x05, 0x00, 0xff, 0x03, 0x00, v, 0x00, HANDLER_COUNT, HANDLER_RSM

START_TEST(io_restart)
{
    static const struct {
        uint8_t code[12];
        bool string;
    } rows[] = {
        {{0xb0, 0x5a, 0xe6, 0x70, 0xf4}, false},                         /* out 70h, al */
        {{0xba, 0x70, 0x00, 0xee, 0xf4}, false},                         /* out dx, al */
        {{0xe4, 0x70, 0xf4}, false},                                     /* in al, 70h */
        {{0xba, 0x70, 0, 0xbe, 0, 6, 0xb9, 3, 0, 0xf3, 0x6e, 0xf4}, true}, /* rep outsb */
    };

    for (unsigned k = 0; k < ARRAY_LEN(rows); k++) {
        for (unsigned again = 0; again < 2; again++) {
            struct fixture f = fix_new(_i);
            struct port p = {.f = &f};

            bus_map(f.io, 0x70, 1, &port_ops, &p, PRIO_DEVICE);
            memcpy(f.ram + 0x600, "abc", 3);
            fix_real(&f, rows[k].code, sizeof rows[k].code);
            if (again) {
                HANDLER(&f, HANDLER_IO_RESTART(0xff));
            } else {
                HANDLER(&f, HANDLER_IO_RESTART(0));
            }
            fix_run(&f, 100);
            ck_assert_uint_eq(f.ram[COUNT], 1); /* at the boundary behind the instruction */
            ck_assert_uint_eq(p.writes + p.reads, (rows[k].string ? 3u : 1u) + again);
            if (k == 2) {
                ck_assert_uint_eq(reg8(f.c, REG_EAX), 0x41 + again);
            } else {
                ck_assert_uint_eq(p.last, rows[k].string ? 'c' : k ? 0 : 0x5a);
            }
            if (rows[k].string) {
                ck_assert_uint_eq(reg16(f.c, REG_ECX), 0);
                ck_assert_uint_eq(reg16(f.c, REG_ESI), 0x603);
            }
            fix_free(&f);
        }
    }
}
END_TEST

/* --- what waits ------------------------------------------------------------------------------ */

START_TEST(second_smi_waits)
{
    struct fixture f = protected_fixture(_i);
    uint32_t eax;

    f.c->dr[7] = 0x400; /* or each instruction is the run loop's */
    cpu_update_mode(f.c);

    HANDLER(&f, HANDLER_COUNT, 0xf4, HANDLER_RSM);
    cpu_smi(f.c);
    run(&f, 10);
    cpu_smi(f.c);
    cpu_smi(f.c); /* one is kept */
    ck_assert_int_eq(cpu_run(f.c, cpu_icount(f.c) + 10), CPU_STOP_HALT);
    ck_assert_uint_eq(f.ram[COUNT], 1);
    eax = map32(&f, 0x7fd0);
    f.c->halted = false;
    run(&f, 100);
    ck_assert(f.c->smm);
    ck_assert_uint_eq(f.ram[COUNT], 2);
    ck_assert_uint_eq(map32(&f, 0x7fd0), eax); /* right behind RSM */
    f.c->halted = false;
    run(&f, 10);
    ck_assert(!f.c->smm);
    ck_assert_uint_eq(f.ram[COUNT], 2);
    fix_free(&f);
}
END_TEST

/* NMIs wait for IRET or RSM, INTR for a handler that sets IF. */
START_TEST(interrupts)
{
    struct fixture f = fix_new(_i);

    fix_real(&f, "\xfb\xeb\xfe", 3); /* sti ; jmp $ */
    put32(f.ram + 2 * 4, 0x7000);
    put32(f.ram + 0xff * 4, 0x7100); /* nobody acknowledges: vector FFh */
    memcpy(f.ram + 0x7000, "\xfe\x06\x02\x05\xcf", 5);         /* count at 502h ; iret */
    memcpy(f.ram + 0x7100, "\xfe\x06\x03\x05\xf4", 5);         /* count at 503h ; hlt */
    run(&f, 10);
    /* sp = 5000h ; hlt ; iret frame to the next instruction ; hlt ; rsm */
    HANDLER(&f, 0xbc, 0x00, 0x50, 0xf4, 0x9c, 0x0e, 0x68, 0x0a, 0x80, 0xcf, 0xf4, HANDLER_RSM);
    cpu_smi(f.c);
    cpu_nmi(f.c);
    cpu_set_intr(f.c, true);
    run(&f, 20);
    ck_assert(f.c->smm && f.c->halted);
    ck_assert_uint_eq(f.ram[0x502], 0);
    f.c->halted = false;
    run(&f, 20); /* IRET ends the blocking: real mode's vector table serves */
    ck_assert(f.c->smm && f.c->halted);
    ck_assert_uint_eq(f.ram[0x502], 1);
    ck_assert_uint_eq(f.ram[0x503], 0);
    f.c->halted = false;
    run(&f, 20);
    ck_assert(!f.c->smm);
    ck_assert_uint_eq(f.ram[0x503], 1);
    fix_free(&f);
}
END_TEST

START_TEST(nmi_after_rsm)
{
    struct fixture f = fix_new(_i);

    fix_real(&f, "\xeb\xfe", 2);
    put32(f.ram + 2 * 4, 0x7000);
    memcpy(f.ram + 0x7000, "\xfe\x06\x02\x05\xf4", 5);
    HANDLER(&f, 0xf4, HANDLER_RSM);
    cpu_smi(f.c);
    run(&f, 20);
    cpu_nmi(f.c);
    run(&f, 20);
    ck_assert_uint_eq(f.ram[0x502], 0);
    f.c->halted = false;
    run(&f, 20);
    ck_assert_uint_eq(f.ram[0x502], 1);
    fix_free(&f);
}
END_TEST

/* SMI# goes before NMI, and not between MOV SS and the next instruction. */
START_TEST(priority)
{
    struct fixture f = fix_new(_i);

    fix_real(&f, "\x8e\xd0\x40\x40\xeb\xfe", 6); /* mov ss,ax ; inc ax ; inc ax ; jmp $ */
    put32(f.ram + 2 * 4, 0x7000);
    memcpy(f.ram + 0x7000, "\xf4", 1);
    HANDLER(&f, 0xf4, HANDLER_RSM);
    run(&f, 1);
    ck_assert(f.c->shadow);
    cpu_nmi(f.c);
    cpu_smi(f.c);
    run(&f, 20);
    ck_assert(f.c->smm);
    ck_assert_uint_eq(map32(&f, 0x7ff0), FIX_CODE + 3);
    ck_assert(f.c->nmi_pending);
    fix_free(&f);
}
END_TEST

START_TEST(single_step)
{
    struct fixture f = fix_new(_i);

    fix_real(&f, "\x40\x40\xeb\xfe", 4);
    put32(f.ram + 1 * 4, 0x7000);
    memcpy(f.ram + 0x7000, "\xf4", 1);
    HANDLER(&f, HANDLER_COUNT, HANDLER_RSM);
    cpu_set_reg(f.c, CPU_EFLAGS, 2 | FLAG_TF);
    cpu_smi(f.c);
    fix_run(&f, 20);
    ck_assert_uint_eq(f.ram[COUNT], 1);
    ck_assert_uint_eq(reg16(f.c, REG_EAX), 1);
    ck_assert_uint_eq(get16(f.ram + FIX_STACK - 6), FIX_CODE + 1);
    fix_free(&f);
}
END_TEST

/* INIT# waits for RSM; then the processor starts at FFFFFFF0h with SMBASE as it was. */
START_TEST(init_waits)
{
    struct fixture f = fix_new(_i);
    static uint8_t rom[65536];

    memset(rom, 0xf4, sizeof rom);
    bus_map_ram(f.mem, 0xffff0000, sizeof rom, rom, BUS_READ, PRIO_ROM);
    fix_real(&f, "\xeb\xfe", 2);
    f.c->smbase = 0x28000;
    f.c->fpu.cw = 0x37f;
    memcpy(f.ram + 0x30000, "\xf4\x0f\xaa", 3);
    cpu_smi(f.c);
    run(&f, 20);
    ck_assert(f.c->smm);
    cpu_init(f.c);
    run(&f, 20);
    ck_assert(f.c->smm && f.c->halted);
    f.c->halted = false;
    run(&f, 20);
    ck_assert(!f.c->smm && f.c->halted);
    ck_assert_uint_eq(f.c->eip, 0xfff1);
    ck_assert_uint_eq(f.c->smbase, 0x28000);
    ck_assert_uint_eq(f.c->fpu.cw, 0x37f);
    cpu_smi(f.c); /* and SMIs work on */
    run(&f, 20);
    ck_assert(f.c->smm);
    cpu_reset(f.c);
    ck_assert(!f.c->smm);
    ck_assert_uint_eq(f.c->smbase, 0x30000);
    fix_free(&f);
}
END_TEST

START_TEST(a20_gate)
{
    struct fixture f = fix_new(_i);

    fix_real(&f, "\x66\x67\xc6\x05\x01\x00\x10\x00\x77\xeb\xfe", 11); /* mov byte [100001h],77h */
    f.c->seg[SEG_DS].limit = 0xffffffff;
    cpu_update_mode(f.c);
    cpu_set_a20(f.c, false);
    run(&f, 5);
    ck_assert_uint_eq(f.ram[1], 0x77);
    HANDLER(&f, 0x66, 0x67, 0xc6, 0x05, 0x02, 0x00, 0x10, 0x00, 0x66, 0xf4, HANDLER_RSM);
    cpu_smi(f.c);
    run(&f, 5);
    ck_assert_uint_eq(f.ram[2], 0);
    ck_assert_uint_eq(f.ram[0x100002], 0x66);
    f.c->halted = false;
    run(&f, 1);
    cpu_set_reg(f.c, CPU_EIP, FIX_CODE);
    f.ram[1] = 0;
    run(&f, 5);
    ck_assert_uint_eq(f.ram[1], 0x77);
    fix_free(&f);
}
END_TEST

/* --- snapshots, models ----------------------------------------------------------------------- */

START_TEST(snapshot)
{
    struct fixture f = protected_fixture(false), g = fix_new(false);
    struct snap_writer w;
    struct snap_reader r;
    struct err e = {{0}};

    HANDLER(&f, 0xf4, HANDLER_RSM);
    f.c->smbase = SMBASE;
    cpu_smi(f.c);
    run(&f, 20);
    cpu_smi(f.c);
    cpu_init(f.c);
    snap_writer_init(&w);
    cpu_save(f.c, &w);
    ck_assert(snap_reader_init(&r, w.buf, w.len, &e));
    ck_assert_msg(cpu_load(g.c, &r, &e), "%s", e.text);
    ck_assert(g.c->smm && g.c->smi_pending && g.c->init_pending);
    same_state(f.c, g.c);
    snap_writer_free(&w);
    fix_free(&f);
    fix_free(&g);
}
END_TEST

START_TEST(models)
{
    static const struct {
        const char *name;
        bool has;
    } rows[] = {{"386", false}, {"486", true}, {"pentium", true}, {"pentium-pro", true},
                {"pentium4", true}, {"max", true}};

    for (unsigned k = 0; k < ARRAY_LEN(rows); k++) {
        struct fixture f = fix_new(_i);
        struct err e = {{0}};

        ck_assert(cpu_model_select(f.c, rows[k].name, &e));
        fix_real(&f, "\xeb\xfe", 2);
        HANDLER(&f, HANDLER_COUNT, HANDLER_RSM);
        cpu_smi(f.c);
        run(&f, 20);
        ck_assert_int_eq(cpu_has_smm(f.c), rows[k].has);
        ck_assert_uint_eq(f.ram[COUNT], rows[k].has);
        ck_assert_uint_eq(f.c->eip, FIX_CODE);
        fix_free(&f);
    }
}
END_TEST

/* --- the board ------------------------------------------------------------------------------- */

static void outb(struct oxbow *m, unsigned port, unsigned v)
{
    bus_write(m->io, port, 1, v);
}

static void config(struct oxbow *m, unsigned devfn, unsigned off, unsigned size, uint32_t v)
{
    bus_write(m->io, 0xcf8, 4, 0x80000000u | devfn << 8 | (off & 0xfc));
    bus_write(m->io, 0xcfc + (off & 3), size, v);
}

static void wait_some(struct oxbow *m)
{
    ck_assert_int_eq(oxbow_run(m, 10000), OXBOW_LIMIT);
}

enum { HOST_BRIDGE = 0, POWER = 0x0b, PMIO = 0x600, SMRAM = 0x72, OPEN = 0x4a, CLOSED = 0x0a };

/* The processor loops in a ROM; SMM code in the SMRAM, SMBASE A0000h. */
static struct oxbow *smm_board(void)
{
    static uint8_t rom[65536];
    static const uint8_t code[] = {
        0xfe, 0x06, 0x00, 0x05,             /* inc byte [500h] */
        0x67, 0xa0, 0x00, 0x90, 0x0a, 0x00, /* mov al,[0a9000h] */
        0xa2, 0x01, 0x05,                   /* mov [501h],al */
        0x0f, 0xaa,
    };
    struct oxbow_config cfg;
    struct err e = {{0}};

    memset(rom, 0x90, sizeof rom);
    memcpy(rom + 0xfff0, "\xeb\xfe", 2);
    oxbow_config_init(&cfg);
    cfg.ram_mb = 2;
    cfg.bios = (struct oxbow_blob){rom, sizeof rom};
    struct oxbow *m = oxbow_new(&cfg, &e);
    ck_assert_msg(m != NULL, "%s", e.text);
    wait_some(m);
    m->cpu->smbase = 0xa0000;
    config(m, HOST_BRIDGE, SMRAM, 1, OPEN);
    bus_write_block(m->mem, 0xa8000, code, sizeof code);
    bus_write(m->mem, 0xa9000, 1, 0x5c);
    ck_assert_uint_eq(bus_read(m->mem, 0xa9000, 1), 0x5c);
    config(m, HOST_BRIDGE, SMRAM, 1, CLOSED);
    ck_assert_uint_ne(bus_read(m->mem, 0xa9000, 1), 0x5c);
    config(m, POWER, 0x40, 4, PMIO);
    config(m, POWER, 0x80, 1, 1);
    return m;
}

static unsigned counted(struct oxbow *m)
{
    wait_some(m);
    return m->ram[COUNT];
}

START_TEST(apm_port)
{
    struct oxbow *m = smm_board();

    outb(m, 0xb2, 0x12);
    ck_assert_uint_eq(counted(m), 0); /* neither enable is set */
    config(m, POWER, 0x5b, 1, 2);
    outb(m, 0xb2, 0x12);
    ck_assert_uint_eq(counted(m), 0);
    ck_assert_uint_eq(bus_read(m->io, PMIO + 0x18, 2), 0);
    bus_write(m->io, PMIO + 0x28, 4, 1);
    ck_assert_uint_eq(bus_read(m->io, PMIO + 0x28, 4), 1);
    outb(m, 0xb2, 0x12);
    ck_assert_uint_eq(counted(m), 1);
    ck_assert_uint_eq(m->ram[COUNT + 1], 0x5c);        /* the SMRAM was there */
    ck_assert_uint_ne(bus_read(m->mem, 0xa9000, 1), 0x5c); /* and is gone */
    ck_assert_uint_eq(bus_read(m->io, 0xb2, 1), 0x12);
    ck_assert_uint_eq(bus_read(m->io, PMIO + 0x18, 2), 0x20);
    bus_write(m->io, PMIO + 0x18, 2, 0x20);
    ck_assert_uint_eq(bus_read(m->io, PMIO + 0x18, 2), 0);
    outb(m, 0xb3, 0x34); /* the status port is no cause */
    ck_assert_uint_eq(counted(m), 1);
    outb(m, 0xb2, 0x13);
    ck_assert_uint_eq(counted(m), 2);
    /* Locked, the SMRAM cannot be opened; the mode goes on working. */
    config(m, HOST_BRIDGE, SMRAM, 1, CLOSED | 0x10);
    config(m, HOST_BRIDGE, SMRAM, 1, OPEN);
    ck_assert_uint_ne(bus_read(m->mem, 0xa9000, 1), 0x5c);
    outb(m, 0xb2, 0x14);
    ck_assert_uint_eq(counted(m), 3);
    /* A reset of the processor only leaves SMBASE and the lock alone. */
    outb(m, 0x64, 0xfe);
    wait_some(m);
    outb(m, 0xb2, 0x14);
    ck_assert_uint_eq(counted(m), 4);
    oxbow_free(m);
}
END_TEST

/* A snapshot taken in the mode shows the same memory when it is loaded. */
START_TEST(board_snapshot)
{
    struct oxbow *m = smm_board(), *n = smm_board();
    struct err e = {{0}};
    uint8_t *state;
    size_t len;

    config(m, HOST_BRIDGE, SMRAM, 1, OPEN);
    bus_write(m->mem, 0xa8000, 1, 0xf4); /* hlt */
    config(m, HOST_BRIDGE, SMRAM, 1, CLOSED);
    cpu_smi(m->cpu);
    wait_some(m);
    ck_assert(m->cpu->smm);
    ck_assert_uint_eq(bus_read(m->mem, 0xa9000, 1), 0x5c);
    state = oxbow_save(m, &len, &e);
    ck_assert_msg(state != NULL, "%s", e.text);
    ck_assert_msg(oxbow_load(n, state, len, &e), "%s", e.text);
    ck_assert(n->cpu->smm);
    ck_assert_uint_eq(bus_read(n->mem, 0xa9000, 1), 0x5c);
    free(state);
    oxbow_free(m);
    oxbow_free(n);
}
END_TEST

START_TEST(apic_message)
{
    struct oxbow *m = smm_board();

    bus_write(m->mem, 0xfee000f0, 4, 0x1ff);
    bus_write(m->mem, 0xfee00310, 4, 0); /* to processor 0 */
    bus_write(m->mem, 0xfee00300, 4, 0x4200);
    ck_assert_uint_eq(counted(m), 1);
    oxbow_free(m);
}
END_TEST

/* SeaBIOS moves SMBASE to A0000h and calls its 32-bit half through SMIs. */
START_TEST(seabios)
{
    static const char path[] = "/usr/share/seabios/bios-256k.bin";
    static const uint8_t sector[] = {
        0xb8, 0x01, 0x02, 0xb9, 0x02, 0x00, 0xba, 0x80, 0x00, /* read sector 2 of disk 80h */
        0xbb, 0x00, 0x7e, 0xcd, 0x13, 0xa1, 0x00, 0x7e,
        0xba, 0xf4, 0x00, 0xee,                               /* exit with its first byte */
    };
    static uint8_t rom[262144], image[1 << 20];
    struct oxbow_config cfg;
    struct err e = {{0}};
    FILE *file = fopen(path, "rb");
    size_t n;

    if (!file) {
        printf("skipped: %s is not there\n", path);
        return;
    }
    n = fread(rom, 1, sizeof rom, file);
    fclose(file);
    memcpy(image, sector, sizeof sector);
    put16(image + 510, 0xaa55);
    image[512] = 0x37;
    oxbow_config_init(&cfg);
    cfg.ram_mb = 16;
    cfg.bios = (struct oxbow_blob){rom, n};
    cfg.boot = "c";
    cfg.debug_exit = true;
    cfg.debug_exit_port = 0xf4;
    cfg.drive[0] = (struct oxbow_drive){OXBOW_DRIVE_DISK,
                                        block_open_mem(image, sizeof image, true, &e)};
    struct oxbow *m = oxbow_new(&cfg, &e);
    ck_assert_msg(m != NULL, "%s", e.text);
    ck_assert_int_eq(oxbow_run(m, 2000000000), OXBOW_DEBUG_EXIT);
    ck_assert_uint_eq(oxbow_exit_value(m), 0x37);
    ck_assert_uint_eq(m->cpu->smbase, 0xa0000);
    ck_assert(!m->cpu->smm);
    oxbow_free(m);
}
END_TEST

int main(void)
{
    const TTest *const twice[] = { /* on both layers */
        entry, save_map, undefined_outside, relocation, halt_restart, io_restart,
        second_smi_waits, interrupts, nmi_after_rsm, priority, single_step, init_waits, a20_gate,
        models,
    };
    const TTest *const once[] = {
        round_trip, bad_state_shuts_down, bad_pdptes_shut_down, snapshot, apm_port, board_snapshot,
        apic_message, seabios,
    };
    Suite *s = suite_create("smm");
    TCase *t = tcase_create("smm");

    tcase_set_timeout(t, 120);
    for (unsigned n = 0; n < ARRAY_LEN(twice); n++) {
        tcase_add_loop_test(t, twice[n], 0, 2);
    }
    for (unsigned n = 0; n < ARRAY_LEN(once); n++) {
        tcase_add_test(t, once[n]);
    }
    suite_add_tcase(s, t);
    return suite_run(s);
}
