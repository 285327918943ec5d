/*
 * The Sound Blaster 16 with a DMA controller and a mixer: every DSP command, rates and interrupt
 * times to the instruction, formats and ADPCM, the CT1745's registers, MPU-401, traps of old
 * drivers.
 */
#include "tests/audio_rig.h"

#include "devices/ct1745.h"
#include "devices/i8237.h"
#include "devices/opl3.h"
#include "devices/sb16.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)

enum { BUFFER = 0x20000 };

struct wire {
    uint8_t byte[64];
    unsigned n;
};

struct card {
    struct rig r;
    struct device *dma, *sb;
    struct pin irq[16];
    struct wire midi;
    struct ear *e;
    struct audio_input cd;
};

static void midi_out(void *ctx, const uint8_t *data, size_t n)
{
    struct wire *w = ctx;

    for (size_t k = 0; k < n && w->n < sizeof w->byte; k++) {
        w->byte[w->n++] = data[k];
    }
}

static void setup_rate(struct card *c, uint32_t rate)
{
    static const uint8_t channel[] = {0, 1, 3, 5, 6, 7};
    struct sb16_config sb = {.port = 0x220, .mpu_port = 0x330,
                             .irq_select = ct1745_irq_select(5),
                             .dma_select = ct1745_dma_select(1, 5), .midi = {midi_out, &c->midi}};
    struct opl3_config fm = {.window = {{0x388, 4}, {0x220, 4}, {0x228, 2}}};
    struct device *audio;

    memset(c, 0, sizeof *c);
    rig_init(&c->r);
    audio = ear_mixer(&c->r, rate);
    c->e = ear_new(audio);
    c->dma = rig_add(&c->r, &i8237_class, "i8237", &(struct i8237_config){0x00, 0xc0, 0x80, 0, 0});
    fm.out = sb.fm = audio_connect(audio, AUDIO_CARD);
    sb.cd = c->cd = audio_connect(audio, AUDIO_CARD);
    sb.voice[0] = audio_connect(audio, AUDIO_CARD);
    sb.voice[1] = audio_connect(audio, AUDIO_CARD);
    for (unsigned n = 0; n < 16; n++) {
        sb.irq[n] = pin_line(&c->irq[n], &c->r);
    }
    for (unsigned n = 0; n < ARRAY_LEN(channel); n++) {
        sb.dma[channel[n]] = i8237_channel(c->dma, channel[n]);
    }
    rig_add(&c->r, &opl3_class, "opl3", &fm);
    c->sb = rig_add(&c->r, &sb16_class, "sb16", &sb);
    for (unsigned n = 0; n < ARRAY_LEN(channel); n++) {
        struct dma_peripheral p = sb16_dma(c->sb, channel[n]);

        i8237_connect(c->dma, channel[n], &p);
    }
    out8(&c->r, 0xd6, 0xc0); /* cascade */
    out8(&c->r, 0xd4, 0x00);
}

static void setup(struct card *c)
{
    setup_rate(c, EAR_RATE);
}

static void teardown(struct card *c)
{
    free(c->e);
    rig_free(&c->r);
}

static void dsp(struct card *c, unsigned v)
{
    ck_assert_uint_eq(in8(&c->r, 0x22c) & 0x80, 0);
    out8(&c->r, 0x22c, (uint8_t)v);
}

/* A command with up to three arguments; -1 ends them. */
static void cmd(struct card *c, unsigned v, int a, int b, int d)
{
    dsp(c, v);
    if (a >= 0) {
        dsp(c, (unsigned)a);
    }
    if (b >= 0) {
        dsp(c, (unsigned)b);
    }
    if (d >= 0) {
        dsp(c, (unsigned)d);
    }
}

static int reply(struct card *c)
{
    return in8(&c->r, 0x22e) & 0x80 ? in8(&c->r, 0x22a) : -1;
}

static void reset_dsp(struct card *c)
{
    out8(&c->r, 0x226, 1);
    rig_run(&c->r, 3 * US);
    out8(&c->r, 0x226, 0);
    rig_run(&c->r, 100 * US);
    ck_assert_int_eq(reply(c), 0xaa);
}

static void mixer(struct card *c, unsigned index, uint8_t v)
{
    out8(&c->r, 0x224, (uint8_t)index);
    out8(&c->r, 0x225, v);
}

static uint8_t mixer_get(struct card *c, unsigned index)
{
    out8(&c->r, 0x224, (uint8_t)index);
    return in8(&c->r, 0x225);
}

/* mode: 0x48 single to the card, 0x58 auto-init to the card, 0x44 from it. */
static void program_dma(struct card *c, unsigned ch, uint8_t mode, uint32_t addr, unsigned bytes)
{
    static const uint8_t page[8] = {0x87, 0x83, 0x81, 0x82, 0x8f, 0x8b, 0x89, 0x8a};
    unsigned k = ch & 3, step = ch < 4 ? 1 : 2, base = ch < 4 ? 0 : 0xc0;
    uint32_t a = ch < 4 ? addr : addr >> 1;
    unsigned count = (ch < 4 ? bytes : bytes / 2) - 1;

    out8(&c->r, base + 0xa * step, (uint8_t)(4 | k));
    out8(&c->r, base + 0xc * step, 0);
    out8(&c->r, base + 0xb * step, (uint8_t)(mode | k));
    out8(&c->r, base + 2 * k * step, (uint8_t)a);
    out8(&c->r, base + 2 * k * step, (uint8_t)(a >> 8));
    out8(&c->r, base + (2 * k + 1) * step, (uint8_t)count);
    out8(&c->r, base + (2 * k + 1) * step, (uint8_t)(count >> 8));
    out8(&c->r, page[ch], (uint8_t)(addr >> 16));
    out8(&c->r, base + 0xa * step, (uint8_t)k);
}

static unsigned dma_left(struct card *c, unsigned ch)
{
    unsigned step = ch < 4 ? 1 : 2, base = ch < 4 ? 0 : 0xc0, lo;

    out8(&c->r, base + 0xc * step, 0);
    lo = in8(&c->r, base + (2 * (ch & 3) + 1) * step);
    return ((lo | (unsigned)in8(&c->r, base + (2 * (ch & 3) + 1) * step) << 8) + 1) & 0xffff;
}

/* Bytes of a square wave with `half` frames in a half period. */
static void fill_square(struct card *c, uint32_t at, unsigned frames, unsigned half, bool wide,
                        bool stereo, bool is_signed)
{
    unsigned values = frames * (stereo ? 2 : 1);

    for (unsigned k = 0; k < values; k++) {
        int v = (k / (stereo ? 2 : 1)) / half & 1 ? -20000 : 20000;

        v = stereo && (k & 1) ? v / 2 : v;
        v += is_signed ? 0 : 0x8000;
        if (wide) {
            c->r.ram[at + 2 * k] = (uint8_t)v;
            c->r.ram[at + 2 * k + 1] = (uint8_t)((unsigned)v >> 8);
        } else {
            c->r.ram[at + k] = (uint8_t)((unsigned)v >> 8);
        }
    }
}

