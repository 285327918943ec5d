/*
 * Paging and memory access: walks of every format, #PF error codes, A and D bits, TLB life, page
 * crossing, MMIO, pages that hold code, dirty tracking, A20, alignment checks and data
 * breakpoints.
 */
#include <string.h>

#include "cpu/cpuid.h"
#include "cpu/system.h"
#include "cpu_fixture.h"
#include "memory/bytes.h"

enum {
    P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100, /* entry bits */
    DIR = 0x10000, TAB = 0x11000, PTRS = 0x12000, PAGE = 0x20000,  /* physical places */
    LA = 0x00400000,                                               /* linear page under test */
};

static void put_entry(struct fixture *f, uint32_t at, uint32_t v)
{
    put32(f->ram + at, v);
}

static uint32_t entry(const struct fixture *f, uint32_t at)
{
    return get32(f->ram + at);
}

/* Paging on: 0..4 MB identity by the first table, LA by the second. */
static struct fixture paged(uint64_t cr4, uint64_t cr0)
{
    struct fixture f = fix_new(false);
    unsigned n;

    cpu_enter_flat32(f.c, FIX_CODE);
    put_entry(&f, DIR, (TAB + 0x2000) | P | W | U);
    for (n = 0; n < 1024; n++) {
        put_entry(&f, TAB + 0x2000 + n * 4, n << 12 | P | W | U);
    }
    put_entry(&f, DIR + 4, TAB | P | W | U);
    put_entry(&f, TAB, PAGE | P | W | U);
    put_entry(&f, TAB + 4, (PAGE + 0x1000) | P | W | U);
    cpu_set_reg(f.c, CPU_CR4, cr4);
    cpu_set_reg(f.c, CPU_CR3, DIR);
    cpu_set_reg(f.c, CPU_CR0, CR0_PE | CR0_PG | cr0);
    return f;
}

static bool can_access(struct fixture *f, uint64_t la, enum access acc, bool user)
{
    uint64_t pa;

    f->c->exc = (struct exception){0};
    return mmu_translate(f->c, la, acc, user, &pa);
}

static void expect_fault(struct fixture *f, uint64_t la, enum access acc, bool user, unsigned error)
{
    ck_assert(!can_access(f, la, acc, user));
    ck_assert_uint_eq(f->c->exc.vector, EXC_PF);
    ck_assert(f->c->exc.has_error);
    ck_assert_uint_eq(f->c->exc.error, error);
    ck_assert_uint_eq(f->c->exc.cr2, la);
}

/* The hot handlers reach the page directly. */
static bool readable(const struct fixture *f, uint32_t la)
{
    return tlb_read_hit(f->c->tlb, la, 1) != NULL;
}

static bool writable(const struct fixture *f, uint32_t la)
{
    return tlb_write_hit(f->c->tlb, la, 1) != NULL;
}

START_TEST(rights_and_error_codes)
{
    /* entry rights of directory and table; what is allowed to whom, with WP clear and set */
    static const struct {
        uint32_t dir, tab;
    } rights[] = {{P, P}, {P | W, P | W}, {P | U, P | U}, {P | W | U, P | W | U},
                  {P | W | U, P | U}, {P | U, P | W | U}, {P | W, P | W | U}, {P | W | U, P | W},
                  {0, P | W | U}, {P | W | U, 0}};
    unsigned k, wp, user, write;

    for (wp = 0; wp < 2; wp++) {
        for (k = 0; k < ARRAY_LEN(rights); k++) {
            for (user = 0; user < 2; user++) {
                for (write = 0; write < 2; write++) {
                    struct fixture f = paged(0, wp ? CR0_WP : 0);
                    bool present = rights[k].dir & rights[k].tab & P;
                    bool w = rights[k].dir & rights[k].tab & W;
                    bool u = rights[k].dir & rights[k].tab & U;
                    bool ok = present && (!user || u) && (!write || w || (!user && !wp));
                    unsigned error = (present ? 1 : 0) | write << 1 | user << 2;

                    put_entry(&f, DIR + 4, rights[k].dir ? TAB | rights[k].dir : 0);
                    put_entry(&f, TAB, rights[k].tab ? PAGE | rights[k].tab : 0);
                    if (ok) {
                        ck_assert(can_access(&f, LA + 0x123, write ? ACC_WRITE : ACC_READ, user));
                        ck_assert_uint_eq(entry(&f, TAB) & (A | D), write ? A | D : A);
                        ck_assert_uint_eq(entry(&f, DIR + 4) & (A | D), A);
                    } else {
                        expect_fault(&f, LA + 0x123, write ? ACC_WRITE : ACC_READ, user, error);
                        ck_assert_uint_eq(entry(&f, TAB) & (A | D), 0);
                        ck_assert_uint_eq(entry(&f, DIR + 4) & (A | D), 0);
                    }
                    fix_free(&f);
                }
            }
        }
    }
}
END_TEST

