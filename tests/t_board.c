/*
 * The board as firmware and systems find it: tables in memory with right check sums, interrupts
 * through both kinds of controllers, ACPI hardware, boot menu, and old traps: clocks that jump
 * back, A20, empty places of both buses, the keyboard controller's self test, spurious interrupts.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "bios/images.h"
#include "cpu/cpuid.h"
#include "devices/i8259.h"
#include "devices/lapic.h"
#include "devices/machine.h"
#include "memory/bytes.h"
#include "tests/cpu_fixture.h"

#define POST_END 100000000u /* instructions after which a boot sector surely runs */
#define LAPIC 0xfee00000u
#define IOAPIC 0xfec00000u
#define PM 0x600

static struct block *disk(const void *code, size_t n, size_t size)
{
    uint8_t *image = calloc(1, size);
    struct err e = {{0}};
    memcpy(image, code, n);
    image[510] = 0x55;
    image[511] = 0xaa;
    struct block *b = block_open_mem(image, size, true, &e);
    free(image);
    ck_assert_msg(b != NULL, "%s", e.text);
    return b;
}

/* A machine that starts `code` from its disk. */
static struct oxbow *board(const void *code, size_t n, const char *cpu)
{
    struct oxbow_config cfg;
    struct err e = {{0}};
    oxbow_config_init(&cfg);
    cfg.ram_mb = 8;
    cfg.boot = "c";
    cfg.cpu = cpu;
    cfg.debug_exit = true;
    cfg.drive[0] = (struct oxbow_drive){OXBOW_DRIVE_DISK, disk(code, n, 4 << 20)};
    struct oxbow *m = oxbow_new(&cfg, &e);
    ck_assert_msg(m != NULL, "%s", e.text);
    return m;
}

static const uint8_t idle_code[] = {0xfb, 0xf4, 0xeb, 0xfc}; /* sti ; hlt ; jmp */
static const uint8_t masked_code[] = {0xfa, 0xeb, 0xfe};     /* cli ; jmp $ */

static struct oxbow *after_post(const void *code, size_t n, const char *cpu)
{
    struct oxbow *m = board(code, n, cpu);
    ck_assert_int_eq(oxbow_run(m, POST_END), OXBOW_LIMIT);
    return m;
}

static uint8_t inb(struct oxbow *m, unsigned port)
{
    return (uint8_t)bus_read(m->io, port, 1);
}

static void outb(struct oxbow *m, unsigned port, uint8_t v)
{
    bus_write(m->io, port, 1, v);
}

static uint32_t mem32(struct oxbow *m, uint32_t at)
{
    return (uint32_t)bus_read(m->mem, at, 4);
}

static void set32(struct oxbow *m, uint32_t at, uint32_t v)
{
    bus_write(m->mem, at, 4, v);
}

/* --- tables ----------------------------------------------------------------------------------- */

static bool sums_to_zero(struct oxbow *m, uint32_t at, uint32_t len)
{
    uint8_t sum = 0;
    while (len--) {
        sum = (uint8_t)(sum + bus_read(m->mem, at++, 1));
    }
    return sum == 0;
}

/* Looks at 16-byte boundaries of the F segment; 0: not there. */
static uint32_t find(struct oxbow *m, const char *signature)
{
    size_t n = strlen(signature);
    for (uint32_t at = 0xf0000; at < 0x100000; at += 16) {
        char b[16];
        bus_read_block(m->mem, at, b, sizeof b);
        if (memcmp(b, signature, n) == 0) {
            return at;
        }
    }
    return 0;
}

static uint32_t acpi_table(struct oxbow *m, const char *name)
{
    uint32_t rsdt = mem32(m, find(m, "RSD PTR ") + 16);
    ck_assert(sums_to_zero(m, rsdt, mem32(m, rsdt + 4)));
    for (uint32_t n = 36; n < mem32(m, rsdt + 4); n += 4) {
        uint32_t t = mem32(m, rsdt + n);
        ck_assert(sums_to_zero(m, t, mem32(m, t + 4)));
        if (mem32(m, t) == get32(name)) {
            return t;
        }
    }
    return 0;
}