static void listen(struct card *c, uint64_t ns)
{
    ear_skip(c->e);
    ear_listen(c->e, &c->r, ns, 5 * MS);
}

static void check_tone(struct card *c, unsigned ch, unsigned hz, int level)
{
    uint64_t f = ear_frequency(c->e, ch, 0, c->e->n);
    int high = ear_high(c->e, ch, 0, c->e->n), low = ear_low(c->e, ch, 0, c->e->n);

    ck_assert_msg(f >= hz * 995u && f <= hz * 1005u, "%llu mHz, not %u Hz", (unsigned long long)f,
                  hz);
    ck_assert_int_le(abs(high - level), 300);
    ck_assert_int_le(abs(low + level), 300);
}

/* --- the DSP's small commands ----------------------------------------------------------------- */

START_TEST(reset_and_identity)
{
    static const char text[] = "COPYRIGHT (C) CREATIVE TECHNOLOGY LTD, 1992.";
    struct card c;

    setup(&c);
    ck_assert_int_eq(reply(&c), -1);
    out8(&c.r, 0x226, 1);
    ck_assert_uint_eq(in8(&c.r, 0x22c), 0xff); /* busy while reset is held */
    out8(&c.r, 0x22c, 0xe1);
    out8(&c.r, 0x226, 0);
    ck_assert_int_eq(reply(&c), 0xaa);
    ck_assert_int_eq(reply(&c), -1);
    ck_assert_uint_eq(in8(&c.r, 0x22a), 0xaa); /* the last byte stays */
    out8(&c.r, 0x226, 0); /* no reset without the 1 before */
    ck_assert_int_eq(reply(&c), -1);
    cmd(&c, 0xe1, -1, -1, -1);
    ck_assert_int_eq(reply(&c), 4);
    ck_assert_int_eq(reply(&c), 5);
    cmd(&c, 0xe0, 0x5a, -1, -1);
    ck_assert_int_eq(reply(&c), 0xa5);
    cmd(&c, 0xe3, -1, -1, -1);
    for (unsigned n = 0; n < sizeof text; n++) {
        ck_assert_int_eq(reply(&c), text[n]);
    }
    ck_assert_int_eq(reply(&c), -1);
    cmd(&c, 0xe4, 0x77, -1, -1);
    cmd(&c, 0xe8, -1, -1, -1);
    ck_assert_int_eq(reply(&c), 0x77);
    reset_dsp(&c);
    cmd(&c, 0xe8, -1, -1, -1);
    ck_assert_int_eq(reply(&c), 0x77);
    cmd(&c, 0xf8, -1, -1, -1);
    ck_assert_int_eq(reply(&c), 0);
    cmd(&c, 0x20, -1, -1, -1);
    ck_assert_int_eq(reply(&c), 0x80);
    cmd(&c, 0xd8, -1, -1, -1);
    ck_assert_int_eq(reply(&c), 0);
    cmd(&c, 0xd1, -1, -1, -1);
    cmd(&c, 0xd8, -1, -1, -1);
    ck_assert_int_eq(reply(&c), 0xff);
    cmd(&c, 0xd3, -1, -1, -1);
    cmd(&c, 0xd8, -1, -1, -1);
    ck_assert_int_eq(reply(&c), 0);
    cmd(&c, 0x08, 0x03, -1, -1);
    ck_assert_int_eq(reply(&c), 0xff);
    cmd(&c, 0x0f, 0x83, -1, -1);
    ck_assert_int_eq(reply(&c), 0xff);
    dsp(&c, 0xff); /* unknown: swallowed, and the next one is heard */
    cmd(&c, 0x04, 0, -1, -1);
    cmd(&c, 0x05, 0, 0, -1);
    cmd(&c, 0x0e, 0, 0, -1);
    cmd(&c, 0x30, -1, -1, -1);
    cmd(&c, 0xa0, -1, -1, -1);
    cmd(&c, 0xa8, -1, -1, -1);
    cmd(&c, 0xe0, 0x01, -1, -1);
    ck_assert_int_eq(reply(&c), 0xfe);
    ck_assert_uint_eq(in8(&c.r, 0x226), 0xff);
    ck_assert_uint_eq(in8(&c.r, 0x22b), 0xff);
    out8(&c.r, 0x22a, 0xe1);
    ck_assert_int_eq(reply(&c), -1);
    teardown(&c);
}
END_TEST

START_TEST(interrupt_request)
{
    struct card c;

    setup(&c);
    cmd(&c, 0xf2, -1, -1, -1);
    ck_assert(c.irq[5].level);
    ck_assert_uint_eq(mixer_get(&c, 0x82), 1);
    in8(&c.r, 0x22f);
    ck_assert(c.irq[5].level);
    in8(&c.r, 0x22e);
    ck_assert(!c.irq[5].level);
    cmd(&c, 0xf3, -1, -1, -1);
    ck_assert(c.irq[5].level);
    ck_assert_uint_eq(mixer_get(&c, 0x82), 2);
    in8(&c.r, 0x22e);
    ck_assert(c.irq[5].level);
    /* Another line while it asks: it moves there. */
    mixer(&c, 0x80, 8);
    ck_assert(!c.irq[5].level);
    ck_assert(c.irq[10].level);
    mixer(&c, 0x80, 0);
    ck_assert(!c.irq[10].level);
    mixer(&c, 0x80, 1);
    ck_assert(c.irq[9].level);
    mixer(&c, 0x80, 4);
    ck_assert(c.irq[7].level);
    in8(&c.r, 0x22f);
    ck_assert(!c.irq[7].level);
    cmd(&c, 0xf2, -1, -1, -1);
    reset_dsp(&c);
    ck_assert(!c.irq[7].level);
    teardown(&c);
}
END_TEST

START_TEST(dma_identification)
{
    struct card c;

    setup(&c);
    reset_dsp(&c);
    program_dma(&c, 1, 0x44, BUFFER, 2);
    cmd(&c, 0xe2, 0x00, -1, -1);
    rig_run(&c.r, 10 * US);
    ck_assert_uint_eq(c.r.ram[BUFFER], (0xaa + 0x96) & 0xff);
    cmd(&c, 0xe2, 0xbb, -1, -1);
    rig_run(&c.r, 10 * US);
    ck_assert_uint_eq(c.r.ram[BUFFER + 1], (0xaa + 0x96 + (0xbb ^ 0xa5)) & 0xff);
    teardown(&c);
}
END_TEST

/* --- mixer ------------------------------------------------------------------------------------ */