START_TEST(large_pages)
{
    struct fixture f = paged(CR4_PSE, 0);
    uint64_t pa;

    put_entry(&f, DIR + 4, 0x00800000 | P | W | PS);
    ck_assert(mmu_translate(f.c, LA + 0x123456, ACC_WRITE, false, &pa));
    ck_assert_uint_eq(pa, 0x923456);
    ck_assert_uint_eq(entry(&f, DIR + 4) & (A | D), A | D);
    /* PSE-36: bits 13 to 16 are address bits 32 to 35 */
    put_entry(&f, DIR + 8, 0x00c00000 | 0x14000 | P | W | PS);
    ck_assert(mmu_translate(f.c, 0x00812345, ACC_READ, false, &pa));
    ck_assert_uint_eq(pa, 0xa00c12345);
    put_entry(&f, DIR + 12, 0x00c00000 | 0x20000 | P | PS);
    expect_fault(&f, 0x00c00000, ACC_READ, false, 9);
    /* INVLPG of any address in a large page drops all of it */
    ck_assert(lin_read(f.c, LA + 0x5000, 4, &pa) && lin_read(f.c, LA + 0x9000, 4, &pa));
    put_entry(&f, DIR + 4, 0);
    tlb_flush_page(f.c, LA + 0x7000);
    expect_fault(&f, LA + 0x5000, ACC_READ, false, 0);
    ck_assert(!lin_read(f.c, LA + 0x9000, 4, &pa));
    /* without CR4.PSE the bit means nothing */
    cpu_set_reg(f.c, CPU_CR4, 0);
    put_entry(&f, DIR + 4, TAB | P | W | PS);
    ck_assert(mmu_translate(f.c, LA + 4, ACC_READ, false, &pa));
    ck_assert_uint_eq(pa, PAGE + 4);
    fix_free(&f);
}
END_TEST

/* Three-level tables: 0..2 MB identity, one page at 40000000h. */
static struct fixture paged_pae(const char *model)
{
    struct fixture f = fix_new(false);
    struct err e;
    unsigned n;

    ck_assert(cpu_model_select(f.c, model, &e));
    cpu_enter_flat32(f.c, FIX_CODE);
    put64(f.ram + PTRS, DIR | P);
    put64(f.ram + PTRS + 8, (DIR + 0x4000) | P);
    put64(f.ram + DIR, TAB | P | W | U);
    for (n = 0; n < 512; n++) {
        put64(f.ram + TAB + n * 8, n << 12 | P | W | U);
    }
    put64(f.ram + DIR + 0x4000, (DIR + 0x5000) | P | W | U);
    put64(f.ram + DIR + 0x5000, PAGE | P | W | U);
    cpu_set_reg(f.c, CPU_CR4, CR4_PAE);
    cpu_set_reg(f.c, CPU_CR3, PTRS);
    cpu_set_reg(f.c, CPU_CR0, CR0_PE | CR0_PG);
    return f;
}

