/*
 * Yamaha YMF262 (data sheet "OPL3") and, as a subset, YM3812 (data sheet and application manual).
 *
 * A sample leaves the chip every 288 clocks of 14.31818 MHz.  Samples are computed when somebody
 * needs them: before a register changes, when frames are read, when the machine is saved, and
 * twenty times a second while anything sounds.  Each sample depends on the one before and on the
 * registers only, so it does not matter who asked.  Sample numbers count from power-on and drive
 * vibrato, tremolo and the envelope clock; a chip in which nothing sounds skips ahead.
 * Invariants: `next` is the first sample not computed yet; attenuations are in 3/16 dB, 511 is
 * silence; a channel outside `sounding` has all its operators silent.
 */
#include "devices/opl3.h"

#include <stdio.h>
#include <string.h>

#define SAMPLE_CLOCK ((struct clock){14318180u, 288u})

enum {
    OPS = 36, CHANNELS = 18, BANK_OPS = 18, BANK_CHANNELS = 9, SILENT = 511, RUN_HZ = 20,
    WINDOWS = 3
};
enum { /* global registers; the second array's are 1xx */
    REG_TEST = 0x01, REG_TIMER1 = 0x02, REG_TIMER2 = 0x03, REG_TIMER_CONTROL = 0x04,
    REG_MODE = 0x08, REG_RHYTHM = 0xbd, REG_FOUR_OP = 0x104, REG_NEW = 0x105
};
enum { TEST_WAVES = 0x20, MODE_CSM = 0x80, MODE_NOTE_SEL = 0x40, NEW_OPL3 = 0x01 };
enum {
    TC_START1 = 0x01, TC_START2 = 0x02, TC_MASK2 = 0x20, TC_MASK1 = 0x40, TC_RESET = 0x80
};
enum { STATUS_IRQ = 0x80, STATUS_T1 = 0x40, STATUS_T2 = 0x20, STATUS_YM3812 = 0x06 };
enum {
    RHYTHM_HH = 0x01, RHYTHM_TC = 0x02, RHYTHM_TOM = 0x04, RHYTHM_SD = 0x08, RHYTHM_BD = 0x10,
    RHYTHM_ON = 0x20, DEEP_VIBRATO = 0x40, DEEP_TREMOLO = 0x80
};
enum { OP_TREMOLO = 0x80, OP_VIBRATO = 0x40, OP_SUSTAINED = 0x20, OP_KEY_SCALE = 0x10 };
enum { KEY_NOTE = 1, KEY_RHYTHM = 2, KEY_CSM = 4 }; /* who holds an operator's key */
enum { ATTACK, DECAY, SUSTAIN, RELEASE };
/* Operators of the rhythm section. */
enum { OP_HH = 13, OP_TOM = 14, OP_SD = 16, OP_TC = 17 };

struct op {
    uint32_t phase; /* 10.9 bits */
    uint16_t env;
    uint8_t stage, key;
    uint16_t out[2]; /* this sample's and the one before, signed, for the feedback */
    /* From the registers. */
    uint8_t flags, wave, rate[4], sustain;
    uint16_t att;    /* total level and key scale level */
    uint8_t multiple, block;  /* twice the frequency multiple */
    uint32_t step;            /* of the phase, without vibrato */
};

struct timer {
    uint64_t due; /* tick of its next overflow, UINT64_MAX: stopped */
    uint8_t shift; /* log2 of samples to a tick: 2 or 4 */
};

struct opl3 {
    struct device dev;
    bool ym3812;
    struct audio_input audio;
    struct event run;
    char run_name[32];

    uint8_t reg[512];
    uint16_t address;
    uint8_t status; /* flags of the timers */
    bool csm_key;   /* the operators' keys go up at the next sample */
    uint64_t next;
    uint32_t noise;
    uint16_t left, right; /* last output, signed */
    struct timer timer[2];
    struct op op[OPS];
    uint32_t sounding; /* bit per channel */
};

