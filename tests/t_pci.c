/*
 * PCI configuration mechanism 1, BARs, interrupt routing through the PIIX3, 440FX memory map, power
 * management.
 */
#include "devices/i440fx.h"
#include "devices/ide_pci.h"
#include "devices/pci.h"
#include "devices/piix3.h"
#include "devices/piix4_pm.h"
#include "memory/bytes.h"
#include "tests/chip_rig.h"

static uint32_t cfg_read(struct rig *r, unsigned devfn, unsigned off, unsigned size)
{
    bus_write(r->env.io, 0xcf8, 4, 0x80000000u | devfn << 8 | (off & 0xfc));
    return (uint32_t)bus_read(r->env.io, 0xcfc + (off & 3), size);
}

static void cfg_write(struct rig *r, unsigned devfn, unsigned off, unsigned size, uint32_t val)
{
    bus_write(r->env.io, 0xcf8, 4, 0x80000000u | devfn << 8 | (off & 0xfc));
    bus_write(r->env.io, 0xcfc + (off & 3), size, val);
}

/* A card with an I/O window, a memory window, a ROM and an interrupt. */
struct card {
    struct device d;
    struct pci_function pci;
    uint8_t regs[16];
    uint8_t *rom;
    unsigned written;
};

static uint64_t card_read(void *dev, uint64_t off, unsigned size)
{
    (void)size;
    return ((struct card *)dev)->regs[off & 15];
}

static void card_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    (void)size;
    ((struct card *)dev)->regs[off & 15] = (uint8_t)val;
}

static const struct io_ops card_ops = {card_read, card_write, 1, 1, "card"};

static const struct snap_field card_fields[] = {
    PCI_SNAP_FIELDS(struct card, pci),
    SNAP_ARRAY(struct card, regs, SNAP_BYTES),
    SNAP_END,
};

static void card_config(void *dev, unsigned off, unsigned size)
{
    (void)off;
    (void)size;
    ((struct card *)dev)->written++;
}

static bool card_init(struct device *d, const void *config, struct err *e)
{
    static const struct pci_id id = {0x1234, 0x5678, 0x020000, 7};
    struct card *c = (struct card *)(void *)d;
    int io = bus_map(d->env->io, 0, 16, &card_ops, c, PRIO_DEVICE);
    int mem = bus_map(d->env->mem, 0, 4096, &card_ops, c, PRIO_PCI);
    int rom;

    c->rom = aligned_alloc(4096, 4096);
    memset(c->rom, 0x5a, 4096);
    rom = bus_map_ram(d->env->mem, 0, 4096, c->rom, BUS_READ, PRIO_PCI);
    bus_move(d->env->io, io, 0, false);
    bus_move(d->env->mem, mem, 0, false);
    bus_move(d->env->mem, rom, 0, false);
    pci_function_init(&c->pci, c, PCI_DEVFN(3, 0), &id);
    pci_set_pin(&c->pci, 1);
    pci_add_bar(&c->pci, 0, PCI_BAR_IO, 16, io);
    pci_add_bar(&c->pci, 1, PCI_BAR_MEM, 4096, mem);
    pci_add_bar(&c->pci, PCI_BAR_ROM, PCI_BAR_MEM, 4096, rom);
    c->pci.written = card_config;
    return pci_plug((struct device *)(uintptr_t)(const void *)config, &c->pci, e);
}

static void card_reset(struct device *d, enum reset_kind kind)
{
    (void)kind;
    pci_function_reset(&((struct card *)(void *)d)->pci);
}

static void card_free(struct device *d)
{
    free(((struct card *)(void *)d)->rom);
}

static bool card_post_load(struct device *d, unsigned version, struct err *e)
{
    (void)version;
    (void)e;
    pci_function_loaded(&((struct card *)(void *)d)->pci);
    return true;
}

static const struct device_class card_class = {
    .name = "card", .size = sizeof(struct card), .init = card_init, .reset = card_reset,
    .free = card_free, .state = card_fields, .state_version = 1, .post_load = card_post_load,
};