START_TEST(acpi_tables)
{
    struct oxbow *m = after_post(idle_code, sizeof idle_code, NULL);
    uint32_t rsdp = find(m, "RSD PTR "), fadt = acpi_table(m, "FACP"), dsdt, facs, xsdt;
    ck_assert_uint_ne(rsdp, 0);
    ck_assert(sums_to_zero(m, rsdp, 20) && sums_to_zero(m, rsdp, 36));
    xsdt = mem32(m, rsdp + 24);
    ck_assert(sums_to_zero(m, xsdt, mem32(m, xsdt + 4)));
    ck_assert_uint_eq(mem32(m, xsdt + 36), fadt);
    ck_assert_uint_eq(mem32(m, fadt + 4), 244);
    ck_assert_uint_eq(mem32(m, fadt + 56), PM);
    dsdt = mem32(m, fadt + 40);
    ck_assert_uint_eq(mem32(m, dsdt), get32("DSDT"));
    ck_assert(sums_to_zero(m, dsdt, mem32(m, dsdt + 4)));
    facs = mem32(m, fadt + 36);
    ck_assert_uint_eq(mem32(m, facs), get32("FACS"));
    ck_assert_uint_eq(facs & 63, 0);
    set32(m, facs + 16, 0x3); /* the global lock can be written */
    ck_assert_uint_eq(mem32(m, facs + 16), 0x3);
    ck_assert_uint_ne(acpi_table(m, "APIC"), 0);
    ck_assert_uint_eq(acpi_table(m, "HPET"), 0);
    oxbow_free(m);
}
END_TEST

START_TEST(other_tables)
{
    struct oxbow *m = after_post(idle_code, sizeof idle_code, NULL);
    uint32_t mp = find(m, "_MP_"), sm = find(m, "_SM_"), pir = find(m, "$PIR"), table, n, at;
    ck_assert(mp && sm && pir);
    ck_assert(sums_to_zero(m, mp, 16));
    table = mem32(m, mp + 4);
    ck_assert(sums_to_zero(m, table, mem32(m, table + 4) & 0xffff));
    /* As many entries as it says, of the lengths their types have. */
    at = table + 44;
    for (n = mem32(m, table + 34) & 0xffff; n; n--) {
        at += bus_read(m->mem, at, 1) == 0 ? 20 : 8;
    }
    ck_assert_uint_eq(at, table + (mem32(m, table + 4) & 0xffff));
    ck_assert(sums_to_zero(m, sm, 0x1f) && sums_to_zero(m, sm + 16, 15));
    at = mem32(m, sm + 24);
    for (n = mem32(m, sm + 28) & 0xffff; n; n--) {
        uint32_t type = mem32(m, at) & 0xff;
        at += mem32(m, at) >> 8 & 0xff;
        while (bus_read(m->mem, at, 2)) {
            at++;
        }
        at += 2;
        ck_assert_uint_eq(type == 127, n == 1);
    }
    ck_assert_uint_eq(at, mem32(m, sm + 24) + (mem32(m, sm + 22) & 0xffff));
    ck_assert(sums_to_zero(m, pir, mem32(m, pir + 6) & 0xffff));
    oxbow_free(m);
}
END_TEST

/* What is not there is not announced. */
START_TEST(no_apic)
{
    static const char *const models[] = {"486", "386", "pentium3,-apic"};
    for (unsigned k = 0; k < ARRAY_LEN(models); k++) {
        struct oxbow *m = after_post(idle_code, sizeof idle_code, models[k]);
        ck_assert_uint_eq(find(m, "_MP_"), 0);
        ck_assert_uint_ne(acpi_table(m, "FACP"), 0);
        ck_assert_uint_eq(acpi_table(m, "APIC"), 0);
        ck_assert_uint_eq(mem32(m, LAPIC + 0x30), 0xffffffff);
        ck_assert_uint_eq(mem32(m, IOAPIC), 0xffffffff);
        ck_assert_uint_gt(mem32(m, 0x46c), 0); /* ticks come all the same */
        oxbow_free(m);
    }
}
END_TEST