/* 256 * -log2(sin((i + 1/2) * pi / 512)): a quarter of a sine, in 1/256 of 6 dB. */
static const uint16_t log_sin[256] = {
    2137, 1731, 1543, 1419, 1326, 1252, 1190, 1137, 1091, 1050, 1013, 979, 949, 920,
    894, 869, 846, 825, 804, 785, 767, 749, 732, 717, 701, 687, 672, 659,
    646, 633, 621, 609, 598, 587, 576, 566, 556, 546, 536, 527, 518, 509,
    501, 492, 484, 476, 468, 461, 453, 446, 439, 432, 425, 418, 411, 405,
    399, 392, 386, 380, 375, 369, 363, 358, 352, 347, 341, 336, 331, 326,
    321, 316, 311, 307, 302, 297, 293, 289, 284, 280, 276, 271, 267, 263,
    259, 255, 251, 248, 244, 240, 236, 233, 229, 226, 222, 219, 215, 212,
    209, 205, 202, 199, 196, 193, 190, 187, 184, 181, 178, 175, 172, 169,
    167, 164, 161, 159, 156, 153, 151, 148, 146, 143, 141, 138, 136, 134,
    131, 129, 127, 125, 122, 120, 118, 116, 114, 112, 110, 108, 106, 104,
    102, 100, 98, 96, 94, 92, 91, 89, 87, 85, 83, 82, 80, 78,
    77, 75, 74, 72, 70, 69, 67, 66, 64, 63, 62, 60, 59, 57,
    56, 55, 53, 52, 51, 49, 48, 47, 46, 45, 43, 42, 41, 40,
    39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26,
    25, 24, 23, 23, 22, 21, 20, 20, 19, 18, 17, 17, 16, 15,
    15, 14, 13, 13, 12, 12, 11, 10, 10, 9, 9, 8, 8, 7,
    7, 7, 6, 6, 5, 5, 5, 4, 4, 4, 3, 3, 3, 2,
    2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0,
    0, 0, 0, 0,
};

/* 2^((255 - i) / 256) * 2048: full output, down to half of it. */
static const uint16_t power[256] = {
    4084, 4074, 4062, 4052, 4040, 4030, 4020, 4008, 3998, 3986, 3976, 3966, 3954, 3944,
    3932, 3922, 3912, 3902, 3890, 3880, 3870, 3860, 3848, 3838, 3828, 3818, 3808, 3796,
    3786, 3776, 3766, 3756, 3746, 3736, 3726, 3716, 3706, 3696, 3686, 3676, 3666, 3656,
    3646, 3636, 3626, 3616, 3606, 3596, 3588, 3578, 3568, 3558, 3548, 3538, 3530, 3520,
    3510, 3500, 3492, 3482, 3472, 3464, 3454, 3444, 3434, 3426, 3416, 3408, 3398, 3388,
    3380, 3370, 3362, 3352, 3344, 3334, 3326, 3316, 3308, 3298, 3290, 3280, 3272, 3262,
    3254, 3246, 3236, 3228, 3218, 3210, 3202, 3192, 3184, 3176, 3168, 3158, 3150, 3142,
    3132, 3124, 3116, 3108, 3100, 3090, 3082, 3074, 3066, 3058, 3050, 3040, 3032, 3024,
    3016, 3008, 3000, 2992, 2984, 2976, 2968, 2960, 2952, 2944, 2936, 2928, 2920, 2912,
    2904, 2896, 2888, 2880, 2872, 2866, 2858, 2850, 2842, 2834, 2826, 2818, 2812, 2804,
    2796, 2788, 2782, 2774, 2766, 2758, 2752, 2744, 2736, 2728, 2722, 2714, 2706, 2700,
    2692, 2684, 2678, 2670, 2664, 2656, 2648, 2642, 2634, 2628, 2620, 2614, 2606, 2600,
    2592, 2584, 2578, 2572, 2564, 2558, 2550, 2544, 2536, 2530, 2522, 2516, 2510, 2502,
    2496, 2488, 2482, 2476, 2468, 2462, 2456, 2448, 2442, 2436, 2428, 2422, 2416, 2410,
    2402, 2396, 2390, 2384, 2376, 2370, 2364, 2358, 2352, 2344, 2338, 2332, 2326, 2320,
    2314, 2308, 2300, 2294, 2288, 2282, 2276, 2270, 2264, 2258, 2252, 2246, 2240, 2234,
    2228, 2222, 2216, 2210, 2204, 2198, 2192, 2186, 2180, 2174, 2168, 2162, 2156, 2150,
    2144, 2138, 2132, 2128, 2122, 2116, 2110, 2104, 2098, 2092, 2088, 2082, 2076, 2070,
    2064, 2060, 2054, 2048,
};

/* --- the registers as the sample loop needs them ---------------------------------------------- */

static bool is_opl3(const struct opl3 *o)
{
    return !o->ym3812 && (o->reg[REG_NEW] & NEW_OPL3);
}

static int as_signed(uint16_t v)
{
    return v < 0x8000 ? v : v - 0x10000;
}

/* v / 2^n, rounded down. */
static int shifted(int v, unsigned n)
{
    return v >= 0 ? v >> n : ~(~v >> n);
}

/* First operator of a channel; its second is three further. */
static unsigned first_op(unsigned ch)
{
    unsigned n = ch % BANK_CHANNELS;

    return ch / BANK_CHANNELS * BANK_OPS + n / 3 * 6 + n % 3;
}

static unsigned channel_of(unsigned op)
{
    unsigned n = op % BANK_OPS;

    return op / BANK_OPS * BANK_CHANNELS + n / 6 * 3 + n % 3;
}

