/*
 * CT1745 mixer (Creative, "Sound Blaster Series Hardware Programming Guide", chapter 4).
 *
 * Volumes have five bits of 2 dB; the four- and three-bit registers of the Sound Blaster Pro are
 * views of their upper bits.  Inputs from line and microphone, and everything on the recording
 * side, act on silence: nothing is plugged in there.
 */
#include "devices/ct1745.h"

#include <string.h>

enum {
    MX_RESET = 0x00, MX_OLD_VOICE = 0x04, MX_OLD_MIC = 0x0a, MX_OLD_MASTER = 0x22,
    MX_OLD_MIDI = 0x26, MX_OLD_CD = 0x28, MX_OLD_LINE = 0x2e, MX_MASTER = 0x30, MX_CD = 0x36,
    MX_LINE = 0x38, MX_MIC = 0x3a, MX_SPEAKER = 0x3b, MX_OUT_SWITCH = 0x3c, MX_IN_LEFT = 0x3d,
    MX_IN_RIGHT = 0x3e, MX_IN_GAIN = 0x3f, MX_OUT_GAIN = 0x41, MX_AGC = 0x43, MX_TREBLE = 0x44,
    MX_BASS = 0x46, MX_LAST = 0x47, MX_IRQ = 0x80, MX_DMA = 0x81, MX_PENDING = 0x82
};
enum { DEFAULT_VOLUME = 24 << 3, FULL_VOLUME = 31 << 3, FLAT = 8 << 4 };

void ct1745_reset(struct ct1745 *m)
{
    uint8_t irq = m->reg[MX_IRQ], dma = m->reg[MX_DMA];

    memset(m->reg, 0, sizeof m->reg);
    memset(m->reg + MX_MASTER, DEFAULT_VOLUME, 6);
    m->reg[MX_OUT_SWITCH] = 0x1f;
    m->reg[MX_IN_LEFT] = 0x15;
    m->reg[MX_IN_RIGHT] = 0x0b;
    memset(m->reg + MX_TREBLE, FLAT, 4);
    m->reg[MX_IRQ] = irq;
    m->reg[MX_DMA] = dma;
}

void ct1745_power_on(struct ct1745 *m, uint8_t irq_select, uint8_t dma_select)
{
    ct1745_reset(m);
    memset(m->reg + MX_MASTER, FULL_VOLUME, 8); /* master, voice, MIDI, CD */
    m->index = 0;
    m->reg[MX_IRQ] = irq_select;
    m->reg[MX_DMA] = dma_select;
}

/* The pair of registers behind one of the Sound Blaster Pro; 0: it is none. */
static unsigned pair_of(uint8_t index)
{
    switch (index) {
    case MX_OLD_VOICE:
        return CT1745_VOICE;
    case MX_OLD_MASTER:
        return MX_MASTER;
    case MX_OLD_MIDI:
        return CT1745_MIDI;
    case MX_OLD_CD:
        return MX_CD;
    case MX_OLD_LINE:
        return MX_LINE;
    default:
        return 0;
    }
}

/* Bits that a register has. */
static uint8_t bits_of(uint8_t index)
{
    static const uint8_t bits[] = {
        0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, 0xf8, /* 30h-3Ah: volumes */
        0xc0, 0x1f, 0x7f, 0x7f,             /* speaker, output and input switches */
        0xc0, 0xc0, 0xc0, 0xc0, 0x01,       /* gains, automatic gain */
        0xf0, 0xf0, 0xf0, 0xf0};            /* treble, bass */

    if (index >= MX_MASTER && index <= MX_LAST) {
        return bits[index - MX_MASTER];
    }
    return index == MX_IRQ ? 0x0f : index == MX_DMA ? 0xeb : 0;
}

uint8_t ct1745_read(const struct ct1745 *m, uint8_t pending)
{
    unsigned pair = pair_of(m->index);

    if (pair) {
        return (uint8_t)((m->reg[pair] & 0xf0) | m->reg[pair + 1] >> 4);
    }
    if (m->index == MX_OLD_MIC) {
        return m->reg[MX_MIC] >> 5;
    }
    return m->index == MX_PENDING ? pending : m->reg[m->index];
}

void ct1745_write(struct ct1745 *m, uint8_t val)
{
    unsigned pair = pair_of(m->index);

    if (m->index == MX_RESET) {
        ct1745_reset(m);
    } else if (pair) {
        m->reg[pair] = (uint8_t)((val & 0xf0) | 0x08);
        m->reg[pair + 1] = (uint8_t)(val << 4 | 0x08);
    } else if (m->index == MX_OLD_MIC) {
        m->reg[MX_MIC] = (uint8_t)(val << 5 | 0x18);
    } else {
        m->reg[m->index] = val & bits_of(m->index);
    }
}

uint32_t ct1745_gain(const struct ct1745 *m, enum ct1745_source source, unsigned ch)
{
    /* 65536 * 10^(-2 * (31 - n) / 20) */
    static const uint32_t level[32] = {
        52, 66, 83, 104, 131, 165, 207, 261, 328, 414, 521, 655, 825, 1039, 1308, 1646, 2072, 2609,
        3285, 4135, 5206, 6554, 8250, 10387, 13076, 16462, 20724, 26090, 32846, 41350, 52057,
        65536};
    bool on = source != CT1745_CD || m->reg[MX_OUT_SWITCH] >> (2 - ch) & 1;
    uint64_t master = level[m->reg[MX_MASTER + ch] >> 3], own = level[m->reg[source + ch] >> 3];

    return on ? (uint32_t)(master * own >> 16) << (m->reg[MX_OUT_GAIN + ch] >> 6) : 0;
}

/* Sixteen settings with two of 0 dB in the middle. */
static int tone(uint8_t reg)
{
    int n = reg >> 4;

    return n < 8 ? (n - 7) * 2 : (n - 8) * 2;
}

int ct1745_bass(const struct ct1745 *m, unsigned ch)
{
    return tone(m->reg[MX_BASS + ch]);
}

int ct1745_treble(const struct ct1745 *m, unsigned ch)
{
    return tone(m->reg[MX_TREBLE + ch]);
}

int ct1745_irq(const struct ct1745 *m)
{
    static const uint8_t line[4] = {9, 5, 7, 10};

    for (unsigned n = 0; n < 4; n++) {
        if (m->reg[MX_IRQ] >> n & 1) {
            return line[n];
        }
    }
    return -1;
}

static int lowest_bit(uint8_t v, unsigned from, unsigned to)
{
    for (unsigned n = from; n <= to; n++) {
        if (v >> n & 1) {
            return (int)n;
        }
    }
    return -1;
}

int ct1745_dma8(const struct ct1745 *m)
{
    return lowest_bit(m->reg[MX_DMA], 0, 3);
}

int ct1745_dma16(const struct ct1745 *m)
{
    return lowest_bit(m->reg[MX_DMA], 5, 7);
}

uint8_t ct1745_irq_select(unsigned irq)
{
    return irq == 2 || irq == 9 ? 1 : irq == 5 ? 2 : irq == 7 ? 4 : irq == 10 ? 8 : 0;
}

uint8_t ct1745_dma_select(unsigned dma8, unsigned dma16)
{
    unsigned narrow = dma8 <= 3 && dma8 != 2 ? 1u << dma8 : 0;
    unsigned wide = dma16 >= 5 && dma16 <= 7 ? 1u << dma16 : 0;

    /* The same number twice: words go through the 8-bit channel. */
    return narrow && (wide || dma16 == dma8) ? (uint8_t)(narrow | wide) : 0;
}