START_TEST(mixer_registers)
{
    static const struct {
        uint8_t index, bits, reset;
    } want[] = {{0x30, 0xf8, 0xc0}, {0x31, 0xf8, 0xc0}, {0x32, 0xf8, 0xc0}, {0x33, 0xf8, 0xc0},
                {0x34, 0xf8, 0xc0}, {0x35, 0xf8, 0xc0}, {0x36, 0xf8, 0}, {0x37, 0xf8, 0},
                {0x38, 0xf8, 0}, {0x39, 0xf8, 0}, {0x3a, 0xf8, 0}, {0x3b, 0xc0, 0},
                {0x3c, 0x1f, 0x1f}, {0x3d, 0x7f, 0x15}, {0x3e, 0x7f, 0x0b}, {0x3f, 0xc0, 0},
                {0x40, 0xc0, 0}, {0x41, 0xc0, 0}, {0x42, 0xc0, 0}, {0x43, 0x01, 0},
                {0x44, 0xf0, 0x80}, {0x45, 0xf0, 0x80}, {0x46, 0xf0, 0x80}, {0x47, 0xf0, 0x80}};
    static const struct {
        uint8_t old, left, right;
    } pair[] = {{0x04, 0x32, 0x33}, {0x22, 0x30, 0x31}, {0x26, 0x34, 0x35}, {0x28, 0x36, 0x37},
                {0x2e, 0x38, 0x39}};
    struct card c;

    setup(&c);
    for (unsigned n = 0; n < ARRAY_LEN(want); n++) {
        mixer(&c, want[n].index, 0xff);
        ck_assert_uint_eq(mixer_get(&c, want[n].index), want[n].bits);
        mixer(&c, want[n].index, 0);
        ck_assert_uint_eq(mixer_get(&c, want[n].index), 0);
    }
    for (unsigned n = 0; n < ARRAY_LEN(pair); n++) {
        mixer(&c, pair[n].old, 0xa5);
        ck_assert_uint_eq(mixer_get(&c, pair[n].left), 0xa8);
        ck_assert_uint_eq(mixer_get(&c, pair[n].right), 0x58);
        ck_assert_uint_eq(mixer_get(&c, pair[n].old), 0xa5);
    }
    mixer(&c, 0x0a, 5);
    ck_assert_uint_eq(mixer_get(&c, 0x0a), 5);
    ck_assert_uint_eq(mixer_get(&c, 0x3a), 0xb8);
    ck_assert_uint_eq(in8(&c.r, 0x224), 0x3a);
    bus_write(c.r.env.io, 0x224, 2, 0x9932); /* index and value at once */
    ck_assert_uint_eq(mixer_get(&c, 0x32), 0x98);
    mixer(&c, 0x80, 0xff);
    ck_assert_uint_eq(mixer_get(&c, 0x80), 0x0f);
    mixer(&c, 0x81, 0xff);
    ck_assert_uint_eq(mixer_get(&c, 0x81), 0xeb);
    mixer(&c, 0x80, 2);
    mixer(&c, 0x81, 0x22);
    mixer(&c, 0x00, 0);
    for (unsigned n = 0; n < ARRAY_LEN(want); n++) {
        ck_assert_uint_eq(mixer_get(&c, want[n].index), want[n].reset);
    }
    ck_assert_uint_eq(mixer_get(&c, 0x22), 0xcc);
    ck_assert_uint_eq(mixer_get(&c, 0x80), 2); /* the lines stay */
    ck_assert_uint_eq(mixer_get(&c, 0x81), 0x22);
    mixer(&c, 0x50, 0xff);
    ck_assert_uint_eq(mixer_get(&c, 0x50), 0);
    teardown(&c);
}
END_TEST

START_TEST(line_choices)
{
    ck_assert_uint_eq(ct1745_irq_select(2), 1);
    ck_assert_uint_eq(ct1745_irq_select(3), 0);
    ck_assert_uint_eq(ct1745_dma_select(1, 5), 0x22);
    ck_assert_uint_eq(ct1745_dma_select(3, 7), 0x88);
    ck_assert_uint_eq(ct1745_dma_select(0, 6), 0x41);
    ck_assert_uint_eq(ct1745_dma_select(1, 1), 0x02);
    ck_assert_uint_eq(ct1745_dma_select(2, 5), 0);
    ck_assert_uint_eq(ct1745_dma_select(1, 3), 0);
    ck_assert_uint_eq(ct1745_dma_select(1, 8), 0);
}
END_TEST

/* Volumes act at once on what plays: 2 dB a step, gains of 6 dB, left and right apart. */
START_TEST(volumes)
{
    struct card c;

    setup(&c);
    cmd(&c, 0x10, 0xc0, -1, -1); /* 16384 */
    listen(&c, 5 * MS);
    ck_assert_int_eq(c.e->frame[c.e->n - 1][0], 16384);
    mixer(&c, 0x30, 28 << 3); /* -6 dB */
    mixer(&c, 0x33, 21 << 3); /* -20 dB */
    listen(&c, 5 * MS);
    ck_assert_int_le(abs(c.e->frame[c.e->n - 1][0] - 8211), 2);
    ck_assert_int_le(abs(c.e->frame[c.e->n - 1][1] - 1638), 2);
    mixer(&c, 0x42, 0x80); /* +12 dB */
    listen(&c, 5 * MS);
    ck_assert_int_le(abs(c.e->frame[c.e->n - 1][1] - 6553), 4);
    mixer(&c, 0x30, 0);
    listen(&c, 5 * MS);
    ck_assert_int_le(c.e->frame[c.e->n - 1][0], 13);
    mixer(&c, 0x00, 0);
    listen(&c, 5 * MS);
    ck_assert_int_le(abs(c.e->frame[c.e->n - 1][0] - 652), 2); /* -28 dB */
    teardown(&c);
}
END_TEST

/* The synthesizer follows the MIDI volume, not the voice's, and the tone control both. */
START_TEST(fm_volume_and_tone)
{
    static const uint8_t note[][2] = {{0x23, 0x21}, {0x43, 0}, {0x63, 0xf0}, {0x83, 0x0f},
                                      {0x40, 63}, {0xa0, 0x44}, {0xb0, 0x32}};
    struct card c;
    int full, bass;

    setup(&c);
    for (unsigned n = 0; n < ARRAY_LEN(note); n++) {
        out8(&c.r, n & 1 ? 0x388 : 0x228, note[n][0]);
        out8(&c.r, n & 2 ? 0x389 : 0x221, note[n][1]);
    }
    mixer(&c, 0x32, 0);
    listen(&c, 100 * MS);
    full = ear_high(c.e, 0, 2000, c.e->n);
    ck_assert_int_ge(full, 4000);
    mixer(&c, 0x34, 28 << 3);
    listen(&c, 100 * MS);
    ck_assert_int_le(abs(ear_high(c.e, 0, 2000, c.e->n) - full / 2), 40);
    mixer(&c, 0x34, 31 << 3);
    mixer(&c, 0x46, 0xf0);
    listen(&c, 100 * MS);
    bass = ear_high(c.e, 0, 2000, c.e->n);
    ck_assert_int_ge(bass, full * 9 / 8); /* at 436 Hz */
    ck_assert_int_le(abs(ear_high(c.e, 1, 2000, c.e->n) - full), 40);
    mixer(&c, 0x44, 0x00);
    mixer(&c, 0x46, 0x70);
    listen(&c, 100 * MS);
    ck_assert_int_lt(ear_high(c.e, 0, 2000, c.e->n), full);
    teardown(&c);
}
END_TEST

