/*
 * The FM synthesizers: detection and timers, pitch of every multiple, levels, waveforms, envelope
 * rates of the data sheet, vibrato and tremolo, four operators, rhythm, panning, CSM, round trips.
 */
#include "tests/audio_rig.h"

#include "devices/opl3.h"

#define MS UINT64_C(1000000)

struct fm {
    struct rig r;
    struct device *d;
    struct ear *e;
};

static void setup_kind(struct fm *f, bool ym3812)
{
    struct opl3_config c = {.ym3812 = ym3812, .window = {{0x388, ym3812 ? 2 : 4}}};
    struct device *audio;

    rig_init(&f->r);
    audio = ear_mixer(&f->r, EAR_RATE);
    f->e = ear_new(audio);
    c.out = audio_connect(audio, AUDIO_BOARD);
    f->d = rig_add(&f->r, &opl3_class, "opl3", &c);
}

static void setup(struct fm *f)
{
    setup_kind(f, false);
}

static void teardown(struct fm *f)
{
    free(f->e);
    rig_free(&f->r);
}

/* Register r, 1xx in the second array. */
static void reg(struct fm *f, unsigned r, uint8_t v)
{
    out8(&f->r, 0x388 + (r >> 8) * 2, (uint8_t)r);
    out8(&f->r, 0x389 + (r >> 8) * 2, v);
}

/* Operator register of channel ch (0..8), operator 0 or 1. */
static unsigned op_reg(unsigned base, unsigned ch, unsigned op)
{
    return base + ch / 3 * 8 + ch % 3 + op * 3;
}

/* A sine on the second operator alone, the first silent: full volume, at once, sustained. */
static void plain(struct fm *f, unsigned bank, unsigned ch, uint8_t multiple)
{
    for (unsigned op = 0; op < 2; op++) {
        reg(f, bank + op_reg(0x20, ch, op), (uint8_t)(0x20 | multiple));
        reg(f, bank + op_reg(0x40, ch, op), op ? 0 : 63);
        reg(f, bank + op_reg(0x60, ch, op), 0xf0);
        reg(f, bank + op_reg(0x80, ch, op), 0x0f);
        reg(f, bank + op_reg(0xe0, ch, op), 0);
    }
    reg(f, bank + 0xc0 + ch, 0x30);
}

static void key(struct fm *f, unsigned bank, unsigned ch, unsigned fnum, unsigned block, bool on)
{
    reg(f, bank + 0xa0 + ch, (uint8_t)fnum);
    reg(f, bank + 0xb0 + ch, (uint8_t)((on ? 0x20 : 0) | block << 2 | fnum >> 8));
}

/* Hears the next `ns` and nothing from before. */
static void listen(struct fm *f, uint64_t ns)
{
    ear_skip(f->e);
    ear_listen(f->e, &f->r, ns, 10 * MS);
}

static int peak(struct fm *f, unsigned ch)
{
    return ear_high(f->e, ch, 0, f->e->n);
}

/* Millihertz that the data sheet gives. */
static uint64_t pitch(unsigned fnum, unsigned block, unsigned twice)
{
    return fnum * twice * UINT64_C(14318180) * 1000 / 288 / 2 >> (20 - block);
}

static void check_pitch(struct fm *f, unsigned ch, uint64_t want)
{
    uint64_t got = ear_frequency(f->e, ch, 20, f->e->n);

    ck_assert_msg(got >= want - want / 500 - 50 && got <= want + want / 500 + 50,
                  "%llu mHz, not %llu", (unsigned long long)got, (unsigned long long)want);
}

/* --- status and timers ------------------------------------------------------------------------ */