START_TEST(mechanism_1)
{
    struct rig r;
    struct device *pci;

    rig_init(&r);
    pci = rig_add(&r, &pci_class, "pci", NULL);
    rig_add(&r, &card_class, "card", pci);
    ck_assert_uint_eq(cfg_read(&r, 0x18, 0, 4), 0x56781234);
    ck_assert_uint_eq(cfg_read(&r, 0x18, 2, 2), 0x5678);
    ck_assert_uint_eq(cfg_read(&r, 0x18, 11, 1), 2);
    ck_assert_uint_eq(cfg_read(&r, 0x18, 8, 1), 7);
    ck_assert_uint_eq(bus_read(r.env.io, 0xcf8, 4), 0x80001808);
    ck_assert_uint_eq(cfg_read(&r, 0x20, 0, 4), 0xffffffff);
    /* Another bus, the enable bit, and what is no dword access to CF8h. */
    bus_write(r.env.io, 0xcf8, 4, 0x80011800);
    ck_assert_uint_eq(bus_read(r.env.io, 0xcfc, 4), 0xffffffff);
    bus_write(r.env.io, 0xcf8, 4, 0x00001800);
    ck_assert_uint_eq(bus_read(r.env.io, 0xcfc, 4), 0xffffffff);
    bus_write(r.env.io, 0xcf8, 2, 0x1234);
    ck_assert_uint_eq(bus_read(r.env.io, 0xcf8, 4), 0x00001800);
    ck_assert_uint_eq(bus_read(r.env.io, 0xcf9, 1), 0xff);
    /* Identification can't be written. */
    cfg_write(&r, 0x18, 0, 4, 0);
    ck_assert_uint_eq(cfg_read(&r, 0x18, 0, 4), 0x56781234);
    rig_free(&r);
}
END_TEST

START_TEST(base_addresses)
{
    struct rig r;
    struct device *pci;
    struct card *c;

    rig_init(&r);
    pci = rig_add(&r, &pci_class, "pci", NULL);
    c = (struct card *)(void *)rig_add(&r, &card_class, "card", pci);
    cfg_write(&r, 0x18, 0x10, 4, 0xffffffff);
    cfg_write(&r, 0x18, 0x14, 4, 0xffffffff);
    cfg_write(&r, 0x18, 0x30, 4, 0xfffffffe);
    cfg_write(&r, 0x18, 0x18, 4, 0xffffffff);
    ck_assert_uint_eq(cfg_read(&r, 0x18, 0x10, 4), 0xfffffff1);
    ck_assert_uint_eq(cfg_read(&r, 0x18, 0x14, 4), 0xfffff000);
    ck_assert_uint_eq(cfg_read(&r, 0x18, 0x30, 4), 0xfffff000);
    ck_assert_uint_eq(cfg_read(&r, 0x18, 0x18, 4), 0);
    /* With the sizing pattern in place, switching on maps nothing. */
    cfg_write(&r, 0x18, 4, 2, 3);
    ck_assert_uint_eq(bus_read(r.env.mem, 0xfffff000u, 1), 0xff);
    cfg_write(&r, 0x18, 0x10, 4, 0xc000);
    cfg_write(&r, 0x18, 0x14, 4, 0xe0000000u);
    cfg_write(&r, 0x18, 0x30, 4, 0xe0100001u);
    bus_write(r.env.io, 0xc003, 1, 0x77);
    ck_assert_uint_eq(c->regs[3], 0x77);
    ck_assert_uint_eq(bus_read(r.env.mem, 0xe0000003u, 1), 0x77);
    ck_assert_uint_eq(bus_read(r.env.mem, 0xe0100000u, 4), 0x5a5a5a5a);
    ck_assert_uint_gt(c->written, 0);
    /* Byte by byte, as some firmware does. */
    cfg_write(&r, 0x18, 0x11, 1, 0xd0);
    ck_assert_uint_eq(bus_read(r.env.io, 0xd003, 1), 0x77);
    ck_assert_uint_eq(bus_read(r.env.io, 0xc003, 1), 0xff);
    cfg_write(&r, 0x18, 4, 1, 2);
    ck_assert_uint_eq(bus_read(r.env.io, 0xd003, 1), 0xff);
    rig_round_trip(&r);
    ck_assert_uint_eq(bus_read(r.env.mem, 0xe0000003u, 1), 0x77);
    cfg_write(&r, 0x18, 4, 1, 1);
    ck_assert_uint_eq(bus_read(r.env.io, 0xd003, 1), 0x77);
    devices_reset(&r.env, RESET_WARM);
    ck_assert_uint_eq(bus_read(r.env.io, 0xd003, 1), 0xff);
    ck_assert_uint_eq(cfg_read(&r, 0x18, 0x10, 4), 1);
    rig_free(&r);
}
END_TEST