/* --- interrupts ------------------------------------------------------------------------------- */

static uint32_t ticks_of(struct oxbow *m, uint64_t n)
{
    uint32_t before = mem32(m, 0x46c);
    oxbow_run(m, n);
    return mem32(m, 0x46c) - before;
}

START_TEST(virtual_wire)
{
    struct oxbow *m = after_post(idle_code, sizeof idle_code, NULL);
    ck_assert_uint_eq(mem32(m, LAPIC + 0xf0), 0x1ff);
    ck_assert_uint_eq(mem32(m, LAPIC + 0x350), 0x8700);
    ck_assert_uint_eq(mem32(m, LAPIC + 0x360), 0x8400);
    ck_assert_uint_ge(ticks_of(m, 400000000), 18); /* a second */
    set32(m, LAPIC + 0x350, 0x18700);
    ck_assert_uint_eq(ticks_of(m, 400000000), 0);
    set32(m, LAPIC + 0x350, 0x8700);
    ck_assert_uint_ge(ticks_of(m, 400000000), 18);
    lapic_set_base(m->pc.lapic, LAPIC | 0x100, false); /* off: INTR is the 8259A's */
    ck_assert_uint_ge(ticks_of(m, 400000000), 18);
    oxbow_free(m);
}
END_TEST

static bool requested(struct oxbow *m, unsigned v)
{
    return mem32(m, LAPIC + 0x200 + (v >> 5) * 16) >> (v & 31) & 1;
}

static void route(struct oxbow *m, unsigned pin, uint32_t low)
{
    set32(m, IOAPIC, 0x11 + pin * 2);
    set32(m, IOAPIC + 0x10, 0);
    set32(m, IOAPIC, 0x10 + pin * 2);
    set32(m, IOAPIC + 0x10, low);
}

/* Timer on pin 2, keyboard on 1, SCI on 9 by level, the 8259A pair's INTR on pin 0. */
START_TEST(io_apic)
{
    struct oxbow *m = after_post(masked_code, sizeof masked_code, NULL);
    route(m, 2, 0x50);
    route(m, 1, 0x61);
    route(m, 9, 0x8072);
    oxbow_run(m, 30000000);
    ck_assert(requested(m, 0x50));
    ck_assert(!requested(m, 0x61));
    oxbow_key(m, 0x1e, true, 0);
    oxbow_run(m, 10000000);
    ck_assert(requested(m, 0x61));
    bus_write(m->io, PM + 4, 2, 1); /* SCI_EN */
    bus_write(m->io, PM + 2, 2, 0x100);
    oxbow_power_button(m);
    ck_assert(requested(m, 0x72));
    ck_assert_uint_eq(bus_read(m->io, PM, 2) & 0x100, 0x100);
    set32(m, IOAPIC, 0x10 + 9 * 2);
    ck_assert_uint_eq(mem32(m, IOAPIC + 0x10), 0xc072);
    oxbow_free(m);
}
END_TEST

START_TEST(apic_base_register)
{
    struct oxbow *m = after_post(masked_code, sizeof masked_code, "pentium3");
    uint32_t id[4];
    uint64_t v;
    ck_assert(msr_read(m->cpu, 0x1b, &v));
    ck_assert_uint_eq(v, LAPIC | 0x900);
    cpu_cpuid(m->cpu, 1, 0, id);
    ck_assert_uint_eq(id[3] >> 9 & 1, 1);
    ck_assert(!msr_write(m->cpu, 0x1b, v | 0x400));
    ck_assert(!msr_write(m->cpu, 0x1b, v | (uint64_t)1 << 36));
    ck_assert(msr_write(m->cpu, 0x1b, 0xfed40900));
    ck_assert_uint_eq(mem32(m, 0xfed40030), 0x50014);
    ck_assert_uint_eq(mem32(m, LAPIC + 0x30), 0xffffffff);
    ck_assert(msr_write(m->cpu, 0x1b, 0xfed40100));
    ck_assert_uint_eq(mem32(m, 0xfed40030), 0xffffffff);
    cpu_cpuid(m->cpu, 1, 0, id);
    ck_assert_uint_eq(id[3] >> 9 & 1, 0);
    outb(m, 0x64, 0xfe); /* INIT# does not change it */
    oxbow_run(m, POST_END);
    ck_assert(msr_read(m->cpu, 0x1b, &v));
    ck_assert_uint_eq(v, 0xfed40100);
    outb(m, 0xcf9, 6); /* RESET# brings it back */
    oxbow_run(m, POST_END);
    ck_assert(msr_read(m->cpu, 0x1b, &v));
    ck_assert_uint_eq(v, LAPIC | 0x900);
    ck_assert_uint_eq(mem32(m, LAPIC + 0xf0), 0x1ff);
    oxbow_free(m);
    m = after_post(masked_code, sizeof masked_code, "pentium"); /* cannot be moved */
    ck_assert(!msr_read(m->cpu, 0x1b, &v));
    ck_assert_uint_eq(mem32(m, LAPIC + 0xf0), 0x1ff);
    oxbow_free(m);
}
END_TEST