/* What programs do to find an FM chip. */
START_TEST(detection)
{
    for (unsigned kind = 0; kind < 2; kind++) {
        struct fm f;
        uint8_t id = kind ? 0x06 : 0x00;

        setup_kind(&f, kind);
        reg(&f, 4, 0x60);
        reg(&f, 4, 0x80);
        ck_assert_uint_eq(in8(&f.r, 0x388), id);
        reg(&f, 2, 0xff);
        reg(&f, 4, 0x21);
        rig_run(&f.r, 81000);
        ck_assert_uint_eq(in8(&f.r, 0x388), 0xc0 | id);
        reg(&f, 4, 0x60);
        reg(&f, 4, 0x80);
        ck_assert_uint_eq(in8(&f.r, 0x388), id);
        ck_assert_uint_eq(in8(&f.r, 0x389), 0xff);
        teardown(&f);
    }
}
END_TEST

/* Periods of both timers, in pieces of 80.46 and 321.8 us. */
START_TEST(timer_periods)
{
    struct fm f;
    unsigned n, count = 0;

    setup(&f);
    reg(&f, 2, 156); /* 100 * 80.46 us */
    reg(&f, 4, 0x21);
    rig_run(&f.r, 7900000);
    ck_assert_uint_eq(in8(&f.r, 0x388), 0);
    rig_run(&f.r, 200000);
    ck_assert_uint_eq(in8(&f.r, 0x388), 0xc0);
    reg(&f, 3, 206); /* 50 * 321.8 us */
    reg(&f, 4, 0x80);
    reg(&f, 4, 0x42);
    rig_run(&f.r, 15500000);
    ck_assert_uint_eq(in8(&f.r, 0x388), 0);
    rig_run(&f.r, 900000);
    ck_assert_uint_eq(in8(&f.r, 0x388), 0xa0);
    reg(&f, 4, 0x80);
    /* 1 s of both: 124 overflows of timer 1 */
    reg(&f, 4, 0x00);
    reg(&f, 4, 0x21);
    for (n = 0; n < 100000; n++) {
        rig_run(&f.r, 10000);
        if (in8(&f.r, 0x388) & 0x40) {
            count++;
            reg(&f, 4, 0x80);
        }
    }
    ck_assert_uint_eq(count, 124);
    teardown(&f);
}
END_TEST

START_TEST(timer_masks)
{
    struct fm f;

    setup(&f);
    reg(&f, 2, 0xff);
    reg(&f, 3, 0xff);
    reg(&f, 4, 0x63);
    rig_run(&f.r, 1 * MS);
    ck_assert_uint_eq(in8(&f.r, 0x388), 0);
    reg(&f, 4, 0x03);
    rig_run(&f.r, 1 * MS);
    ck_assert_uint_eq(in8(&f.r, 0x388), 0xe0);
    reg(&f, 4, 0x43); /* a masked flag goes */
    ck_assert_uint_eq(in8(&f.r, 0x388), 0xa0);
    reg(&f, 4, 0x00);
    reg(&f, 4, 0x80);
    rig_run(&f.r, 10 * MS);
    ck_assert_uint_eq(in8(&f.r, 0x388), 0); /* stopped */
    teardown(&f);
}
END_TEST

/* --- tones ------------------------------------------------------------------------------------ */

START_TEST(pitches)
{
    static const uint8_t twice[16] = {1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 20, 24, 24, 30, 30};
    struct fm f;

    setup(&f);
    for (unsigned m = 0; m < 16; m++) {
        plain(&f, 0, 0, (uint8_t)m);
        key(&f, 0, 0, 580, 3, true);
        listen(&f, 300 * MS);
        check_pitch(&f, 0, pitch(580, 3, twice[m]));
        key(&f, 0, 0, 580, 3, false);
        rig_run(&f.r, 5 * MS);
    }
    for (unsigned block = 2; block < 8; block++) {
        plain(&f, 0, 8, 1);
        key(&f, 0, 8, 291, block, true);
        listen(&f, 500 * MS);
        check_pitch(&f, 1, pitch(291, block, 2));
        key(&f, 0, 8, 291, block, false);
        rig_run(&f.r, 5 * MS);
    }
    teardown(&f);
}
END_TEST