START_TEST(pae)
{
    struct fixture f = paged_pae("pentium3");
    uint64_t pa;

    ck_assert(mmu_translate(f.c, 0x40000abc, ACC_WRITE, true, &pa));
    ck_assert_uint_eq(pa, PAGE + 0xabc);
    ck_assert_uint_eq(get64(f.ram + DIR + 0x5000) & (A | D), A | D);
    expect_fault(&f, 0x80000000, ACC_READ, false, 0); /* pointer not present */
    put64(f.ram + DIR + 0x5008, 0x123456000 | P | W);
    ck_assert(mmu_translate(f.c, 0x40001234, ACC_READ, false, &pa));
    ck_assert_uint_eq(pa, 0x123456234);
    put64(f.ram + DIR + 0x5010, PAGE | P | (uint64_t)1 << 36);
    expect_fault(&f, 0x40002000, ACC_READ, false, 9);
    put64(f.ram + DIR + 0x5010, PAGE | P | (uint64_t)1 << 63); /* no NX in this model */
    expect_fault(&f, 0x40002000, ACC_WRITE, true, 15);
    put64(f.ram + DIR + 0x4008, 0x600000 | P | W | PS); /* 2 MB, whatever CR4.PSE says */
    ck_assert(mmu_translate(f.c, 0x40212345, ACC_WRITE, false, &pa));
    ck_assert_uint_eq(pa, 0x612345);
    put64(f.ram + DIR + 0x4010, 0x602000 | P | W | PS);
    expect_fault(&f, 0x40400000, ACC_READ, false, 9);
    /* pointers are cached and checked when CR3 is loaded */
    put64(f.ram + PTRS + 8, 0);
    tlb_flush_all(f.c);
    ck_assert(can_access(&f, 0x40000000, ACC_READ, false));
    ck_assert(mmu_load_pdptes(f.c, PTRS));
    expect_fault(&f, 0x40000000, ACC_READ, false, 0);
    put64(f.ram + PTRS + 24, DIR | P | W);
    ck_assert(!mmu_load_pdptes(f.c, PTRS));
    fix_free(&f);
}
END_TEST

START_TEST(no_execute)
{
    struct fixture f = paged_pae("max");

    put64(f.ram + DIR + 0x5000, PAGE | P | W | U | (uint64_t)1 << 63);
    expect_fault(&f, 0x40000000, ACC_READ, false, 9); /* reserved until EFER.NXE */
    ck_assert(msr_write(f.c, 0xc0000080, EFER_NXE));
    ck_assert(can_access(&f, 0x40000000, ACC_READ, false));
    ck_assert_ptr_null(mmu_fetch(f.c, 0x40000000));
    ck_assert_uint_eq(f.c->exc.error, 0x11);
    ck_assert_ptr_nonnull(mmu_fetch(f.c, 0x1000));
    ck_assert(!msr_write(f.c, 0xc0000080, EFER_LME));
    fix_free(&f);
}
END_TEST

START_TEST(tags_need_dirty_bit_and_permission)
{
    struct fixture f = paged(0, CR0_WP);
    uint64_t v;

    ck_assert(lin_read(f.c, LA + 8, 4, &v));
    ck_assert(readable(&f, LA) && !writable(&f, LA));
    ck_assert(lin_write(f.c, LA + 8, 4, 0x12345678));
    ck_assert(writable(&f, LA));
    ck_assert_uint_eq(get32(f.ram + PAGE + 8), 0x12345678);
    /* a read-only page never gets one */
    put_entry(&f, TAB, PAGE | P | U | D);
    tlb_flush_page(f.c, LA);
    ck_assert(lin_read(f.c, LA + 8, 4, &v));
    ck_assert_uint_eq(v, 0x12345678);
    ck_assert(!writable(&f, LA));
    ck_assert(!lin_write(f.c, LA + 8, 4, 0));
    ck_assert_uint_eq(f.c->exc.error, 3);
    fix_free(&f);
}
END_TEST

START_TEST(privileges_have_their_own_tlb)
{
    struct fixture f = paged(0, 0);
    uint64_t v;

    put_entry(&f, TAB, PAGE | P | W);
    ck_assert(lin_read(f.c, LA, 4, &v));
    cpu_set_cpl(f.c, 3);
    ck_assert(!lin_read(f.c, LA, 4, &v));
    ck_assert_uint_eq(f.c->exc.error, 5);
    ck_assert(sys_read(f.c, LA, 4, &v)); /* descriptor tables and the like */
    ck_assert(!lin_read(f.c, LA, 4, &v));
    fix_free(&f);
}
END_TEST

START_TEST(global_pages_survive_cr3)
{
    struct fixture f = paged(CR4_PGE, 0);
    uint64_t v;

    put_entry(&f, TAB, PAGE | P | W | G);
    ck_assert(lin_read(f.c, LA, 4, &v) && lin_read(f.c, LA + 0x1000, 4, &v));
    put_entry(&f, TAB, 0);
    put_entry(&f, TAB + 4, 0);
    tlb_flush_nonglobal(f.c);
    ck_assert(lin_read(f.c, LA, 4, &v));
    ck_assert(!lin_read(f.c, LA + 0x1000, 4, &v));
    tlb_flush_page(f.c, LA);
    ck_assert(!lin_read(f.c, LA, 4, &v));
    fix_free(&f);
}
END_TEST

