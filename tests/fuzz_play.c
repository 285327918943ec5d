/*
 * Sequences as drivers write them, with random parameters, so that the fuzzer gets past the first
 * register of a command: disk and floppy commands with their data, display modes, a network card
 * that is started, DMA programs, sound.  They take the ports of the board.
 */
#include "devices/machine.h"
#include "memory/bytes.h"
#include "tests/fuzz_chips.h"

enum { PRD_TABLE = 0x4000, BUFFER = 0x8000 };

static void burst(struct world *w, struct rng *r, unsigned port, unsigned size, unsigned count,
                  bool in)
{
    while (count--) {
        if (in) {
            world_read(w, false, port, size);
        } else {
            world_write(w, false, port, size, rnd(r));
        }
    }
}

/* --- 8237 ------------------------------------------------------------------------------------- */

static void program_dma(struct world *w, struct rng *r, unsigned ch)
{
    static const uint8_t page[] = {0x87, 0x83, 0x81, 0x82, 0x8f, 0x8b, 0x89, 0x8a};
    unsigned high = ch > 3, n = ch & 3, step = high ? 2 : 1, base = high ? 0xc0 : 0;
    unsigned count = one_in(r, 8) ? rnd(r) : below(r, 2048);

    wo8(w, base + (12 * step), 0);
    wo8(w, base + 11 * step, n | (below(r, 4) << 2) | (one_in(r, 3) ? rnd(r) & 0xf0 : 0x40));
    wo8(w, base + n * 2 * step, rnd(r));
    wo8(w, base + n * 2 * step, rnd(r));
    wo8(w, base + (n * 2 + 1) * step, count);
    wo8(w, base + (n * 2 + 1) * step, count >> 8);
    wo8(w, page[ch], below(r, 16));
    wo8(w, base + 10 * step, n);
}

void play_dma(struct world *w, struct rng *r)
{
    wo8(w, 0x08, 0);
    wo8(w, 0xd0, 0);
    wo8(w, 0xd6, 0xc0);
    wo8(w, 0xd4, 0);
    program_dma(w, r, below(r, 8));
    if (one_in(r, 4)) {
        wo8(w, rnd(r) & 1 ? 0x09 : 0xd2, 4 | (rnd(r) & 3));
    }
}

/* --- 82077 ------------------------------------------------------------------------------------ */

/* Sends a byte when the controller wants one. */
static bool fdc_send(struct world *w, unsigned v)
{
    for (unsigned k = 0; k < 4; k++) {
        if ((wi8(w, 0x3f4) & 0xc0) == 0x80) {
            wo8(w, 0x3f5, v);
            return true;
        }
        world_time(w, 20000);
    }
    return false;
}

static void fdc_data(struct world *w, struct rng *r)
{
    unsigned quiet = 0;

    for (unsigned k = 0; k < 600 && quiet < 6; k++) {
        uint8_t msr = wi8(w, 0x3f4);
        if (!(msr & 0x80)) {
            quiet++;
            world_time(w, one_in(r, 4) ? 2000000 : 50000);
        } else if (msr & 0x40) {
            wi8(w, 0x3f5);
        } else if (msr & 0x20) {
            wo8(w, 0x3f5, rnd(r));
        } else {
            return;
        }
        if (one_in(r, 500)) {
            return;
        }
    }
}

void play_fdc(struct world *w, struct rng *r)
{
    static const uint8_t code[] = {0x06, 0x05, 0x0a, 0x0d, 0x0c, 0x09,
                                   0x02, 0x11, 0x16, 0x0f, 0x07};
    unsigned unit = below(r, 2), head = below(r, 2), cyl = one_in(r, 8) ? rnd(r) : below(r, 80);
    unsigned op = code[below(r, sizeof code)];
    unsigned size = one_in(r, 6) ? below(r, 8) : 2,
             first = one_in(r, 6) ? below(r, 40) : 1 + below(r, 9);

    if (one_in(r, 3)) {
        wo8(w, 0x3f2, 0x10u << unit | (rnd(r) & 8) | 4 | unit);
        wo8(w, 0x3f7, one_in(r, 4) ? below(r, 4) : 0);
        fdc_send(w, 0x03);
        fdc_send(w, 0xdf);
        fdc_send(w, 0x02 | (rnd(r) & 1));
        fdc_send(w, 0x13);
        fdc_send(w, 0);
        fdc_send(w, rnd(r) & 0x5f);
        fdc_send(w, 0);
        program_dma(w, r, 2);
    }
    if (op == 0x0f || op == 0x07) {
        fdc_send(w, op);
        fdc_send(w, head << 2 | unit);
        if (op == 0x0f) {
            fdc_send(w, cyl);
        }
        world_time(w, 400000000);
        fdc_send(w, 0x08);
        fdc_data(w, r);
        return;
    }
    fdc_send(w, op | (rnd(r) & 0xe0));
    fdc_send(w, head << 2 | unit);
    if (op == 0x0a) {
        fdc_data(w, r);
        return;
    }
    if (op == 0x0d) {
        fdc_send(w, size);
        fdc_send(w, 1 + below(r, 20));
        fdc_send(w, 0x1b);
        fdc_send(w, 0xf6);
    } else {
        fdc_send(w, cyl);
        fdc_send(w, head);
        fdc_send(w, first);
        fdc_send(w, size);
        fdc_send(w, 1 + below(r, 20));
        fdc_send(w, 0x1b);
        fdc_send(w, 0xff);
    }
    fdc_data(w, r);
}