/* A request that is gone at the acknowledge is IRQ 7, or 15 with only the master to be told. */
START_TEST(spurious_irq)
{
    struct oxbow *m = after_post(masked_code, sizeof masked_code, NULL);
    struct device *pic = m->pc.pic;
    outb(m, 0x21, 0xfb);
    outb(m, 0xa1, 0xff);
    ck_assert_uint_eq(i8259_inta(pic), 0x0f);
    outb(m, 0x20, 0x0b);
    ck_assert_uint_eq(inb(m, 0x20), 0); /* nothing in service */
    outb(m, 0xa1, 0xf7);
    i8259_irq(pic, 11, true);
    outb(m, 0x21, 0xfb);
    ck_assert(i8259_intr(pic));
    outb(m, 0xa1, 0xff);
    ck_assert(!i8259_intr(pic));
    oxbow_free(m);
}
END_TEST

/* --- power ------------------------------------------------------------------------------------ */

START_TEST(acpi_power)
{
    struct oxbow *m = after_post(idle_code, sizeof idle_code, NULL);
    outb(m, 0xb2, 0xf1);
    ck_assert_uint_eq(bus_read(m->io, PM + 4, 2) & 1, 1);
    outb(m, 0xb2, 0xf0);
    ck_assert_uint_eq(bus_read(m->io, PM + 4, 2) & 1, 0);
    bus_write(m->io, PM + 4, 2, 0x2000); /* sleep type 0: \_S5 */
    ck_assert_int_eq(oxbow_run(m, 1000), OXBOW_POWEROFF);
    oxbow_free(m);
    m = after_post(idle_code, sizeof idle_code, NULL);
    uint64_t boots = oxbow_icount(m);
    outb(m, 0xcf9, 6); /* the reset register of the FADT */
    oxbow_run(m, 1000);
    ck_assert_uint_eq(find(m, "RSD PTR "), 0); /* the shadow is off, POST begins */
    oxbow_run(m, boots);
    ck_assert_uint_ne(find(m, "RSD PTR "), 0);
    oxbow_free(m);
}
END_TEST

/* --- old traps -------------------------------------------------------------------------------- */

/*
 * 60000 times RDTSC and the PM timer, with a HLT after every 256th; exits with 1 when neither ever
 * went back.
 * The run is saved and loaded into new machines on its way.
 */