/* Offset of an operator's registers: six to a group of eight, and the array. */
static unsigned op_offset(unsigned op)
{
    unsigned n = op % BANK_OPS;

    return op / BANK_OPS * 256 + n / 6 * 8 + n % 6;
}

static unsigned channel_offset(unsigned ch)
{
    return ch / BANK_CHANNELS * 256 + ch % BANK_CHANNELS;
}

/* Channels 0-2 and 9-11 can take the operators of the one three further. */
static bool leads_four(const struct opl3 *o, unsigned ch)
{
    unsigned n = ch % BANK_CHANNELS, bit = ch / BANK_CHANNELS * 3 + n;

    return n < 3 && is_opl3(o) && (o->reg[REG_FOUR_OP] >> bit & 1);
}

static bool follows_four(const struct opl3 *o, unsigned ch)
{
    unsigned n = ch % BANK_CHANNELS;

    return n >= 3 && n < 6 && leads_four(o, ch - 3);
}

/* The channel whose F-number, block and key an operator obeys. */
static unsigned ruling_channel(const struct opl3 *o, unsigned op)
{
    unsigned ch = channel_of(op);

    return follows_four(o, ch) ? ch - 3 : ch;
}

static uint16_t key_scale_level(unsigned fnum, unsigned block, unsigned mode)
{
    /* Attenuation in the seventh octave, in 3/16 dB; 6 dB less for each octave below. */
    static const uint8_t top[16] = {0, 32, 40, 45, 48, 51, 53, 55, 56, 58, 59, 60, 61, 62, 63, 64};
    static const uint8_t shift[4] = {0, 1, 2, 0};
    int v = top[fnum >> 6] * 4 - (8 - (int)block) * 32;

    return mode && v > 0 ? (uint16_t)(v >> shift[mode]) : 0;
}

/* Effective rate: four times the register plus what the key adds; 0 stays 0. */
static uint8_t effective_rate(unsigned rate, unsigned key_scale)
{
    return (uint8_t)(rate ? MIN(rate * 4 + key_scale, 63u) : 0);
}

/* How far the phase goes in a sample. */
static uint32_t phase_step(const struct op *op, unsigned fnum)
{
    return (fnum << op->block >> 1) * op->multiple >> 1;
}

static void update_op(struct opl3 *o, unsigned n)
{
    static const uint8_t twice[16] = {1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 20, 24, 24, 30, 30};
    struct op *op = &o->op[n];
    unsigned off = op_offset(n), ch = channel_offset(ruling_channel(o, n));
    unsigned fnum = o->reg[ch + 0xa0] | (o->reg[ch + 0xb0] & 3u) << 8;
    unsigned block = o->reg[ch + 0xb0] >> 2 & 7;
    unsigned split = o->reg[REG_MODE] & MODE_NOTE_SEL ? 8 : 9;
    unsigned scale = block << 1 | (fnum >> split & 1);
    unsigned sl = o->reg[off + 0x80] >> 4;

    op->flags = o->reg[off + 0x20] & 0xf0;
    op->multiple = twice[o->reg[off + 0x20] & 15];
    op->block = (uint8_t)block;
    op->step = phase_step(op, fnum);
    op->att = (uint16_t)((o->reg[off + 0x40] & 63) * 4 +
                         key_scale_level(fnum, block, o->reg[off + 0x40] >> 6));
    if (!(op->flags & OP_KEY_SCALE)) {
        scale >>= 2;
    }
    op->rate[ATTACK] = effective_rate(o->reg[off + 0x60] >> 4, scale);
    op->rate[DECAY] = effective_rate(o->reg[off + 0x60] & 15, scale);
    op->rate[RELEASE] = effective_rate(o->reg[off + 0x80] & 15, scale);
    op->rate[SUSTAIN] = op->flags & OP_SUSTAINED ? 0 : op->rate[RELEASE];
    op->sustain = (uint8_t)(sl == 15 ? 31 : sl);
    op->wave = o->reg[off + 0xe0] & (is_opl3(o) ? 7 : 3);
}

static void update_all(struct opl3 *o)
{
    for (unsigned n = 0; n < OPS; n++) {
        update_op(o, n);
    }
}

/* --- operators -------------------------------------------------------------------------------- */

static bool op_is_silent(const struct op *op)
{
    return op->env == SILENT && (op->stage != ATTACK || op->rate[ATTACK] == 0);
}

static void op_key(struct op *op, uint8_t who, bool on)
{
    uint8_t before = op->key;

    op->key = (uint8_t)(on ? op->key | who : op->key & ~who);
    if (!before && op->key) {
        op->phase = 0;
        op->stage = ATTACK;
        if (op->rate[ATTACK] >= 60) {
            op->env = 0;
            op->stage = DECAY;
        }
    } else if (before && !op->key) {
        op->stage = RELEASE;
    }
}