START_TEST(crossing_is_all_or_nothing)
{
    struct fixture f = paged(0, CR0_WP);
    uint64_t v, la = LA + 0xffe;
    struct rmw m;
    uint8_t block[16];

    put32(f.ram + PAGE + 0xffc, 0x11112222);
    put32(f.ram + PAGE + 0x1000, 0x33334444);
    ck_assert(lin_read(f.c, la, 4, &v));
    ck_assert_uint_eq(v, 0x44441111);
    ck_assert(rmw_begin(f.c, la, 4, &m, &v));
    rmw_end(f.c, &m, v + 1);
    ck_assert_uint_eq(get32(f.ram + PAGE + 0xffe), 0x44441112);
    put_entry(&f, TAB + 4, (PAGE + 0x1000) | P);
    tlb_flush_all(f.c);
    ck_assert(!lin_write(f.c, la, 4, 0));
    ck_assert_uint_eq(f.c->exc.cr2, LA + 0x1000);
    ck_assert_uint_eq(f.c->exc.error, 3);
    ck_assert(!rmw_begin(f.c, la, 4, &m, &v));
    memset(block, 0, sizeof block);
    ck_assert(!lin_write_bytes(f.c, LA + 0xff8, block, 16));
    ck_assert_uint_eq(get32(f.ram + PAGE + 0xffe), 0x44441112);
    ck_assert(lin_read_bytes(f.c, LA + 0xff8, block, 16));
    ck_assert_uint_eq(get32(block + 6), 0x44441112);
    /* the last page wraps to the first */
    put_entry(&f, DIR + 1023 * 4, TAB | P | W);
    put_entry(&f, TAB + 1023 * 4, (PAGE + 0x2000) | P | W);
    ck_assert(lin_write(f.c, 0xfffffffe, 4, 0xaabbccdd));
    ck_assert_uint_eq(get16(f.ram + PAGE + 0x2ffe), 0xccdd);
    ck_assert_uint_eq(get16(f.ram), 0xaabb);
    fix_free(&f);
}
END_TEST

struct device {
    unsigned reads, writes;
    uint64_t off, val;
    unsigned size;
};

static uint64_t device_read(void *dev, uint64_t off, unsigned size)
{
    struct device *d = dev;

    d->reads++;
    d->off = off;
    d->size = size;
    return 0x8877665544332211 >> (off & 7) * 8;
}

static void device_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct device *d = dev;

    d->writes++;
    d->off = off;
    d->size = size;
    d->val = val;
}

START_TEST(mmio)
{
    static const struct io_ops ops = {device_read, device_write, 1, 4, "device"};
    struct device d = {0};
    struct fixture f = paged(0, 0);
    struct rmw m;
    uint64_t v;

    bus_map(f.mem, 0xa0000, 0x1000, &ops, &d, PRIO_DEVICE);
    put_entry(&f, TAB, 0xa0000 | P | W | U);
    ck_assert(lin_read(f.c, LA, 4, &v));
    ck_assert_uint_eq(v, 0x44332211);
    ck_assert_uint_eq(d.reads, 1);
    ck_assert(!readable(&f, LA));
    ck_assert(lin_write(f.c, LA + 0x10, 2, 0x1234));
    ck_assert_uint_eq(d.writes, 1);
    ck_assert_uint_eq(d.off, 0x10);
    ck_assert_uint_eq(d.size, 2);
    ck_assert(rmw_begin(f.c, LA, 1, &m, &v));
    rmw_end(f.c, &m, 0x99);
    ck_assert_uint_eq(d.val, 0x99);
    /* half device, half memory */
    put32(f.ram + PAGE + 0x1000, 0xccddeeff);
    ck_assert(lin_read(f.c, LA + 0xffe, 4, &v));
    ck_assert_uint_eq(v, 0xeeff8877);
    fix_free(&f);
}
END_TEST

START_TEST(code_pages)
{
    static const uint8_t code[] = {0x40, 0xf4}; /* inc eax; hlt */
    struct fixture f = fix_new(false);
    uint64_t before;

    fix_flat(&f, FIX_CODE, code, sizeof code);
    ck_assert(lin_write(f.c, FIX_CODE + 0x800, 4, 1));
    ck_assert(writable(&f, FIX_CODE));
    fix_run(&f, 100);
    ck_assert(!writable(&f, FIX_CODE));
    before = f.c->st.smc_hits;
    ck_assert(lin_write(f.c, FIX_CODE + 0x800, 4, 2)); /* data on the same page */
    ck_assert_uint_eq(get32(f.ram + FIX_CODE + 0x800), 2);
    ck_assert_uint_eq(f.c->st.smc_hits, before);
    ck_assert(lin_write(f.c, FIX_CODE, 1, 0x48)); /* dec eax */
    ck_assert_uint_gt(f.c->st.smc_hits, before);
    cpu_set_reg(f.c, CPU_EIP, FIX_CODE);
    cpu_set_reg(f.c, CPU_EAX, 7);
    f.c->halted = false;
    fix_run(&f, 100);
    ck_assert_uint_eq(cpu_get_reg(f.c, CPU_EAX), 6);
    fix_free(&f);
}
END_TEST