/* The input of a CD-ROM drive: register 36h, 37h, 28h, and its switches in 3Ch. */
START_TEST(cd_volume)
{
    static const struct {
        uint8_t reg, val;
        int left, right;
    } row[] = {
        {0x36, 0xf8, 8000, -4000}, {0x36, 28 << 3, 4009, -4000}, {0x37, 28 << 3, 4009, -2004},
        {0x28, 0xff, 8000, -4000}, {0x3c, 0x1b, 0, -4000},       {0x3c, 0x1d, 8000, 0},
        {0x3c, 0x19, 0, 0},        {0x3c, 0x1f, 8000, -4000},    {0x30, 28 << 3, 4009, -4000},
        {0x00, 0, 0, 0}, /* a mixer reset: the CD is silent until its volume is set */
    };
    struct card c;

    setup(&c);
    for (unsigned n = 0; n < ARRAY_LEN(row); n++) {
        mixer(&c, row[n].reg, row[n].val);
        audio_level(c.cd, rig_now(&c.r), 8000, -4000);
        listen(&c, 20 * MS);
        int left = c.e->frame[c.e->n - 1][0], right = c.e->frame[c.e->n - 1][1];
        ck_assert_msg(abs(left - row[n].left) <= 2 && abs(right - row[n].right) <= 2,
                      "row %u: %d %d", n, left, right);
    }
    teardown(&c);
}
END_TEST

/* --- playing ---------------------------------------------------------------------------------- */

START_TEST(direct_output)
{
    struct card c;

    setup(&c);
    ear_skip(c.e);
    for (unsigned n = 0; n < 500; n++) {
        cmd(&c, 0x10, n & 1 ? 0x40 : 0xc0, -1, -1);
        ear_listen(c.e, &c.r, 500 * US, 100 * US);
    }
    check_tone(&c, 0, 1000, 16384);
    check_tone(&c, 1, 1000, 16384);
    reset_dsp(&c);
    listen(&c, 5 * MS);
    ck_assert_int_eq(c.e->frame[c.e->n - 1][0], 0);
    teardown(&c);
}
END_TEST

/* 8 bits, single: 14h with the time constant of 10 kHz; the interrupt to the microsecond. */
START_TEST(single_8bit)
{
    struct card c;
    uint64_t start;

    setup(&c);
    reset_dsp(&c);
    fill_square(&c, BUFFER, 5000, 10, false, false, false);
    program_dma(&c, 1, 0x48, BUFFER, 5000);
    cmd(&c, 0x40, 256 - 100, -1, -1);
    ear_skip(c.e);
    start = rig_now(&c.r);
    cmd(&c, 0x14, 4999 & 255, 4999 >> 8, -1);
    ear_listen(c.e, &c.r, 499 * MS, 5 * MS);
    ck_assert_uint_eq(c.irq[5].rises, 0);
    ear_listen(c.e, &c.r, 10 * MS, 5 * MS);
    ck_assert_uint_eq(c.irq[5].rises, 1);
    ck_assert_uint_eq(c.irq[5].at - start, 500 * MS);
    ck_assert_uint_eq(mixer_get(&c, 0x82), 1);
    ck_assert_uint_eq(dma_left(&c, 1), 0);
    c.e->n = 22000;
    check_tone(&c, 0, 500, 20000 & ~255);
    /* The level stays where it was; nothing else comes. */
    listen(&c, 100 * MS);
    ck_assert_uint_eq(c.irq[5].rises, 1);
    ck_assert_int_eq(c.e->frame[c.e->n - 1][0], c.e->frame[c.e->n / 2][0]);
    teardown(&c);
}
END_TEST

/* All four PCM formats in auto-init mode at 22050 Hz: tone, blocks, exit at the block's end. */
START_TEST(auto_init_formats)
{
    for (unsigned f = 0; f < 8; f++) {
        bool wide = f & 1, stereo = f & 2, is_signed = f & 4;
        unsigned values = 2000 * (stereo ? 2 : 1), ack = wide ? 0x22f : 0x22e, blocks;
        struct card c;
        uint64_t start;

        setup(&c);
        reset_dsp(&c);
        fill_square(&c, BUFFER, 4000, 25, wide, stereo, is_signed);
        program_dma(&c, wide ? 5 : 1, 0x58, BUFFER, values * 2 * (wide ? 2 : 1));
        cmd(&c, 0x41, 22050 >> 8, 22050 & 255, -1);
        start = rig_now(&c.r);
        cmd(&c, wide ? 0xb6 : 0xc6, (stereo ? 0x20 : 0) | (is_signed ? 0x10 : 0),
            (int)((values - 1) & 255), (int)((values - 1) >> 8));
        ear_skip(c.e);
        for (blocks = 0; blocks < 10; blocks++) {
            while (!c.irq[5].level) {
                ear_listen(c.e, &c.r, 1 * MS, 1 * MS);
            }
            ck_assert_uint_eq(c.irq[5].at - start,
                              (UINT64_C(2000) * (blocks + 1) * 1000000000u + 22049) / 22050);
            ck_assert_uint_eq(mixer_get(&c, 0x82), wide ? 2 : 1);
            in8(&c.r, ack);
        }
        memmove(c.e->frame, c.e->frame + 200, (c.e->n - 200) * sizeof c.e->frame[0]);
        c.e->n -= 200;
        check_tone(&c, 0, 441, wide ? 20000 : 19968);
        check_tone(&c, 1, 441, (wide ? 20000 : 19968) / (stereo ? 2 : 1));
        cmd(&c, wide ? 0xd9 : 0xda, -1, -1, -1);
        rig_run(&c.r, 300 * MS);
        ck_assert_uint_eq(c.irq[5].rises, 11);
        in8(&c.r, ack);
        rig_run(&c.r, 300 * MS);
        ck_assert_uint_eq(c.irq[5].rises, 11);
        teardown(&c);
    }
}
END_TEST

/* Rates by time constant and by number, out of range ones too, measured by 1000 values. */
START_TEST(rates)
{
    static const struct {
        uint8_t command, arg;
        uint16_t rate;
        bool stereo;
        uint64_t ns; /* of 1000 values */
    } want[] = {
        {0x40, 165, 0, false, 91 * MS},   {0x40, 211, 0, false, 45 * MS},
        {0x40, 211, 0, true, 45 * MS},    {0x40, 245, 0, true, 11 * MS},
        {0x40, 0, 0, false, 256 * MS},    {0x40, 255, 0, false, 22 * MS},
        {0x40, 255, 0, true, 11 * MS},    {0x41, 0, 8000, false, 125 * MS},
        {0x42, 0, 44100, false, 22675737}, {0x41, 0, 44100, true, 11337869},
        {0x41, 0, 0, false, 200 * MS},    {0x41, 0, 65535, false, 22222223}};

    for (unsigned n = 0; n < ARRAY_LEN(want); n++) {
        struct card c;
        uint64_t start;

        setup(&c);
        reset_dsp(&c);
        program_dma(&c, 1, 0x58, BUFFER, 1000);
        if (want[n].command == 0x40) {
            cmd(&c, 0x40, want[n].arg, -1, -1);
        } else {
            cmd(&c, want[n].command, want[n].rate >> 8, want[n].rate & 255, -1);
        }
        start = rig_now(&c.r);
        cmd(&c, 0xc0, want[n].stereo ? 0x20 : 0, 999 & 255, 999 >> 8);
        rig_run(&c.r, 300 * MS);
        ck_assert_uint_eq(c.irq[5].rises, 1);
        ck_assert_uint_eq(c.irq[5].at - start, want[n].ns);
        teardown(&c);
    }
}
END_TEST