START_TEST(bus_mastering)
{
    struct rig r;
    struct card *c;
    uint8_t buf[4] = {1, 2, 3, 4};

    rig_init(&r);
    c = (struct card *)(void *)rig_add(&r, &card_class, "card",
                                       rig_add(&r, &pci_class, "pci", NULL));
    ck_assert(!pci_dma_write(&c->pci, 0x100, buf, 4));
    ck_assert_uint_eq(get32(r.ram + 0x100), 0);
    cfg_write(&r, 0x18, 4, 2, PCI_CMD_MASTER);
    ck_assert(pci_dma_write(&c->pci, 0x100, buf, 4));
    ck_assert_uint_eq(get32(r.ram + 0x100), 0x04030201);
    memset(buf, 0, 4);
    ck_assert(pci_dma_read(&c->pci, 0x101, buf, 2));
    ck_assert_uint_eq(buf[1], 3);
    rig_free(&r);
}
END_TEST

struct resets {
    unsigned soft, hard, off;
};

static void on_reset(void *to, bool hard)
{
    struct resets *s = to;

    s->hard += hard;
    s->soft += !hard;
}

static void on_off(void *to)
{
    ((struct resets *)to)->off++;
}

static struct device *add_piix3(struct rig *r, struct device *pci, struct pin *pins,
                                struct resets *resets)
{
    struct piix3_config k = {.pci = pci, .slot = 1, .reset = on_reset, .reset_to = resets};
    unsigned i;

    for (i = 0; i < 16; i++) {
        k.irq[i] = pin_line(&pins[i], r);
    }
    return rig_add(r, &piix3_class, "piix3", &k);
}

START_TEST(interrupt_routing)
{
    struct rig r;
    struct resets resets = {0};
    struct pin pins[16];
    struct device *pci, *piix3;
    struct card *c;
    struct irq_line isa;

    memset(pins, 0, sizeof pins);
    rig_init(&r);
    pci = rig_add(&r, &pci_class, "pci", NULL);
    piix3 = add_piix3(&r, pci, pins, &resets);
    c = (struct card *)(void *)rig_add(&r, &card_class, "card", pci);
    isa = piix3_isa_line(piix3, 11);
    ck_assert_uint_eq(cfg_read(&r, 8, 0, 4), 0x70008086);
    ck_assert_uint_eq(cfg_read(&r, 8, 0x0e, 1), 0x80);
    /* Slot 3, INTA#: line 2, PIRQC. */
    pci_set_irq(&c->pci, true);
    ck_assert(!pins[11].level);
    cfg_write(&r, 8, 0x62, 1, 11);
    ck_assert(pins[11].level);
    irq_set(&isa, true);
    pci_set_irq(&c->pci, false);
    ck_assert(pins[11].level);
    ck_assert_uint_eq(pins[11].rises, 1);
    irq_set(&isa, false);
    ck_assert(!pins[11].level);
    /* Moving the route moves the level; reserved interrupts and bit 7 disconnect. */
    pci_set_irq(&c->pci, true);
    cfg_write(&r, 8, 0x62, 1, 10);
    ck_assert(!pins[11].level && pins[10].level);
    ck_assert_uint_eq(cfg_read(&r, 0x18, 6, 2) & 8, 8);
    cfg_write(&r, 0x18, 4, 2, PCI_CMD_NO_INTX);
    ck_assert(!pins[10].level);
    cfg_write(&r, 0x18, 4, 2, 0);
    ck_assert(pins[10].level);
    cfg_write(&r, 8, 0x62, 1, 8);
    ck_assert(!pins[10].level && !pins[8].level);
    cfg_write(&r, 8, 0x62, 1, 0x8a);
    ck_assert(!pins[10].level);
    rig_round_trip(&r);
    rig_free(&r);
}
END_TEST

START_TEST(reset_control)
{
    struct rig r;
    struct resets resets = {0};
    struct pin pins[16];

    memset(pins, 0, sizeof pins);
    rig_init(&r);
    add_piix3(&r, rig_add(&r, &pci_class, "pci", NULL), pins, &resets);
    bus_write(r.env.io, 0xcf8, 4, 0x80000000);
    out8(&r, 0xcf9, 2);
    ck_assert_uint_eq(in8(&r, 0xcf9), 2);
    ck_assert_uint_eq(resets.hard + resets.soft, 0);
    out8(&r, 0xcf9, 6);
    out8(&r, 0xcf9, 6);
    ck_assert_uint_eq(resets.hard, 1);
    out8(&r, 0xcf9, 0);
    out8(&r, 0xcf9, 4);
    ck_assert_uint_eq(resets.soft, 1);
    ck_assert_uint_eq(bus_read(r.env.io, 0xcf8, 4), 0x80000000);
    rig_free(&r);
}
END_TEST