/* --- IDE -------------------------------------------------------------------------------------- */

static void busmaster(struct world *w, struct rng *r, bool in)
{
    unsigned entries = 1 + below(r, 4);

    for (unsigned k = 0; k < entries; k++) {
        uint32_t bytes = (one_in(r, 8) ? rnd(r) : 512u << below(r, 5)) & 0xfffe;
        world_write(w, true, PRD_TABLE + 8 * k, 4, BUFFER + (below(r, 0x10000) & ~1u));
        world_write(w, true, PRD_TABLE + 8 * k + 4, 4,
                    bytes | (k + 1 == entries ? 0x80000000u : 0));
    }
    wo8(w, AT_BUSMASTER + 2, 6);
    world_write(w, false, AT_BUSMASTER + 4, 4, PRD_TABLE);
    wo8(w, AT_BUSMASTER, (in ? 8 : 0) | 1);
}

static void packet(struct world *w, struct rng *r, unsigned base)
{
    static const uint8_t code[] = {0x00, 0x03, 0x12, 0x1a, 0x1b, 0x1e, 0x25, 0x28, 0x2b,
                                   0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x4a, 0x4b, 0x4e,
                                   0x51, 0x52, 0x55, 0x5a, 0xa8, 0xad, 0xb9, 0xbb, 0xbd,
                                   0xbe, 0xa5, 0xa1, 0xac, 0x23, 0x35};
    uint8_t p[12] = {0};

    p[0] = one_in(r, 20) ? (uint8_t)rnd(r) : code[below(r, sizeof code)];
    for (unsigned k = 1; k < 12; k++) {
        p[k] = one_in(r, 3) ? (uint8_t)rnd(r) : (uint8_t)below(r, 3);
    }
    if (one_in(r, 2)) {
        p[2] = p[3] = 0;
    }
    for (unsigned k = 0; k < 12; k += 2) {
        world_write(w, false, base, 2, get16(p + k));
    }
}

void play_ide(struct world *w, struct rng *r)
{
    static const uint8_t code[] = {0x20, 0x30, 0xc4, 0xc5, 0xc8, 0xca, 0x24, 0x29, 0x34,
                                   0x39, 0x25, 0x35, 0x40, 0x42, 0x70, 0x10, 0xec, 0xa1,
                                   0xef, 0xe7, 0xea, 0xb0, 0x08, 0x90, 0x91, 0xc6, 0xe0,
                                   0xe1, 0xe5, 0xe6, 0xa0, 0xa0, 0xa0, 0xf8, 0x27};
    unsigned base = w->board && rnd(r) & 1 ? 0x170 : 0x1f0;
    unsigned op = one_in(r, 3) ? 0xa0 : code[below(r, sizeof code)];
    unsigned words = one_in(r, 6) ? 1 + below(r, 700) : 256;
    bool in = rnd(r) & 1;

    if (one_in(r, 2)) {
        wo8(w, base + 0x206, 0);
        world_time(w, 3000000);
    }
    wo8(w, base + 6, 0xa0 | (rnd(r) & 0x50) | (one_in(r, 8) ? rnd(r) & 15 : 0));
    if (op == 0xa0) {
        wo8(w, base + 6, 0xb0);
        wo8(w, base + 1, rnd(r) & 1);
        wo8(w, base + 4, rnd(r));
        wo8(w, base + 5, below(r, 16));
    } else {
        for (unsigned twice = 0; twice < 2; twice++) {
            wo8(w, base + 1, op == 0xb0 ? 0xd0 + below(r, 12) : rnd(r));
            wo8(w, base + 2, twice ? below(r, 20) : 0);
            wo8(w, base + 3, rnd(r));
            wo8(w, base + 4, op == 0xb0 ? 0x4f : twice ? below(r, 20) : 0);
            wo8(w, base + 5, op == 0xb0 ? 0xc2 : 0);
        }
    }
    if (one_in(r, 2)) {
        busmaster(w, r, in);
    }
    wo8(w, base + 7, op);
    world_time(w, op == 0xa0 ? 200000 : 20000);
    if (op == 0xa0) {
        packet(w, r, base);
    }
    for (unsigned k = 0; k < 24; k++) {
        uint8_t status = wi8(w, base + 7);
        if (status & 0x80) {
            world_time(w, one_in(r, 4) ? 20000000 : 100000);
        } else if (status & 8) {
            burst(w, r, base, rnd(r) & 1 ? 2 : 4, words, in);
        } else {
            break;
        }
    }
    if (one_in(r, 2)) {
        wo8(w, AT_BUSMASTER, 0);
        wi8(w, AT_BUSMASTER + 2);
    }
}