/* The older commands: what each does and how long. */
START_TEST(old_commands)
{
    static const struct {
        uint8_t command;
        bool has_length, input, repeats;
        unsigned samples; /* for a byte */
    } want[] = {
        {0x14, true, false, false, 1},  {0x24, true, true, false, 1},
        {0x1c, false, false, true, 1},  {0x2c, false, true, true, 1},
        {0x90, false, false, true, 1},  {0x91, false, false, false, 1},
        {0x98, false, true, true, 1},   {0x99, false, true, false, 1},
        {0x16, true, false, false, 4},  {0x17, true, false, false, 4},
        {0x1f, false, false, true, 4},  {0x74, true, false, false, 2},
        {0x75, true, false, false, 2},  {0x7d, false, false, true, 2},
        {0x76, true, false, false, 3},  {0x77, true, false, false, 3},
        {0x7f, false, false, true, 3}};

    for (unsigned n = 0; n < ARRAY_LEN(want); n++) {
        struct card c;
        uint64_t start, length = want[n].samples * 20 * MS;

        setup(&c);
        reset_dsp(&c);
        memset(c.r.ram + BUFFER, 0x55, 1000);
        program_dma(&c, 1, want[n].input ? 0x54 : 0x58, BUFFER, 400);
        cmd(&c, 0x40, 256 - 100, -1, -1);
        cmd(&c, 0x48, 199, 0, -1);
        start = rig_now(&c.r);
        if (want[n].has_length) {
            cmd(&c, want[n].command, 199, 0, -1);
        } else {
            dsp(&c, want[n].command);
        }
        rig_run(&c.r, length);
        ck_assert_uint_eq(c.irq[5].rises, 1);
        ck_assert_uint_eq(c.irq[5].at - start, length);
        in8(&c.r, 0x22e);
        rig_run(&c.r, length);
        ck_assert_uint_eq(c.irq[5].rises, want[n].repeats ? 2 : 1);
        ck_assert_uint_eq(c.r.ram[BUFFER + 100], want[n].input ? 0x80 : 0x55);
        teardown(&c);
    }
}
END_TEST

START_TEST(recording)
{
    struct card c;

    setup(&c);
    for (unsigned f = 0; f < 4; f++) {
        bool wide = f & 1, is_signed = f & 2;

        reset_dsp(&c);
        memset(c.r.ram + BUFFER, 0x33, 400);
        program_dma(&c, wide ? 5 : 1, 0x44, BUFFER, 200);
        cmd(&c, 0x42, 11025 >> 8, 11025 & 255, -1);
        cmd(&c, wide ? 0xb8 : 0xc8, is_signed ? 0x10 : 0, wide ? 99 : 199, 0);
        rig_run(&c.r, 50 * MS);
        ck_assert_uint_eq(c.r.ram[BUFFER], is_signed || wide ? 0 : 0x80);
        ck_assert_uint_eq(c.r.ram[BUFFER + 199], is_signed ? 0 : 0x80);
        ck_assert_uint_eq(c.r.ram[BUFFER + 200], 0x33);
        ck_assert_uint_eq(c.irq[5].rises, f + 1);
    }
    teardown(&c);
}
END_TEST

/* Samples that ADPCM bytes stand for, by hand. */
START_TEST(adpcm)
{
    static const struct {
        uint8_t command;
        uint8_t byte[3]; /* after the reference 80h */
        uint8_t sample[12];
        unsigned n;
    } want[] = {
        /* +7 with step 1; -5, step 2 and 1/2; +0, step 4, then 2; -1, ... */
        {0x75, {0x7d, 0x09, 0x00}, {0x87, 0x7c, 0x7e, 0x7b, 0x7c, 0x7c}, 6},
        /* +3 (1), -3 (2), 2 = +2 (4); +0 (4), -0 (2), 0 */
        {0x77, {0x7d, 0x10, 0x00}, {0x83, 0x7c, 0x86, 0x88, 0x87, 0x87, 0x87, 0x87, 0x87}, 9},
        /* +1 (1), -1 (2), +0 (4), -0 (2); +1 (1) +1 (2) +1 (4) +1 (8) */
        {0x17, {0x72, 0x55, 0xff}, {0x81, 0x7e, 0x80, 0x7f, 0x80, 0x83, 0x89, 0x95, 0x7d, 0x4d,
                                    0x1d, 0x00}, 12}};

    for (unsigned n = 0; n < ARRAY_LEN(want); n++) {
        struct card c;

        setup(&c);
        reset_dsp(&c);
        c.r.ram[BUFFER] = 0x80;
        memcpy(c.r.ram + BUFFER + 1, want[n].byte, 3);
        program_dma(&c, 1, 0x48, BUFFER, 4);
        cmd(&c, 0x40, 0, -1, -1); /* 256 us a sample */
        cmd(&c, want[n].command, 3, 0, -1);
        /* To the middle of the reference's last sample; heard a millisecond later. */
        ear_skip(c.e);
        rig_run(&c.r, 1 * MS + (want[n].n / 3 - 1) * 256 * US + 128 * US);
        for (unsigned k = 0; k < want[n].n; k++) {
            int level = (want[n].sample[k] - 0x80) * 256;

            rig_run(&c.r, 256 * US);
            ear_take(c.e);
            ck_assert_msg(c.e->frame[c.e->n - 1][0] == level, "%02x: sample %u is %d, not %d",
                          want[n].command, k, c.e->frame[c.e->n - 1][0], level);
        }
        teardown(&c);
    }
}
END_TEST

START_TEST(silence_block)
{
    struct card c;
    uint64_t start;

    setup(&c);
    cmd(&c, 0x40, 256 - 100, -1, -1);
    cmd(&c, 0x10, 0xff, -1, -1);
    start = rig_now(&c.r);
    cmd(&c, 0x80, 0xe7, 0x03, -1); /* 1000 */
    rig_run(&c.r, 200 * MS);
    ck_assert_uint_eq(c.irq[5].rises, 1);
    ck_assert_uint_eq(c.irq[5].at - start, 100 * MS);
    listen(&c, 10 * MS);
    ck_assert_int_eq(c.e->frame[c.e->n - 1][0], 0);
    teardown(&c);
}
END_TEST