START_TEST(memory_map)
{
    struct rig r;
    struct resets resets = {0};
    uint8_t *ram = aligned_alloc(4096, 4u << 20), *rom = aligned_alloc(4096, 0x20000);
    struct device *pci;
    struct i440fx_config k = {.ram = ram, .ram_size = 4u << 20, .reset = on_reset,
                              .reset_to = &resets};

    memset(ram, 0, 4u << 20);
    memset(rom, 0xcc, 0x20000);
    rig_init(&r);
    bus_free(r.env.mem);
    r.env.mem = bus_new(1ull << 36);
    pci = rig_add(&r, &pci_class, "pci", NULL);
    k.pci = pci;
    rig_add(&r, &i440fx_class, "i440fx", &k);
    bus_map_ram(r.env.mem, 0xe0000, 0x20000, rom, BUS_READ, PRIO_ROM);
    ck_assert_uint_eq(cfg_read(&r, 0, 0, 4), 0x12378086);
    bus_write(r.env.mem, 0x9fffc, 8, 0x1122334455667788ull);
    ck_assert_uint_eq(get32(ram + 0x9fffc), 0x55667788);
    ck_assert_uint_eq(bus_read(r.env.mem, 0xa0000, 4), 0xffffffff);
    bus_write(r.env.mem, 0x3ffffe, 4, 0x12345678);
    ck_assert_uint_eq(bus_read(r.env.mem, 0x3ffffe, 4), 0xffff5678);
    /* PAM: ROM, then write-through, then shadow, then protected shadow. */
    bus_write(r.env.mem, 0xf0000, 4, 1);
    ck_assert_uint_eq(bus_read(r.env.mem, 0xf0000, 4), 0xcccccccc);
    ck_assert_uint_eq(get32(ram + 0xf0000), 0);
    cfg_write(&r, 0, 0x59, 1, 0x20);
    bus_write(r.env.mem, 0xf0000, 4, 0x12345678);
    ck_assert_uint_eq(bus_read(r.env.mem, 0xf0000, 4), 0xcccccccc);
    cfg_write(&r, 0, 0x59, 1, 0x30);
    ck_assert_uint_eq(bus_read(r.env.mem, 0xf0000, 4), 0x12345678);
    cfg_write(&r, 0, 0x59, 1, 0x10);
    bus_write(r.env.mem, 0xf0000, 4, 0);
    ck_assert_uint_eq(bus_read(r.env.mem, 0xf0000, 4), 0x12345678);
    /* Each half byte of 5Ah-5Fh has its own 16 KiB. */
    cfg_write(&r, 0, 0x5a, 1, 0x03);
    bus_write(r.env.mem, 0xc3fff, 2, 0xbeef);
    ck_assert_uint_eq(bus_read(r.env.mem, 0xc3fff, 2), 0xffef);
    cfg_write(&r, 0, 0x5f, 1, 0x30);
    bus_write(r.env.mem, 0xec000, 4, 7);
    ck_assert_uint_eq(bus_read(r.env.mem, 0xec000, 4), 7);
    ck_assert_uint_eq(bus_read(r.env.mem, 0xe8000, 4), 0xcccccccc);
    rig_round_trip(&r);
    ck_assert_uint_eq(bus_read(r.env.mem, 0xec000, 4), 7);
    /* SMRAM opens, and once locked stays shut. */
    cfg_write(&r, 0, 0x72, 1, 0x4a);
    bus_write(r.env.mem, 0xa0000, 4, 0x55);
    ck_assert_uint_eq(bus_read(r.env.mem, 0xa0000, 4), 0x55);
    cfg_write(&r, 0, 0x72, 1, 0x1a);
    ck_assert_uint_eq(bus_read(r.env.mem, 0xa0000, 4), 0xffffffff);
    cfg_write(&r, 0, 0x72, 1, 0x4a);
    ck_assert_uint_eq(cfg_read(&r, 0, 0x72, 1), 0x1a);
    /* The hole at 512 KiB. */
    cfg_write(&r, 0, 0x68, 1, 0x40);
    ck_assert_uint_eq(bus_read(r.env.mem, 0x80000, 4), 0xffffffff);
    cfg_write(&r, 0, 0x68, 1, 0x00);
    ck_assert_uint_eq(bus_read(r.env.mem, 0x80000, 4), 0);
    cfg_write(&r, 0, 0x93, 1, 6);
    ck_assert_uint_eq(resets.hard, 1);
    devices_reset(&r.env, RESET_WARM);
    ck_assert_uint_eq(bus_read(r.env.mem, 0xf0000, 4), 0xcccccccc);
    rig_free(&r);
    free(ram);
    free(rom);
}
END_TEST