/* All 18 channels, one after the other; the second array only as an OPL3. */
START_TEST(channels)
{
    struct fm f;

    setup(&f);
    plain(&f, 0x100, 4, 1);
    key(&f, 0x100, 4, 580, 4, true); /* lands in the first array */
    listen(&f, 20 * MS);
    ck_assert_int_eq(peak(&f, 0), 4084);
    key(&f, 0, 4, 580, 4, false);
    rig_run(&f.r, 20 * MS);
    reg(&f, 0x105, 1);
    for (unsigned n = 0; n < 18; n++) {
        unsigned bank = n / 9 * 0x100, ch = n % 9;

        plain(&f, bank, ch, 1);
        key(&f, bank, ch, 580, 4, true);
        listen(&f, 50 * MS);
        ck_assert_int_ge(peak(&f, 0), 4080);
        ck_assert_int_ge(peak(&f, 1), 4080);
        ck_assert_int_le(ear_low(f.e, 0, 0, f.e->n), -4080);
        key(&f, bank, ch, 580, 4, false);
        rig_run(&f.r, 20 * MS);
        listen(&f, 20 * MS);
        ck_assert_int_eq(peak(&f, 0), 0);
    }
    teardown(&f);
}
END_TEST

START_TEST(panning)
{
    struct fm f;

    setup(&f);
    reg(&f, 0x105, 1);
    plain(&f, 0, 0, 1);
    key(&f, 0, 0, 580, 4, true);
    for (unsigned p = 0; p < 4; p++) {
        reg(&f, 0xc0, (uint8_t)(p << 4));
        listen(&f, 20 * MS);
        listen(&f, 50 * MS);
        ck_assert_int_eq(peak(&f, 0) > 4000, p & 1);
        ck_assert_int_eq(peak(&f, 1) > 4000, p >> 1);
    }
    reg(&f, 0x105, 0); /* an OPL2 is heard on both */
    reg(&f, 0xc0, 0);
    listen(&f, 50 * MS);
    ck_assert_int_gt(peak(&f, 0), 4000);
    ck_assert_int_gt(peak(&f, 1), 4000);
    teardown(&f);
}
END_TEST

/* Total level: 0.75 dB each, so 8 is a half; key scale level: the table of the data sheet. */
START_TEST(levels)
{
    struct fm f;

    setup(&f);
    plain(&f, 0, 0, 1);
    key(&f, 0, 0, 580, 4, true);
    for (unsigned tl = 0; tl < 64; tl += 8) {
        reg(&f, op_reg(0x40, 0, 1), (uint8_t)tl);
        listen(&f, 5 * MS);
        listen(&f, 50 * MS);
        ck_assert_int_le(abs(peak(&f, 0) - (4084 >> tl / 8)), 3);
    }
    /* F-number 1023 in octave 7: 10.5, 21 and 42 dB for 1.5, 3 and 6 dB an octave. */
    static const struct {
        uint8_t reg;
        int low, high;
    } ksl[] = {{0x00, 4080, 4084}, {0x80, 1200, 1225}, {0x40, 355, 368}, {0xc0, 28, 34}};
    reg(&f, op_reg(0x20, 0, 0), 0x20);
    reg(&f, op_reg(0x20, 0, 1), 0x20);
    key(&f, 0, 0, 1023, 7, true);
    for (unsigned n = 0; n < ARRAY_LEN(ksl); n++) {
        reg(&f, op_reg(0x40, 0, 1), ksl[n].reg);
        listen(&f, 5 * MS);
        listen(&f, 200 * MS);
        /* The box filter takes a little at 3 kHz. */
        ck_assert_int_ge(peak(&f, 0), ksl[n].low * 98 / 100);
        ck_assert_int_le(peak(&f, 0), ksl[n].high);
    }
    key(&f, 0, 0, 1023, 0, true); /* lowest octave: nothing is taken away */
    reg(&f, op_reg(0x20, 0, 1), 0x2f);
    listen(&f, 200 * MS);
    ck_assert_int_ge(peak(&f, 0), 4000);
    teardown(&f);
}
END_TEST

