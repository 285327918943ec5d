/*
 * Random register traffic on every chip, alone and on a whole board.
 * Usage: fuzz_chips [N [SEED [CHIP]]]
 *
 * Each chip gets N accesses (100,000 unless told): reads and writes of all sizes at its ports and
 * windows, commands, sequences as drivers write them, its pins and cables, time in random steps;
 * half of them on a chip alone, half on a board with all media where other chips get some, too.
 * Nothing may break (build it with sanitizers).  From time to time the world is saved, loaded into
 * a new one, and both go on with the same traffic: they must answer alike and end in equal states.
 * On a single chip the copy's disks answer at once and the original's as late as they can.
 */
#include "tests/fuzz_chips.h"

#include "devices/fdc82077.h"
#include "devices/ide.h"
#include "devices/machine.h"
#include "devices/pci.h"

enum {
    SINGLE_IPS = 1000000000,
    ALIKE = 300,            /* steps that original and copy do */
    SINGLE_EVERY = 20000,   /* accesses between two copies */
    BOARD_EVERY = 200000,
    BOARD_SETUP = 5000,
};

const struct fuzz_chip fuzz_chips[] = {
    {"i8259",
     {{false, 0x20, 2}, {false, 0xa0, 2}, {false, 0x4d0, 2}},
     {{0x20, 8, {0x11, 0x13, 0x20, 0x0a, 0x0b, 0x60, 0x68, 0xc0}}},
     build_pic,
     poke_pic,
     NULL},
    {"i8254",
     {{false, 0x40, 4}, {false, 0x61, 1}},
     {{0x43, 12, {0x00, 0x10, 0x34, 0x36, 0xb6, 0xb0, 0x78, 0x5a, 0xc2, 0xe2, 0xd8, 0x35}}},
     build_pit,
     NULL,
     NULL},
    {"i8237",
     {{false, 0x00, 16}, {false, 0x80, 16}, {false, 0xc0, 32}},
     {{0}},
     build_dma,
     poke_dma,
     play_dma},
    {"mc146818",
     {{false, 0x70, 4}},
     {{0x70, 14, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x32}}},
     build_rtc,
     NULL,
     NULL},
    {"i8042",
     {{false, 0x60, 1}, {false, 0x64, 1}, {false, 0x92, 1}},
     {{0x64, 20, {0x20, 0x60, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xad, 0xae, 0xc0,
                  0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xe0, 0xfe, 0xd4, 0xd4, 0x60}},
      {0x60, 22, {0xff, 0xfe, 0xf6, 0xf5, 0xf4, 0xf3, 0xf2, 0xf0, 0xee, 0xed, 0xe6,
                  0xe7, 0xe8, 0xe9, 0xea, 0xeb, 0xec, 1,    2,    3,    200,  100}}},
     build_kbc,
     poke_kbc,
     NULL},
    {"uart16550",
     {{false, 0x3f8, 8}},
     {{0x3fa, 5, {0, 1, 7, 0xc1, 0xc7}}, {0x3fb, 4, {3, 0x83, 0x43, 0x1b}}},
     build_uart,
     poke_uart,
     NULL},
    {"parallel", {{false, 0x378, 8}}, {{0}}, build_parallel, NULL, NULL},
    {"fdc82077",
     {{false, 0x3f0, 6}, {false, 0x3f7, 1}},
     {{0x3f5, 20, {0x06, 0xe6, 0x05, 0xc5, 0x0a, 0x4a, 0x0d, 0x4d, 0x07, 0x08,
                   0x03, 0x04, 0x0f, 0x8f, 0x10, 0x13, 0x12, 0x0e, 0x94, 0x16}},
      {0x3f2, 5, {0, 0x1c, 0x0c, 0x2d, 0x18}}},
     build_fdc,
     poke_fdc,
     play_fdc},
    {"ide",
     {{false, 0x1f0, 8},
      {false, 0x3f6, 1},
      {false, 0x170, 8},
      {false, 0x376, 1},
      {false, AT_BUSMASTER, 16}},
     {{0x1f7, 20, {0x20, 0x30, 0xc4, 0xc5, 0xc8, 0xca, 0xec, 0xa1, 0xa0, 0xef,
                   0x25, 0x35, 0xe7, 0x91, 0xc6, 0x08, 0x90, 0xe6, 0xb0, 0x10}}},
     build_ide,
     poke_ide,
     play_ide},
    {"pci",
     {{false, 0xcf8, 8}, {false, 0xcf9, 1}, {true, 0xa0000, 0x60000}, {true, 0, 0x1000}},
     {{0}},
     build_pci,
     NULL,
     NULL},
    {"piix4_pm",
     {{false, AT_PM, 64}, {false, AT_SMBUS, 16}, {false, 0xb2, 2}, {false, 0xafe0, 4}},
     {{0xb2, 2, {0xf0, 0xf1}}},
     build_pm,
     poke_pm,
     NULL},
    {"vga",
     {{false, 0x3b0, 48},
      {false, 0x1ce, 3},
      {true, 0xa0000, 0x20000},
      {true, AT_LFB, 2 << 20},
      {true, AT_VGA_MMIO, 4096},
      {true, 0xc0000, 0x2000}},
     {{0x3c4, 5, {0, 1, 2, 3, 4}}, {0x3ce, 9, {0, 1, 2, 3, 4, 5, 6, 7, 8}}},
     build_vga,
     poke_vga,
     play_vga},
    {"ne2000",
     {{false, 0x300, 32}, {false, AT_NIC, 32}},
     {{0x300, 8, {0x21, 0x22, 0x0a, 0x12, 0x1a, 0x26, 0x62, 0xa2}}},
     build_nic,
     poke_nic,
     play_nic},
    {"sb16",
     {{false, 0x220, 16}, {false, 0x330, 2}, {false, 0x388, 4}},
     {{0x22c, 20, {0x10, 0x14, 0x1c, 0x40, 0x41, 0x48, 0xb6, 0xc6, 0xd0, 0xd3,
                   0xda, 0xe1, 0xe0, 0xf2, 0x2c, 0x90, 0x7f, 0x75, 0x34, 0x80}},
      {0x224, 8, {0, 0x04, 0x0e, 0x22, 0x30, 0x80, 0x81, 0x82}}},
     build_sb16,
     poke_sb16,
     play_sb16},
    {"opl3",
     {{false, 0x388, 4}, {false, 0x228, 2}},
     {{0x388, 10, {2, 3, 4, 8, 0xa0, 0xb0, 0xbd, 0xc0, 0x20, 0x60}},
      {0x38a, 4, {4, 5, 0xb0, 0xc0}}},
     build_opl,
     poke_audio,
     NULL},
    {"lapic", {{true, 0xfee00000, 0x400}}, {{0}}, build_lapic, poke_lapic, NULL},
    {"ioapic", {{true, 0xfec00000, 0x100}}, {{0}}, build_ioapic, poke_ioapic, NULL},
    {"hpet", {{true, 0xfed00000, 0x400}}, {{0}}, build_hpet, NULL, NULL},
    {"fwcfg", {{false, 0x510, 12}}, {{0x510, 4, {0, 1, 0x19, 0x20}}}, build_fwcfg, NULL, NULL},
    {"vmport", {{false, 0x5658, 4}}, {{0}}, build_vmport, poke_vmport, play_vmport},
    {"ports",
     {{false, 0x92, 1},
      {false, 0x190, 4},
      {false, 0xe9, 1},
      {false, 0x8900, 1},
      {false, 0x501, 2},
      {false, 0x61, 1},
      {false, 0x402, 1},
      {false, 0xf0, 2}},
     {{0x8900, 8, {'S', 'h', 'u', 't', 'd', 'o', 'w', 'n'}}},
     build_ports,
     poke_ports,
     NULL},
    {"any",
     {{false, 0, 0x10000}, {true, 0, 0x200000}, {true, 0xfff00000, 0x100000}, {false, 0, 0x400}},
     {{0}},
     NULL,
     NULL,
     NULL},
    {0},
};