START_TEST(pause_and_continue)
{
    for (unsigned wide = 0; wide < 2; wide++) {
        struct card c;
        unsigned left;
        uint64_t start;

        setup(&c);
        reset_dsp(&c);
        program_dma(&c, wide ? 5 : 1, 0x58, BUFFER, wide ? 8000 : 4000);
        cmd(&c, 0x41, 10000 >> 8, 10000 & 255, -1);
        start = rig_now(&c.r);
        cmd(&c, wide ? 0xb6 : 0xc6, 0, 1999 & 255, 1999 >> 8); /* 0.2 s */
        rig_run(&c.r, 100 * MS);
        cmd(&c, wide ? 0xd5 : 0xd0, -1, -1, -1);
        rig_run(&c.r, 10 * MS);
        left = dma_left(&c, wide ? 5 : 1);
        ck_assert_uint_ge(left, 2980);
        ck_assert_uint_le(left, 3010);
        rig_run(&c.r, 490 * MS);
        ck_assert_uint_eq(dma_left(&c, wide ? 5 : 1), left);
        ck_assert_uint_eq(c.irq[5].rises, 0);
        cmd(&c, wide ? 0xd6 : 0xd4, -1, -1, -1);
        rig_run(&c.r, 110 * MS);
        ck_assert_uint_eq(c.irq[5].rises, 1);
        ck_assert_uint_ge(c.irq[5].at - start, 698 * MS);
        ck_assert_uint_le(c.irq[5].at - start, 701 * MS);
        /* The other stream's commands do nothing here, nor without a stream. */
        cmd(&c, wide ? 0xd0 : 0xd5, -1, -1, -1);
        rig_run(&c.r, 200 * MS);
        ck_assert_uint_eq(c.irq[5].rises, 1); /* not taken back */
        in8(&c.r, wide ? 0x22f : 0x22e);
        rig_run(&c.r, 200 * MS);
        ck_assert_uint_eq(c.irq[5].rises, 2);
        teardown(&c);
    }
}
END_TEST

/* Exit from auto-init is taken back by 45h; a single command is the other way out. */
START_TEST(leaving_auto_init)
{
    struct card c;

    setup(&c);
    reset_dsp(&c);
    program_dma(&c, 1, 0x58, BUFFER, 4000);
    cmd(&c, 0x41, 10000 >> 8, 10000 & 255, -1);
    cmd(&c, 0x48, 999 & 255, 999 >> 8, -1);
    dsp(&c, 0x1c); /* 0.1 s */
    rig_run(&c.r, 50 * MS);
    dsp(&c, 0xda);
    dsp(&c, 0x45);
    rig_run(&c.r, 100 * MS);
    ck_assert_uint_eq(c.irq[5].rises, 1);
    in8(&c.r, 0x22e);
    cmd(&c, 0x14, 499 & 255, 499 >> 8, -1); /* follows the block: 0.2 s, then 0.05 */
    rig_run(&c.r, 49 * MS);
    ck_assert_uint_eq(c.irq[5].rises, 1);
    rig_run(&c.r, 2 * MS);
    ck_assert_uint_eq(c.irq[5].rises, 2);
    in8(&c.r, 0x22e);
    rig_run(&c.r, 48 * MS);
    ck_assert_uint_eq(c.irq[5].rises, 2);
    rig_run(&c.r, 2 * MS);
    ck_assert_uint_eq(c.irq[5].rises, 3);
    in8(&c.r, 0x22e);
    rig_run(&c.r, 500 * MS);
    ck_assert_uint_eq(c.irq[5].rises, 3);
    /* 47h and D9h for the other one; a new auto-init command starts at once. */
    program_dma(&c, 5, 0x58, BUFFER, 4000);
    cmd(&c, 0xb6, 0, 999 & 255, 999 >> 8);
    rig_run(&c.r, 50 * MS);
    cmd(&c, 0xb6, 0, 499 & 255, 499 >> 8);
    rig_run(&c.r, 51 * MS);
    ck_assert_uint_eq(c.irq[5].rises, 4);
    in8(&c.r, 0x22f);
    dsp(&c, 0xd9);
    dsp(&c, 0x47);
    rig_run(&c.r, 50 * MS);
    ck_assert_uint_eq(c.irq[5].rises, 5);
    in8(&c.r, 0x22f);
    rig_run(&c.r, 50 * MS);
    ck_assert_uint_eq(c.irq[5].rises, 6);
    teardown(&c);
}
END_TEST

/* A reset while DMA runs: quiet at once, no interrupt, no more requests, and it starts again. */
START_TEST(reset_during_dma)
{
    struct card c;
    unsigned left;

    setup(&c);
    fill_square(&c, BUFFER, 4000, 1000, false, false, false);
    program_dma(&c, 1, 0x58, BUFFER, 4000);
    cmd(&c, 0x41, 22050 >> 8, 22050 & 255, -1);
    cmd(&c, 0xc6, 0, 999 & 255, 999 >> 8);
    rig_run(&c.r, 46 * MS); /* one interrupt is out */
    ck_assert(c.irq[5].level);
    reset_dsp(&c);
    ck_assert(!c.irq[5].level);
    left = dma_left(&c, 1);
    listen(&c, 500 * MS);
    ck_assert_int_eq(ear_high(c.e, 0, 0, c.e->n), 0);
    ck_assert_int_eq(ear_low(c.e, 0, 0, c.e->n), 0);
    ck_assert_uint_eq(dma_left(&c, 1), left);
    ck_assert_uint_eq(c.irq[5].rises, 1);
    cmd(&c, 0x41, 22050 >> 8, 22050 & 255, -1);
    cmd(&c, 0xc6, 0, 999 & 255, 999 >> 8);
    listen(&c, 50 * MS);
    ck_assert_uint_eq(c.irq[5].rises, 2);
    ck_assert_int_gt(abs(c.e->frame[500][0]), 19000);
    teardown(&c);
}
END_TEST

/* A rate changed while a block plays; a masked channel holds the block up. */
START_TEST(late_data_and_rates)
{
    struct card c;
    uint64_t start;

    setup(&c);
    reset_dsp(&c);
    program_dma(&c, 1, 0x58, BUFFER, 4000);
    cmd(&c, 0x41, 10000 >> 8, 10000 & 255, -1);
    start = rig_now(&c.r);
    cmd(&c, 0xc6, 0, 1999 & 255, 1999 >> 8);
    rig_run(&c.r, 100 * MS);
    cmd(&c, 0x41, 20000 >> 8, 20000 & 255, -1);
    rig_run(&c.r, 100 * MS);
    ck_assert_uint_ge(c.irq[5].at - start, 150 * MS);
    ck_assert_uint_le(c.irq[5].at - start, 151 * MS);
    in8(&c.r, 0x22e);
    reset_dsp(&c);
    out8(&c.r, 0x0a, 5);
    start = rig_now(&c.r);
    cmd(&c, 0x41, 10000 >> 8, 10000 & 255, -1);
    cmd(&c, 0xc6, 0, 999 & 255, 999 >> 8);
    rig_run(&c.r, 300 * MS);
    ck_assert_uint_eq(c.irq[5].rises, 1);
    out8(&c.r, 0x0a, 1);
    rig_run(&c.r, 110 * MS);
    ck_assert_uint_eq(c.irq[5].rises, 2);
    ck_assert_uint_ge(c.irq[5].at - start, 400 * MS);
    ck_assert_uint_le(c.irq[5].at - start, 401 * MS);
    teardown(&c);
}
END_TEST