START_TEST(clocks_never_go_back)
{
    static const uint8_t code[] = {
        0x31, 0xc0, 0x8e, 0xd8, 0x66, 0xc7, 0x06, 0x00, 0x06, 0x00, 0x00, 0x00, 0x00, 0x66,
        0xc7, 0x06, 0x04, 0x06, 0x00, 0x00, 0x00, 0x00, 0xba, 0x08, 0x06, 0x66, 0xed, 0x66,
        0xa3, 0x08, 0x06, 0xb9, 0x60, 0xea, 0x0f, 0x31, 0x66, 0x3b, 0x16, 0x04, 0x06, 0x72,
        0x39, 0x77, 0x07, 0x66, 0x3b, 0x06, 0x00, 0x06, 0x72, 0x30, 0x66, 0xa3, 0x00, 0x06,
        0x66, 0x89, 0x16, 0x04, 0x06, 0xba, 0x08, 0x06, 0x66, 0xed, 0x66, 0x89, 0xc3, 0x66,
        0x2b, 0x06, 0x08, 0x06, 0x66, 0xa9, 0x00, 0x00, 0x80, 0x00, 0x75, 0x12, 0x66, 0x89,
        0x1e, 0x08, 0x06, 0xf6, 0xc1, 0xff, 0x75, 0x02, 0xfb, 0xf4, 0xe2, 0xc2, 0xb0, 0x01,
        0xeb, 0x02, 0xb0, 0x00, 0xba, 0x01, 0x05, 0xee, 0xf4};
    struct oxbow *m = after_post(code, sizeof code, NULL);
    enum oxbow_stop stop = OXBOW_LIMIT;
    for (unsigned k = 0; k < 6000 && stop == OXBOW_LIMIT; k++) {
        stop = oxbow_run(m, 999983);
        if (k % 1000 == 7 && stop == OXBOW_LIMIT) {
            struct err e = {{0}};
            size_t len;
            uint8_t *state = oxbow_save(m, &len, &e);
            oxbow_free(m);
            m = board(code, sizeof code, NULL);
            ck_assert_msg(oxbow_load(m, state, len, &e), "%s", e.text);
            free(state);
        }
    }
    ck_assert_int_eq(stop, OXBOW_DEBUG_EXIT);
    ck_assert_uint_eq(oxbow_exit_value(m), 1);
    oxbow_free(m);
}
END_TEST

/* FFFF:0510 is 0000:0500 with the gate closed and is not with it open. */
START_TEST(a20_wrap)
{
    static const uint8_t code[] = {
        0x31, 0xc0, 0x8e, 0xd8, 0x48, 0x8e, 0xc0, 0xbe, 0x00, 0x05, 0xb3, 0x00, 0xb8, 0x00,
        0x24, 0xcd, 0x15, 0xc7, 0x04, 0x34, 0x12, 0x26, 0xc7, 0x44, 0x10, 0x78, 0x56, 0x81,
        0x3c, 0x78, 0x56, 0x75, 0x03, 0x80, 0xcb, 0x01, 0xb8, 0x01, 0x24, 0xcd, 0x15, 0xc7,
        0x04, 0x34, 0x12, 0x26, 0xc7, 0x44, 0x10, 0x78, 0x56, 0x81, 0x3c, 0x34, 0x12, 0x75,
        0x03, 0x80, 0xcb, 0x02, 0x88, 0xd8, 0xba, 0x01, 0x05, 0xee, 0xf4};
    struct oxbow *m = board(code, sizeof code, NULL);
    ck_assert_int_eq(oxbow_run(m, 100000000), OXBOW_DEBUG_EXIT);
    ck_assert_uint_eq(oxbow_exit_value(m), 3);
    oxbow_free(m);
}
END_TEST

START_TEST(empty_places)
{
    static const uint16_t ports[] = {0x100, 0x2e8, 0x2f8, 0x300, 0x3e8, 0x240, 0x1000, 0xffff};
    static const uint32_t places[] = {0xd0000,    0xe8000,    8u << 20,   0x40000000,
                                      0xd0000000, 0xfed00000, 0xfee01000, 0xfffe0000};
    struct oxbow *m = after_post(idle_code, sizeof idle_code, NULL);
    for (unsigned k = 0; k < ARRAY_LEN(ports); k++) {
        ck_assert_msg(inb(m, ports[k]) == 0xff, "port %x", ports[k]);
        outb(m, ports[k], 0);
        ck_assert_msg(inb(m, ports[k]) == 0xff, "port %x", ports[k]);
    }
    ck_assert_uint_eq(bus_read(m->io, 0x2f8, 4), 0xffffffff);
    for (unsigned k = 0; k < ARRAY_LEN(places); k++) {
        set32(m, places[k], 0);
        ck_assert_msg(mem32(m, places[k]) == 0xffffffff, "memory at %x", places[k]);
    }
    set32(m, 0xf0000, 0); /* the BIOS is write-protected after POST */
    ck_assert(sums_to_zero(m, find(m, "RSD PTR "), 20));
    oxbow_free(m);
}
END_TEST