START_TEST(big_memory_is_split)
{
    ck_assert_uint_eq(i440fx_ram_below_4g(2048ull << 20), 2048ull << 20);
    ck_assert_uint_eq(i440fx_ram_above_4g(2048ull << 20), 0);
    ck_assert_uint_eq(i440fx_ram_below_4g(4096ull << 20), 3072ull << 20);
    ck_assert_uint_eq(i440fx_ram_above_4g(4096ull << 20), 1024ull << 20);
}
END_TEST

/* The firmware is told that there is no system management mode: nothing to raise an SMI with. */
static void add_pm(struct rig *r, struct pin *sci, struct resets *resets, struct device **pm)
{
    struct piix4_pm_config k = {.pci = rig_add(r, &pci_class, "pci", NULL), .slot = 1,
                                .sci = pin_line(sci, r), .power_off = on_off,
                                .power_off_to = resets, .gpe0_port = 0xafe0};

    *pm = rig_add(r, &piix4_pm_class, "piix4_pm", &k);
    cfg_write(r, 0x0b, 0x40, 4, 0x600);
    cfg_write(r, 0x0b, 0x80, 1, 1);
}

START_TEST(power_management)
{
    struct rig r;
    struct pin sci = {0};
    struct resets resets = {0};
    struct device *pm;
    uint64_t t;

    rig_init(&r);
    add_pm(&r, &sci, &resets, &pm);
    ck_assert_uint_eq(cfg_read(&r, 0x0b, 0, 4), 0x71138086);
    ck_assert_uint_eq(cfg_read(&r, 0x0b, 0x40, 4), 0x601);
    ck_assert_uint_eq(cfg_read(&r, 0x0b, 0x58, 4), 0x02000000);
    rig_run_to(&r, 1000000000);
    ck_assert_uint_eq(bus_read(r.env.io, 0x608, 4), 3579545);
    /* ACPI is switched on through the command port. */
    out8(&r, 0xb2, 0xf1);
    ck_assert_uint_eq(bus_read(r.env.io, 0x604, 2), 1);
    ck_assert_uint_eq(in8(&r, 0xb2), 0xf1);
    out8(&r, 0xb3, 0x42);
    ck_assert_uint_eq(in8(&r, 0xb3), 0x42);
    /* The timer's carry: bit 23 changes every 2^23 / 3579545 seconds. */
    bus_write(r.env.io, 0x602, 2, 1);
    t = clock_icount(r.env.sched, (struct clock){3579545, 1}, 1u << 23);
    rig_run_to(&r, t - 1);
    ck_assert(!sci.level);
    rig_run_to(&r, t);
    ck_assert(sci.level);
    ck_assert_uint_eq(bus_read(r.env.io, 0x600, 2), 1);
    bus_write(r.env.io, 0x600, 2, 1);
    ck_assert(!sci.level);
    rig_round_trip(&r);
    rig_run_to(&r, t * 2);
    ck_assert(sci.level);
    bus_write(r.env.io, 0x602, 2, 0);
    ck_assert(!sci.level);
    /* Power button, and off. */
    bus_write(r.env.io, 0x602, 2, 0x100);
    piix4_pm_power_button(pm);
    ck_assert(sci.level);
    bus_write(r.env.io, 0x600, 2, 0xffff);
    ck_assert(!sci.level);
    bus_write(r.env.io, 0x604, 2, 0x1401);
    bus_write(r.env.io, 0x604, 2, 0x3401);
    ck_assert_uint_eq(resets.off, 0);
    bus_write(r.env.io, 0x604, 2, 0x2001);
    ck_assert_uint_eq(resets.off, 1);
    ck_assert_uint_eq(bus_read(r.env.io, 0x604, 2), 1);
    /* GPE0 in both places. */
    bus_write(r.env.io, 0x60e, 2, 0x1234);
    ck_assert_uint_eq(bus_read(r.env.io, 0xafe2, 2), 0x1234);
    ck_assert_uint_eq(bus_read(r.env.io, 0xafe0, 2), 0);
    cfg_write(&r, 0x0b, 0x80, 1, 0);
    ck_assert_uint_eq(bus_read(r.env.io, 0x608, 4), 0xffffffff);
    rig_free(&r);
}
END_TEST