/*
 * Steps of an envelope at sample n: rate 4*h + l makes (4 + l) * 2^h of them in 2^15 samples,
 * spread evenly; the fastest four rates are alike.
 */
static unsigned env_steps(uint64_t n, unsigned rate)
{
    unsigned h = rate >> 2, l = 4 + (rate & 3);

    if (rate < 4) {
        return 0;
    }
    if (h == 15) {
        return 4;
    }
    return (unsigned)(((n + 1) * l >> (15 - h)) - (n * l >> (15 - h)));
}

static void op_envelope(struct op *op, uint64_t n)
{
    unsigned steps;

    if (op->stage == DECAY && op->env >> 4 >= op->sustain) {
        op->stage = SUSTAIN;
    }
    steps = env_steps(n, op->rate[op->stage]);
    if (!steps) {
        return;
    }
    if (op->stage == ATTACK) {
        /* Towards full volume by an eighth of what is left to go. */
        op->env = (uint16_t)(op->env - MIN(((op->env + 1u) * steps + 7) >> 3, op->env));
        if (op->env == 0) {
            op->stage = DECAY;
        }
    } else {
        op->env = (uint16_t)MIN(op->env + steps, (unsigned)SILENT);
    }
}

/* What the low frequency oscillators do at a sample. */
struct lfo {
    uint16_t tremolo;  /* attenuation */
    uint8_t vibrato;   /* step 0..7 of the cycle */
    uint8_t shallow;   /* 1: half of the vibrato's depth */
};

static void op_phase(struct op *op, unsigned fnum, const struct lfo *lfo)
{
    uint32_t step = op->step;

    if (op->flags & OP_VIBRATO) {
        unsigned by = fnum >> 7;

        /* Nothing, half, all, half, and the same downwards. */
        by = lfo->vibrato & 1 ? by >> 1 : lfo->vibrato & 3 ? by : 0;
        by >>= lfo->shallow;
        step = phase_step(op, lfo->vibrato & 4 ? fnum - by : fnum + by);
    }
    op->phase = (op->phase + step) & 0x7ffff;
}

/* A waveform at a phase of 10 bits: attenuation in 1/256 of 6 dB, and the sign; see wave_at(). */
struct wave_point {
    unsigned att;
    bool negative;
};

#define NO_WAVE 0x1000u /* attenuation of nothing at all */

static struct wave_point sine_at(unsigned phase)
{
    unsigned i = phase & 0xff;

    return (struct wave_point){log_sin[phase & 0x100 ? 0xff - i : i], phase & 0x200};
}

static struct wave_point wave_at(unsigned wave, unsigned phase)
{
    struct wave_point p = {NO_WAVE, false};

    switch (wave) {
    case 0: /* sine */
        return sine_at(phase);
    case 1: /* its upper half */
        return phase & 0x200 ? p : sine_at(phase);
    case 2: /* both halves upwards */
        return sine_at(phase & 0x1ff);
    case 3: /* the rising quarters */
        return phase & 0x100 ? p : sine_at(phase & 0xff);
    case 4: /* a whole sine in the first half */
        return phase & 0x200 ? p : sine_at(phase << 1 & 0x3ff);
    case 5: /* the same upwards */
        return phase & 0x200 ? p : sine_at(phase << 1 & 0x1ff);
    case 6: /* square */
        p.att = 0;
        break;
    default: /* exponential sawtooth */
        p.att = (phase & 0x200 ? ~phase & 0x1ff : phase & 0x1ff) << 3;
        break;
    }
    p.negative = phase & 0x200;
    return p;
}

/* Output of an operator, 13 bits signed. */
static int op_output(const struct op *op, unsigned phase, unsigned tremolo)
{
    struct wave_point p = wave_at(op->wave, phase & 0x3ff);
    unsigned att = op->env + op->att + (op->flags & OP_TREMOLO ? tremolo : 0);
    int v;

    att = MIN(att, (unsigned)SILENT) * 8 + p.att;
    v = att < 13 << 8 ? power[att & 0xff] >> (att >> 8) : 0;
    return p.negative ? -v : v;
}

/* --- a sample --------------------------------------------------------------------------------- */

static struct lfo lfo_at(const struct opl3 *o, uint64_t n)
{
    unsigned t = (unsigned)((n >> 6) % 210);
    struct lfo l;

    t = t < 105 ? t : 210 - t;
    l.tremolo = (uint16_t)(o->reg[REG_RHYTHM] & DEEP_TREMOLO ? t >> 2 : t >> 4);
    l.vibrato = n >> 10 & 7;
    l.shallow = !(o->reg[REG_RHYTHM] & DEEP_VIBRATO);
    return l;
}

static unsigned channel_fnum(const struct opl3 *o, unsigned ch)
{
    unsigned off = channel_offset(ch);

    return o->reg[off + 0xa0] | (o->reg[off + 0xb0] & 3u) << 8;
}