/* --- display ---------------------------------------------------------------------------------- */

struct mode {
    uint8_t misc, seq[5], gc[9], crtc[25], attr10;
};

/* 80x25 text, 640x480 in 16 colours, 320x200 in 256 colours. */
static const struct mode modes[] = {
    {0x67,
     {3, 0, 3, 0, 2},
     {0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff},
     {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0,    0x4f, 0x0d, 0x0e, 0,
      0,    0,    0,    0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff},
     0x0c},
    {0xe3,
     {3, 1, 15, 0, 6},
     {0, 0, 0, 0, 0, 0, 5, 15, 0xff},
     {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0,    0x40, 0,    0,   0,
      0,    0,    0,    0xea, 0x8c, 0xdf, 0x28, 0,    0xe7, 4,    0xe3, 0xff},
     0x01},
    {0x63,
     {3, 1, 15, 0, 14},
     {0, 0, 0, 0, 0, 0x40, 5, 15, 0xff},
     {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0,    0x41, 0,    0,   0,
      0,    0,    0,    0x9c, 0x8e, 0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff},
     0x41},
};

static void set_mode(struct world *w, struct rng *r)
{
    const struct mode *m = &modes[below(r, ARRAY_LEN(modes))];

    wo8(w, 0x3c2, m->misc);
    for (unsigned k = 0; k < 5; k++) {
        world_write(w, false, 0x3c4, 2, k | (unsigned)m->seq[k] << 8);
    }
    world_write(w, false, 0x3d4, 2, 0x0011);
    for (unsigned k = 0; k < 25; k++) {
        world_write(w, false, 0x3d4, 2, k | (unsigned)m->crtc[k] << 8);
    }
    for (unsigned k = 0; k < 9; k++) {
        world_write(w, false, 0x3ce, 2, k | (unsigned)m->gc[k] << 8);
    }
    wi8(w, 0x3da);
    for (unsigned k = 0; k < 16; k++) {
        wo8(w, 0x3c0, k);
        wo8(w, 0x3c0, k);
    }
    wo8(w, 0x3c0, 0x10);
    wo8(w, 0x3c0, m->attr10);
    wo8(w, 0x3c0, 0x20);
}

static void dispi(struct world *w, unsigned index, unsigned v)
{
    world_write(w, false, 0x1ce, 2, index);
    world_write(w, false, 0x1cf, 2, v);
}

void play_vga(struct world *w, struct rng *r)
{
    static const uint8_t bpp[] = {4, 8, 15, 16, 24, 32, 0, 7};

    if (one_in(r, 3)) {
        dispi(w, 4, 0);
        dispi(w, 1, one_in(r, 8) ? rnd(r) : 8 * below(r, 100));
        dispi(w, 2, one_in(r, 8) ? rnd(r) : below(r, 600));
        dispi(w, 3, bpp[below(r, sizeof bpp)]);
        dispi(w, 4, 0x01 | (rnd(r) & 0xf2));
        dispi(w, 5 + below(r, 5), rnd(r));
    } else {
        dispi(w, 4, 0);
        set_mode(w, r);
    }
    for (unsigned k = below(r, 5); k; k--) {
        static const uint16_t index[] = {0x3c4, 0x3ce, 0x3d4};
        unsigned n = below(r, 3);
        world_write(w, false, index[n], 2, below(r, n == 2 ? 0x19 : 9) | (rnd(r) & 0xff00));
    }
    uint32_t at = 0xa0000 + below(r, 0x20000);
    for (unsigned k = below(r, 64); k; k--, at += 4) {
        world_write(w, true, at, 1u << below(r, 3), rnd(r));
        world_read(w, true, at, 1u << below(r, 3));
    }
}

/* --- DP8390 ----------------------------------------------------------------------------------- */