const struct cd_layout fuzz_disc = {
    800, 3, {{0, 0, CD_MODE1}, {300, 350, CD_AUDIO}, {600, 600, CD_MODE2}}};

/* --- worlds ----------------------------------------------------------------------------------- */

static void look(struct world *w, uint64_t v)
{
    w->seen = (w->seen ^ v) * 0x100000001b3ull;
    w->seen ^= w->seen >> 29;
}

uint64_t world_read(struct world *w, bool mem, uint32_t addr, unsigned size)
{
    uint64_t v = bus_read(mem ? w->mem : w->io, addr, size);

    w->ops++;
    look(w, v);
    return v;
}

void world_write(struct world *w, bool mem, uint32_t addr, unsigned size, uint64_t v)
{
    w->ops++;
    bus_write(mem ? w->mem : w->io, addr, size, size < 8 ? v & (((uint64_t)1 << 8 * size) - 1) : v);
}

void world_pin(void *to, unsigned n, bool level)
{
    look(to, n * 2 + level);
}

void world_time(struct world *w, uint64_t ns)
{
    if (w->board) {
        oxbow_run(w->board, ns * 4 / 10);
        w->board->stop = OXBOW_LIMIT; /* a power-off or debug exit does not end the test */
        return;
    }
    uint64_t end = sched_now(w->sched) + ns;
    sched_run(w->sched, end);
    while (sched_held(w->sched)) {
        world_answer(w);
        sched_run(w->sched, end);
    }
}