struct sample {
    struct opl3 *o;
    struct lfo lfo;
    int left, right;
};

/* Envelope and phase of an operator move on; its phase before. */
static unsigned op_clock(struct sample *s, unsigned n, unsigned fnum)
{
    struct op *op = &s->o->op[n];
    unsigned phase = op->phase >> 9;

    op_envelope(op, s->o->next);
    op_phase(op, fnum, &s->lfo);
    return phase;
}

/* An operator modulated by `mod`. */
static int op_run(struct sample *s, unsigned n, unsigned fnum, int mod)
{
    unsigned phase = op_clock(s, n, fnum);

    return op_output(&s->o->op[n], phase + (unsigned)mod, s->lfo.tremolo);
}

/* The first operator of a channel, which modulates itself by its last two outputs. */
static int op_run_feedback(struct sample *s, unsigned n, unsigned fnum, unsigned feedback)
{
    struct op *op = &s->o->op[n];
    int mod = 0, out;

    if (feedback) {
        mod = shifted(as_signed(op->out[0]) + as_signed(op->out[1]), 9 - feedback);
    }
    out = op_run(s, n, fnum, mod);
    op->out[1] = op->out[0];
    op->out[0] = (uint16_t)out;
    return out;
}

static void pan(struct sample *s, unsigned ch, int v)
{
    uint8_t c = s->o->reg[channel_offset(ch) + 0xc0];

    if (!is_opl3(s->o)) {
        c = 0x30; /* both outputs */
    }
    s->left += c & 0x10 ? v : 0;
    s->right += c & 0x20 ? v : 0;
}

static void run_two(struct sample *s, unsigned ch, int gain)
{
    uint8_t c = s->o->reg[channel_offset(ch) + 0xc0];
    unsigned fnum = channel_fnum(s->o, ch), n = first_op(ch);
    int a = op_run_feedback(s, n, fnum, c >> 1 & 7);
    int b = op_run(s, n + 3, fnum, c & 1 ? 0 : a);

    /* The bass drum's first operator is never heard itself. */
    pan(s, ch, gain * (c & 1 && gain == 1 ? a + b : b));
}

/* Four operators in a row, or 1+(2 3 4), (1 2)+(3 4), 1+(2 3)+4. */
static void run_four(struct sample *s, unsigned ch)
{
    const uint8_t *reg = s->o->reg + channel_offset(ch) + 0xc0;
    uint8_t c1 = reg[0], c2 = reg[3];
    unsigned fnum = channel_fnum(s->o, ch), n = first_op(ch), k = first_op(ch + 3);
    bool one = c1 & 1, two = c2 & 1;
    int a = op_run_feedback(s, n, fnum, c1 >> 1 & 7);
    int b = op_run(s, n + 3, fnum, one ? 0 : a);
    int c = op_run(s, k, fnum, two && !one ? 0 : b);
    int d = op_run(s, k + 3, fnum, one && two ? 0 : c);

    if (one) {
        pan(s, ch, a);
    }
    if (two) {
        pan(s, one ? ch + 3 : ch, one ? c : b);
    }
    pan(s, ch + 3, d);
}

/*
 * Hi-hat, snare drum, tom-tom and cymbal.  All but the tom take their phase from bits of the
 * hi-hat's and the cymbal's phase generators and from a noise generator.
 */
static void run_drums(struct sample *s)
{
    struct opl3 *o = s->o;
    unsigned f7 = channel_fnum(o, 7), f8 = channel_fnum(o, 8), noise = o->noise & 1;
    unsigned hh = op_clock(s, OP_HH, f7), tc = op_clock(s, OP_TC, f8), rattle, phase;

    op_clock(s, OP_SD, f7);
    rattle = ((hh >> 2 ^ hh >> 7) | (hh >> 3 ^ tc >> 5) | (tc >> 3 ^ tc >> 5)) & 1;
    phase = rattle << 9 | (rattle ^ noise ? 0xd0 : 0x34);
    pan(s, 7, 2 * op_output(&o->op[OP_HH], phase, s->lfo.tremolo));
    phase = (hh >> 8 & 1) << 9 | ((hh >> 8 & 1) ^ noise) << 8;
    pan(s, 7, 2 * op_output(&o->op[OP_SD], phase, s->lfo.tremolo));
    pan(s, 8, 2 * op_output(&o->op[OP_TC], rattle << 9 | 0x80, s->lfo.tremolo));
    pan(s, 8, 2 * op_run(s, OP_TOM, f8, 0));
}

#define DRUM_CHANNELS (1u << 7 | 1u << 8)