/* Shares of a period above, below and at zero, and the pitch, tell the waveforms apart. */
START_TEST(waveforms)
{
    static const struct {
        unsigned above, below; /* percent */
        unsigned times;        /* crossings upwards a period */
    } want[8] = {{50, 50, 1}, {50, 0, 1}, {100, 0, 2}, {50, 0, 2},
                 {25, 25, 1}, {50, 0, 2}, {50, 50, 1}, {28, 28, 1}};
    struct fm f;

    setup(&f);
    reg(&f, 0x105, 1);
    plain(&f, 0, 0, 1);
    for (unsigned w = 0; w < 8; w++) {
        unsigned above = 0, below = 0;
        uint64_t hz;

        reg(&f, op_reg(0xe0, 0, 1), (uint8_t)w);
        key(&f, 0, 0, 580, 2, true); /* 110 Hz */
        listen(&f, 10 * MS);
        listen(&f, 1000 * MS);
        for (size_t k = 0; k < f.e->n; k++) {
            above += f.e->frame[k][0] > 8;
            below += f.e->frame[k][0] < -8;
        }
        ck_assert_int_le(abs((int)(above * 100 / f.e->n) - (int)want[w].above), 3);
        ck_assert_int_le(abs((int)(below * 100 / f.e->n) - (int)want[w].below), 3);
        hz = ear_frequency(f.e, 0, 0, f.e->n) / 1000;
        ck_assert_uint_ge(hz, 109 * want[w].times);
        ck_assert_uint_le(hz, 110 * want[w].times);
        ck_assert_int_ge(peak(&f, 0), 4000);
        key(&f, 0, 0, 580, 2, false);
        rig_run(&f.r, 20 * MS);
    }
    teardown(&f);
    /* The YM3812 has four, and takes them only with the bit of register 1. */
    setup_kind(&f, true);
    plain(&f, 0, 0, 1);
    reg(&f, op_reg(0xe0, 0, 1), 5);
    key(&f, 0, 0, 580, 4, true);
    listen(&f, 100 * MS);
    ck_assert_int_le(ear_low(f.e, 0, 0, f.e->n), -4000);
    for (unsigned bit = 0x20; bit <= 0x20; bit -= 0x20) { /* and keeps them without */
        reg(&f, 1, (uint8_t)bit);
        reg(&f, op_reg(0xe0, 0, 1), bit ? 5 : 0);
        listen(&f, 10 * MS);
        listen(&f, 100 * MS);
        ck_assert_int_ge(ear_low(f.e, 0, 0, f.e->n), -4);
    }
    teardown(&f);
}
END_TEST

/* --- envelopes -------------------------------------------------------------------------------- */

/* Milliseconds until the sound falls below a share (in 4084ths) or rises above it. */
static unsigned time_to(struct fm *f, int level, bool rise, unsigned most)
{
    unsigned ms = 0;

    for (; ms < most; ms += 10) {
        listen(f, 10 * MS);
        if (rise ? peak(f, 0) >= level : peak(f, 0) <= level) {
            break;
        }
    }
    return ms;
}

static void check_ms(unsigned got, unsigned want)
{
    unsigned slack = want / 16 + 15;

    ck_assert_msg(got + slack >= want && got <= want + slack, "%u ms, not %u", got, want);
}