START_TEST(smbus_has_no_slaves)
{
    struct rig r;
    struct pin sci = {0};
    struct resets resets = {0};
    struct device *pm;

    rig_init(&r);
    add_pm(&r, &sci, &resets, &pm);
    cfg_write(&r, 0x0b, 0x90, 4, 0x700);
    cfg_write(&r, 0x0b, 0xd2, 1, 1);
    ck_assert_uint_eq(in8(&r, 0x700), 0);
    out8(&r, 0x704, 0xa1);
    out8(&r, 0x702, 0x48);
    ck_assert_uint_eq(in8(&r, 0x700), 4);
    out8(&r, 0x700, 0x1e);
    ck_assert_uint_eq(in8(&r, 0x700), 0);
    out8(&r, 0x702, 0x49);
    ck_assert(sci.level);
    out8(&r, 0x700, 4);
    ck_assert(!sci.level);
    rig_free(&r);
}
END_TEST

/* --- every register of the chip set's configuration spaces ------------------------------------ */

/* A register of `size` bytes: its value after a reset, and the bits that can be written. */
struct reg {
    uint8_t at, size;
    uint32_t start, writable;
};

/* 290549, section 3.2: 82441FX. */
static const struct reg host_regs[] = {
    {0x00, 4, 0x12378086, 0}, {0x04, 2, 0x0006, 0x0140}, {0x06, 2, 0x0280, 0}, {0x08, 1, 2, 0},
    {0x0b, 1, 0x06, 0}, {0x0d, 1, 0, 0xf8}, {0x50, 2, 0, 0xff00}, {0x52, 1, 0, 0xc0},
    {0x53, 1, 0x80, 0xfe}, {0x54, 1, 0, 0x82}, {0x55, 2, 0, 0xffff}, {0x57, 1, 0x01, 0x6f},
    {0x58, 1, 0x10, 0x7f}, {0x59, 1, 0, 0x30}, {0x5a, 1, 0, 0x33}, {0x5b, 1, 0, 0x33},
    {0x5c, 1, 0, 0x33}, {0x5d, 1, 0, 0x33}, {0x5e, 1, 0, 0x33}, {0x5f, 1, 0, 0x33},
    {0x60, 4, 0x04040404, 0xffffffff}, {0x64, 4, 0x04040404, 0xffffffff}, {0x68, 1, 0, 0xc0},
    {0x70, 1, 0, 0xf8}, {0x71, 1, 0x10, 0xf8}, {0x90, 1, 0, 0x1b}, {0x93, 1, 0, 0x07},
};
/* 290550, section 3.1: 82371SB function 0. */
static const struct reg isa_regs[] = {
    {0x00, 4, 0x70008086, 0}, {0x04, 2, 0x0007, 0x0008}, {0x06, 2, 0x0280, 0}, {0x0a, 1, 0x01, 0},
    {0x0b, 1, 0x06, 0}, {0x0e, 1, 0x80, 0}, {0x4c, 1, 0x4d, 0x7f}, {0x4e, 2, 0x0003, 0x01ff},
    {0x60, 4, 0x80808080, 0x8f8f8f8f}, {0x69, 1, 0x02, 0xfa}, {0x6a, 2, 0, 0x8010},
    {0x70, 2, 0x8080, 0xafaf}, {0x76, 2, 0x0c0c, 0x8f8f}, {0x78, 2, 0x0002, 0xffff},
    {0x80, 1, 0, 0x7f}, {0x82, 1, 0, 0x0f}, {0xa0, 1, 0x08, 0x1f}, {0xa2, 2, 0, 0x00ff},
    {0xa4, 4, 0, 0xffffffff}, {0xa8, 1, 0x0f, 0xff}, {0xac, 1, 0, 0xff}, {0xae, 1, 0, 0xff},
};
/* Section 3.2: function 1, IDE.  Both channels decode from the start (ide_pci.c). */
static const struct reg ide_regs[] = {
    {0x00, 4, 0x70108086, 0}, {0x04, 2, 0, 0x0005}, {0x06, 2, 0x0280, 0}, {0x09, 1, 0x80, 0},
    {0x0a, 1, 0x01, 0}, {0x0b, 1, 0x01, 0}, {0x0d, 1, 0, 0xf0}, {0x20, 4, 1, 0xfffffff0},
    {0x40, 4, 0x80008000, 0xf3fff3ff}, {0x44, 1, 0, 0xff},
};
/* 290562, section 7.1: 82371AB function 3, power management. */
static const struct reg pm_regs[] = {
    {0x00, 4, 0x71138086, 0}, {0x04, 2, 0, 0x0001}, {0x06, 2, 0x0280, 0}, {0x08, 1, 3, 0},
    {0x0a, 1, 0x80, 0}, {0x0b, 1, 0x06, 0}, {0x3c, 1, 0, 0xff}, {0x3d, 1, 1, 0},
    {0x40, 4, 1, 0xffc0}, {0x44, 4, 0, 0xffffffff}, {0x48, 4, 0, 0x0fffffff},
    {0x4c, 4, 0, 0xffffff7f}, {0x50, 4, 0, 0x00ff1fff}, {0x54, 4, 0, 0xffffffff},
    {0x58, 4, 0x02000000, 0x03ffffff}, {0x5c, 4, 0, 0xffffffff}, {0x60, 4, 0, 0x7fffffff},
    {0x64, 4, 0, 0xffffffff}, {0x68, 4, 0, 0x1fffffff}, {0x6c, 4, 0, 0xffffffff},
    {0x70, 4, 0, 0xffffffff}, {0x74, 4, 0, 0xffffffff}, {0x78, 4, 0, 0xffffffff},
    {0x7c, 4, 0, 0xffffffff}, {0x80, 1, 0, 1}, {0x90, 4, 1, 0xfff0}, {0xd2, 1, 0, 0x0f},
    {0xd3, 1, 0, 0xff}, {0xd4, 2, 0, 0xffff},
};