void world_pci_write(struct world *w, unsigned devfn, unsigned reg, unsigned size, uint32_t v)
{
    world_write(w, false, 0xcf8, 4, 0x80000000u | devfn << 8 | (reg & 0xfc));
    world_write(w, false, 0xcfc + (reg & 3), size, v);
}

/* Base addresses as a BIOS would give them; harmless where a function is not there. */
void world_pci_setup(struct world *w)
{
    static const struct {
        uint8_t devfn, reg, size;
        uint32_t v;
    } row[] = {
        {SLOT_SOUTH << 3 | 1, 0x20, 4, AT_BUSMASTER}, {SLOT_SOUTH << 3 | 1, 4, 2, 5},
        {SLOT_SOUTH << 3 | 1, 0x40, 4, 0x80008000},   {SLOT_SOUTH << 3 | 3, 0x40, 4, AT_PM},
        {SLOT_SOUTH << 3 | 3, 0x80, 1, 1},            {SLOT_SOUTH << 3 | 3, 0x90, 4, AT_SMBUS},
        {SLOT_SOUTH << 3 | 3, 0xd2, 1, 1},            {SLOT_SOUTH << 3 | 3, 4, 2, 1},
        {SLOT_VGA << 3, 0x10, 4, AT_LFB},             {SLOT_VGA << 3, 0x18, 4, AT_VGA_MMIO},
        {SLOT_VGA << 3, 0x30, 4, 0xc0000 | 1},        {SLOT_VGA << 3, 4, 2, 3},
        {SLOT_NIC << 3, 0x10, 4, AT_NIC},             {SLOT_NIC << 3, 4, 2, 3},
    };
    for (unsigned k = 0; k < ARRAY_LEN(row); k++) {
        world_pci_write(w, row[k].devfn, row[k].reg, row[k].size, row[k].v);
    }
}

static void world_free(struct world *w)
{
    if (w->board) {
        oxbow_free(w->board);
    } else {
        devices_free(&w->env);
        sched_free(w->env.sched);
        bus_free(w->env.mem);
        bus_free(w->env.io);
        for (unsigned n = 0; n < WORLD_DISKS; n++) {
            free(w->disk[n].data);
        }
        free(w->ram);
    }
    free(w);
}

static struct world *single(const struct fuzz_chip *chip, bool late)
{
    struct world *w = calloc(1, sizeof *w);
    struct err e = {""};

    log_init(&w->log);
    w->ram = calloc(1, WORLD_RAM);
    w->env = (struct device_env){.mem = bus_new((uint64_t)1 << 36), .io = bus_new(65536),
                                 .sched = sched_new(SINGLE_IPS), .log = &w->log};
    w->mem = w->env.mem;
    w->io = w->env.io;
    w->sched = w->env.sched;
    if (chip->build != build_pci) {
        bus_map_ram(w->mem, 0, WORLD_RAM, w->ram, BUS_RW, PRIO_RAM);
    }
    chip->build(w, &e);
    w->disk[0].late = w->disk[1].late = late;
    world_pci_setup(w);
    w->seen = 0;
    return w;
}

/* Images that are the same each time; writes stay in overlays, which are part of the state. */
static struct block *image(uint32_t sectors)
{
    struct err e = {""};
    uint8_t *data = calloc(sectors, 512);