static uint8_t keyboard_answer(struct oxbow *m)
{
    for (unsigned k = 0; k < 1000 && !(inb(m, 0x64) & 1); k++) {
        oxbow_run(m, 100000);
    }
    ck_assert_uint_eq(inb(m, 0x64) & 1, 1);
    return inb(m, 0x60);
}

START_TEST(keyboard_self_test)
{
    struct oxbow *m = after_post(masked_code, sizeof masked_code, NULL);
    outb(m, 0x64, 0xad);
    outb(m, 0x64, 0xaa);
    ck_assert_uint_eq(keyboard_answer(m), 0x55);
    outb(m, 0x64, 0xab);
    ck_assert_uint_eq(keyboard_answer(m), 0x00);
    outb(m, 0x64, 0xa9);
    ck_assert_uint_eq(keyboard_answer(m), 0x00);
    outb(m, 0x64, 0xae);
    outb(m, 0x60, 0xff);
    ck_assert_uint_eq(keyboard_answer(m), 0xfa);
    ck_assert_uint_eq(keyboard_answer(m), 0xaa);
    oxbow_free(m);
}
END_TEST

/* --- boot menu -------------------------------------------------------------------------------- */

/* Leaves with the drive number the BIOS gave, + what the sector says of itself. */
static void put_exit(uint8_t *code, uint8_t what)
{
    static const uint8_t text[] = {0x88, 0xd0, 0x04, 0, 0xba, 0x01, 0x05, 0xee, 0xf4};
    memcpy(code, text, sizeof text); /* mov al, dl ; add al, what ; out 501h */
    code[3] = what;
}

static uint32_t menu_choice(unsigned key, bool ask)
{
    uint8_t code[16];
    struct oxbow_config cfg;
    struct err e = {{0}};
    oxbow_config_init(&cfg);
    cfg.ram_mb = 8;
    cfg.boot_menu = ask;
    cfg.debug_exit = true;
    put_exit(code, 1);
    cfg.floppy[0] = disk(code, sizeof code, 1474560);
    put_exit(code, 2);
    cfg.drive[0] = (struct oxbow_drive){OXBOW_DRIVE_DISK, disk(code, sizeof code, 4 << 20)};
    put_exit(code, 3);
    cfg.drive[1] = (struct oxbow_drive){OXBOW_DRIVE_DISK, disk(code, sizeof code, 8 << 20)};
    struct oxbow *m = oxbow_new(&cfg, &e);
    ck_assert_msg(m != NULL, "%s", e.text);
    oxbow_key(m, 0x58, true, 100000000);
    oxbow_key(m, 0x58, false, 104000000);
    oxbow_key(m, key, true, 200000000);
    oxbow_key(m, key, false, 204000000);
    ck_assert_int_eq(oxbow_run(m, 2000000000), OXBOW_DEBUG_EXIT);
    uint32_t v = oxbow_exit_value(m);
    oxbow_free(m);
    return v;
}

START_TEST(boot_menu)
{
    ck_assert_uint_eq(menu_choice(0x02, true), 0x01);  /* 1: floppy */
    ck_assert_uint_eq(menu_choice(0x03, true), 0x82);  /* 2: first disk */
    ck_assert_uint_eq(menu_choice(0x04, true), 0x83);  /* 3: second disk, as 80h */
    ck_assert_uint_eq(menu_choice(0x01, true), 0x82);  /* Esc: the usual order */
    ck_assert_uint_eq(menu_choice(0x02, false), 0x82); /* not asked for */
}
END_TEST

/* --- boot order ------------------------------------------------------------------------------- */