/* Decay from 10 % to 90 % of the way in dB, attack from nothing to full, as in the data sheet. */
START_TEST(envelope_rates)
{
    /* rate; attack 0-100 % and decay 10-90 %, ms, from the table for 3.6 MHz */
    static const struct {
        uint8_t rate;
        unsigned attack, decay;
    } sheet[] = {{3, 706, 2053}, {4, 353, 1026}, {5, 176, 513}, {6, 88, 256}, {7, 44, 128}};
    struct fm f;

    setup(&f);
    for (unsigned n = 0; n < ARRAY_LEN(sheet); n++) {
        unsigned t;

        plain(&f, 0, 0, 4);
        reg(&f, op_reg(0x60, 0, 1), (uint8_t)(sheet[n].rate << 4));
        key(&f, 0, 0, 580, 1, true);
        check_ms(time_to(&f, 4050, true, 5000), sheet[n].attack);
        key(&f, 0, 0, 580, 1, false);
        rig_run(&f.r, 100 * MS);
        reg(&f, op_reg(0x60, 0, 1), (uint8_t)(0xf0 | sheet[n].rate));
        reg(&f, op_reg(0x80, 0, 1), 0xff);
        key(&f, 0, 0, 580, 1, true);
        time_to(&f, 3675, false, 20000); /* 0.915 dB */
        t = time_to(&f, 408, false, 20000); /* 20 dB */
        check_ms(t, sheet[n].decay);
        key(&f, 0, 0, 580, 1, false);
        rig_run(&f.r, 100 * MS);
    }
    teardown(&f);
}
END_TEST

START_TEST(sustain_and_release)
{
    struct fm f;

    setup(&f);
    plain(&f, 0, 0, 4);
    reg(&f, op_reg(0x60, 0, 1), 0xf8);
    reg(&f, op_reg(0x80, 0, 1), 0x46); /* 12 dB down, then held */
    key(&f, 0, 0, 580, 3, true);
    rig_run(&f.r, 500 * MS);
    listen(&f, 500 * MS);
    ck_assert_int_ge(peak(&f, 0), 1015);
    ck_assert_int_le(peak(&f, 0), 1035);
    key(&f, 0, 0, 580, 3, false);
    check_ms(time_to(&f, 102, false, 5000), 256 * 4 / 5); /* rate 24 + 1 */
    rig_run(&f.r, 2000 * MS);
    /* Percussive: it goes on falling with the key down. */
    reg(&f, op_reg(0x20, 0, 1), 0x04);
    key(&f, 0, 0, 580, 3, true);
    rig_run(&f.r, 3000 * MS);
    listen(&f, 100 * MS);
    ck_assert_int_eq(peak(&f, 0), 0);
    /* Rate 0 never starts. */
    key(&f, 0, 0, 580, 3, false);
    reg(&f, op_reg(0x60, 0, 1), 0x00);
    key(&f, 0, 0, 580, 3, true);
    listen(&f, 500 * MS);
    ck_assert_int_eq(peak(&f, 0), 0);
    teardown(&f);
}
END_TEST

/* Key scale rate: a high note fades faster; the note select bit chooses the F-number's bit. */
START_TEST(key_scale_rate)
{
    unsigned t[3];
    struct fm f;

    setup(&f);
    for (unsigned n = 0; n < 3; n++) {
        plain(&f, 0, 0, 0);
        reg(&f, op_reg(0x20, 0, 1), (uint8_t)(n ? 0x30 : 0x20));
        reg(&f, op_reg(0x60, 0, 1), 0xf3);
        reg(&f, op_reg(0x80, 0, 1), 0xff);
        reg(&f, 0x08, n == 2 ? 0x40 : 0x00);
        key(&f, 0, 0, 0x100 | 44, 4, true);
        time_to(&f, 3675, false, 20000);
        t[n] = time_to(&f, 408, false, 20000);
        key(&f, 0, 0, 0x100 | 44, 4, false);
        rig_run(&f.r, 100 * MS);
    }
    check_ms(t[0], 2053 * 4 / 6); /* 12 + 8 / 4 = 14 */
    check_ms(t[1], 2053 / 4);     /* 12 + 8 = 20 */
    check_ms(t[2], 2053 / 4 * 4 / 5); /* 12 + 9 = 21 */
    teardown(&f);
}
END_TEST

/* --- modulation ------------------------------------------------------------------------------- */