void play_nic(struct world *w, struct rng *r)
{
    unsigned base = rnd(r) & 1 ? 0x300 : AT_NIC;
    unsigned start = one_in(r, 8) ? rnd(r) & 0xff : 0x46 + below(r, 8);
    unsigned stop = one_in(r, 8) ? rnd(r) & 0xff : 0x50 + below(r, 0x31);
    unsigned bytes = one_in(r, 6) ? rnd(r) & 0xffff : 60 + below(r, 200);

    wo8(w, base, 0x21);
    wo8(w, base + 14, 0x48 | (rnd(r) & 3));
    wo8(w, base + 12, one_in(r, 4) ? rnd(r) : 0x0c | (rnd(r) & 0x13));
    wo8(w, base + 13, one_in(r, 4) ? rnd(r) & 0x1f : 0);
    wo8(w, base + 1, start);
    wo8(w, base + 2, stop);
    wo8(w, base + 3, start);
    wo8(w, base + 7, 0xff);
    wo8(w, base + 15, rnd(r));
    wo8(w, base, 0x61);
    for (unsigned k = 0; k < 6; k++) {
        wo8(w, base + 1 + k, k ? 0 : 2);
    }
    wo8(w, base + 7, start + 1);
    wo8(w, base, 0x22);
    wo8(w, base + 10, bytes);
    wo8(w, base + 11, bytes >> 8);
    wo8(w, base + 8, 0);
    wo8(w, base + 9, one_in(r, 4) ? rnd(r) : 0x40);
    wo8(w, base, one_in(r, 4) ? 0x0a : 0x12);
    burst(w, r, base + 16, 1u << below(r, 3), MIN(bytes, 400u), one_in(r, 4));
    wo8(w, base + 4, 0x40);
    wo8(w, base + 5, bytes);
    wo8(w, base + 6, bytes >> 8);
    wo8(w, base, one_in(r, 4) ? 0x1e : 0x26);
    world_time(w, 2000000);
    wi8(w, base + 7);
    wo8(w, base + 3, rnd(r));
}

/* --- DSP -------------------------------------------------------------------------------------- */

static void dsp(struct world *w, unsigned v)
{
    if (wi8(w, 0x22c) & 0x80) {
        world_time(w, 50000);
    }
    wo8(w, 0x22c, v);
}

void play_sb16(struct world *w, struct rng *r)
{
    static const uint8_t single[] = {0x14, 0x16, 0x17, 0x74, 0x75, 0x76, 0x77, 0x24};
    static const uint8_t other[] = {0x10, 0xe0, 0xe1, 0xe3, 0xe4, 0xe8, 0xd1, 0xd3,
                                    0xd8, 0x0e, 0x0f, 0x30, 0x34, 0x38, 0x80, 0xf2,
                                    0xf3, 0xfb, 0xf9, 0xe2, 0xd0, 0xd4};
    unsigned length = one_in(r, 6) ? rnd(r) : below(r, 300);

    if (one_in(r, 4)) {
        wo8(w, 0x226, 1);
        world_time(w, 5000);
        wo8(w, 0x226, 0);
        world_time(w, 200000);
        wi8(w, 0x22a);
    }
    if (w->board) {
        program_dma(w, r, rnd(r) & 1 ? 1 : 5);
    }
    dsp(w, 0x40);
    dsp(w, rnd(r));
    switch (below(r, 4)) {
    case 0:
        dsp(w, 0x48);
        dsp(w, length);
        dsp(w, length >> 8);
        dsp(w, 0x1c | (rnd(r) & 0x64));
        break;
    case 1:
        dsp(w, single[below(r, sizeof single)]);
        dsp(w, length);
        dsp(w, length >> 8);
        break;
    case 2:
        dsp(w, 0xb0 | (rnd(r) & 0x4f));
        dsp(w, rnd(r) & 0x30);
        dsp(w, length);
        dsp(w, length >> 8);
        break;
    default:
        dsp(w, other[below(r, sizeof other)]);
        dsp(w, rnd(r));
        break;
    }
    world_time(w, 1000u * below(r, 20000));
    wi8(w, 0x22e);
    wi8(w, 0x22f);
}

/* Commands of the pointer; one in eight is none. */
void play_vmport(struct world *w, struct rng *r)
{
    static const uint32_t code[] = {10, 39, 40, 41, 86, 41, 39, 1};
    static const uint32_t operand[] = {0x45414552, 0xf5, 0x53424152, 0x4c455252, 1, 4, 6, 7};
    static const uint8_t reg[] = {CPU_EAX, CPU_EBX, CPU_ECX};
    uint32_t v[] = {0x564d5868, operand[below(r, 8)], code[below(r, 8)]};

    if (w->board && below(r, 2)) {
        oxbow_mouse_place(w->board, rnd(r) & 0xffff, rnd(r) & 0xffff, 0, rnd(r) & 7, 0);
        world_time(w, 100);
    }
    for (unsigned n = 0; n < ARRAY_LEN(v); n++) {
        if (w->board) {
            cpu_set_reg(w->board->cpu, (enum cpu_reg)reg[n], v[n]);
        } else {
            w->reg[n] = v[n];
        }
    }
    world_read(w, false, 0x5658, 4);
}