START_TEST(dirty_pages)
{
    struct fixture f = fix_new(false);
    uint8_t *screen = calloc(4, PAGE_SIZE);
    int h = bus_map_ram(f.mem, 0xe0000000, 4 * PAGE_SIZE, screen, BUS_RW | BUS_DIRTY, PRIO_DEVICE);
    uint64_t v;
    unsigned round;

    cpu_enter_flat32(f.c, FIX_CODE);
    for (round = 0; round < 3; round++) {
        ck_assert(lin_read(f.c, 0xe0001000, 4, &v));
        ck_assert(!bus_dirty_test(f.mem, h, 0x1000));
        ck_assert(lin_write(f.c, 0xe0001000, 4, round));
        ck_assert(bus_dirty_test(f.mem, h, 0x1000));
        ck_assert(lin_write(f.c, 0xe0001004, 4, round));
        ck_assert(writable(&f, 0xe0001000));
        bus_dirty_clear(f.mem, h);
        ck_assert(!writable(&f, 0xe0001000));
    }
    ck_assert_uint_eq(get32(screen + 0x1000), 2);
    fix_free(&f);
    free(screen);
}
END_TEST

START_TEST(rom_and_a20)
{
    struct fixture f = fix_new(false);
    uint8_t *rom = calloc(1, PAGE_SIZE);
    uint64_t v;

    cpu_enter_flat32(f.c, FIX_CODE);
    bus_map_ram(f.mem, 0xf0000, PAGE_SIZE, rom, BUS_READ, PRIO_ROM);
    put32(rom, 0x5aa5);
    ck_assert(lin_read(f.c, 0xf0000, 4, &v));
    ck_assert_uint_eq(v, 0x5aa5);
    ck_assert(lin_write(f.c, 0xf0000, 4, 1)); /* goes to the RAM below */
    ck_assert_uint_eq(get32(rom), 0x5aa5);
    ck_assert_uint_eq(get32(f.ram + 0xf0000), 1);
    put32(f.ram + 0x100000, 1);
    put32(f.ram, 2);
    cpu_set_a20(f.c, false);
    ck_assert(lin_read(f.c, 0x100000, 4, &v));
    ck_assert_uint_eq(v, 2);
    cpu_set_a20(f.c, true);
    ck_assert(lin_read(f.c, 0x100000, 4, &v));
    ck_assert_uint_eq(v, 1);
    fix_free(&f);
    free(rom);
}
END_TEST

START_TEST(alignment_checks)
{
    struct fixture f = paged(0, CR0_AM);
    uint64_t v;

    cpu_set_eflags(f.c, FLAG_AC, FLAG_AC);
    ck_assert(lin_read(f.c, LA + 1, 4, &v)); /* CPL 0 is exempt */
    cpu_set_cpl(f.c, 3);
    ck_assert(lin_read(f.c, LA + 4, 4, &v));
    ck_assert(lin_read(f.c, LA + 1, 1, &v));
    ck_assert(!lin_read(f.c, LA + 2, 4, &v));
    ck_assert_uint_eq(f.c->exc.vector, EXC_AC);
    ck_assert(!lin_write(f.c, LA + 1, 2, 0));
    ck_assert(lin_write(f.c, LA + 2, 2, 0xbeef));
    ck_assert_uint_eq(get16(f.ram + PAGE + 2), 0xbeef);
    cpu_set_eflags(f.c, 0, FLAG_AC);
    ck_assert(lin_read(f.c, LA + 2, 4, &v));
    fix_free(&f);
}
END_TEST