/* 3.7 Hz and 4.8 or 1 dB; 6.1 Hz and 14 or 7 cents. */
START_TEST(tremolo_vibrato)
{
    struct fm f;

    setup(&f);
    plain(&f, 0, 0, 1);
    reg(&f, op_reg(0x20, 0, 1), 0xa1);
    key(&f, 0, 0, 580, 5, true);
    for (unsigned deep = 0; deep < 2; deep++) {
        int low = 32767, high = 0;
        unsigned falls = 0;
        bool down = false;

        reg(&f, 0xbd, (uint8_t)(deep << 7));
        for (unsigned n = 0; n < 400; n++) {
            listen(&f, 5 * MS);
            low = MIN(low, peak(&f, 0));
            high = MAX(high, peak(&f, 0));
            falls += !down && peak(&f, 0) < 3000;
            down = peak(&f, 0) < 3000 || (down && peak(&f, 0) < 3300);
        }
        ck_assert_int_ge(high, 4060);
        ck_assert_int_le(abs(low - (deep ? 2330 : 3600)), 90);
        ck_assert_uint_ge(falls, deep ? 7 : 0); /* 2 s */
        ck_assert_uint_le(falls, deep ? 8 : 0);
    }
    reg(&f, op_reg(0x20, 0, 1), 0x61);
    key(&f, 0, 0, 1000, 5, true);
    for (unsigned deep = 0; deep < 2; deep++) {
        uint64_t low = UINT64_MAX, high = 0, centre = pitch(1000, 5, 2);

        reg(&f, 0xbd, (uint8_t)(deep << 6));
        for (unsigned n = 0; n < 50; n++) {
            uint64_t hz;

            listen(&f, 18 * MS);
            hz = ear_frequency(f.e, 0, 0, f.e->n);
            low = MIN(low, hz);
            high = MAX(high, hz);
        }
        /* 7 of 1000 are 12 cents, 3 are 5 */
        ck_assert_uint_ge(high, centre + centre * (deep ? 5 : 1) / 1000);
        ck_assert_uint_le(low, centre - centre * (deep ? 5 : 1) / 1000);
        ck_assert_uint_le(high, centre + centre * (deep ? 12 : 6) / 1000);
        ck_assert_uint_ge(low, centre - centre * (deep ? 12 : 6) / 1000);
    }
    teardown(&f);
}
END_TEST

/* How rough a sound is: summed steps between frames, per frame. */
static unsigned roughness(const struct ear *e)
{
    uint64_t sum = 0;

    for (size_t k = 1; k < e->n; k++) {
        sum += (unsigned)abs(e->frame[k][0] - e->frame[k - 1][0]);
    }
    return (unsigned)(sum / e->n);
}

START_TEST(two_operators)
{
    unsigned pure, modulated, fed;
    struct fm f;

    setup(&f);
    plain(&f, 0, 0, 1);
    key(&f, 0, 0, 580, 4, true);
    listen(&f, 100 * MS);
    pure = roughness(f.e);
    reg(&f, op_reg(0x40, 0, 0), 16);
    listen(&f, 5 * MS);
    listen(&f, 100 * MS);
    modulated = roughness(f.e);
    ck_assert_uint_gt(modulated, pure * 2);
    check_pitch(&f, 0, ear_frequency(f.e, 0, 0, f.e->n));
    reg(&f, 0xc0, 0x30 | 7 << 1);
    listen(&f, 5 * MS);
    listen(&f, 100 * MS);
    fed = roughness(f.e);
    ck_assert_uint_gt(fed, modulated);
    /* Side by side: both are heard. */
    reg(&f, op_reg(0x40, 0, 0), 0);
    reg(&f, 0xc0, 0x31);
    listen(&f, 5 * MS);
    listen(&f, 100 * MS);
    ck_assert_int_ge(peak(&f, 0), 8100);
    teardown(&f);
}
END_TEST