/* Other DMA channels by register 81h; 16 bits through an 8-bit channel when there is no other. */
START_TEST(dma_channels)
{
    static const struct {
        uint8_t select, channel;
        bool wide;
    } want[] = {{0x21, 0, false}, {0x28, 3, false}, {0x42, 6, true}, {0x82, 7, true},
                {0x02, 1, true}, {0x08, 3, true}};

    for (unsigned n = 0; n < ARRAY_LEN(want); n++) {
        struct card c;

        setup(&c);
        mixer(&c, 0x81, want[n].select);
        fill_square(&c, BUFFER, 2000, 20, want[n].wide, false, true);
        program_dma(&c, want[n].channel, 0x58, BUFFER, want[n].wide ? 4000 : 2000);
        cmd(&c, 0x41, 20000 >> 8, 20000 & 255, -1);
        cmd(&c, want[n].wide ? 0xb6 : 0xc6, 0x10, 1999 & 255, 1999 >> 8);
        rig_run(&c.r, 10 * MS);
        listen(&c, 200 * MS);
        check_tone(&c, 0, 500, want[n].wide ? 20000 : 19968);
        ck_assert_uint_eq(c.irq[5].rises, 1);
        ck_assert_uint_eq(mixer_get(&c, 0x82), want[n].wide ? 2 : 1);
        teardown(&c);
    }
}
END_TEST

/* A DMA controller that was told another direction moves nothing sensible, and nothing breaks. */
START_TEST(wrong_direction)
{
    struct card c;

    setup(&c);
    memset(c.r.ram + BUFFER, 0xff, 1000);
    program_dma(&c, 1, 0x50, BUFFER, 1000); /* verify */
    cmd(&c, 0x41, 20000 >> 8, 20000 & 255, -1);
    cmd(&c, 0xc6, 0, 999 & 255, 999 >> 8);
    listen(&c, 100 * MS);
    ck_assert_int_eq(ear_high(c.e, 0, 0, c.e->n), 0);
    ck_assert_uint_eq(c.irq[5].rises, 1);
    cmd(&c, 0xce, 0, 999 & 255, 999 >> 8);
    rig_run(&c.r, 100 * MS);
    ck_assert_uint_eq(c.r.ram[BUFFER + 5], 0xff);
    teardown(&c);
}
END_TEST

/* --- MIDI ------------------------------------------------------------------------------------- */

START_TEST(midi)
{
    struct card c;

    setup(&c);
    cmd(&c, 0x38, 0x90, -1, -1);
    ck_assert_uint_eq(c.midi.n, 1);
    for (unsigned n = 0x34; n <= 0x37; n++) {
        dsp(&c, n);
        dsp(&c, 0xe1); /* data now */
        ck_assert_int_eq(reply(&c), -1);
        reset_dsp(&c);
    }
    ck_assert_uint_eq(c.midi.n, 5);
    ck_assert_uint_eq(c.midi.byte[4], 0xe1);
    /* MPU-401 */
    ck_assert_uint_eq(in8(&c.r, 0x331), 0xbf);
    out8(&c.r, 0x330, 0x12); /* not in UART mode: nothing */
    out8(&c.r, 0x331, 0xff);
    ck_assert_uint_eq(in8(&c.r, 0x331) & 0x80, 0);
    ck_assert_uint_eq(in8(&c.r, 0x330), 0xfe);
    ck_assert_uint_eq(in8(&c.r, 0x331), 0xbf);
    out8(&c.r, 0x331, 0x3f);
    ck_assert_uint_eq(in8(&c.r, 0x330), 0xfe);
    out8(&c.r, 0x330, 0x55);
    ck_assert_uint_eq(c.midi.n, 6);
    ck_assert_uint_eq(c.midi.byte[5], 0x55);
    out8(&c.r, 0x331, 0xff); /* out of UART mode without an answer */
    ck_assert_uint_eq(in8(&c.r, 0x331), 0xbf);
    out8(&c.r, 0x330, 0x66);
    ck_assert_uint_eq(c.midi.n, 6);
    ck_assert_uint_eq(in8(&c.r, 0x201), 0xff); /* no joystick */
    teardown(&c);
}
END_TEST

/* --- state ------------------------------------------------------------------------------------ */

/* A busy card: 16-bit stereo and ADPCM at once, FM, volumes; a round trip at `save`. */
static struct ear *busy(uint64_t step, uint64_t save, uint64_t *hash)
{
    struct card c;
    struct snap_writer w;
    struct ear *e;

    setup(&c);
    for (unsigned k = 0; k < 8000; k++) {
        c.r.ram[BUFFER + k] = (uint8_t)(k * 37 ^ k >> 5);
    }
    program_dma(&c, 5, 0x58, BUFFER, 6000);
    program_dma(&c, 1, 0x58, BUFFER, 5001);
    cmd(&c, 0x40, 256 - 90, -1, -1);
    cmd(&c, 0x48, 0x35, 1, -1);
    dsp(&c, 0x7d);
    cmd(&c, 0xb6, 0x30, 0x99, 2); /* an odd half of a frame at the end of the block */
    for (unsigned n = 0; n < 40; n++) {
        if (n == save) {
            rig_round_trip(&c.r);
        }
        mixer(&c, 0x30 + n % 6, (uint8_t)(n * 51));
        mixer(&c, 0x44 + n % 4, (uint8_t)(n * 91));
        if (n == 20) {
            dsp(&c, 0xd0);
        } else if (n == 25) {
            dsp(&c, 0xd4);
        } else if (n == 30) {
            cmd(&c, 0x41, 44100 >> 8, 44100 & 255, -1);
        }
        in8(&c.r, n & 1 ? 0x22e : 0x22f);
        ear_listen(c.e, &c.r, 7 * MS + n * 12345, step);
    }
    snap_writer_init(&w);
    devices_save(&c.r.env, &w);
    sched_save(c.r.env.sched, &w);
    *hash = snap_hash(SNAP_HASH_INIT, w.buf, w.len);
    snap_writer_free(&w);
    e = c.e;
    rig_free(&c.r);
    return e;
}