START_TEST(data_breakpoints)
{
    struct fixture f = paged(0, 0);
    uint64_t v;

    f.c->dr[0] = LA + 4;
    f.c->dr[1] = LA + 8;
    f.c->dr[7] = 0x400 | 1 | 4 | 0xd << 16 | 0xf << 20; /* 0: writes, 1: both; 4 bytes each */
    cpu_update_mode(f.c);
    ck_assert(lin_read(f.c, LA + 4, 4, &v) && lin_write(f.c, LA, 4, 0));
    ck_assert_uint_eq(f.c->debug_trap, 0);
    ck_assert(lin_write(f.c, LA + 7, 1, 0));
    ck_assert_uint_eq(f.c->debug_trap, 1);
    ck_assert(lin_read(f.c, LA + 10, 8, &v));
    ck_assert_uint_eq(f.c->debug_trap, 3);
    f.c->dr[7] = 0x400;
    f.c->debug_trap = 0;
    cpu_update_mode(f.c);
    ck_assert(lin_write(f.c, LA + 4, 4, 0));
    ck_assert_uint_eq(f.c->debug_trap, 0);
    fix_free(&f);
}
END_TEST

static bool in_list(const struct tlb_list *list, uint32_t n)
{
    uint32_t k;

    for (k = 0; k < list->n; k++) {
        if ((list->page[k] & ~TLB_TRACKED) == n) {
            return true;
        }
    }
    return false;
}

/* Every direct page of those the test uses is in a list. */
static void check_lists(const struct tlb *t)
{
    uint32_t n;

    for (n = LA >> PAGE_SHIFT; n < (LA >> PAGE_SHIFT) + 64; n++) {
        ck_assert((!t->rd[n] && !t->wr[n]) || in_list(&t->local, n) || in_list(&t->global, n));
    }
}

START_TEST(random_use_agrees_with_the_tables)
{
    struct fixture f = paged(CR4_PGE, CR0_WP);
    uint32_t x = 1, n;

    for (n = 0; n < 60000; n++) {
        uint32_t page, la, pte, step;
        uint64_t v;
        bool write, ok;

        x = x * 1664525 + 1013904223;
        page = x >> 22 & 63;
        la = LA + page * 0x1000 + (x >> 8 & 0xffc);
        step = x >> 28;
        if (step == 0) { /* change an entry, then say so */
            put_entry(&f, TAB + page * 4, (PAGE + page * 0x1000) | (x >> 12 & (P | W)) | (x & G));
            tlb_flush_page(f.c, la);
            continue;
        }
        if (step == 1 && (x & 0x3000) == 0) {
            tlb_flush_nonglobal(f.c);
            check_lists(&f.c->tlb_kernel);
            continue;
        }
        pte = entry(&f, TAB + page * 4);
        write = step & 2;
        ok = (pte & P) && (!write || (pte & W));
        if (write) {
            ck_assert_int_eq(lin_write(f.c, la, 4, x), ok);
            if (ok) {
                ck_assert_uint_eq(get32(f.ram + PAGE + page * 0x1000 + (la & 0xfff)), x);
                ck_assert_uint_eq(entry(&f, TAB + page * 4) & (A | D), A | D);
            }
        } else {
            ck_assert_int_eq(lin_read(f.c, la, 4, &v), ok);
            if (ok) {
                ck_assert_uint_eq(v, get32(f.ram + PAGE + page * 0x1000 + (la & 0xfff)));
            }
        }
    }
    tlb_flush_all(f.c);
    check_lists(&f.c->tlb_kernel);
    ck_assert_uint_eq(f.c->tlb_kernel.local.n + f.c->tlb_kernel.global.n, 0);
    fix_free(&f);
}
END_TEST

START_TEST(peek_has_no_side_effects)
{
    struct fixture f = paged(0, 0);
    uint32_t v;

    put32(f.ram + PAGE + 0x10, 77);
    ck_assert(cpu_peek(f.c, LA + 0x10, &v, 4));
    ck_assert_uint_eq(le32(v), 77);
    ck_assert_uint_eq(entry(&f, TAB) & (A | D), 0);
    ck_assert(!cpu_peek(f.c, 0x00c00000, &v, 4));
    ck_assert(!cpu_peek(f.c, LA + 0x1ffe, &v, 4)); /* second page not mapped */
    fix_free(&f);
}
END_TEST

FIX_SUITE("mmu", rights_and_error_codes, large_pages, pae, no_execute,
          tags_need_dirty_bit_and_permission, privileges_have_their_own_tlb,
          global_pages_survive_cr3, crossing_is_all_or_nothing, mmio, code_pages, dirty_pages,
          rom_and_a20, alignment_checks, data_breakpoints, random_use_agrees_with_the_tables,
          peek_has_no_side_effects)