/* The four ways to join four operators, by which of them are heard alone. */
START_TEST(four_operators)
{
    static const uint8_t heard[4] = {0x8, 0x9, 0xa, 0xd}; /* bit per operator; cnt1 + 2 * cnt2 */

    for (unsigned way = 0; way < 4; way++) {
        for (unsigned op = 0; op < 4; op++) {
            struct fm f;

            setup(&f);
            reg(&f, 0x105, 1);
            reg(&f, 0x104, 1 << 4); /* channels 10 and 13 */
            plain(&f, 0x100, 1, 1);
            plain(&f, 0x100, 4, 1);
            reg(&f, 0x1c1, (uint8_t)(0x30 | (way & 1)));
            reg(&f, 0x1c4, (uint8_t)(0x30 | way >> 1));
            for (unsigned k = 0; k < 4; k++) {
                reg(&f, 0x100 + op_reg(0x40, k < 2 ? 1 : 4, k & 1), k == op ? 0 : 63);
            }
            key(&f, 0x100, 4, 100, 6, true); /* the second pair obeys the first */
            key(&f, 0x100, 1, 580, 4, true);
            listen(&f, 20 * MS);
            listen(&f, 200 * MS);
            ck_assert_int_eq(peak(&f, 0) > 4000, heard[way] >> op & 1);
            if (heard[way] >> op & 1) {
                check_pitch(&f, 0, pitch(580, 4, 2));
            }
            key(&f, 0x100, 1, 580, 4, false);
            rig_run(&f.r, 20 * MS);
            listen(&f, 20 * MS);
            ck_assert_int_eq(peak(&f, 0), 0);
            teardown(&f);
        }
    }
}
END_TEST

/* Each drum alone is heard, and only with the rhythm bit. */
START_TEST(rhythm)
{
    for (unsigned bit = 0; bit < 5; bit++) {
        struct fm f;

        setup(&f);
        for (unsigned ch = 6; ch < 9; ch++) {
            plain(&f, 0, ch, 1);
            reg(&f, op_reg(0x40, ch, 0), 0);
            key(&f, 0, ch, 400, 4, false);
        }
        reg(&f, 0xbd, (uint8_t)(1 << bit));
        listen(&f, 20 * MS);
        ck_assert_int_eq(peak(&f, 0), 0);
        reg(&f, 0xbd, (uint8_t)(0x20 | 1 << bit));
        listen(&f, 100 * MS);
        ck_assert_int_ge(peak(&f, 0), 3500);
        if (bit == 2) {
            check_pitch(&f, 0, pitch(400, 4, 2)); /* the tom is a sine */
        }
        reg(&f, 0xbd, 0x20);
        rig_run(&f.r, 20 * MS);
        listen(&f, 20 * MS);
        ck_assert_int_eq(peak(&f, 0), 0);
        teardown(&f);
    }
}
END_TEST

/* Timer 1 of a YM3812 strikes the keys: a decaying note starts again each time. */
START_TEST(csm)
{
    struct fm f;
    unsigned strikes = 0;
    int last = 0;

    setup_kind(&f, true);
    plain(&f, 0, 0, 1);
    reg(&f, op_reg(0x60, 0, 1), 0xf4);
    reg(&f, op_reg(0x80, 0, 1), 0xf8);
    key(&f, 0, 0, 580, 6, false);
    reg(&f, 0x08, 0x80);
    reg(&f, 0x02, 0);  /* 20.6 ms */
    reg(&f, 0x04, 0x01);
    for (unsigned n = 0; n < 400; n++) {
        listen(&f, 1 * MS);
        strikes += peak(&f, 0) > last + 500;
        last = peak(&f, 0);
    }
    ck_assert_uint_ge(strikes, 18);
    ck_assert_uint_le(strikes, 20);
    reg(&f, 0x04, 0x00);
    rig_run(&f.r, 3000 * MS);
    listen(&f, 20 * MS);
    ck_assert_int_eq(peak(&f, 0), 0);
    teardown(&f);
}
END_TEST

/* --- time and state --------------------------------------------------------------------------- */

static uint32_t next_random(uint32_t *seed)
{
    return *seed = *seed * 1664525u + 1013904223u;
}

/* A storm of registers with time between, heard every `step` ns; at `save` a round trip. */
static struct ear *storm(uint64_t step, unsigned save)
{
    struct fm f;
    uint32_t seed = 1;
    struct ear *e;