    for (uint32_t s = 0; s < sectors; s++) {
        memset(data + (size_t)s * 512, (int)s, 16);
    }
    struct block *b = block_open_mem(data, (uint64_t)sectors * 512, true, &e);
    free(data);
    b = b ? block_open_overlay(b, &e) : NULL;
    if (!b) {
        abort();
    }
    return b;
}

/* A processor that does nothing but HLT, whatever wakes it up. */
static struct world *board(void)
{
    uint8_t *rom = malloc(65536);
    struct oxbow_config c;
    struct err e = {""};
    struct world *w = calloc(1, sizeof *w);

    memset(rom, 0xf4, 65536);
    memcpy(rom + 0xfff0, "\xfa\xf4\xeb\xfd", 4);
    oxbow_config_init(&c);
    c.ram_mb = 2;
    c.bios = (struct oxbow_blob){rom, 65536};
    c.floppy[0] = image(2880);
    c.floppy[1] = image(1440);
    c.drive[0] = (struct oxbow_drive){OXBOW_DRIVE_DISK, image(5000)};
    c.drive[1] = (struct oxbow_drive){OXBOW_DRIVE_CD, image(4000)};
    c.drive[2] = (struct oxbow_drive){OXBOW_DRIVE_DISK, image(70000)};
    c.drive[3] = (struct oxbow_drive){OXBOW_DRIVE_CD, NULL};
    c.nic[0].model = OXBOW_NIC_NE2K_PCI;
    c.nic[1] = (struct oxbow_nic){.model = OXBOW_NIC_NE2K_ISA, .port = 0x300};
    c.sb16.on = true;
    c.audio_rate = 8000;
    c.debug_exit = true;
    c.hpet = true;
    c.serial_on[1] = c.serial_on[2] = true;
    c.drive[1].media->cd = &fuzz_disc;
    w->board = oxbow_new(&c, &e);
    free(rom);
    if (!w->board) {
        fprintf(stderr, "%s\n", e.text);
        abort();
    }
    w->mem = w->board->mem;
    w->io = w->board->io;
    w->sched = w->board->sched;
    /* HLT where an exception, an NMI or a masked A20 may lead. */
    memset(w->board->ram, 0xf4, 0x10000);
    memset(w->board->ram + 0x100000, 0xf4, 0x10000);
    world_pci_setup(w);
    return w;
}

/* --- copies ----------------------------------------------------------------------------------- */

static uint8_t *world_save(struct world *w, size_t *len)
{
    struct err e = {""};

    if (w->board) {
        return oxbow_save(w->board, len, &e);
    }
    struct snap_writer s;
    snap_writer_init(&s);
    sched_save(w->sched, &s);
    devices_save(&w->env, &s);
    *len = s.len;
    return s.buf;
}

static bool world_load(struct world *w, const uint8_t *data, size_t len, struct err *e)
{
    struct snap_reader r;

    if (w->board) {
        return oxbow_load(w->board, data, len, e);
    }
    return snap_reader_init(&r, data, len, e) && sched_load(w->sched, &r, e) &&
           devices_load(&w->env, &r, e);
}

static void die(const struct world *w, const char *what)
{
    fprintf(stderr, "fuzz_chips: after %llu accesses %s\n", (unsigned long long)w->ops, what);
    abort();
}

/* The sections of two states that differ. */
static void name_difference(const uint8_t *a, const uint8_t *b, size_t len)
{
    for (size_t at = 8; at + 36 <= len;) {
        size_t n = 36 + ((size_t)a[at + 28] | (size_t)a[at + 29] << 8 | (size_t)a[at + 30] << 16);
        if (at + n > len || memcmp(a + at, b + at, n) != 0) {
            size_t off = 36;
            while (at + off < len && a[at + off] == b[at + off]) {
                off++;
            }
            fprintf(stderr, "section %.24s differs at byte %zu\n", (const char *)a + at, off - 36);
        }
        at += n;
    }
}

static void compare(struct world *a, struct world *b, const char *what)
{
    size_t na, nb;
    uint8_t *sa = world_save(a, &na), *sb = world_save(b, &nb);

    if (na != nb || memcmp(sa, sb, na) != 0) {
        name_difference(sa, sb, MIN(na, nb));
        die(a, what);
    }
    free(sa);
    free(sb);
}