/*
 * Each byte of a configuration space against the table; what the table does not name is zero and
 * can't be written.  `skip`: registers that other tests look at, as writing has effects.
 */
static void check_space(struct rig *r, unsigned devfn, const struct reg *regs, size_t n,
                        const char *skip)
{
    uint8_t start[256] = {0}, writable[256] = {0};

    for (size_t k = 0; k < n; k++) {
        for (unsigned b = 0; b < regs[k].size; b++) {
            start[regs[k].at + b] = (uint8_t)(regs[k].start >> b * 8);
            writable[regs[k].at + b] = (uint8_t)(regs[k].writable >> b * 8);
        }
    }
    for (unsigned at = 0; at < 256; at++) {
        if (at && strchr(skip, (int)at)) {
            continue;
        }
        unsigned v = cfg_read(r, devfn, at, 1);
        ck_assert_msg(v == start[at], "%02x:%02x is %02x", devfn, at, v);
        cfg_write(r, devfn, at, 1, 0xff);
        v = cfg_read(r, devfn, at, 1);
        ck_assert_msg(v == (start[at] | writable[at]), "%02x:%02x takes %02x", devfn, at, v);
        cfg_write(r, devfn, at, 1, 0);
        v = cfg_read(r, devfn, at, 1);
        ck_assert_msg(v == (start[at] & ~writable[at]), "%02x:%02x keeps %02x", devfn, at, v);
        cfg_write(r, devfn, at, 1, start[at]);
    }
}

START_TEST(configuration_registers)
{
    struct rig r;
    struct resets resets = {0};
    struct pin pins[16], sci = {0};
    uint8_t *ram = aligned_alloc(4096, 32u << 20);
    struct piix4_pm_config pm = {.slot = 1, .sci = pin_line(&sci, &r), .gpe0_port = 0xafe0};
    struct i440fx_config host = {.ram = ram, .ram_size = 32u << 20, .reset = on_reset,
                                 .reset_to = &resets};
    struct ide_pci_config ide = {.slot = 1};

    memset(pins, 0, sizeof pins);
    rig_init(&r);
    bus_free(r.env.mem);
    r.env.mem = bus_new(1ull << 36);
    host.pci = ide.pci = pm.pci = rig_add(&r, &pci_class, "pci", NULL);
    rig_add(&r, &i440fx_class, "i440fx", &host);
    add_piix3(&r, host.pci, pins, &resets);
    rig_add(&r, &ide_pci_class, "ide_pci", &ide);
    rig_add(&r, &piix4_pm_class, "piix4_pm", &pm);
    for (unsigned pass = 0; pass < 2; pass++) {
        check_space(&r, 0, host_regs, ARRAY_LEN(host_regs), "\x72\x93");
        check_space(&r, 8, isa_regs, ARRAY_LEN(isa_regs), "");
        check_space(&r, 9, ide_regs, ARRAY_LEN(ide_regs), "");
        check_space(&r, 11, pm_regs, ARRAY_LEN(pm_regs), "");
        cfg_write(&r, 0, 0x50, 4, 0xffffffff);
        cfg_write(&r, 11, 0x44, 4, 0xffffffff);
        devices_reset(&r.env, RESET_WARM); /* and all is as it was */
    }
    rig_free(&r);
    free(ram);
}
END_TEST