/* The first of the order that has a boot sector; what is empty or blank is passed over. */
START_TEST(boot_order)
{
    static const struct {
        const char *order;
        bool blank_floppy;
        uint32_t exit; /* drive number and what the sector says of itself */
    } row[] = {{"a", false, 0x01},  {"c", false, 0x82}, {NULL, false, 0x82}, {"ac", false, 0x01},
               {"ac", true, 0x82},  {"dc", true, 0x82}, {"da", false, 0x01}, {"dac", true, 0x82},
               {"ca", false, 0x82}};

    for (unsigned n = 0; n < ARRAY_LEN(row); n++) {
        static const uint8_t blank[512];
        uint8_t code[16];
        struct oxbow_config cfg;
        struct err e = {""};

        oxbow_config_init(&cfg);
        cfg.boot = row[n].order;
        cfg.debug_exit = true;
        put_exit(code, 1);
        cfg.floppy[0] = row[n].blank_floppy ? block_open_mem(blank, sizeof blank, true, &e)
                                            : disk(code, 16, 1474560);
        put_exit(code, 2);
        cfg.drive[0] = (struct oxbow_drive){OXBOW_DRIVE_DISK, disk(code, 16, 4 << 20)};
        cfg.drive[2] = (struct oxbow_drive){OXBOW_DRIVE_CD, NULL};
        struct oxbow *m = oxbow_new(&cfg, &e);
        ck_assert_msg(m != NULL, "%s", e.text);
        ck_assert_int_eq(oxbow_run(m, 4000000000u), OXBOW_DEBUG_EXIT);
        ck_assert_msg(oxbow_exit_value(m) == row[n].exit, "%s: %x",
                      row[n].order ? row[n].order : "default", (unsigned)oxbow_exit_value(m));
        oxbow_free(m);
    }
}
END_TEST

/* --- time to the boot sector ----------------------------------------------------------------- */

/* From power-on, what is slept while keyboard, mouse and drives start among it. */
START_TEST(boots_soon)
{
    for (unsigned n = 0; n < 2; n++) {
        struct oxbow_config cfg;
        struct err e = {""};
        uint8_t code[16];

        oxbow_config_init(&cfg);
        cfg.boot = n ? "c" : "a";
        cfg.debug_exit = true;
        put_exit(code, n + 1);
        cfg.floppy[0] = disk(code, sizeof code, 1474560);
        put_exit(code, n + 1);
        cfg.drive[0] = (struct oxbow_drive){OXBOW_DRIVE_DISK, disk(code, sizeof code, 4 << 20)};
        cfg.drive[2] = (struct oxbow_drive){OXBOW_DRIVE_CD, NULL};
        struct oxbow *m = oxbow_new(&cfg, &e);
        ck_assert_msg(m != NULL, "%s", e.text);
        ck_assert_int_eq(oxbow_run(m, 30000000), OXBOW_DEBUG_EXIT);
        ck_assert_uint_lt(oxbow_icount(m) - oxbow_idle(m), 3000000);
        oxbow_free(m);
    }
}
END_TEST

/* --- disk geometry ---------------------------------------------------------------------------- */

static void put_chs(uint8_t *p, uint32_t lba, unsigned heads, unsigned spt)
{
    uint32_t c = lba / (heads * spt);
    p[0] = (uint8_t)(lba / spt % heads);
    p[1] = (uint8_t)((lba % spt + 1) | (c >> 2 & 0xc0));
    p[2] = (uint8_t)c;
}

/*
 * A disk of `mb` with a partition [start, start + count) made for a geometry; what INT 13h 08h
 * says, as heads.
 */
static uint32_t heads_shown(unsigned mb, uint32_t start, uint32_t count, unsigned heads,
                            unsigned spt)
{
    /* mov ah, 8 ; mov dl, 80h ; int 13h ; mov al, dh ; inc al ; out 501h */
    static const uint8_t code[] = {0xb4, 8, 0xb2, 0x80, 0xcd, 0x13, 0x88, 0xf0, 0xfe, 0xc0,
                                   0xba, 0x01, 0x05, 0xee, 0xf4};
    uint8_t sector[512] = {0}, *entry = sector + 446;
    struct oxbow_config cfg;
    struct err e = {{0}};
    memcpy(sector, code, sizeof code);
    entry[4] = 6;
    put_chs(entry + 1, start, heads, spt);
    put_chs(entry + 5, start + count - 1, heads, spt);
    put32(entry + 8, start);
    put32(entry + 12, count);
    oxbow_config_init(&cfg);
    cfg.ram_mb = 8;
    cfg.debug_exit = true;
    cfg.drive[0] = (struct oxbow_drive){OXBOW_DRIVE_DISK, disk(sector, 510, (size_t)mb << 20)};
    struct oxbow *m = oxbow_new(&cfg, &e);
    ck_assert_msg(m != NULL, "%s", e.text);
    ck_assert_int_eq(oxbow_run(m, 1000000000), OXBOW_DEBUG_EXIT);
    uint32_t v = oxbow_exit_value(m);
    oxbow_free(m);
    return v;
}