static void find_sounding(struct opl3 *o)
{
    unsigned ch;

    o->sounding = 0;
    for (ch = 0; ch < CHANNELS; ch++) {
        const struct op *op = &o->op[first_op(ch)];

        if (!op_is_silent(op) || !op_is_silent(op + 3)) {
            o->sounding |= 1u << ch;
        }
    }
    for (ch = 0; ch < CHANNELS; ch++) {
        if (leads_four(o, ch) && (o->sounding & 9u << ch)) {
            o->sounding |= 9u << ch;
        }
    }
    if ((o->reg[REG_RHYTHM] & RHYTHM_ON) && (o->sounding & DRUM_CHANNELS)) {
        o->sounding |= DRUM_CHANNELS;
    }
}

static void output(struct opl3 *o, int left, int right)
{
    uint16_t l = (uint16_t)MIN(MAX(left, -32768), 32767);
    uint16_t r = (uint16_t)MIN(MAX(right, -32768), 32767);

    if (l == o->left && r == o->right) {
        return;
    }
    o->left = l;
    o->right = r;
    if (audio_listens(o->audio)) {
        audio_level(o->audio, clock_icount(o->dev.env->sched, SAMPLE_CLOCK, o->next), as_signed(l),
                    as_signed(r));
    }
}

static void sample(struct opl3 *o)
{
    struct sample s = {o, lfo_at(o, o->next), 0, 0};
    bool rhythm = o->reg[REG_RHYTHM] & RHYTHM_ON;
    unsigned ch;

    for (ch = 0; ch < CHANNELS; ch++) {
        if (!(o->sounding >> ch & 1) || follows_four(o, ch)) {
            continue;
        }
        if (leads_four(o, ch)) {
            run_four(&s, ch);
        } else if (!rhythm || ch < 6 || ch >= BANK_CHANNELS) {
            run_two(&s, ch, 1);
        } else if (ch == 6) {
            run_two(&s, ch, 2);
        } else if (ch == 7) {
            run_drums(&s);
        }
    }
    o->noise = o->noise >> 1 | ((o->noise ^ o->noise >> 14) & 1) << 22;
    output(o, s.left, s.right);
}

/* --- timers ----------------------------------------------------------------------------------- */

static bool csm_on(const struct opl3 *o)
{
    return o->ym3812 && (o->reg[REG_MODE] & MODE_CSM) && o->timer[0].due != UINT64_MAX;
}

/* Overflows of a timer at samples below `end`. */
static void timer_until(struct opl3 *o, unsigned n, uint64_t end)
{
    struct timer *t = &o->timer[n];
    uint64_t tick = (end - 1) >> t->shift;
    unsigned period = 256u - o->reg[REG_TIMER1 + n];

    if (end == 0 || t->due == UINT64_MAX || tick < t->due) {
        return;
    }
    t->due += ((tick - t->due) / period + 1) * period;
    if (!(o->reg[REG_TIMER_CONTROL] & (n ? TC_MASK2 : TC_MASK1))) {
        o->status |= n ? STATUS_T2 : STATUS_T1;
    }
}

static void timer_start(struct opl3 *o, unsigned n, bool on)
{
    struct timer *t = &o->timer[n];

    if (!on) {
        t->due = UINT64_MAX;
    } else if (t->due == UINT64_MAX) {
        t->due = ((o->next - 1) >> t->shift) + 256u - o->reg[REG_TIMER1 + n];
    }
}

/* --- time ------------------------------------------------------------------------------------- */

/* Composite sine mode: an overflow of timer 1 strikes every key for one sample. */
static void csm_strike(struct opl3 *o)
{
    bool on = !o->csm_key && csm_on(o) && o->next == o->timer[0].due << o->timer[0].shift;

    if (on != o->csm_key) {
        o->csm_key = on;
        for (unsigned n = 0; n < BANK_OPS; n++) {
            op_key(&o->op[n], KEY_CSM, on);
        }
        find_sounding(o);
    }
}

/* Computes the samples below `end`. */
static void advance(struct opl3 *o, uint64_t end)
{
    while (o->next < end) {
        if (csm_on(o) || o->csm_key) {
            csm_strike(o);
            timer_until(o, 0, o->next + 1);
        } else if (!o->sounding) {
            output(o, 0, 0);
            o->next = end;
            break;
        }
        sample(o);
        o->next++;
        if ((o->next & 31) == 0) {
            find_sounding(o);
        }
    }
    timer_until(o, 0, end);
    timer_until(o, 1, end);
}

static void advance_to(struct opl3 *o, uint64_t now)
{
    advance(o, clock_ticks(o->dev.env->sched, SAMPLE_CLOCK, now) + 1);
}

static void opl3_render(void *ctx, uint64_t now)
{
    advance_to(ctx, now);
}

/* While something sounds or an interrupt is to come, time may not run away. */
static void keep_running(struct opl3 *o)
{
    struct sched *s = o->dev.env->sched;

    if (!event_pending(&o->run) && (o->sounding || csm_on(o) || o->csm_key)) {
        event_at(s, &o->run, sched_now(s) + sched_ips(s) / RUN_HZ);
    }
}