/* The hole below 16 MB, for ISA cards with memory there. */
START_TEST(high_hole)
{
    struct rig r;
    uint8_t *ram = aligned_alloc(4096, 32u << 20);
    struct i440fx_config k = {.ram = ram, .ram_size = 32u << 20};

    memset(ram, 0x33, 32u << 20);
    rig_init(&r);
    bus_free(r.env.mem);
    r.env.mem = bus_new(1ull << 36);
    k.pci = rig_add(&r, &pci_class, "pci", NULL);
    rig_add(&r, &i440fx_class, "i440fx", &k);
    cfg_write(&r, 0, 0x68, 1, 0x80);
    ck_assert_uint_eq(bus_read(r.env.mem, 0xeffffe, 4), 0xffff3333);
    ck_assert_uint_eq(bus_read(r.env.mem, 0xf00000, 4), 0xffffffff);
    ck_assert_uint_eq(bus_read(r.env.mem, 0xfffffe, 4), 0x3333ffff);
    cfg_write(&r, 0, 0x68, 1, 0x40); /* the one at 512 KB instead */
    ck_assert_uint_eq(bus_read(r.env.mem, 0xf00000, 4), 0x33333333);
    ck_assert_uint_eq(bus_read(r.env.mem, 0x80000, 4), 0xffffffff);
    rig_round_trip(&r);
    ck_assert_uint_eq(bus_read(r.env.mem, 0x9fffc, 4), 0xffffffff);
    cfg_write(&r, 0, 0x68, 1, 0);
    ck_assert_uint_eq(bus_read(r.env.mem, 0x9fffc, 4), 0x33333333);
    rig_free(&r);
    free(ram);
}
END_TEST

/* The rest of the PM block (290562, 7.2): what can be written, where. */
START_TEST(power_registers)
{
    static const struct {
        uint8_t at, size;
        uint32_t start, kept;
    } reg[] = {{0x02, 2, 0, 0x0521},         {0x04, 2, 0, 0x1c03},     {0x0e, 2, 0, 0xffff},
               {0x10, 4, 0, 0xffffffff},     {0x14, 1, 0, 0},          {0x15, 1, 0, 0},
               {0x28, 4, 0, 0x0600ff01},     {0x30, 2, 0xffff, 0xffff}, {0x34, 4, 0x7fffbfff, ~0u}};
    struct rig r;
    struct pin sci = {0};
    struct resets resets = {0};
    struct device *pm;

    rig_init(&r);
    add_pm(&r, &sci, &resets, &pm);
    for (unsigned n = 0; n < ARRAY_LEN(reg); n++) {
        unsigned at = 0x600u + reg[n].at, size = reg[n].size;
        ck_assert_uint_eq(bus_read(r.env.io, at, size), reg[n].start);
        /* Not SLP_EN, which would sleep. */
        bus_write(r.env.io, at, size, reg[n].at == 4 ? 0xdfff : 0xffffffff);
        ck_assert_msg(bus_read(r.env.io, at, size) == reg[n].kept, "%02x: %08x", at,
                      (unsigned)bus_read(r.env.io, at, size));
        for (unsigned b = 0; b < size; b++) { /* and byte by byte */
            out8(&r, at + b, 0);
        }
        ck_assert_uint_eq(bus_read(r.env.io, at, size), reg[n].at == 0x30 ? 0xffff : 0);
    }
    /* A sleep that is not the last one: awake at once. */
    bus_write(r.env.io, 0x604, 2, 0x2401);
    ck_assert_uint_eq(bus_read(r.env.io, 0x600, 2) & 0x8000, 0x8000);
    bus_write(r.env.io, 0x600, 2, 0x8000);
    ck_assert_uint_eq(bus_read(r.env.io, 0x600, 2) & 0x8000, 0);
    bus_write(r.env.io, 0x604, 2, 0x3401); /* type 5: working */
    ck_assert_uint_eq(bus_read(r.env.io, 0x600, 2) & 0x8000, 0);
    ck_assert_uint_eq(resets.off, 0);
    rig_free(&r);
}
END_TEST

static void add_tests(TCase *t)
{
    tcase_add_test(t, mechanism_1);
    tcase_add_test(t, base_addresses);
    tcase_add_test(t, bus_mastering);
    tcase_add_test(t, interrupt_routing);
    tcase_add_test(t, reset_control);
    tcase_add_test(t, memory_map);
    tcase_add_test(t, big_memory_is_split);
    tcase_add_test(t, configuration_registers);
    tcase_add_test(t, high_hole);
    tcase_add_test(t, power_registers);
    tcase_add_test(t, power_management);
    tcase_add_test(t, smbus_has_no_slaves);
}

int main(void)
{
    return rig_main("pci", add_tests);
}