START_TEST(disk_geometry)
{
    ck_assert_uint_eq(heads_shown(64, 63, 0, 16, 63), 16);
    ck_assert_uint_eq(heads_shown(64, 63, 16065 * 4 - 63, 255, 63), 255);
    ck_assert_uint_eq(heads_shown(64, 32, 64 * 32 * 20 - 32, 64, 32), 64);
    /* does not end with a cylinder */
    ck_assert_uint_eq(heads_shown(64, 2048, 100000, 255, 63), 16);
    ck_assert_uint_eq(heads_shown(600, 63, 16065 * 70 - 63, 255, 63), 255);
    ck_assert_uint_eq(heads_shown(600, 63, 0, 255, 63), 32);
}
END_TEST

/* Instructions executed in a guest second of a program that runs for ever. */
static uint64_t busy_second(const void *code, size_t n)
{
    struct oxbow *m = after_post(code, n, NULL);
    uint64_t ran;
    oxbow_run(m, POST_END);
    uint64_t start = oxbow_icount(m), idle = oxbow_idle(m);
    oxbow_run(m, oxbow_ips(m));
    ran = oxbow_icount(m) - start - (oxbow_idle(m) - idle);
    oxbow_free(m);
    return ran;
}

/*
 * A program that only waits for a key sleeps; one that does something in its loop, however little,
 * does not.
 */
START_TEST(keyboard_polling)
{
    static const uint8_t waits[] = {
        0xb4, 0x01,             /* L: mov ah, 1 */
        0xcd, 0x16,             /* int 16h */
        0x74, 0xfa,             /* jz L */
        0xeb, 0xfe,             /* jmp $ */
    };
    static const uint8_t counts[] = {
        0x43,                   /* L: inc bx */
        0xb4, 0x01,             /* mov ah, 1 */
        0xcd, 0x16,             /* int 16h */
        0x74, 0xf9,             /* jz L */
        0xeb, 0xfe,             /* jmp $ */
    };
    static const uint8_t varies[] = {
        0x43,                   /* L: inc bx */
        0x89, 0xd9,             /* mov cx, bx */
        0x83, 0xe1, 0x1f,       /* and cx, 1f */
        0x41,                   /* inc cx */
        0xe2, 0xfe,             /* loop $ */
        0x53, 0x31, 0xdb,       /* push bx ; xor bx, bx */
        0xb4, 0x01,             /* mov ah, 1 */
        0xcd, 0x16,             /* int 16h */
        0x5b,                   /* pop bx */
        0x74, 0xed,             /* jz L */
        0xeb, 0xfe,             /* jmp $ */
    };
    struct oxbow *m = after_post(waits, sizeof waits, NULL);
    uint64_t second = oxbow_ips(m);
    oxbow_free(m);
    ck_assert_uint_lt(busy_second(waits, sizeof waits), second / 50);
    ck_assert_uint_gt(busy_second(counts, sizeof counts), second / 10 * 9);
    ck_assert_uint_gt(busy_second(varies, sizeof varies), second / 10 * 9);
}
END_TEST

FIX_SUITE("board", acpi_tables, other_tables, no_apic, virtual_wire, io_apic, apic_base_register,
          spurious_irq, acpi_power, clocks_never_go_back, a20_wrap, empty_places,
          keyboard_self_test, boot_menu, boot_order, boots_soon, keyboard_polling, disk_geometry)