static void opl3_run(void *arg, uint64_t now)
{
    struct opl3 *o = arg;

    advance_to(o, now);
    keep_running(o);
}

/* --- registers -------------------------------------------------------------------------------- */

static void update_channel(struct opl3 *o, unsigned ch)
{
    unsigned n = first_op(ch);

    update_op(o, n);
    update_op(o, n + 3);
    if (leads_four(o, ch)) {
        update_op(o, n + 6);
        update_op(o, n + 9);
    }
}

static void channel_key(struct opl3 *o, unsigned ch, bool on)
{
    unsigned n = first_op(ch);

    if (follows_four(o, ch)) {
        return;
    }
    op_key(&o->op[n], KEY_NOTE, on);
    op_key(&o->op[n + 3], KEY_NOTE, on);
    if (leads_four(o, ch)) {
        op_key(&o->op[n + 6], KEY_NOTE, on);
        op_key(&o->op[n + 9], KEY_NOTE, on);
    }
}

static void rhythm_keys(struct opl3 *o, uint8_t val)
{
    static const struct {
        uint8_t bit, op;
    } drum[] = {{RHYTHM_BD, 12}, {RHYTHM_BD, 15}, {RHYTHM_HH, OP_HH}, {RHYTHM_SD, OP_SD},
                {RHYTHM_TOM, OP_TOM}, {RHYTHM_TC, OP_TC}};

    for (unsigned n = 0; n < ARRAY_LEN(drum); n++) {
        op_key(&o->op[drum[n].op], KEY_RHYTHM, (val & RHYTHM_ON) && (val & drum[n].bit));
    }
}

static void timer_control(struct opl3 *o, uint8_t val)
{
    if (val & TC_RESET) {
        o->status = 0; /* and the other bits are not looked at */
        return;
    }
    o->reg[REG_TIMER_CONTROL] = val;
    if (val & TC_MASK1) {
        o->status &= (uint8_t)~STATUS_T1;
    }
    if (val & TC_MASK2) {
        o->status &= (uint8_t)~STATUS_T2;
    }
    timer_start(o, 0, val & TC_START1);
    timer_start(o, 1, val & TC_START2);
}

static void write_reg(struct opl3 *o, unsigned r, uint8_t val)
{
    unsigned bank = r >> 8, low = r & 0xff, n = low & 31, ch = bank * BANK_CHANNELS + (low & 15);

    if (r == REG_TIMER_CONTROL) {
        timer_control(o, val);
        return;
    }
    /* The bit of the YM3812 lets waveforms be written, and does not undo them. */
    if (o->ym3812 && low >= 0xe0 && !(o->reg[REG_TEST] & TEST_WAVES)) {
        return;
    }
    o->reg[r] = val;
    if (r == REG_RHYTHM) {
        rhythm_keys(o, val);
    } else if (r == REG_MODE || r == REG_FOUR_OP || r == REG_NEW) {
        update_all(o);
    } else if ((low >= 0x20 && low < 0xa0) || low >= 0xe0) {
        if ((n & 7) < 6 && n < 22) {
            update_op(o, bank * BANK_OPS + n / 8 * 6 + n % 8);
        }
    } else if (low >= 0xa0 && low < 0xc0 && (low & 15) < BANK_CHANNELS) {
        update_channel(o, ch);
        if (low >= 0xb0) {
            channel_key(o, ch, val & 0x20);
        }
    }
    find_sounding(o);
}

static uint64_t opl3_read(void *dev, uint64_t off, unsigned size UNUSED)
{
    struct opl3 *o = dev;

    if (off != 0) {
        return 0xff;
    }
    advance_to(o, sched_now(o->dev.env->sched));
    return o->status | (o->status ? STATUS_IRQ : 0) | (o->ym3812 ? STATUS_YM3812 : 0);
}

static void opl3_write(void *dev, uint64_t off, unsigned size UNUSED, uint64_t val)
{
    struct opl3 *o = dev;

    if (off & 1) {
        advance_to(o, sched_now(o->dev.env->sched));
        write_reg(o, o->address, (uint8_t)val);
        keep_running(o);
        return;
    }
    o->address = (uint16_t)(val & 0xff);
    /* As a YM3812 the chip has one array, but for the register that makes it an OPL3. */
    if ((off & 2) && (is_opl3(o) || (o->address | 0x100) == REG_NEW)) {
        o->address |= 0x100;
    }
}

static const struct io_ops opl3_ops = {opl3_read, opl3_write, 1, 1, "opl3"};

/* --- life ------------------------------------------------------------------------------------- */