static void step(const struct fuzz_chip *chip, struct world *w, struct rng *r);

static struct world *copy(const struct fuzz_chip *chip, struct world *w)
{
    struct world *c = w->board ? board() : single(chip, false);
    struct err e = {""};
    size_t len;
    uint8_t *state = world_save(w, &len);

    if (!c->board) {
        memcpy(c->ram, w->ram, WORLD_RAM);
        world_answer(w);
        for (unsigned n = 0; n < WORLD_DISKS; n++) {
            if (w->disk[n].data) {
                memcpy(c->disk[n].data, w->disk[n].data, (size_t)w->disk[n].b.sectors * 512);
            }
        }
        if (w->out) {
            (chip->build == build_fdc ? fdc82077_set_media : ide_set_media)(c->chip, 1, NULL);
        }
        c->peripheral.transfer = NULL;
        if (chip->build == build_fdc) {
            c->peripheral = fdc82077_dma(c->chip);
        }
        c->out = w->out;
    }
    if (!world_load(c, state, len, &e)) {
        fprintf(stderr, "%s\n", e.text);
        die(w, "the state was not accepted");
    }
    free(state);
    compare(w, c, "the loaded state is another one");
    c->dma_asked = w->dma_asked;
    memcpy(c->reg, w->reg, sizeof c->reg);
    c->seen = w->seen;
    c->ops = w->ops;
    return c;
}

/* Original and copy do the same; goes on with the copy. */
static struct world *alike(const struct fuzz_chip *chip, struct world *w, struct rng *r)
{
    struct world *c = copy(chip, w);
    struct rng again = *r;

    for (unsigned k = 0; k < ALIKE; k++) {
        step(chip, w, r);
        step(chip, c, &again);
        if (w->seen != c->seen || w->ops != c->ops) {
            fprintf(stderr, "step %u\n", k);
            compare(w, c, "the copy differs");
            die(w, "the copy answers otherwise");
        }
    }
    if (!w->board) {
        world_answer(w);
    }
    compare(w, c, "the copy has become another one");
    for (unsigned n = 0; n < WORLD_DISKS; n++) {
        c->disk[n].late = !w->board;
    }
    world_free(w);
    return c;
}

/* --- traffic ---------------------------------------------------------------------------------- */

static unsigned spans(const struct fuzz_chip *chip)
{
    unsigned n = 0;

    while (n < ARRAY_LEN(chip->span) && chip->span[n].len) {
        n++;
    }
    return n;
}

static void one_access(const struct fuzz_chip *chip, struct world *w, struct rng *r)
{
    const struct fuzz_span *s = &chip->span[below(r, spans(chip))];
    unsigned size = one_in(r, 3) ? 1u << below(r, s->mem ? 4 : 3) : chip->span[0].mem ? 4 : 1;
    uint32_t addr = s->base + below(r, s->len);
    unsigned times = one_in(r, 64) ? 1 + below(r, 300) : 1;
    bool in = rnd(r) & 1;

    if (one_in(r, 2)) {
        addr &= ~(size - 1);
    }
    while (times--) {
        if (in) {
            world_read(w, s->mem, addr, size);
        } else {
            world_write(w, s->mem, addr, size, one_in(r, 2) ? rnd(r) : odd_number(r));
        }
    }
}

static void one_word(const struct fuzz_chip *chip, struct world *w, struct rng *r)
{
    const struct fuzz_words *k = &chip->words[below(r, ARRAY_LEN(chip->words))];

    if (k->n) {
        wo8(w, k->port, k->value[below(r, k->n)]);
    }
}

/* Configuration registers of functions that exist, which random numbers seldom hit. */
static void one_config(struct world *w, struct rng *r)
{
    static const uint8_t devfn[] = {0, 8, 9, 11, 16, 24, 32};

    if (one_in(r, 2)) {
        world_write(w, false, 0xcf8, 4,
                    0x80000000u | (unsigned)devfn[below(r, sizeof devfn)] << 8 | (rnd(r) & 0xff));
    }
    if (one_in(r, 2)) {
        world_read(w, false, 0xcfc + below(r, 4), 1u << below(r, 3));
    } else {
        world_write(w, false, 0xcfc + below(r, 4), 1u << below(r, 3), odd_number(r));
    }
}