    setup(&f);
    reg(&f, 0x105, 1);
    for (unsigned n = 0; n < 3000; n++) {
        unsigned r = next_random(&seed) >> 20 & 0x1ff;

        r = r == 4 || r == 0x105 ? 0x104 : r;
        r = n % 3 == 0 ? (r & 0x100) | (0xb0 + r % 9) : r;
        reg(&f, r, (uint8_t)(next_random(&seed) >> 16));
        ear_listen(f.e, &f.r, next_random(&seed) >> 12, step);
        if (n == save) {
            rig_round_trip(&f.r);
        }
    }
    e = f.e;
    rig_free(&f.r);
    return e;
}

START_TEST(same_whenever_heard)
{
    struct ear *a = storm(1000 * MS, UINT32_MAX), *b = storm(3333, UINT32_MAX);

    ck_assert_uint_gt(a->n, 20000);
    ck_assert_uint_eq(a->n, b->n);
    ck_assert_int_eq(memcmp(a->frame, b->frame, a->n * sizeof a->frame[0]), 0);
    ck_assert_uint_eq(ear_hash(a), UINT64_C(9166052439069421612)); /* on every host */
    free(a);
    free(b);
}
END_TEST

/* A round trip loses the frame in which it happens and nothing else. */
START_TEST(round_trip)
{
    struct ear *a = storm(1000 * MS, UINT32_MAX);

    for (unsigned save = 100; save < 3000; save += 700) {
        struct ear *b = storm(1000 * MS, save);
        size_t k = 0;

        ck_assert_uint_eq(b->n, a->n - 1);
        while (k < b->n && memcmp(a->frame[k], b->frame[k], sizeof a->frame[k]) == 0) {
            k++;
        }
        ck_assert_int_eq(memcmp(a->frame[k + 1], b->frame[k], (b->n - k) * sizeof a->frame[0]), 0);
        free(b);
    }
    free(a);
}
END_TEST

/* A state that is not one is refused, and a note that hangs does not stop time. */
START_TEST(robust)
{
    struct fm f;
    struct snap_writer w;
    struct snap_reader in;
    struct err e = {""};

    setup(&f);
    plain(&f, 0, 0, 1);
    key(&f, 0, 0, 580, 4, true);
    rig_run(&f.r, 60000 * MS);
    ck_assert_uint_eq(in8(&f.r, 0x388), 0);
    snap_writer_init(&w);
    devices_save(&f.r.env, &w);
    rig_run(&f.r, 60000 * MS); /* another time than that of the state */
    ck_assert(snap_reader_init(&in, w.buf, w.len, &e));
    ck_assert(!devices_load(&f.r.env, &in, &e));
    snap_writer_free(&w);
    devices_reset(&f.r.env, RESET_WARM);
    listen(&f, 100 * MS);
    ck_assert_int_eq(peak(&f, 0), 0);
    teardown(&f);
}
END_TEST

static void add(TCase *t)
{
    tcase_set_timeout(t, 60);
    tcase_add_test(t, detection);
    tcase_add_test(t, timer_periods);
    tcase_add_test(t, timer_masks);
    tcase_add_test(t, pitches);
    tcase_add_test(t, channels);
    tcase_add_test(t, panning);
    tcase_add_test(t, levels);
    tcase_add_test(t, waveforms);
    tcase_add_test(t, envelope_rates);
    tcase_add_test(t, sustain_and_release);
    tcase_add_test(t, key_scale_rate);
    tcase_add_test(t, tremolo_vibrato);
    tcase_add_test(t, two_operators);
    tcase_add_test(t, four_operators);
    tcase_add_test(t, rhythm);
    tcase_add_test(t, csm);
    tcase_add_test(t, same_whenever_heard);
    tcase_add_test(t, round_trip);
    tcase_add_test(t, robust);
}

int main(void)
{
    return rig_main("opl3", add);
}
