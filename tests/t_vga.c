/*
 * Display adapter: registers, every write and read mode against a reference that works bit by bit,
 * memory maps, scan-out of the standard modes, the beam in virtual time, DISPI, snapshots.
 *
 * Planes are looked at through the linear frame buffer (byte 4 * address + plane), so nothing here
 * knows the adapter from inside.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "devices/pci.h"
#include "devices/vga.h"
#include "devices/vga_pci.h"
#include "memory/bytes.h"
#include "tests/suite.h"

#define IPS 100000000u
#define LFB VGA_LFB_ISA
#define SMALL (1u << 20) /* video memory where much of it is copied */

/* Check notes every assertion in a file; hundreds of thousands of pixels want to be quicker. */
#define EQ(a, b)                                                                               \
    do {                                                                                       \
        uint64_t eq_a = (a), eq_b = (b);                                                       \
        if (eq_a != eq_b) {                                                                    \
            ck_abort_msg("%s is %llx, not %llx (%s)", #a, (unsigned long long)eq_a,            \
                         (unsigned long long)eq_b, #b);                                        \
        }                                                                                      \
    } while (0)

struct pc {
    struct device_env env;
    struct log log;
    struct device *vga;
    bool irq;
};

static void irq_seen(void *to, unsigned n, bool level)
{
    (void)n;
    ((struct pc *)to)->irq = level;
}

static struct pc *pc_new_with(uint32_t vram_size, uint64_t lfb_base)
{
    struct pc *p = calloc(1, sizeof *p);
    struct vga_config c = {.vram_size = vram_size, .lfb_base = lfb_base};

    ck_assert_ptr_nonnull(p);
    log_init(&p->log);
    p->env.mem = bus_new(1ull << 36);
    p->env.io = bus_new(65536);
    p->env.sched = sched_new(IPS);
    p->env.log = &p->log;
    c.irq = (struct irq_line){irq_seen, p, 9};
    p->vga = device_new(&p->env, &vga_class, "vga", &c, NULL);
    ck_assert_ptr_nonnull(p->vga);
    return p;
}

static struct pc *pc_new(void)
{
    return pc_new_with(0, LFB);
}

static void pc_free(struct pc *p)
{
    devices_free(&p->env);
    bus_free(p->env.mem);
    bus_free(p->env.io);
    sched_free(p->env.sched);
    free(p);
}

static void out(struct pc *p, unsigned port, unsigned val)
{
    bus_write(p->env.io, port, 1, val);
}

static unsigned in(struct pc *p, unsigned port)
{
    return (unsigned)bus_read(p->env.io, port, 1);
}

static void out16(struct pc *p, unsigned port, unsigned val)
{
    bus_write(p->env.io, port, 2, val);
}

static void set(struct pc *p, unsigned port, unsigned index, unsigned val)
{
    out16(p, port, index | val << 8);
}

static unsigned get(struct pc *p, unsigned port, unsigned index)
{
    out(p, port, index);
    return in(p, port + 1);
}

static void attr(struct pc *p, unsigned index, unsigned val)
{
    in(p, 0x3da);
    out(p, 0x3c0, index);
    out(p, 0x3c0, val);
    out(p, 0x3c0, 0x20);
}

static void dispi(struct pc *p, unsigned index, unsigned val)
{
    out16(p, 0x1ce, index);
    out16(p, 0x1cf, val);
}

static unsigned dispi_get(struct pc *p, unsigned index)
{
    out16(p, 0x1ce, index);
    return (unsigned)bus_read(p->env.io, 0x1cf, 2);
}

static void poke(struct pc *p, uint64_t addr, unsigned val)
{
    bus_write(p->env.mem, addr, 1, val);
}

static unsigned peek(struct pc *p, uint64_t addr)
{
    return (unsigned)bus_read(p->env.mem, addr, 1);
}

/* Plane byte, past all of the graphics controller. */
static unsigned plane(struct pc *p, unsigned n, unsigned addr)
{
    return peek(p, LFB + addr * 4u + n);
}

static void run_to(struct pc *p, uint64_t t)
{
    sched_set_now(p->env.sched, t);
    sched_run(p->env.sched, t);
}

static void run(struct pc *p, uint64_t n)
{
    run_to(p, sched_now(p->env.sched) + n);
}

static uint32_t rng(uint32_t *s)
{
    *s = *s * 1664525u + 1013904223u;
    return *s >> 8;
}

/* Standard modes, from the parameter tables of the IBM manual. */
struct mode {
    uint8_t misc, seq[4], crtc[25], gc[9], attr[5];
};

static const struct mode text80 = {
    0x67, {0x00, 0x03, 0x00, 0x02},
    {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0, 0, 0, 0, 0x9c, 0x8e,
     0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff},
    {0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff}, {0x0c, 0, 0x0f, 0x08, 0}};
static const struct mode text40 = {
    0x67, {0x08, 0x03, 0x00, 0x02},
    {0x2d, 0x27, 0x28, 0x90, 0x2b, 0xa0, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0, 0, 0, 0, 0x9c, 0x8e,
     0x8f, 0x14, 0x1f, 0x96, 0xb9, 0xa3, 0xff},
    {0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff}, {0x0c, 0, 0x0f, 0x08, 0}};
static const struct mode cga4 = {
    0x63, {0x09, 0x03, 0x00, 0x02},
    {0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0x00, 0xc1, 0, 0, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f,
     0x14, 0x00, 0x96, 0xb9, 0xa2, 0xff},
    {0, 0, 0, 0, 0, 0x30, 0x0f, 0, 0xff}, {0x01, 0, 0x03, 0, 0}};
static const struct mode cga6 = {
    0x63, {0x01, 0x01, 0x00, 0x06},
    {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0xc1, 0, 0, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f,
     0x28, 0x00, 0x96, 0xb9, 0xc2, 0xff},
    {0, 0, 0, 0, 0, 0x00, 0x0d, 0, 0xff}, {0x01, 0, 0x01, 0, 0}};
static const struct mode ega0d = {
    0x63, {0x09, 0x0f, 0x00, 0x06},
    {0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0x00, 0xc0, 0, 0, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f,
     0x14, 0x00, 0x96, 0xb9, 0xe3, 0xff},
    {0, 0, 0, 0, 0, 0x00, 0x05, 0x0f, 0xff}, {0x01, 0, 0x0f, 0, 0}};
static const struct mode vga12 = {
    0xe3, {0x01, 0x0f, 0x00, 0x06},
    {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0x00, 0x40, 0, 0, 0, 0, 0, 0, 0xea, 0x8c, 0xdf,
     0x28, 0x00, 0xe7, 0x04, 0xe3, 0xff},
    {0, 0, 0, 0, 0, 0x00, 0x05, 0x0f, 0xff}, {0x01, 0, 0x0f, 0, 0}};
static const struct mode vga13 = {
    0x63, {0x01, 0x0f, 0x00, 0x0e},
    {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0x41, 0, 0, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f,
     0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff},
    {0, 0, 0, 0, 0, 0x40, 0x05, 0x0f, 0xff}, {0x41, 0, 0x0f, 0, 0}};

/* Palette i -> DAC i; DAC i is (i, 2 i, 3 i) in 6 bits. */
static uint32_t colour(unsigned i)
{
    unsigned r = i & 63, g = 2 * i & 63, b = 3 * i & 63;

    return (r << 2 | r >> 4) << 16 | (g << 2 | g >> 4) << 8 | (b << 2 | b >> 4);
}

static void set_mode(struct pc *p, const struct mode *m)
{
    unsigned i;

    out(p, 0x3c2, m->misc);
    set(p, 0x3c4, 0, 1);
    for (i = 0; i < 4; i++) {
        set(p, 0x3c4, i + 1, m->seq[i]);
    }
    set(p, 0x3c4, 0, 3);
    set(p, 0x3d4, 0x11, 0);
    for (i = 0; i < 25; i++) {
        set(p, 0x3d4, i, m->crtc[i]);
    }
    for (i = 0; i < 9; i++) {
        set(p, 0x3ce, i, m->gc[i]);
    }
    for (i = 0; i < 16; i++) {
        attr(p, i, i);
    }
    for (i = 0; i < 5; i++) {
        attr(p, 16 + i, m->attr[i]);
    }
    out(p, 0x3c8, 0);
    for (i = 0; i < 256; i++) {
        out(p, 0x3c9, i);
        out(p, 0x3c9, 2 * i);
        out(p, 0x3c9, 3 * i);
    }
    run(p, 2 * IPS / 60); /* a retrace latches the start address */
}

static uint32_t pixel(const struct surface *s, unsigned x, unsigned y)
{
    if (x >= s->w || y >= s->h) {
        ck_abort_msg("pixel %u,%u is outside of the screen", x, y);
    }
    return s->px[(size_t)y * s->stride + x];
}

static const struct surface *shown(struct pc *p, unsigned w, unsigned h)
{
    const struct surface *s = vga_update(p->vga);

    EQ(s->w, w);
    EQ(s->h, h);
    return s;
}

/* Registers */

START_TEST(index_and_data)
{
    struct pc *p = pc_new();
    static const uint8_t seq[] = {0x03, 0x3d, 0x0f, 0x3f, 0x0e, 0, 0, 0};
    static const uint8_t gc[] = {0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff, 0, 0};
    unsigned i;

    out(p, 0x3c2, 0x63);
    EQ(in(p, 0x3cc), 0x63);
    for (i = 0; i < sizeof seq; i++) {
        set(p, 0x3c4, i, 0xff);
        EQ(get(p, 0x3c4, i), seq[i]);
    }
    for (i = 0; i < sizeof gc; i++) {
        set(p, 0x3ce, i, 0xff);
        EQ(get(p, 0x3ce, i), gc[i]);
    }
    for (i = 0; i < 0x19; i++) {
        unsigned bits = i == 0x0a ? 0x3f : i == 0x17 ? 0xef : 0xff;

        if (i == 0x08 || i == 0x0b || i == 0x14) {
            bits = 0x7f;
        }
        set(p, 0x3d4, i, 0xd5);
        EQ(get(p, 0x3d4, i), 0xd5 & bits);
        set(p, 0x3d4, i, 0xaa);
        EQ(get(p, 0x3d4, i), 0xaa & bits);
    }
    set(p, 0x3d4, 0x19, 0xff);
    EQ(get(p, 0x3d4, 0x19), 0);
    out(p, 0x3c4, 0xfa);
    EQ(in(p, 0x3c4), 2);
    out(p, 0x3ce, 0xf5);
    EQ(in(p, 0x3ce), 5);
    out(p, 0x3d4, 0xff);
    EQ(in(p, 0x3d4), 0x3f);
    out(p, 0x3da, 0xff);
    EQ(in(p, 0x3ca), 0x0b);
    pc_free(p);
}
END_TEST

START_TEST(light_pen_registers)
{
    struct pc *p = pc_new();

    out(p, 0x3c2, 0x63);
    set(p, 0x3d4, 3, 0x80);
    set(p, 0x3d4, 0x10, 0x9c);
    EQ(get(p, 0x3d4, 0x10), 0x9c);
    set(p, 0x3d4, 3, 0);
    EQ(get(p, 0x3d4, 0x10), 0);
    pc_free(p);
}
END_TEST

START_TEST(crtc_protection)
{
    struct pc *p = pc_new();
    unsigned i;

    out(p, 0x3c2, 0x63);
    for (i = 0; i < 8; i++) {
        set(p, 0x3d4, i, 0x11);
    }
    set(p, 0x3d4, 0x11, 0x80);
    for (i = 0; i < 8; i++) {
        set(p, 0x3d4, i, 0xee);
        EQ(get(p, 0x3d4, i), i == 7 ? 0x01 : 0x11);
    }
    set(p, 0x3d4, 8, 0x12);
    EQ(get(p, 0x3d4, 8), 0x12);
    set(p, 0x3d4, 0x11, 0);
    set(p, 0x3d4, 0, 0x5f);
    EQ(get(p, 0x3d4, 0), 0x5f);
    pc_free(p);
}
END_TEST

START_TEST(mono_and_colour_ports)
{
    struct pc *p = pc_new();

    out(p, 0x3c2, 0x62);
    set(p, 0x3b4, 0x0e, 0x12);
    set(p, 0x3d4, 0x0e, 0x34);
    EQ(get(p, 0x3b4, 0x0e), 0x12);
    EQ(in(p, 0x3d5), 0xff);
    EQ(in(p, 0x3da), 0xff);
    out(p, 0x3c2, 0x63);
    EQ(get(p, 0x3d4, 0x0e), 0x12);
    EQ(in(p, 0x3b4), 0xff);
    pc_free(p);
}
END_TEST

START_TEST(attribute_flip_flop)
{
    struct pc *p = pc_new();

    out(p, 0x3c2, 0x63);
    in(p, 0x3da);
    out(p, 0x3c0, 0x03);
    EQ(get(p, 0x3d4, 0x24), 0x80);
    out(p, 0x3c0, 0xff);
    EQ(get(p, 0x3d4, 0x24), 0);
    EQ(in(p, 0x3c0), 0x03);
    EQ(in(p, 0x3c1), 0x3f);
    out(p, 0x3c0, 0x34); /* index again */
    EQ(in(p, 0x3c0), 0x34);
    in(p, 0x3da); /* data expected, but reset to index */
    out(p, 0x3c0, 0x11);
    out(p, 0x3c0, 0xa5);
    EQ(in(p, 0x3c1), 0xa5);
    attr(p, 0x12, 0xff);
    in(p, 0x3da);
    out(p, 0x3c0, 0x12);
    EQ(in(p, 0x3c1), 0x3f);
    in(p, 0x3da);
    out(p, 0x3c0, 0x1f); /* no such register */
    out(p, 0x3c0, 0xff);
    EQ(in(p, 0x3c1), 0);
    pc_free(p);
}
END_TEST

START_TEST(dac_access)
{
    struct pc *p = pc_new();
    unsigned i;

    out(p, 0x3c8, 10);
    EQ(in(p, 0x3c7), 0);
    for (i = 0; i < 6; i++) {
        out(p, 0x3c9, 0xc1 + i);
    }
    EQ(in(p, 0x3c8), 12);
    out(p, 0x3c9, 0x3f); /* an unfinished triple changes nothing */
    out(p, 0x3c7, 10);
    EQ(in(p, 0x3c7), 3);
    for (i = 0; i < 6; i++) {
        EQ(in(p, 0x3c9), i + 1);
    }
    EQ(in(p, 0x3c9), 0);
    out(p, 0x3c6, 0x5a);
    EQ(in(p, 0x3c6), 0x5a);
    out(p, 0x3c8, 255); /* the address wraps */
    for (i = 0; i < 6; i++) {
        out(p, 0x3c9, 20 + i);
    }
    out(p, 0x3c7, 0);
    EQ(in(p, 0x3c9), 23);
    dispi(p, 4, 0x20); /* 8 bits: brightness stays */
    out(p, 0x3c7, 0);
    EQ(in(p, 0x3c9), 23 * 4);
    out(p, 0x3c8, 1);
    out(p, 0x3c9, 0xff);
    out(p, 0x3c9, 0xfe);
    out(p, 0x3c9, 0x81);
    out(p, 0x3c7, 1);
    EQ(in(p, 0x3c9), 0xff);
    dispi(p, 4, 0);
    out(p, 0x3c7, 1);
    EQ(in(p, 0x3c9), 0x3f);
    pc_free(p);
}
END_TEST

START_TEST(subsystem_disable)
{
    struct pc *p = pc_new();

    set_mode(p, &vga13);
    poke(p, 0xa0000, 7);
    EQ(in(p, 0x3c3), 1);
    out(p, 0x3c3, 0);
    EQ(in(p, 0x3cc), 0xff);
    EQ(peek(p, 0xa0000), 0xff);
    out(p, 0x3c3, 1);
    EQ(in(p, 0x3cc), 0x63);
    EQ(peek(p, 0xa0000), 7);
    pc_free(p);
}
END_TEST

/* Memory: the reference works on one bit at a time. */

struct reference {
    uint8_t gc[9], seq[5];
    uint8_t planes[4][65536];
    uint8_t latch[4];
};

static unsigned bit(unsigned v, unsigned n)
{
    return v >> n & 1;
}

/* Which planes and which plane address an access at window offset a concerns. */
static unsigned ref_address(const struct reference *r, unsigned a)
{
    if (bit(r->seq[4], 3)) {
        return a / 4;
    }
    return bit(r->gc[6], 1) ? a - a % 2 : a; /* the odd/even page bit is 0 in this test */
}

static void ref_write(struct reference *r, unsigned a, unsigned val)
{
    unsigned at = ref_address(r, a), pl, b, mode = r->gc[5] & 3;

    for (pl = 0; pl < 4; pl++) {
        bool enabled = bit(r->seq[2], pl);

        if (bit(r->seq[4], 3)) {
            enabled = enabled && a % 4 == pl;
        } else if (!bit(r->seq[4], 2)) {
            enabled = enabled && a % 2 == pl % 2;
        }
        for (b = 0; enabled && b < 8; b++) {
            unsigned cpu = bit(val, (b + (r->gc[3] & 7)) % 8), old = bit(r->latch[pl], b), new;
            unsigned masked = bit(r->gc[8], b);

            if (mode == 1) {
                new = old;
            } else {
                new = cpu;
                if (mode == 0 && bit(r->gc[1], pl)) {
                    new = bit(r->gc[0], pl);
                } else if (mode == 2) {
                    new = bit(val, pl);
                } else if (mode == 3) {
                    new = bit(r->gc[0], pl);
                    masked = masked && cpu;
                }
                switch (r->gc[3] >> 3) {
                case 1:
                    new = new && old;
                    break;
                case 2:
                    new = new || old;
                    break;
                case 3:
                    new = new != old;
                    break;
                default:
                    break;
                }
                if (!masked) {
                    new = old;
                }
            }
            r->planes[pl][at] = (uint8_t)((r->planes[pl][at] & ~(1u << b)) | new << b);
        }
    }
}

static unsigned ref_read(struct reference *r, unsigned a)
{
    unsigned at = ref_address(r, a), pl, b, val = 0;

    for (pl = 0; pl < 4; pl++) {
        r->latch[pl] = r->planes[pl][at];
    }
    if (!bit(r->gc[5], 3)) {
        pl = bit(r->seq[4], 3) ? a % 4 : bit(r->gc[5], 4) ? (r->gc[4] & 2) + a % 2 : r->gc[4];
        return r->latch[pl];
    }
    for (b = 0; b < 8; b++) {
        bool same = true;

        for (pl = 0; pl < 4; pl++) {
            same = same && (!bit(r->gc[7], pl) || bit(r->latch[pl], b) == bit(r->gc[2], pl));
        }
        val |= (unsigned)same << b;
    }
    return val;
}

static void random_registers(struct pc *p, struct reference *r, uint32_t *seed)
{
    static const uint8_t keep[9] = {15, 15, 15, 31, 3, 0x1b, 2, 15, 255};
    unsigned i;

    for (i = 0; i < 9; i++) {
        r->gc[i] = (uint8_t)rng(seed) & keep[i];
        if (i == 6) {
            r->gc[6] |= 4; /* the 64 KB map */
        }
        set(p, 0x3ce, i, r->gc[i]);
    }
    r->seq[2] = rng(seed) & 15;
    r->seq[4] = (rng(seed) & 0x0c) | 2;
    set(p, 0x3c4, 2, r->seq[2]);
    set(p, 0x3c4, 4, r->seq[4]);
}

START_TEST(every_write_and_read_mode)
{
    struct pc *p = pc_new();
    struct reference *r = calloc(1, sizeof *r);
    uint32_t seed = 1;
    unsigned i, k, n;

    ck_assert_ptr_nonnull(r);
    out(p, 0x3c2, 0x63);
    for (i = 0; i < 4000; i++) {
        random_registers(p, r, &seed);
        for (k = 0; k < 12; k++) {
            unsigned size = 1u << rng(&seed) % 3, a = rng(&seed) % 997;
            uint32_t val = rng(&seed) << 12 ^ rng(&seed);

            if (rng(&seed) & 1) {
                uint32_t want = 0;

                for (n = 0; n < size; n++) {
                    want |= ref_read(r, a + n) << n * 8;
                }
                EQ(bus_read(p->env.mem, 0xa0000 + a, size), want);
            } else {
                bus_write(p->env.mem, 0xa0000 + a, size, val);
                for (n = 0; n < size; n++) {
                    ref_write(r, a + n, val >> n * 8 & 0xff);
                }
            }
        }
    }
    for (i = 0; i < 4 * 1004; i++) {
        EQ(plane(p, i % 4, i / 4), r->planes[i % 4][i / 4]);
    }
    free(r);
    pc_free(p);
}
END_TEST

START_TEST(latch_and_readback)
{
    struct pc *p = pc_new();
    unsigned i;

    set_mode(p, &vga12);
    for (i = 0; i < 4; i++) {
        set(p, 0x3c4, 2, 1u << i);
        poke(p, 0xa0010, 0x11 * (i + 1));
    }
    set(p, 0x3c4, 2, 15);
    peek(p, 0xa0010);
    for (i = 0; i < 4; i++) {
        set(p, 0x3ce, 4, i);
        EQ(get(p, 0x3d4, 0x22), 0x11 * (i + 1));
    }
    set(p, 0x3ce, 5, 1);
    poke(p, 0xa0020, 0xff);
    for (i = 0; i < 4; i++) {
        EQ(plane(p, i, 0x20), 0x11 * (i + 1));
    }
    pc_free(p);
}
END_TEST

START_TEST(memory_maps)
{
    static const struct {
        uint32_t base, size;
    } map[4] = {{0xa0000, 0x20000}, {0xa0000, 0x10000}, {0xb0000, 0x8000}, {0xb8000, 0x8000}};
    struct pc *p = pc_new();
    unsigned i, a;

    set_mode(p, &vga12);
    for (i = 0; i < 4; i++) {
        set(p, 0x3ce, 6, i << 2 | 1);
        poke(p, map[i].base, 0x40 + i);
        EQ(plane(p, 2, 0), 0x40 + i);
        for (a = 0xa0000; a < 0xc0000; a += 0x1000) {
            bool inside = a >= map[i].base && a < map[i].base + map[i].size;

            poke(p, a + 5, 0x21);
            EQ(peek(p, a + 5), inside ? 0x21 : 0xff);
        }
    }
    out(p, 0x3c2, 0x61); /* memory off */
    EQ(peek(p, 0xb8005), 0xff);
    pc_free(p);
}
END_TEST

START_TEST(odd_even_pages)
{
    struct pc *p = pc_new();

    set_mode(p, &text80);
    poke(p, 0xb8000, 'A');
    poke(p, 0xb8001, 0x1f);
    EQ(plane(p, 0, 0), 'A');
    EQ(plane(p, 1, 0), 0x1f);
    EQ(peek(p, 0xb8001), 0x1f);
    out(p, 0x3c2, 0x47); /* the other page: odd plane addresses */
    poke(p, 0xb8000, 'B');
    EQ(plane(p, 0, 0), 'A');
    EQ(plane(p, 0, 1), 'B');
    out(p, 0x3c2, 0x67);
    set(p, 0x3ce, 6, 0x02); /* 128 KB map: address bit 16 picks the page */
    poke(p, 0xb0002, 'C');
    EQ(plane(p, 0, 3), 'C');
    poke(p, 0xa0002, 'D');
    EQ(plane(p, 0, 2), 'D');
    set(p, 0x3c4, 4, 0); /* 64 KB of memory: 16 KB planes */
    poke(p, 0xa4004, 'E');
    EQ(plane(p, 0, 4), 'E');
    pc_free(p);
}
END_TEST

START_TEST(chain4_is_plain_memory)
{
    struct pc *p = pc_new();
    struct bus_page page;

    set_mode(p, &vga13);
    bus_page(p->env.mem, 0xa3000, &page);
    ck_assert_ptr_nonnull(page.write);
    ck_assert_ptr_nonnull(page.dirty);
    bus_write(p->env.mem, 0xa3001, 4, 0x44332211);
    EQ(plane(p, 1, 0xc00), 0x11);
    EQ(plane(p, 0, 0xc01), 0x44);
    set(p, 0x3c4, 2, 0x07); /* not with a plane missing */
    bus_page(p->env.mem, 0xa3000, &page);
    ck_assert_ptr_null(page.write);
    bus_write(p->env.mem, 0xa3001, 4, 0xaabbccdd);
    EQ(bus_read(p->env.mem, 0xa3001, 4), 0xaa33ccdd);
    set(p, 0x3c4, 2, 0x0f);
    set(p, 0x3ce, 8, 0x0f); /* nor with the bit mask */
    bus_page(p->env.mem, 0xa3000, &page);
    ck_assert_ptr_null(page.write);
    pc_free(p);
}
END_TEST

/* Text */

static void load_glyph(struct pc *p, unsigned map_address, unsigned ch, const uint8_t *rows)
{
    unsigned i;

    set(p, 0x3c4, 2, 4);
    set(p, 0x3c4, 4, 7);
    set(p, 0x3ce, 5, 0);
    set(p, 0x3ce, 6, 4);
    for (i = 0; i < 16; i++) {
        poke(p, 0xa0000 + map_address + ch * 32 + i, rows[i]);
    }
    set(p, 0x3c4, 2, 3);
    set(p, 0x3c4, 4, 2);
    set(p, 0x3ce, 5, 0x10);
    set(p, 0x3ce, 6, 0x0e);
}

static void put_cell(struct pc *p, unsigned x, unsigned y, unsigned ch, unsigned at)
{
    bus_write(p->env.mem, 0xb8000 + (y * 80 + x) * 2, 2, ch | at << 8);
}

static const uint8_t glyph_a[16] = {0, 0x10, 0x38, 0x6c, 0xc6, 0xc6, 0xfe, 0xc6,
                                    0xc6, 0xc7, 0x01, 0, 0, 0, 0, 0xff};

static void check_cell(const struct surface *s, unsigned x, unsigned y, const uint8_t *rows,
                       unsigned fg, unsigned bg, bool ninth)
{
    unsigned i, k;

    for (i = 0; i < 16; i++) {
        for (k = 0; k < 9; k++) {
            bool on = k < 8 ? bit(rows[i], 7 - k) : ninth && (rows[i] & 1);

            EQ(pixel(s, x * 9 + k, y * 16 + i), colour(on ? fg : bg));
        }
    }
}

static const uint8_t nothing[16], solid[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                               0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

START_TEST(text_glyphs)
{
    struct pc *p = pc_new();
    const struct surface *s;
    uint64_t seq;

    set_mode(p, &text80);
    set(p, 0x3d4, 0x0a, 0x20); /* no cursor */
    load_glyph(p, 0, 'A', glyph_a);
    load_glyph(p, 0, 0xc4, solid);
    put_cell(p, 3, 2, 'A', 0x1e);
    put_cell(p, 4, 2, 0xc4, 0x1e);
    s = shown(p, 720, 400);
    check_cell(s, 3, 2, glyph_a, 14, 1, false);
    check_cell(s, 4, 2, solid, 14, 1, true);
    check_cell(s, 5, 2, nothing, 0, 0, false);
    EQ(s->dirty_y1, 400);
    seq = s->seq;
    s = shown(p, 720, 400);
    EQ(s->seq, seq);
    EQ(s->dirty_y0, s->dirty_y1);
    put_cell(p, 79, 24, 'A', 0x07); /* one row is drawn again */
    s = shown(p, 720, 400);
    EQ(s->dirty_y0, 384);
    EQ(s->dirty_y1, 400);
    check_cell(s, 79, 24, glyph_a, 7, 0, false);
    attr(p, 0x10, 0x08); /* without line graphics */
    s = shown(p, 720, 400);
    check_cell(s, 4, 2, solid, 14, 1, false);
    load_glyph(p, 0, 'A', solid); /* the font is watched */
    s = shown(p, 720, 400);
    check_cell(s, 3, 2, solid, 14, 1, false);
    set(p, 0x3c4, 1, 0x01); /* eight dots */
    s = shown(p, 640, 400);
    EQ(pixel(s, 3 * 8 + 7, 2 * 16 + 4), colour(14));
    EQ(pixel(s, 4 * 8, 2 * 16 + 4), colour(14));
    pc_free(p);
}
END_TEST

START_TEST(text_two_fonts)
{
    static const unsigned address[8] = {0, 0x4000, 0x8000, 0xc000, 0x2000, 0x6000, 0xa000, 0xe000};
    struct pc *p = pc_new();
    const struct surface *s;
    unsigned map;

    set_mode(p, &text80);
    set(p, 0x3d4, 0x0a, 0x20);
    put_cell(p, 0, 0, 'x', 0x05); /* map B */
    put_cell(p, 1, 0, 'x', 0x0d); /* map A */
    for (map = 0; map < 8; map++) {
        load_glyph(p, address[map], 'x', glyph_a);
        set(p, 0x3c4, 3, (map & 3) | (map & 4) << 2 | (map ? 0 : 0x04));
        s = shown(p, 720, 400);
        check_cell(s, 0, 0, glyph_a, 5, 0, false);
        check_cell(s, 1, 0, nothing, 13, 0, false);
        set(p, 0x3c4, 3, (map & 3) << 2 | (map & 4) << 3 | (map ? 0 : 0x01));
        s = shown(p, 720, 400);
        check_cell(s, 1, 0, glyph_a, 13, 0, false);
        check_cell(s, 0, 0, nothing, 5, 0, false);
        load_glyph(p, address[map], 'x', nothing);
    }
    pc_free(p);
}
END_TEST

/* One frame of the 80-column text mode: 900 * 449 dots of 28.322 MHz. */
static uint64_t frames(uint64_t n)
{
    return n * 900 * 449 * IPS / 28322000;
}

START_TEST(text_cursor_and_blink)
{
    struct pc *p = pc_new();
    const struct surface *s;
    unsigned i, cursor_on = 0, text_on = 0;

    set_mode(p, &text80);
    load_glyph(p, 0, 'A', glyph_a);
    put_cell(p, 10, 5, ' ', 0x07);
    put_cell(p, 20, 5, 'A', 0x94);
    set(p, 0x3d4, 0x0e, (5 * 80 + 10) >> 8);
    set(p, 0x3d4, 0x0f, (5 * 80 + 10) & 0xff);
    for (i = 0; i < 64; i++) {
        bool cursor, text;

        run(p, frames(1));
        s = shown(p, 720, 400);
        cursor = pixel(s, 90, 5 * 16 + 13) == colour(7);
        text = pixel(s, 180, 5 * 16 + 4) == colour(4);
        ck_assert(cursor == (pixel(s, 98, 5 * 16 + 14) == colour(7)));
        EQ(pixel(s, 90, 5 * 16 + 12), colour(0));
        EQ(pixel(s, 90, 5 * 16 + 15), colour(0));
        EQ(pixel(s, 180, 5 * 16), colour(1)); /* bit 7 is not background */
        cursor_on += cursor;
        text_on += text;
    }
    EQ(cursor_on, 32);
    EQ(text_on, 32);
    attr(p, 0x10, 0x04); /* bit 7 is background */
    s = shown(p, 720, 400);
    check_cell(s, 20, 5, glyph_a, 4, 9, false);
    pc_free(p);
}
END_TEST

START_TEST(text_underline)
{
    struct pc *p = pc_new();
    uint8_t rows[16] = {0};
    const struct surface *s;
    unsigned i;

    set_mode(p, &text80);
    set(p, 0x3d4, 0x0a, 0x20);
    set(p, 0x3d4, 0x14, 0x0d);
    put_cell(p, 0, 0, ' ', 0x01);
    put_cell(p, 1, 0, ' ', 0x02);
    rows[13] = 0xff;
    s = shown(p, 720, 400);
    check_cell(s, 0, 0, rows, 1, 0, true);
    for (i = 0; i < 9; i++) {
        EQ(pixel(s, 9 + i, 13), colour(0));
    }
    pc_free(p);
}
END_TEST

START_TEST(text_screen)
{
    static struct text_screen t; /* large for a stack */
    struct pc *p = pc_new();
    unsigned i;

    vga_text(p->vga, &t);
    EQ(t.cols, 0);
    set_mode(p, &text80);
    for (i = 0; i < 2000; i++) {
        put_cell(p, i % 80, i / 80, i & 0xff, i >> 4 & 0xff);
    }
    set(p, 0x3d4, 0x0e, 163 >> 8);
    set(p, 0x3d4, 0x0f, 163 & 0xff);
    vga_text(p->vga, &t);
    EQ(t.cols, 80);
    EQ(t.rows, 25);
    ck_assert_int_eq(t.cursor_x, 3);
    ck_assert_int_eq(t.cursor_y, 2);
    for (i = 0; i < 2000; i++) {
        EQ(t.ch[i], i & 0xff);
        EQ(t.attr[i], i >> 4 & 0xff);
    }
    set(p, 0x3d4, 0x0d, 80); /* from the second row on, after a retrace */
    vga_text(p->vga, &t);
    EQ(t.ch[0], 0);
    run(p, frames(2));
    vga_text(p->vga, &t);
    EQ(t.ch[0], 80);
    ck_assert_int_eq(t.cursor_y, 1);
    set(p, 0x3d4, 0x0a, 0x2d);
    vga_text(p->vga, &t);
    ck_assert_int_eq(t.cursor_y, -1);
    set_mode(p, &text40);
    vga_text(p->vga, &t);
    EQ(t.cols, 40);
    EQ(t.ch[1], 1);
    shown(p, 720, 400);
    set_mode(p, &vga13);
    vga_text(p->vga, &t);
    EQ(t.rows, 0);
    pc_free(p);
}
END_TEST

START_TEST(text_132_columns)
{
    static struct text_screen t;
    struct pc *p = pc_new();

    set_mode(p, &text80);
    set(p, 0x3c4, 1, 0x01);
    set(p, 0x3d4, 0x11, 0);
    set(p, 0x3d4, 0, 0x9f);
    set(p, 0x3d4, 1, 131);
    set(p, 0x3d4, 0x13, 66);
    set(p, 0x3d4, 9, 0x47); /* 8 lines: 50 rows */
    poke(p, 0xb8000 + (49 * 132 + 131) * 2, '*');
    shown(p, 1056, 400);
    vga_text(p->vga, &t);
    EQ(t.cols, 132);
    EQ(t.rows, 50);
    EQ(t.ch[49 * 132 + 131], '*');
    pc_free(p);
}
END_TEST

/* Graphics */

START_TEST(mode_13h)
{
    struct pc *p = pc_new();
    const struct surface *s;
    unsigned x, y;

    set_mode(p, &vga13);
    for (y = 0; y < 200; y++) {
        for (x = 0; x < 320; x++) {
            poke(p, 0xa0000 + y * 320 + x, (x * 7 + y * 3) & 0xff);
        }
    }
    s = shown(p, 640, 400);
    for (y = 0; y < 400; y++) {
        for (x = 0; x < 640; x++) {
            EQ(pixel(s, x, y), colour((x / 2 * 7 + y / 2 * 3) & 0xff));
        }
    }
    poke(p, 0xa0000 + 100 * 320 + 3, 0x99);
    s = shown(p, 640, 400);
    ck_assert_uint_le(s->dirty_y0, 200);
    ck_assert_uint_ge(s->dirty_y1, 202);
    ck_assert_uint_le(s->dirty_y1 - s->dirty_y0, 32); /* what shares the page, not more */
    EQ(pixel(s, 7, 201), colour(0x99));
    out(p, 0x3c6, 0x0f);
    s = shown(p, 640, 400);
    EQ(pixel(s, 7, 201), colour(0x09));
    out(p, 0x3c6, 0xff);
    attr(p, 0x13, 2); /* one pixel */
    s = shown(p, 640, 400);
    EQ(pixel(s, 5, 201), colour(0x99));
    pc_free(p);
}
END_TEST

START_TEST(mode_x)
{
    struct pc *p = pc_new();
    const struct surface *s;
    unsigned x, y;

    set_mode(p, &vga13);
    set(p, 0x3c4, 4, 0x06);
    out(p, 0x3c2, 0xe3);
    set(p, 0x3d4, 0x11, 0x2c);
    set(p, 0x3d4, 0x06, 0x0d);
    set(p, 0x3d4, 0x07, 0x3e);
    set(p, 0x3d4, 0x10, 0xea);
    set(p, 0x3d4, 0x11, 0xac);
    set(p, 0x3d4, 0x12, 0xdf);
    set(p, 0x3d4, 0x14, 0x00);
    set(p, 0x3d4, 0x17, 0xe3);
    for (x = 0; x < 320; x++) {
        set(p, 0x3c4, 2, 1u << (x & 3));
        for (y = 0; y < 240; y++) {
            poke(p, 0xa0000 + y * 80 + x / 4, (x * 5 + y) & 0xff);
        }
    }
    s = shown(p, 640, 480);
    for (y = 0; y < 480; y++) {
        for (x = 0; x < 640; x++) {
            EQ(pixel(s, x, y), colour((x / 2 * 5 + y / 2) & 0xff));
        }
    }
    /* Page flip: seen after the next retrace, not before. */
    set(p, 0x3d4, 0x0c, 0x4b);
    EQ(pixel(shown(p, 640, 480), 2, 0), colour(5));
    run(p, IPS / 50);
    EQ(pixel(shown(p, 640, 480), 2, 0), colour(0));
    pc_free(p);
}
END_TEST

static void planar_pixel(struct pc *p, unsigned pitch, unsigned x, unsigned y, unsigned c)
{
    set(p, 0x3ce, 5, 2);
    set(p, 0x3ce, 8, 0x80u >> x % 8);
    peek(p, 0xa0000 + y * pitch + x / 8);
    poke(p, 0xa0000 + y * pitch + x / 8, c);
    set(p, 0x3ce, 8, 0xff);
    set(p, 0x3ce, 5, 0);
}

START_TEST(planar_16_colours)
{
    struct pc *p = pc_new();
    const struct surface *s;
    unsigned x, y;

    set_mode(p, &vga12);
    for (y = 0; y < 480; y += 37) {
        for (x = 0; x < 640; x++) {
            planar_pixel(p, 80, x, y, (x + y) & 15);
        }
    }
    s = shown(p, 640, 480);
    for (y = 0; y < 480; y++) {
        for (x = 0; x < 640; x++) {
            EQ(pixel(s, x, y), colour(y % 37 ? 0 : (x + y) & 15));
        }
    }
    planar_pixel(p, 80, 639, 479, 12);
    s = shown(p, 640, 480);
    ck_assert_uint_gt(s->dirty_y0, 400);
    EQ(s->dirty_y1, 480);
    EQ(pixel(s, 639, 479), colour(12));
    attr(p, 0x12, 0x07); /* plane 3 off */
    EQ(pixel(shown(p, 640, 480), 639, 479), colour(4));
    attr(p, 0x12, 0x0f);
    attr(p, 0x14, 0x0f); /* colour select */
    EQ(pixel(shown(p, 640, 480), 639, 479), colour(0xcc));
    attr(p, 0x10, 0x81);
    EQ(pixel(shown(p, 640, 480), 639, 479), colour(0xfc));
    pc_free(p);
}
END_TEST

START_TEST(half_dot_clock)
{
    struct pc *p = pc_new();
    const struct surface *s;

    set_mode(p, &ega0d);
    planar_pixel(p, 40, 11, 7, 9);
    s = shown(p, 640, 400);
    EQ(pixel(s, 21, 14), colour(0));
    EQ(pixel(s, 22, 14), colour(9));
    EQ(pixel(s, 23, 15), colour(9));
    EQ(pixel(s, 24, 15), colour(0));
    pc_free(p);
}
END_TEST

START_TEST(cga_modes)
{
    struct pc *p = pc_new();
    const struct surface *s;
    unsigned x, y, i;

    set_mode(p, &cga4);
    for (i = 0; i < 0x4000; i++) {
        poke(p, 0xb8000 + i, (i * 29 + (i >> 8)) & 0xff);
    }
    s = shown(p, 640, 400);
    for (y = 0; y < 200; y++) {
        for (x = 0; x < 320; x++) {
            unsigned b = peek(p, 0xb8000 + (y & 1) * 0x2000 + y / 2 * 80 + x / 4);

            EQ(pixel(s, 2 * x, 2 * y + 1), colour(b >> (6 - x % 4 * 2) & 3));
        }
    }
    set_mode(p, &cga6);
    for (i = 0; i < 0x4000; i++) {
        poke(p, 0xb8000 + i, (i * 31 + (i >> 7)) & 0xff);
    }
    s = shown(p, 640, 400);
    for (y = 0; y < 200; y++) {
        for (x = 0; x < 640; x++) {
            unsigned b = peek(p, 0xb8000 + (y & 1) * 0x2000 + y / 2 * 80 + x / 8);

            EQ(pixel(s, x, 2 * y), colour(b >> (7 - x % 8) & 1));
        }
    }
    poke(p, 0xb8000 + 0x2000 + 99 * 80 + 79, 0x5a);
    s = shown(p, 640, 400);
    EQ(pixel(s, 638, 399), colour(1));
    EQ(pixel(s, 639, 399), colour(0));
    pc_free(p);
}
END_TEST

START_TEST(split_screen_and_panning)
{
    struct pc *p = pc_new();
    const struct surface *s;
    unsigned y;

    set_mode(p, &vga12);
    for (y = 0; y < 300; y++) {
        planar_pixel(p, 80, 8, y, 1 + y % 15);
    }
    set(p, 0x3d4, 0x0c, 100 * 80 >> 8); /* the upper part starts at line 100 */
    set(p, 0x3d4, 0x0d, 100 * 80 & 0xff);
    set(p, 0x3d4, 0x18, 199);
    set(p, 0x3d4, 0x07, 0x2e);
    set(p, 0x3d4, 0x09, 0x00);
    run(p, IPS / 30);
    s = shown(p, 640, 480);
    for (y = 0; y < 480; y++) {
        unsigned from = y <= 199 ? y + 100 : y - 200;

        EQ(pixel(s, 8, y), colour(from < 300 ? 1 + from % 15 : 0));
    }
    attr(p, 0x13, 3);
    s = shown(p, 640, 480);
    EQ(pixel(s, 5, 0), colour(1 + 100 % 15));
    EQ(pixel(s, 5, 210), colour(1 + 10));
    attr(p, 0x10, 0x21); /* the lower part stands still */
    s = shown(p, 640, 480);
    EQ(pixel(s, 5, 0), colour(1 + 100 % 15));
    EQ(pixel(s, 8, 210), colour(1 + 10));
    set(p, 0x3d4, 0x08, 0x20); /* byte panning: 8 dots more */
    attr(p, 0x13, 0);
    s = shown(p, 640, 480);
    EQ(pixel(s, 0, 0), colour(1 + 100 % 15));
    EQ(pixel(s, 8, 210), colour(1 + 10));
    pc_free(p);
}
END_TEST

START_TEST(smooth_text_scrolling)
{
    struct pc *p = pc_new();
    const struct surface *s;
    unsigned i;

    set_mode(p, &text80);
    set(p, 0x3d4, 0x0a, 0x20);
    load_glyph(p, 0, 'A', glyph_a);
    put_cell(p, 1, 1, 'A', 0x0f);
    set(p, 0x3d4, 0x08, 5); /* preset row scan: 5 lines up */
    attr(p, 0x13, 2);       /* 3 dots to the left */
    s = shown(p, 720, 400);
    for (i = 0; i < 16; i++) {
        EQ(pixel(s, 9 + 3 - 3, 16 - 5 + i), colour(bit(glyph_a[i], 4) ? 15 : 0));
    }
    pc_free(p);
}
END_TEST

START_TEST(blanking)
{
    struct pc *p = pc_new();
    const struct surface *s;

    shown(p, 720, 400); /* nothing programmed at all */
    set_mode(p, &vga13);
    attr(p, 0x11, 0x15);
    poke(p, 0xa0000, 1);
    EQ(pixel(shown(p, 640, 400), 0, 0), colour(1));
    set(p, 0x3c4, 1, 0x21);
    s = shown(p, 640, 400);
    EQ(pixel(s, 0, 0), 0);
    set(p, 0x3c4, 1, 0x01);
    in(p, 0x3da);
    out(p, 0x3c0, 0); /* palette in the CPU's hands: border colour */
    s = shown(p, 640, 400);
    EQ(pixel(s, 0, 0), colour(0x15));
    out(p, 0x3c0, 0);
    out(p, 0x3c0, 0x20);
    EQ(pixel(shown(p, 640, 400), 0, 0), colour(1));
    pc_free(p);
}
END_TEST

START_TEST(graphics_blink)
{
    struct pc *p = pc_new();
    unsigned i, first = 0, second = 0;

    set_mode(p, &vga12);
    planar_pixel(p, 80, 0, 0, 4);
    attr(p, 0x10, 0x09);
    for (i = 0; i < 64; i++) {
        uint32_t px = pixel(shown(p, 640, 480), 0, 0);

        first += px == colour(4);
        second += px == colour(12);
        run(p, (uint64_t)800 * 525 * IPS / 25175000);
    }
    EQ(first, 32);
    EQ(second, 32);
    pc_free(p);
}
END_TEST

/* Time */

START_TEST(retrace_in_virtual_time)
{
    struct pc *p = pc_new();
    uint64_t t0, t, high = 0, disabled = 0, starts = 0;
    unsigned before, now;

    set_mode(p, &text80);
    t0 = sched_now(p->env.sched);
    before = in(p, 0x3da);
    for (t = 0; t < IPS; t += 50) {
        run_to(p, t0 + t);
        now = in(p, 0x3da);
        starts += (now & 8) && !(before & 8);
        high += (now & 8) != 0;
        disabled += now & 1;
        EQ((now & 9) == 8, false);
        before = now;
    }
    /* 28.322 MHz / (900 * 449) = 70.09 Hz; 2 lines of 449; 720 * 400 of 900 * 449 shown. */
    EQ(starts, 70);
    ck_assert_uint_ge(high, IPS / 50 * 2 / 449 - 200);
    ck_assert_uint_le(high, IPS / 50 * 2 / 449 + 200);
    ck_assert_uint_ge(disabled, (uint64_t)IPS / 50 * (900 * 449 - 720 * 400) / (900 * 449) - 3000);
    ck_assert_uint_le(disabled, (uint64_t)IPS / 50 * (900 * 449 - 720 * 400) / (900 * 449) + 3000);
    pc_free(p);
}
END_TEST

START_TEST(colour_on_its_way)
{
    static const unsigned mask[4] = {0x05, 0x30, 0x0a, 0xc0};
    struct pc *p = pc_new();
    unsigned i;

    set_mode(p, &vga12);
    attr(p, 0x00, 0x2d); /* all of the screen, and the border */
    attr(p, 0x11, 0xa5);
    attr(p, 0x14, 0x08);
    run(p, 1000);
    for (i = 0; i < 4000; i++) {
        unsigned select = i & 3, st, c, want;

        attr(p, 0x12, 0x0f | select << 4);
        run(p, 771);
        st = in(p, 0x3da);
        c = (st & 1 ? 0xa5u : 0x2du | 0x80u) & mask[select];
        want = select == 0 ? bit(c, 2) << 5 | bit(c, 0) << 4
               : select == 1 ? bit(c, 5) << 5 | bit(c, 4) << 4
               : select == 2 ? bit(c, 3) << 5 | bit(c, 1) << 4
                             : bit(c, 7) << 5 | bit(c, 6) << 4;
        EQ(st & 0x30, want);
    }
    out(p, 0x3c8, 0xad); /* monitor sense: dark and bright */
    for (i = 0; i < 3; i++) {
        out(p, 0x3c9, 10);
    }
    out(p, 0x3c8, 0xa5);
    for (i = 0; i < 3; i++) {
        out(p, 0x3c9, 10);
    }
    EQ(in(p, 0x3c2) & 0x10, 0x10);
    out(p, 0x3c8, 0xad);
    out(p, 0x3c9, 10);
    out(p, 0x3c9, 50);
    out(p, 0x3c9, 10);
    while (in(p, 0x3da) & 1) {
        run(p, 100);
    }
    EQ(in(p, 0x3c2) & 0x10, 0);
    pc_free(p);
}
END_TEST

START_TEST(vertical_interrupt)
{
    struct pc *p = pc_new();
    unsigned i;

    set_mode(p, &text80);
    ck_assert(!p->irq);
    for (i = 0; i < 3; i++) {
        set(p, 0x3d4, 0x11, 0x0e); /* clear */
        EQ(in(p, 0x3c2) & 0x80, 0);
        set(p, 0x3d4, 0x11, 0x1e); /* let it come */
        ck_assert(!p->irq);
        run(p, frames(1) + 10);
        ck_assert(p->irq);
        EQ(in(p, 0x3c2) & 0x80, 0x80);
        run(p, frames(3));
        ck_assert(p->irq);
    }
    set(p, 0x3d4, 0x11, 0x0e);
    ck_assert(!p->irq);
    run(p, frames(3));
    ck_assert(!p->irq);
    set(p, 0x3d4, 0x11, 0x3e); /* latched, but not passed on */
    run(p, frames(2));
    ck_assert(!p->irq);
    EQ(in(p, 0x3c2) & 0x80, 0x80);
    pc_free(p);
}
END_TEST

/* DISPI */

static void dispi_mode(struct pc *p, unsigned w, unsigned h, unsigned bpp, unsigned enable)
{
    dispi(p, 4, 0);
    dispi(p, 1, w);
    dispi(p, 2, h);
    dispi(p, 3, bpp);
    dispi(p, 4, enable);
}

START_TEST(dispi_registers)
{
    struct pc *p = pc_new();
    unsigned id;

    EQ(dispi_get(p, 0), 0xb0c5);
    for (id = 0xb0c0; id <= 0xb0c5; id++) {
        dispi(p, 0, id);
        EQ(dispi_get(p, 0), id);
    }
    dispi(p, 0, 0xb0c6);
    EQ(dispi_get(p, 0), 0xb0c5);
    EQ(dispi_get(p, 10), 256);
    EQ(bus_read(p->env.io, 0x1ce, 2), 10);
    EQ(bus_read(p->env.io, 0x1d0, 2), 256);
    dispi(p, 4, 2);
    EQ(dispi_get(p, 1), 2560);
    EQ(dispi_get(p, 2), 1600);
    EQ(dispi_get(p, 3), 32);
    dispi_mode(p, 1024, 768, 16, 0x41);
    EQ(dispi_get(p, 4), 0x41);
    EQ(dispi_get(p, 6), 1024);
    EQ(dispi_get(p, 7), 8192);
    dispi(p, 1, 640); /* not while it is on */
    EQ(dispi_get(p, 1), 1024);
    dispi(p, 6, 2048);
    EQ(dispi_get(p, 6), 2048);
    EQ(dispi_get(p, 7), 4096);
    dispi(p, 8, 3000); /* offsets stop at the edge */
    EQ(dispi_get(p, 8), 1024);
    dispi(p, 9, 0xffff);
    EQ(dispi_get(p, 9), 4096 - 768);
    dispi(p, 6, 100); /* never narrower than what is shown */
    EQ(dispi_get(p, 6), 1024);
    EQ(dispi_get(p, 8), 0);
    dispi(p, 6, 0xffff); /* nor so wide that memory does not last */
    EQ(dispi_get(p, 6), (16u << 20) / 2 / 768);
    dispi(p, 4, 0);
    dispi(p, 3, 7);
    EQ(dispi_get(p, 3), 16);
    dispi(p, 1, 2561);
    EQ(dispi_get(p, 1), 1024);
    dispi(p, 1, 0);
    dispi(p, 4, 1); /* refused */
    EQ(dispi_get(p, 4), 0);
    dispi_mode(p, 2560, 1600, 32, 0x41);
    EQ(dispi_get(p, 4), 0x41);
    pc_free(p);
}
END_TEST

START_TEST(dispi_depths)
{
    static const struct {
        unsigned bpp, bytes;
        uint32_t value, want;
    } depth[] = {
        {8, 1, 0x2a, 0}, {15, 2, 0x7c1f, 0xff00ff}, {15, 2, 0x0210, 0x008484},
        {16, 2, 0xf81f, 0xff00ff}, {16, 2, 0x0410, 0x008284}, {24, 3, 0x123456, 0x123456},
        {32, 4, 0xff123456, 0x123456},
    };
    struct pc *p = pc_new();
    unsigned i, k;

    set_mode(p, &vga13);
    for (i = 0; i < sizeof depth / sizeof *depth; i++) {
        const struct surface *s;
        uint64_t at = LFB + (201 * 800 + 33) * (uint64_t)depth[i].bytes;

        dispi_mode(p, 800, 600, depth[i].bpp, 0x41);
        shown(p, 800, 600);
        for (k = 0; k < depth[i].bytes; k++) {
            poke(p, at + k, depth[i].value >> k * 8 & 0xff);
        }
        s = shown(p, 800, 600);
        EQ(pixel(s, 33, 201), depth[i].bpp == 8 ? colour(0x2a) : depth[i].want);
        EQ(pixel(s, 34, 201), 0);
        ck_assert_uint_le(s->dirty_y0, 201);
        ck_assert_uint_ge(s->dirty_y1, 202);
        ck_assert_uint_le(s->dirty_y1 - s->dirty_y0, 7);
    }
    pc_free(p);
}
END_TEST

START_TEST(dispi_virtual_screen)
{
    struct pc *p = pc_new();
    const struct surface *s;

    set_mode(p, &vga13);
    dispi_mode(p, 640, 480, 32, 0x41);
    dispi(p, 6, 1000);
    bus_write(p->env.mem, LFB + (500u * 1000 + 700) * 4, 4, 0xabcdef);
    dispi(p, 8, 100);
    dispi(p, 9, 300);
    s = shown(p, 640, 480);
    EQ(pixel(s, 600, 200), 0xabcdef);
    dispi(p, 9, 301);
    s = shown(p, 640, 480);
    EQ(pixel(s, 600, 199), 0xabcdef);
    pc_free(p);
}
END_TEST

START_TEST(dispi_banks)
{
    struct pc *p = pc_new();

    set_mode(p, &vga13);
    dispi_mode(p, 1024, 768, 8, 1);
    dispi(p, 5, 3);
    EQ(dispi_get(p, 5), 3);
    bus_write(p->env.mem, 0xa1234, 4, 0x11223344);
    EQ(bus_read(p->env.mem, LFB + 0x31234, 4), 0x11223344);
    EQ(pixel(shown(p, 1024, 768), 0x31234 % 1024, 0x31234 / 1024), colour(0x44));
    dispi(p, 5, 0x8004); /* reads from 4 */
    EQ(bus_read(p->env.mem, 0xa1234, 4), 0);
    poke(p, 0xa0000, 9);
    EQ(peek(p, LFB + 0x30000), 9);
    dispi(p, 5, 256); /* there is no such bank */
    EQ(dispi_get(p, 5), 3);
    dispi(p, 4, 0x11); /* 32 KB banks */
    dispi(p, 5, 6);
    EQ(peek(p, 0xa0000), 9);
    dispi(p, 4, 0);
    EQ(peek(p, 0xa0000), 0); /* mode 13h again */
    shown(p, 640, 400);
    pc_free(p);
}
END_TEST

START_TEST(dispi_memory_clear)
{
    struct pc *p = pc_new();

    set_mode(p, &vga13);
    poke(p, LFB + 100, 5);
    dispi_mode(p, 640, 480, 8, 0x81);
    EQ(peek(p, LFB + 100), 5);
    EQ(pixel(shown(p, 640, 480), 100, 0), colour(5));
    dispi_mode(p, 640, 480, 8, 0x01);
    EQ(peek(p, LFB + 100), 0);
    EQ(pixel(shown(p, 640, 480), 100, 0), 0);
    pc_free(p);
}
END_TEST

START_TEST(dispi_16_colours)
{
    struct pc *p = pc_new();
    const struct surface *s;

    set_mode(p, &vga12);
    dispi_mode(p, 1024, 768, 4, 1);
    dispi(p, 5, 1);
    planar_pixel(p, 128, 17, 100, 11); /* 65536 + 100 * 128 */
    s = shown(p, 1024, 768);
    EQ(pixel(s, 17, 512 + 100), colour(11));
    dispi(p, 6, 2048);
    EQ(dispi_get(p, 6), 2048);
    dispi(p, 8, 16);
    dispi(p, 5, 0);
    planar_pixel(p, 256, 17, 3, 6);
    EQ(pixel(shown(p, 1024, 768), 1, 3), colour(6));
    pc_free(p);
}
END_TEST

static uint32_t config(struct pc *p, unsigned off)
{
    bus_write(p->env.io, 0xcf8, 4, 0x80001000u | off);
    return (uint32_t)bus_read(p->env.io, 0xcfc, 4);
}

static void config_set(struct pc *p, unsigned off, uint32_t val)
{
    bus_write(p->env.io, 0xcf8, 4, 0x80001000u | off);
    bus_write(p->env.io, 0xcfc, 4, val);
}

START_TEST(pci_function)
{
    static const uint8_t rom[700] = {0x55, 0xaa, 2};
    struct pc *p = pc_new_with(0, 0);
    struct vga_pci_config c = {p->vga, NULL, PCI_DEVFN(2, 0), rom, sizeof rom};
    uint64_t lfb = 0xfc000000, mmio = 0xfeb00000;
    uint8_t sum = 0;

    c.pci = device_new(&p->env, &pci_class, "pci", NULL, NULL);
    ck_assert_ptr_nonnull(c.pci);
    ck_assert_ptr_nonnull(device_new(&p->env, &vga_pci_class, "vga-pci", &c, NULL));
    EQ(config(p, 0), 0x11111234);
    EQ(config(p, 8), 0x03000000);
    config_set(p, 0x10, 0xffffffff);
    EQ(config(p, 0x10), 0xff000008);
    config_set(p, 0x18, 0xffffffff);
    EQ(config(p, 0x18), 0xfffff000);
    config_set(p, 0x10, (uint32_t)lfb);
    config_set(p, 0x18, (uint32_t)mmio);
    config_set(p, 0x30, 0xfeb10001);
    EQ(peek(p, lfb), 0xff);
    config_set(p, 4, 2);
    EQ(peek(p, lfb), 0);
    EQ(peek(p, 0xfeb10001), 0xaa);
    poke(p, mmio + 0x402, 0x63);
    EQ(in(p, 0x3cc), 0x63);
    EQ(peek(p, mmio + 0x40c), 0x63);
    bus_write(p->env.mem, mmio + 0x404, 2, 0x0f02);
    EQ(get(p, 0x3c4, 2), 0x0f);
    EQ(bus_read(p->env.mem, mmio + 0x500, 2), 0xb0c5);
    bus_write(p->env.mem, mmio + 0x502, 2, 1024);
    EQ(bus_read(p->env.mem, mmio + 0x502, 2), 1024);
    EQ(peek(p, mmio + 0x503), 4);
    bus_write(p->env.mem, mmio + 0x508, 2, 0x41);
    EQ(bus_read(p->env.mem, mmio + 0x600, 4), 0xffffffff);
    EQ(bus_read(p->env.mem, mmio, 4), 0xffffff00); /* the monitor's EDID */
    EQ(peek(p, mmio + 54) | peek(p, mmio + 55) << 8, 6500);
    for (unsigned n = 0; n < 128; n++) {
        sum = (uint8_t)(sum + peek(p, mmio + n));
    }
    EQ(sum, 0);
    EQ(peek(p, mmio + 128), 0xff);
    attr(p, 0, 0); /* display on */
    poke(p, lfb + 1024 * 5 + 7, 1);
    out(p, 0x3c8, 1);
    out(p, 0x3c9, 63);
    out(p, 0x3c9, 0);
    out(p, 0x3c9, 0);
    EQ(pixel(shown(p, 1024, 480), 7, 5), 0xff0000);
    pc_free(p);
}
END_TEST

/* Snapshots, and drawing a part against drawing everything */

static void save(struct pc *p, struct snap_writer *w)
{
    snap_writer_init(w);
    devices_save(&p->env, w);
    ck_assert(!w->failed);
}

static void load(struct pc *p, const struct snap_writer *w)
{
    struct snap_reader r;
    struct err e = {""};

    ck_assert_msg(snap_reader_init(&r, w->buf, w->len, &e), "%s", e.text);
    ck_assert_msg(devices_load(&p->env, &r, &e), "%s", e.text);
}

/* A fresh adapter with the same state must show the same picture. */
static void check_same_picture(struct pc *p)
{
    const struct surface *a = vga_update(p->vga), *b;
    struct snap_writer w, again;
    struct pc *q = pc_new_with(SMALL, LFB);
    unsigned y;

    save(p, &w);
    run_to(q, sched_now(p->env.sched));
    load(q, &w);
    b = vga_update(q->vga);
    EQ(a->w, b->w);
    EQ(a->h, b->h);
    for (y = 0; y < a->h; y++) {
        ck_assert_int_eq(memcmp(a->px + (size_t)y * a->stride, b->px + (size_t)y * b->stride,
                                a->w * sizeof *a->px), 0);
    }
    save(q, &again);
    EQ(w.len, again.len);
    ck_assert_int_eq(memcmp(w.buf, again.buf, w.len), 0);
    snap_writer_free(&w);
    snap_writer_free(&again);
    pc_free(q);
}

/* Anything a guest may do, mostly to registers that exist. */
static void random_access(struct pc *p, uint32_t *seed)
{
    static const uint16_t index[] = {0x3c4, 0x3ce, 0x3d4, 0x3d4, 0x3b4};
    unsigned n = rng(seed) % 100, i;

    if (n < 8) {
        set(p, index[rng(seed) % 5], rng(seed) % 26, rng(seed) & 0xff);
    } else if (n < 12) {
        attr(p, rng(seed) % 22, rng(seed) & 0xff);
    } else if (n < 14) {
        out(p, 0x3c0 + rng(seed) % 32, rng(seed) & 0xff);
    } else if (n < 16) {
        out(p, 0x3c2, rng(seed) & 0xff);
    } else if (n < 18) {
        dispi(p, rng(seed) % 12, rng(seed) & (rng(seed) & 1 ? 0xfff : 0xff));
    } else if (n < 19) {
        static const uint8_t depths[] = {4, 8, 15, 16, 24, 32};

        dispi_mode(p, rng(seed) % 900, rng(seed) % 700, depths[rng(seed) % 6], rng(seed) & 0xff);
    } else if (n < 20) {
        run(p, rng(seed) % IPS);
    } else if (n < 60) {
        bus_write(p->env.mem, 0xa0000 + rng(seed) % 0x20000, 1u << rng(seed) % 4, rng(seed));
    } else if (n < 70) {
        bus_read(p->env.mem, 0xa0000 + rng(seed) % 0x20000, 1u << rng(seed) % 4);
    } else if (n < 90) {
        for (i = 0; i < 20; i++) {
            poke(p, LFB + rng(seed) % 0x80000, rng(seed) & 0xff);
        }
    } else {
        in(p, 0x3b0 + rng(seed) % 0x30);
    }
}

START_TEST(partial_drawing_and_round_trip)
{
    static const struct mode *const modes[] = {&text80, &text40, &cga4, &cga6, &ega0d, &vga12,
                                               &vga13};
    uint32_t seed = 77 + (uint32_t)_i;
    struct pc *p = pc_new_with(SMALL, LFB);
    unsigned i, k;

    set_mode(p, modes[_i]);
    for (i = 0; i < 20; i++) {
        vga_update(p->vga);
        for (k = 0; k < 30; k++) {
            poke(p, 0xa0000 + rng(&seed) % 0x20000, rng(&seed) & 0xff);
            poke(p, LFB + rng(&seed) % 0x8000, rng(&seed) & 0xff);
        }
        if (i % 4 == 0) {
            set(p, 0x3d4, 0x0f, rng(&seed) & 0xff);
            set(p, 0x3d4, 0x0d, rng(&seed) & 0xff);
            attr(p, 0x13, rng(&seed) & 7);
        }
        run(p, rng(&seed) % (IPS / 20));
        check_same_picture(p);
    }
    pc_free(p);
}
END_TEST

START_TEST(random_states)
{
    uint32_t seed = 1000 + (uint32_t)_i;
    struct pc *p = pc_new_with(SMALL, LFB);
    static struct text_screen t;
    unsigned i;

    set_mode(p, _i & 1 ? &text80 : &vga12);
    for (i = 0; i < 6000; i++) {
        random_access(p, &seed);
        if (i % 50 == 0) {
            vga_update(p->vga);
            vga_text(p->vga, &t);
        }
        if (i % 500 == 0) {
            check_same_picture(p);
        }
    }
    pc_free(p);
}
END_TEST

START_TEST(looking_changes_nothing)
{
    uint32_t seed_a = 5, seed_b = 5;
    struct pc *a = pc_new_with(SMALL, LFB), *b = pc_new_with(SMALL, LFB);
    struct snap_writer wa, wb;
    unsigned i;

    set_mode(a, &text80);
    set_mode(b, &text80);
    for (i = 0; i < 3000; i++) {
        random_access(a, &seed_a);
        random_access(b, &seed_b);
        vga_update(b->vga);
    }
    save(a, &wa);
    save(b, &wb);
    EQ(wa.len, wb.len);
    ck_assert_int_eq(memcmp(wa.buf, wb.buf, wa.len), 0);
    snap_writer_free(&wa);
    snap_writer_free(&wb);
    pc_free(a);
    pc_free(b);
}
END_TEST

START_TEST(broken_snapshots)
{
    struct pc *p = pc_new_with(SMALL, LFB);
    struct snap_writer w;
    uint32_t seed = 3;
    unsigned i;

    set_mode(p, &vga12);
    dispi_mode(p, 640, 480, 16, 1);
    save(p, &w);
    for (i = 0; i < 300; i++) {
        struct snap_reader r;
        struct err e = {""};
        struct pc *q = pc_new_with(SMALL, LFB);
        size_t at = 44 + rng(&seed) % 900, n = w.len;
        uint8_t *copy = malloc(n);

        ck_assert_ptr_nonnull(copy);
        memcpy(copy, w.buf, n);
        copy[at] ^= (uint8_t)(1 + rng(&seed) % 255);
        if (i % 3 == 0) {
            n = at;
        } else if (i % 3 == 1) {
            /* A right check sum: the state itself has to be looked at. */
            put32(copy + 40, snap_crc32(0, copy + 44, n - 44));
        }
        /* Refused, or a state that can be looked at. */
        if (snap_reader_init(&r, copy, n, &e) && devices_load(&q->env, &r, &e)) {
            vga_update(q->vga);
        }
        free(copy);
        pc_free(q);
    }
    snap_writer_free(&w);
    pc_free(p);
}
END_TEST

static void add_registers(Suite *s)
{
    TCase *t = tcase_create("registers");

    tcase_add_test(t, index_and_data);
    tcase_add_test(t, light_pen_registers);
    tcase_add_test(t, crtc_protection);
    tcase_add_test(t, mono_and_colour_ports);
    tcase_add_test(t, attribute_flip_flop);
    tcase_add_test(t, dac_access);
    tcase_add_test(t, subsystem_disable);
    suite_add_tcase(s, t);
}

static void add_memory(Suite *s)
{
    TCase *t = tcase_create("memory");

    tcase_add_test(t, every_write_and_read_mode);
    tcase_add_test(t, latch_and_readback);
    tcase_add_test(t, memory_maps);
    tcase_add_test(t, odd_even_pages);
    tcase_add_test(t, chain4_is_plain_memory);
    suite_add_tcase(s, t);
}

static void add_screen(Suite *s)
{
    TCase *t = tcase_create("screen");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, text_glyphs);
    tcase_add_test(t, text_two_fonts);
    tcase_add_test(t, text_cursor_and_blink);
    tcase_add_test(t, text_underline);
    tcase_add_test(t, text_screen);
    tcase_add_test(t, text_132_columns);
    tcase_add_test(t, mode_13h);
    tcase_add_test(t, mode_x);
    tcase_add_test(t, planar_16_colours);
    tcase_add_test(t, half_dot_clock);
    tcase_add_test(t, cga_modes);
    tcase_add_test(t, split_screen_and_panning);
    tcase_add_test(t, smooth_text_scrolling);
    tcase_add_test(t, blanking);
    tcase_add_test(t, graphics_blink);
    suite_add_tcase(s, t);
}

static void add_rest(Suite *s)
{
    TCase *t = tcase_create("time, DISPI, snapshots");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, retrace_in_virtual_time);
    tcase_add_test(t, colour_on_its_way);
    tcase_add_test(t, vertical_interrupt);
    tcase_add_test(t, dispi_registers);
    tcase_add_test(t, dispi_depths);
    tcase_add_test(t, dispi_virtual_screen);
    tcase_add_test(t, dispi_banks);
    tcase_add_test(t, dispi_memory_clear);
    tcase_add_test(t, dispi_16_colours);
    tcase_add_test(t, pci_function);
    tcase_add_loop_test(t, partial_drawing_and_round_trip, 0, 7);
    tcase_add_loop_test(t, random_states, 0, 4);
    tcase_add_test(t, looking_changes_nothing);
    tcase_add_test(t, broken_snapshots);
    suite_add_tcase(s, t);
}

int main(void)
{
    Suite *s = suite_create("vga");

    add_registers(s);
    add_memory(s);
    add_screen(s);
    add_rest(s);
    return suite_run(s);
}