static void some_time(struct world *w, struct rng *r)
{
    uint64_t ns = (uint64_t)1 << below(r, 20);

    if (one_in(r, 4096)) {
        ns = (uint64_t)1 << (20 + below(r, 9));
    }
    world_time(w, ns + below(r, (uint32_t)ns));
}

/* What comes to a board from outside. */
static void outside(struct world *w, struct rng *r)
{
    struct oxbow *m = w->board;
    uint32_t v = rnd(r);
    uint8_t frame[300] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    int16_t sound[256];
    struct text_screen t;

    switch (below(r, 12)) {
    case 0:
        oxbow_key(m, v & 0x3ff, v & 0x400, 0);
        break;
    case 1:
        if (v & 0x80000000) {
            oxbow_mouse_place(m, v & 0x1ffff, v >> 8 & 0xffff, (int8_t)(v >> 16) / 32, v >> 24, 0);
        } else {
            oxbow_mouse(m, (int8_t)v, (int8_t)(v >> 8), (int8_t)(v >> 16) / 32, v >> 24, 0);
        }
        break;
    case 2:
    case 3:
        oxbow_serial_input(m, v & 3, (uint8_t)(v >> 8));
        break;
    case 4:
    case 5:
        oxbow_net_input(m, v & 3, frame, 60 + (v >> 8) % (sizeof frame - 60));
        break;
    case 6:
        oxbow_net_link(m, v & 3, v & 0xf00);
        break;
    case 7:
        if (one_in(r, 8)) {
            oxbow_surface(m);
        }
        break;
    case 8:
        oxbow_text(m, &t);
        break;
    case 9:
        oxbow_audio(m, sound, ARRAY_LEN(sound) / 2);
        break;
    case 10:
        if (one_in(r, 16)) {
            oxbow_power_button(m);
        }
        break;
    default:
        if (one_in(r, 64)) {
            oxbow_reset(m);
        }
        break;
    }
}

static void step(const struct fuzz_chip *chip, struct world *w, struct rng *r)
{
    switch (below(r, 64)) {
    case 0:
    case 1:
    case 2:
    case 3:
        some_time(w, r);
        break;
    case 4:
    case 5:
    case 6:
    case 7:
        if (w->board) {
            outside(w, r);
        } else if (chip->poke) {
            chip->poke(w, r);
        }
        break;
    case 8:
        if (chip->play) {
            chip->play(w, r);
        }
        break;
    case 9:
        if (w->board || chip->build == build_pci) {
            one_config(w, r);
        }
        break;
    case 10:
        if (w->board) {
            unsigned n = 0;
            while (fuzz_chips[n].name) {
                n++;
            }
            one_access(&fuzz_chips[below(r, n)], w, r);
        }
        break;
    default:
        if (one_in(r, 4)) {
            one_word(chip, w, r);
        } else {
            one_access(chip, w, r);
        }
        break;
    }
}

static void run(const struct fuzz_chip *chip, struct world *w, uint64_t n, uint64_t seed)
{
    struct rng r = rng_seed(seed);
    uint64_t every = w->board ? BOARD_EVERY : SINGLE_EVERY, saved = every / 2, setup = BOARD_SETUP;

    while (w->ops < n) {
        step(chip, w, &r);
        if (w->ops >= setup) {
            setup = w->ops + BOARD_SETUP;
            world_pci_setup(w);
            if (w->board) {
                machine_ask_reset(w->board, false); /* back to HLT, wherever an NMI went */
            }
        }
        if (w->ops >= saved) {
            w = alike(chip, w, &r);
            saved = w->ops + every;
        }
    }
    world_free(w);
}

int main(int argc, char **argv)
{
    uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 0) : 100000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    bool found = false;

    for (const struct fuzz_chip *chip = fuzz_chips; chip->name; chip++) {
        if (argc > 3 && strcmp(argv[3], chip->name) != 0) {
            continue;
        }
        found = true;
        fprintf(stderr, "%s: %llu accesses, seed %llu\n", chip->name, (unsigned long long)n,
                (unsigned long long)seed);
        if (chip->build) {
            run(chip, single(chip, true), n / 2, seed);
        }
        run(chip, board(), chip->build ? n - n / 2 : n, seed);
    }
    if (!found) {
        fprintf(stderr, "fuzz_chips: there is no chip of that name\n");
        return 2;
    }
    return 0;
}