static bool opl3_init(struct device *d, const void *config, struct err *e)
{
    struct opl3 *o = (struct opl3 *)d;
    const struct opl3_config *c = config;
    unsigned n;

    o->ym3812 = c->ym3812;
    o->audio = c->out;
    o->noise = 1;
    o->timer[0].shift = 2;
    o->timer[1].shift = 4;
    snprintf(o->run_name, sizeof o->run_name, "%s/run", d->id);
    event_init(d->env->sched, &o->run, o->run_name, opl3_run, o);
    audio_set_render(o->audio, opl3_render, o);
    for (n = 0; n < WINDOWS; n++) {
        const struct opl3_window *w = &c->window[n];

        if (w->port && bus_map(d->env->io, w->port, w->len, &opl3_ops, o, PRIO_DEVICE) < 0) {
            return err_set(e, "%s: out of memory", d->id);
        }
    }
    return true;
}

static void opl3_reset(struct device *d, enum reset_kind kind UNUSED)
{
    struct opl3 *o = (struct opl3 *)d;
    unsigned n;

    advance_to(o, sched_now(d->env->sched));
    event_cancel(d->env->sched, &o->run);
    memset(o->reg, 0, sizeof o->reg);
    memset(o->op, 0, sizeof o->op);
    o->address = 0;
    o->status = 0;
    o->csm_key = false;
    o->timer[0].due = o->timer[1].due = UINT64_MAX;
    for (n = 0; n < OPS; n++) {
        o->op[n].env = SILENT;
        o->op[n].stage = RELEASE;
    }
    update_all(o);
    find_sounding(o);
}

/* --- snapshot --------------------------------------------------------------------------------- */

static const struct snap_field opl3_state[] = {
    SNAP_ARRAY(struct opl3, reg, SNAP_U8),
    SNAP_F(struct opl3, address, SNAP_U16),
    SNAP_F(struct opl3, status, SNAP_U8),
    SNAP_F(struct opl3, csm_key, SNAP_BOOL),
    SNAP_F(struct opl3, next, SNAP_U64),
    SNAP_F(struct opl3, noise, SNAP_U32),
    SNAP_F(struct opl3, left, SNAP_U16),
    SNAP_F(struct opl3, right, SNAP_U16),
    SNAP_F(struct opl3, timer[0].due, SNAP_U64),
    SNAP_F(struct opl3, timer[1].due, SNAP_U64),
    SNAP_F(struct opl3, sounding, SNAP_U32),
    SNAP_END,
};

static const struct snap_field op_state[] = {
    SNAP_F(struct op, phase, SNAP_U32),  SNAP_F(struct op, env, SNAP_U16),
    SNAP_F(struct op, stage, SNAP_U8),   SNAP_F(struct op, key, SNAP_U8),
    SNAP_ARRAY(struct op, out, SNAP_U16), SNAP_END,
};

/* Saved is the chip as it is now, not as it was when somebody last looked. */
static void opl3_save(const struct device *d, struct snap_writer *w)
{
    struct opl3 o = *(const struct opl3 *)d;
    unsigned n;

    o.audio.audio = NULL;
    advance_to(&o, sched_now(d->env->sched));
    snap_put_fields(w, opl3_state, &o);
    for (n = 0; n < OPS; n++) {
        snap_put_fields(w, op_state, &o.op[n]);
    }
}

static bool opl3_load(struct device *d, struct snap_reader *r, unsigned version UNUSED)
{
    struct opl3 *o = (struct opl3 *)d;
    bool ok = snap_get_fields(r, opl3_state, o);
    unsigned n;

    for (n = 0; n < OPS; n++) {
        ok = ok && snap_get_fields(r, op_state, &o->op[n]);
    }
    return ok;
}

static bool opl3_post_load(struct device *d, unsigned version UNUSED, struct err *e)
{
    struct opl3 *o = (struct opl3 *)d;
    uint64_t now = sched_now(d->env->sched);
    bool ok = o->next == clock_ticks(d->env->sched, SAMPLE_CLOCK, now) + 1 &&
              !(o->sounding >> CHANNELS) && !(o->status & ~(STATUS_T1 | STATUS_T2));
    unsigned n;

    o->address &= 0x1ff;
    for (n = 0; n < OPS; n++) {
        ok = ok && o->op[n].env <= SILENT && o->op[n].stage <= RELEASE;
        o->op[n].phase &= 0x7ffff;
    }
    if (!ok) {
        return err_set(e, "%s: the saved state is not valid", d->id);
    }
    update_all(o);
    audio_level(o->audio, now, as_signed(o->left), as_signed(o->right));
    return true;
}

const struct device_class opl3_class = {
    .name = "opl3",
    .size = sizeof(struct opl3),
    .init = opl3_init,
    .reset = opl3_reset,
    .state = snap_no_state,
    .state_version = 1,
    .save = opl3_save,
    .load = opl3_load,
    .post_load = opl3_post_load,
};
