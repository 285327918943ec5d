/*
 * PCI configuration mechanism 1, BARs, interrupt routing through the PIIX3, 440FX memory map, power
 * management.
 */
#include "devices/i440fx.h"
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

static void add_tests(TCase *t)
{
    tcase_add_test(t, mechanism_1);
    tcase_add_test(t, base_addresses);
    tcase_add_test(t, bus_mastering);
    tcase_add_test(t, interrupt_routing);
    tcase_add_test(t, reset_control);
    tcase_add_test(t, memory_map);
    tcase_add_test(t, big_memory_is_split);
    tcase_add_test(t, power_management);
    tcase_add_test(t, smbus_has_no_slaves);
}

int main(void)
{
    return rig_main("pci", add_tests);
}