START_TEST(same_whenever_heard)
{
    uint64_t h1, h2;
    struct ear *a = busy(100 * MS, UINT64_MAX, &h1), *b = busy(7777, UINT64_MAX, &h2);

    ck_assert_uint_gt(a->n, 10000);
    ck_assert_uint_eq(a->n, b->n);
    ck_assert_int_eq(memcmp(a->frame, b->frame, a->n * sizeof a->frame[0]), 0);
    ck_assert_uint_eq(h1, h2);
    ck_assert_uint_eq(ear_hash(a), UINT64_C(16774315976961464064)); /* on every host */
    free(a);
    free(b);
}
END_TEST

/* In the middle of buffers: the same state at the end, and all frames but one. */
START_TEST(round_trip)
{
    uint64_t h, h2;
    struct ear *a = busy(100 * MS, UINT64_MAX, &h);

    for (uint64_t save = 1; save < 40; save += 3) {
        struct ear *b = busy(100 * MS, save, &h2);

        ck_assert_uint_eq(b->n, a->n - 1);
        ck_assert_uint_eq(h2, h);
        free(b);
    }
    free(a);
}
END_TEST

/* The same frames after a load, with a flat tone control (its filters start anew otherwise). */
START_TEST(frames_after_load)
{
    struct ear *e[2];

    for (unsigned k = 0; k < 2; k++) {
        struct card c;

        setup(&c);
        fill_square(&c, BUFFER, 4000, 17, true, true, true);
        program_dma(&c, 5, 0x58, BUFFER, 16000);
        cmd(&c, 0x41, 32000 >> 8, 32000 & 255, -1);
        cmd(&c, 0xb6, 0x30, 3999 & 255, 3999 >> 8);
        mixer(&c, 0x30, 26 << 3);
        ear_listen(c.e, &c.r, 33333333, 1 * MS);
        if (k) {
            rig_round_trip(&c.r);
        }
        ear_listen(c.e, &c.r, 100 * MS, 1 * MS);
        e[k] = c.e;
        rig_free(&c.r);
    }
    ck_assert_uint_eq(e[1]->n, e[0]->n - 1);
    ck_assert_int_eq(memcmp(e[0]->frame[e[0]->n - 4400], e[1]->frame[e[1]->n - 4400],
                            4400 * sizeof e[0]->frame[0]), 0);
    free(e[0]);
    free(e[1]);
}
END_TEST

/* Ports in any order, with and without a listener: nothing breaks, and the state is the same. */
START_TEST(register_storm)
{
    static const uint16_t ports[] = {0x220, 0x221, 0x222, 0x223, 0x224, 0x225, 0x226, 0x228, 0x229,
                                     0x22a, 0x22c, 0x22c, 0x22c, 0x22c, 0x22e, 0x22f, 0x330, 0x331,
                                     0x388, 0x389, 0x02, 0x03, 0x0a, 0x0b, 0x0c, 0xd4, 0xd6, 0xc4};
    uint64_t h[2];

    for (unsigned k = 0; k < 2; k++) {
        struct card c;
        struct snap_writer w;
        uint32_t seed = 99;

        setup_rate(&c, k ? EAR_RATE : 0);
        for (unsigned n = 0; n < 4000; n++) {
            for (unsigned j = 0; j < 1 + n % 50; j++) {
                seed = seed * 1664525u + 1013904223u;
                if (seed & 0x800) {
                    out8(&c.r, ports[(seed >> 24) % ARRAY_LEN(ports)], (uint8_t)(seed >> 13));
                } else {
                    in8(&c.r, ports[(seed >> 24) % ARRAY_LEN(ports)]);
                }
            }
            if (n % 3 == 0) {
                program_dma(&c, n & 1 ? 1 : 5, 0x58, BUFFER, 500);
            }
            rig_run(&c.r, 100 * US);
            ear_skip(c.e);
            if (n % 500 == 499) {
                rig_round_trip(&c.r);
            }
        }
        snap_writer_init(&w);
        devices_save(&c.r.env, &w);
        h[k] = snap_hash(SNAP_HASH_INIT, w.buf, w.len);
        snap_writer_free(&w);
        devices_reset(&c.r.env, RESET_WARM);
        reset_dsp(&c);
        teardown(&c);
    }
    ck_assert_uint_eq(h[0], h[1]);
}
END_TEST

/* States with any bytes in them are refused or run, but never crash. */
START_TEST(hostile_state)
{
    uint32_t seed = 7;

    for (unsigned n = 0; n < 400; n++) {
        struct card c;
        struct snap_writer w;
        struct snap_reader in;
        struct err e = {""};
        size_t start, len;

        setup(&c);
        snap_writer_init(&w);
        snap_begin(&w, "sb16", 1);
        start = w.len;
        snap_put_fields(&w, c.sb->cls->state, c.sb);
        len = w.len - start;
        for (unsigned k = 0; k < 1 + n % 8; k++) {
            seed = seed * 1664525u + 1013904223u;
            w.buf[start + (n & 1 ? seed % len : seed % 600)] = (uint8_t)(seed >> 24);
        }
        snap_end(&w);
        ck_assert(snap_reader_init(&in, w.buf, w.len, &e));
        ck_assert(snap_open(&in, "sb16", 1, &e));
        snap_get_fields(&in, c.sb->cls->state, c.sb);
        if (c.sb->cls->post_load(c.sb, 1, &e)) {
            program_dma(&c, 1, 0x58, BUFFER, 5000);
            program_dma(&c, 5, 0x58, BUFFER, 5000);
            dsp(&c, 0xd4);
            dsp(&c, 0xd6);
            listen(&c, 20 * MS);
            out8(&c.r, 0x226, 1);
            out8(&c.r, 0x226, 0);
            listen(&c, 20 * MS);
        }
        snap_writer_free(&w);
        teardown(&c);
    }
}
END_TEST

static void add(TCase *t)
{
    tcase_set_timeout(t, 60);
    tcase_add_test(t, reset_and_identity);
    tcase_add_test(t, interrupt_request);
    tcase_add_test(t, dma_identification);
    tcase_add_test(t, mixer_registers);
    tcase_add_test(t, line_choices);
    tcase_add_test(t, volumes);
    tcase_add_test(t, fm_volume_and_tone);
    tcase_add_test(t, cd_volume);
    tcase_add_test(t, direct_output);
    tcase_add_test(t, single_8bit);
    tcase_add_test(t, auto_init_formats);
    tcase_add_test(t, rates);
    tcase_add_test(t, old_commands);
    tcase_add_test(t, recording);
    tcase_add_test(t, adpcm);
    tcase_add_test(t, silence_block);
    tcase_add_test(t, pause_and_continue);
    tcase_add_test(t, leaving_auto_init);
    tcase_add_test(t, reset_during_dma);
    tcase_add_test(t, late_data_and_rates);
    tcase_add_test(t, dma_channels);
    tcase_add_test(t, wrong_direction);
    tcase_add_test(t, midi);
    tcase_add_test(t, same_whenever_heard);
    tcase_add_test(t, round_trip);
    tcase_add_test(t, frames_after_load);
    tcase_add_test(t, register_storm);
    tcase_add_test(t, hostile_state);
}

int main(void)
{
    return rig_main("sb16", add);
}
