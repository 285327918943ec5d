/*
 * Sound Blaster 16 (Creative, "Sound Blaster Series Hardware Programming Guide", with the commands
 * of DSP 4.xx).
 *
 * A DMA command is a stream: blocks of bytes or words, fetched in pieces of a millisecond.  A
 * stream counts ticks (one for each value that becomes a sample) from `base`; a piece is asked for
 * when its first tick comes and the block's interrupt is raised at the tick after its last, to the
 * instruction.  A fetched sample is heard DELAY_HZ later than its tick, so that the few
 * microseconds a DMA transfer takes can't be heard.  Data that come much too late move `base`.
 * Invariants: `left` counts the values of the block that were not fetched; `want` the bytes of a
 * piece that are still to come, and DREQ is up exactly while some stream wants bytes and is not
 * paused; samples wait in order of time, `shown` of them were reported to the mixer.
 */
#include "devices/sb16.h"

#include <stdio.h>
#include <string.h>

#include "devices/creative_adpcm.h"
#include "devices/ct1745.h"
#include "memory/bytes.h"

enum { DSP_MAJOR = 4, DSP_MINOR = 5 };
enum { /* ports from base + Ah */
    DSP_READ = 0, DSP_WRITE = 2, DSP_READ_STATUS = 4, DSP_ACK16 = 5, DSP_PORTS = 6
};
enum { PENDING_8 = 1, PENDING_16 = 2 };
enum { MODE_INPUT = 1, MODE_AUTO = 2, MODE_STEREO = 4, MODE_SIGNED = 8, MODE_ALL = 15 };
enum { CODEC_PCM, CODEC_SILENCE, CODEC_LAST = ADPCM_4 };
enum { NARROW, WIDE, STREAMS }; /* 8-bit and 16-bit stream */
enum { QUEUE = 256, RAW = 192, OUT = 64, PIECE_HZ = 1000, DELAY_HZ = 1000, LATE_HZ = 2000 };
enum { MPU_RESET = 0xff, MPU_UART = 0x3f, MPU_ACK = 0xfe };
enum { LOW_RATE = 5000, HIGH_RATE = 45000, MONO_DIVISOR = 22, STEREO_DIVISOR = 11 };

/* What a DMA command asks for. */
struct setup {
    uint8_t mode, codec;
    bool reference; /* ADPCM whose first byte is a sample */
    uint32_t len;   /* of a block: bytes or words */
};

struct stream {
    struct setup now, then; /* then: takes over at the end of the block */
    bool active, has_then, ending, paused, held, want_reference;
    uint32_t left;
    uint64_t base, ticks;
    uint32_t num, den; /* ticks per second */
    uint32_t piece, want;
    uint32_t raw_n;
    uint8_t raw[RAW];
    struct adpcm adpcm;
    struct event event;
    char event_name[32];
    /* Samples that wait for their time. */
    uint64_t at[QUEUE];
    uint16_t sample[2][QUEUE];
    uint16_t head, count;
    uint16_t level[2]; /* of the sample that left the queue last */
    unsigned shown;
    struct audio_input out;
    struct sb16 *card;
};

struct dma_side {
    struct sb16 *card;
    unsigned channel;
};

struct sb16 {
    struct device dev;
    struct irq_line irq[16];
    struct dma_channel dma[8];
    struct dma_side side[8];
    struct audio_input fm, cd;
    struct chardev midi;
    uint8_t irq_select, dma_select;

    struct ct1745 mixer;
    struct stream stream[STREAMS];
    bool in_reset, speaker, uart, mpu_uart, mpu_ack;
    uint8_t pending;        /* interrupts */
    uint8_t irq_line;       /* line that is high, 0: none */
    uint8_t dreq;           /* channels whose request is up */
    uint8_t command, args, arg[3]; /* args: how many are there; command 0: none */
    uint8_t out[OUT], out_head, out_count, out_last;
    bool by_constant;       /* the rate was set by time constant */
    uint8_t constant;
    uint16_t rate;
    uint16_t block;         /* block length - 1 of the older auto-init commands */
    uint8_t test;
    uint8_t id_sum, id_key; /* state of the DMA identification */
    uint8_t id_byte;
    bool id_wait;           /* its answer is to be written by DMA */
};

static uint64_t card_now(const struct sb16 *s)
{
    return sched_now(s->dev.env->sched);
}

static uint64_t period(const struct sb16 *s, unsigned hz)
{
    return sched_ips(s->dev.env->sched) / hz;
}

/* --- lines ------------------------------------------------------------------------------------ */

static void update_irq(struct sb16 *s)
{
    int chosen = ct1745_irq(&s->mixer);
    uint8_t line = s->pending && chosen > 0 ? (uint8_t)chosen : 0;

    if (line == s->irq_line) {
        return;
    }
    if (s->irq_line) {
        irq_set(&s->irq[s->irq_line & 15], false);
    }
    s->irq_line = line;
    if (line) {
        irq_set(&s->irq[line], true);
    }
}

static void raise_irq(struct sb16 *s, uint8_t which)
{
    s->pending |= which;
    update_irq(s);
}

static void clear_irq(struct sb16 *s, uint8_t which)
{
    s->pending &= (uint8_t)~which;
    update_irq(s);
}

static int stream_channel(const struct sb16 *s, unsigned n)
{
    int narrow = ct1745_dma8(&s->mixer), wide = ct1745_dma16(&s->mixer);

    return n == WIDE && wide >= 0 ? wide : narrow;
}

static bool stream_waits(const struct stream *st)
{
    return st->want && !st->paused;
}

static void update_dreq(struct sb16 *s)
{
    uint8_t dreq = 0, changed;
    unsigned n;

    for (n = 0; n < STREAMS; n++) {
        int ch = stream_channel(s, n);

        if (ch >= 0 && stream_waits(&s->stream[n])) {
            dreq |= (uint8_t)(1u << ch);
        }
    }
    if (s->id_wait && ct1745_dma8(&s->mixer) >= 0) {
        dreq |= (uint8_t)(1u << ct1745_dma8(&s->mixer));
    }
    changed = dreq ^ s->dreq;
    s->dreq = dreq;
    for (n = 0; n < 8; n++) {
        if (changed >> n & 1) {
            dma_request(&s->dma[n], dreq >> n & 1);
        }
    }
}

/* --- samples on their way out ----------------------------------------------------------------- */

static int as_signed(uint16_t v)
{
    return v < 0x8000 ? v : v - 0x10000;
}

/* Reports the samples whose time has come. */
static void stream_render(void *ctx, uint64_t now)
{
    struct stream *st = ctx;

    while (st->shown < st->count) {
        unsigned k = (st->head + st->shown) % QUEUE;

        if (st->at[k] > now) {
            break;
        }
        audio_level(st->out, st->at[k], as_signed(st->sample[0][k]), as_signed(st->sample[1][k]));
        st->shown++;
    }
}

static void queue_drop(struct stream *st)
{
    st->level[0] = st->sample[0][st->head];
    st->level[1] = st->sample[1][st->head];
    st->head = (uint16_t)((st->head + 1) % QUEUE);
    st->count--;
    st->shown -= st->shown != 0;
}

/* Drops what has been heard. */
static void queue_forget(struct stream *st, uint64_t now)
{
    stream_render(st, now);
    while (st->count && st->at[st->head] <= now) {
        queue_drop(st);
    }
}

static void queue_put(struct stream *st, uint64_t at, int left, int right)
{
    unsigned k;

    if (st->count == QUEUE) {
        queue_drop(st);
    }
    k = (st->head + st->count++) % QUEUE;
    st->at[k] = at;
    st->sample[0][k] = (uint16_t)left;
    st->sample[1][k] = (uint16_t)right;
}

/* Samples that are due at `at` or later are not wanted any more. */
static void queue_cut(struct stream *st, uint64_t at)
{
    while (st->count > st->shown && st->at[(st->head + st->count - 1u) % QUEUE] >= at) {
        st->count--;
    }
}

/* From now on a constant level, whatever waited. */
static void set_level(struct stream *st, int level)
{
    uint64_t now = card_now(st->card);

    stream_render(st, now);
    st->count = 0;
    st->shown = 0;
    st->level[0] = st->level[1] = (uint16_t)level;
    audio_level(st->out, now, level, level);
}

/* --- streams ---------------------------------------------------------------------------------- */

static unsigned value_size(const struct stream *st)
{
    return st == &st->card->stream[WIDE] ? 2 : 1;
}

/* Ticks to a value of the block. */
static unsigned ticks_per_value(const struct stream *st)
{
    return st->now.codec >= ADPCM_2 ? adpcm_samples((enum adpcm_kind)st->now.codec) : 1;
}

/* icount of a tick. */
static uint64_t tick_time(const struct stream *st, uint64_t tick)
{
    return st->base + muldiv64_up(tick, sched_ips(st->card->dev.env->sched) * st->den, st->num);
}

/* The time constant gives the rate of values, the newer commands that of frames. */
static void set_clock(struct stream *st)
{
    const struct sb16 *s = st->card;
    bool stereo = st->now.mode & MODE_STEREO;
    uint32_t least = stereo ? STEREO_DIVISOR : MONO_DIVISOR;

    if (s->by_constant) {
        st->num = 1000000;
        st->den = MAX(256u - s->constant, least);
    } else {
        st->num = s->rate * (stereo ? 2u : 1u);
        st->den = 1;
    }
}

static void stream_step(struct stream *st);

static void stream_stop(struct stream *st)
{
    event_cancel(st->card->dev.env->sched, &st->event);
    st->active = st->has_then = st->ending = st->paused = st->held = false;
    st->want = st->left = st->raw_n = 0;
    update_dreq(st->card);
}

static void stream_begin(struct stream *st, const struct setup *setup, uint64_t base)
{
    stream_stop(st);
    queue_cut(st, base + period(st->card, DELAY_HZ));
    st->now = *setup;
    st->active = true;
    st->left = setup->len;
    st->base = base;
    st->ticks = 0;
    st->want_reference = setup->reference;
    if (setup->reference) {
        st->adpcm.step = 0;
    }
    set_clock(st);
    stream_step(st);
}

/* The block is over: interrupt, and what comes next.  False: nothing does. */
static bool block_end(struct stream *st)
{
    uint64_t end = tick_time(st, st->ticks);

    raise_irq(st->card, value_size(st) == 2 ? PENDING_16 : PENDING_8);
    if (st->has_then) {
        struct setup then = st->then;

        stream_begin(st, &then, end);
        return false;
    }
    if (!(st->now.mode & MODE_AUTO) || st->ending) {
        stream_stop(st);
        return false;
    }
    st->left = st->now.len;
    return true;
}

/* At the tick after a piece, and at the start: the next piece. */
static void stream_step(struct stream *st)
{
    struct sched *sched = st->card->dev.env->sched;
    uint32_t values;

    if (st->paused) {
        st->held = true;
        return;
    }
    if (st->left == 0 && !block_end(st)) {
        return;
    }
    if (st->now.codec == CODEC_SILENCE) {
        queue_forget(st, sched_now(sched));
        queue_put(st, tick_time(st, st->ticks) + period(st->card, DELAY_HZ), 0, 0);
        st->ticks += st->left;
        st->left = 0;
        event_at(sched, &st->event, tick_time(st, st->ticks));
        return;
    }
    values = st->num / st->den / PIECE_HZ / ticks_per_value(st);
    st->piece = MIN(MAX(values, 1u), st->left);
    st->want = st->piece * value_size(st);
    update_dreq(st->card);
}

static void stream_event(void *arg, uint64_t now UNUSED)
{
    stream_step(arg);
}

static int pcm_value(const struct stream *st, const uint8_t *p)
{
    bool is_signed = st->now.mode & MODE_SIGNED;

    if (value_size(st) == 2) {
        return is_signed ? as_signed(get16(p)) : get16(p) - 0x8000;
    }
    return is_signed ? as_signed((uint16_t)(*p << 8)) : (*p - 0x80) * 256;
}

/* Whole frames of what was fetched; a rest stays for the next piece. */
static void decode_pcm(struct stream *st, uint64_t delay, uint32_t carried)
{
    unsigned size = value_size(st), channels = st->now.mode & MODE_STEREO ? 2 : 1;
    uint64_t tick = st->ticks - MIN(st->ticks, (uint64_t)(carried / size));
    uint32_t k;

    for (k = 0; k + size * channels <= st->raw_n; k += size * channels, tick += channels) {
        int left = pcm_value(st, st->raw + k);

        queue_put(st, tick_time(st, tick) + delay, left,
                  channels == 2 ? pcm_value(st, st->raw + k + size) : left);
    }
    st->raw_n -= k;
    memmove(st->raw, st->raw + k, st->raw_n);
}

static void decode_adpcm(struct stream *st, uint64_t delay)
{
    enum adpcm_kind kind = (enum adpcm_kind)st->now.codec;
    uint64_t tick = st->ticks;
    uint32_t k;
    unsigned j;

    for (k = 0; k < st->raw_n; k++) {
        uint8_t v[4];
        unsigned n = adpcm_samples(kind);

        if (st->want_reference) {
            st->want_reference = false;
            st->adpcm.value = st->raw[k];
            memset(v, st->raw[k], sizeof v);
        } else {
            adpcm_decode(&st->adpcm, kind, st->raw[k], v);
        }
        for (j = 0; j < n; j++, tick++) {
            int level = (v[j] - 0x80) * 256;

            queue_put(st, tick_time(st, tick) + delay, level, level);
        }
    }
    st->raw_n = 0;
}

/* A piece is complete; `carried` bytes of `raw` are older. */
static void piece_done(struct stream *st, uint32_t carried)
{
    struct sb16 *s = st->card;
    uint64_t now = card_now(s), delay = period(s, DELAY_HZ);

    if (now > tick_time(st, st->ticks) + period(s, LATE_HZ)) {
        st->base = now;
        st->ticks = 0;
    }
    if (!(st->now.mode & MODE_INPUT)) {
        queue_forget(st, now);
        if (st->now.codec == CODEC_PCM) {
            decode_pcm(st, delay, carried);
        } else {
            decode_adpcm(st, delay);
        }
    }
    st->ticks += (uint64_t)st->piece * ticks_per_value(st);
    st->left -= st->piece;
    event_at(s->dev.env->sched, &st->event, tick_time(st, st->ticks));
}

/* Recording hears silence. */
static void fill_silence(const struct stream *st, uint8_t *buf, uint32_t n)
{
    bool middle = !(st->now.mode & MODE_SIGNED);
    uint32_t k;

    for (k = 0; k < n; k++) {
        /* the upper byte of an unsigned value */
        bool high = value_size(st) == 1 || ((st->want - k) & 1);

        buf[k] = middle && high ? 0x80 : 0;
    }
}

static uint32_t stream_transfer(struct stream *st, enum dma_dir dir, uint8_t *buf, uint32_t len)
{
    uint32_t n = MIN(len, st->want);

    if (st->now.mode & MODE_INPUT) {
        if (dir == DMA_TO_MEMORY) {
            fill_silence(st, buf, n);
        }
    } else {
        uint8_t *to = st->raw + st->raw_n;

        if (dir == DMA_FROM_MEMORY) {
            memcpy(to, buf, n);
        } else {
            fill_silence(st, to, n);
        }
        st->raw_n += n;
    }
    st->want -= n;
    if (st->want == 0) {
        update_dreq(st->card);
        piece_done(st, st->raw_n - MIN(st->raw_n, st->piece * value_size(st)));
    }
    return n;
}

static uint32_t sb16_transfer(void *dev, enum dma_dir dir, uint8_t *buf, uint32_t len,
                              bool tc UNUSED)
{
    struct dma_side *side = dev;
    struct sb16 *s = side->card;
    unsigned n;

    if (s->id_wait && dir == DMA_TO_MEMORY && (int)side->channel == ct1745_dma8(&s->mixer)) {
        buf[0] = s->id_byte;
        s->id_wait = false;
        update_dreq(s);
        return 1;
    }
    for (n = 0; n < STREAMS; n++) {
        if (stream_waits(&s->stream[n]) && stream_channel(s, n) == (int)side->channel) {
            return stream_transfer(&s->stream[n], dir, buf, len);
        }
    }
    return 0;
}

struct dma_peripheral sb16_dma(struct device *d, unsigned channel)
{
    struct sb16 *s = (struct sb16 *)d;

    return (struct dma_peripheral){&s->side[channel & 7], sb16_transfer};
}

/* --- starting, stopping, rates ---------------------------------------------------------------- */

static void start(struct stream *st, struct setup setup)
{
    /* A single block asked for during auto-init follows the present one. */
    if (st->active && !st->paused && (st->now.mode & MODE_AUTO) && !(setup.mode & MODE_AUTO)) {
        st->then = setup;
        st->has_then = true;
        return;
    }
    stream_begin(st, &setup, card_now(st->card));
}

static void set_pause(struct stream *st, bool paused)
{
    st->paused = paused;
    update_dreq(st->card);
    if (!paused && st->held) {
        st->held = false;
        st->base = card_now(st->card);
        st->ticks = 0;
        stream_step(st);
    }
}

/* Streams that run change over at their next piece. */
static void rate_changed(struct sb16 *s)
{
    unsigned n;

    for (n = 0; n < STREAMS; n++) {
        struct stream *st = &s->stream[n];

        if (st->active) {
            st->base = tick_time(st, st->ticks);
            st->ticks = 0;
            set_clock(st);
        }
    }
}

/* --- DSP commands ----------------------------------------------------------------------------- */

static void answer(struct sb16 *s, uint8_t v)
{
    if (s->out_count < OUT) {
        s->out[(s->out_head + s->out_count++) % OUT] = v;
    }
}

static uint32_t length(const struct sb16 *s, unsigned at)
{
    return (s->arg[at] | (uint32_t)s->arg[at + 1] << 8) + 1;
}

static void cmd_nothing(struct sb16 *s UNUSED, uint8_t cmd UNUSED)
{
}

/* Questions to the signal processor that this card has only a socket for. */
static void cmd_no_processor(struct sb16 *s, uint8_t cmd UNUSED)
{
    answer(s, 0xff);
}

static void cmd_direct_output(struct sb16 *s, uint8_t cmd UNUSED)
{
    set_level(&s->stream[NARROW], (s->arg[0] - 0x80) * 256);
}

static void cmd_direct_input(struct sb16 *s, uint8_t cmd UNUSED)
{
    answer(s, 0x80);
}

/* The commands of the older cards: 8 bits unsigned, mono; length as argument or by command 48h. */
static void cmd_old_dma(struct sb16 *s, uint8_t cmd)
{
    struct setup setup = {.codec = CODEC_PCM, .len = s->block + 1u};
    unsigned group = cmd >> 4;

    if (cmd == 0x80) {
        setup.codec = CODEC_SILENCE;
    } else if (cmd == 0x16 || cmd == 0x17 || cmd == 0x1f) {
        setup.codec = ADPCM_2;
    } else if (group == 7) {
        setup.codec = (cmd & 7) < 6 ? ADPCM_4 : ADPCM_26;
    }
    setup.reference = setup.codec >= ADPCM_2 && (cmd & 1);
    setup.mode = group == 2 || (cmd & 0xf8) == 0x98 ? MODE_INPUT : 0;
    if (group == 9 ? !(cmd & 1) : group != 8 && (cmd & 8)) {
        setup.mode |= MODE_AUTO;
    } else if (group != 9) {
        setup.len = length(s, 0);
    }
    start(&s->stream[NARROW], setup);
}

static void cmd_new_dma(struct sb16 *s, uint8_t cmd)
{
    struct setup setup = {.codec = CODEC_PCM, .len = length(s, 1)};

    setup.mode = (uint8_t)((cmd & 8 ? MODE_INPUT : 0) | (cmd & 4 ? MODE_AUTO : 0) |
                           (s->arg[0] & 0x20 ? MODE_STEREO : 0) |
                           (s->arg[0] & 0x10 ? MODE_SIGNED : 0));
    start(&s->stream[cmd < 0xc0 ? WIDE : NARROW], setup);
}

static void cmd_uart(struct sb16 *s, uint8_t cmd UNUSED)
{
    s->uart = true;
}

static void cmd_midi_out(struct sb16 *s, uint8_t cmd UNUSED)
{
    chardev_put(&s->midi, s->arg[0]);
}

static void cmd_time_constant(struct sb16 *s, uint8_t cmd UNUSED)
{
    s->by_constant = true;
    s->constant = s->arg[0];
    rate_changed(s);
}

static void cmd_rate(struct sb16 *s, uint8_t cmd UNUSED)
{
    unsigned rate = s->arg[0] * 256u + s->arg[1];

    s->by_constant = false;
    s->rate = (uint16_t)MIN(MAX(rate, (unsigned)LOW_RATE), (unsigned)HIGH_RATE);
    rate_changed(s);
}

static void cmd_continue_auto(struct sb16 *s, uint8_t cmd)
{
    s->stream[cmd == 0x47 ? WIDE : NARROW].ending = false;
}

static void cmd_exit_auto(struct sb16 *s, uint8_t cmd)
{
    struct stream *st = &s->stream[cmd == 0xd9 ? WIDE : NARROW];

    st->ending = st->active;
}

static void cmd_block_size(struct sb16 *s, uint8_t cmd UNUSED)
{
    s->block = (uint16_t)(length(s, 0) - 1);
}

static void cmd_pause(struct sb16 *s, uint8_t cmd)
{
    struct stream *st = &s->stream[cmd == 0xd5 || cmd == 0xd6 ? WIDE : NARROW];

    if (st->active) {
        set_pause(st, cmd == 0xd0 || cmd == 0xd5);
    }
}

/* On this card the switch is only remembered: digital sound is always heard. */
static void cmd_speaker(struct sb16 *s, uint8_t cmd)
{
    s->speaker = cmd == 0xd1;
}

static void cmd_speaker_state(struct sb16 *s, uint8_t cmd UNUSED)
{
    answer(s, s->speaker ? 0xff : 0);
}

static void cmd_identify(struct sb16 *s, uint8_t cmd UNUSED)
{
    answer(s, (uint8_t)~s->arg[0]);
}

static void cmd_version(struct sb16 *s, uint8_t cmd UNUSED)
{
    answer(s, DSP_MAJOR);
    answer(s, DSP_MINOR);
}

/* A running sum that only the real firmware is meant to know goes to memory by DMA. */
static void cmd_identify_dma(struct sb16 *s, uint8_t cmd UNUSED)
{
    s->id_sum = (uint8_t)(s->id_sum + (s->arg[0] ^ s->id_key));
    s->id_key = (uint8_t)(s->id_key >> 2 | s->id_key << 6);
    s->id_byte = s->id_sum;
    s->id_wait = true;
    update_dreq(s);
}

/* Programs compare this text to know the card. */
static void cmd_copyright(struct sb16 *s, uint8_t cmd UNUSED)
{
    static const char text[] = "COPYRIGHT (C) CREATIVE TECHNOLOGY LTD, 1992.";

    for (unsigned n = 0; n < sizeof text; n++) {
        answer(s, (uint8_t)text[n]);
    }
}

static void cmd_test(struct sb16 *s, uint8_t cmd)
{
    if (cmd == 0xe4) {
        s->test = s->arg[0];
    } else {
        answer(s, s->test);
    }
}

static void cmd_irq(struct sb16 *s, uint8_t cmd)
{
    raise_irq(s, cmd == 0xf3 ? PENDING_16 : PENDING_8);
}

static void cmd_zero(struct sb16 *s, uint8_t cmd UNUSED)
{
    answer(s, 0);
}

struct command {
    uint8_t first, last, args;
    void (*run)(struct sb16 *s, uint8_t cmd);
};

static const struct command commands[] = {
    {0x04, 0x04, 1, cmd_nothing},       {0x05, 0x05, 2, cmd_nothing},
    {0x08, 0x08, 1, cmd_no_processor},  {0x0e, 0x0e, 2, cmd_nothing},
    {0x0f, 0x0f, 1, cmd_no_processor},  {0x10, 0x10, 1, cmd_direct_output},
    {0x14, 0x14, 2, cmd_old_dma},       {0x16, 0x17, 2, cmd_old_dma},
    {0x1c, 0x1c, 0, cmd_old_dma},       {0x1f, 0x1f, 0, cmd_old_dma},
    {0x20, 0x20, 0, cmd_direct_input},  {0x24, 0x24, 2, cmd_old_dma},
    {0x2c, 0x2c, 0, cmd_old_dma},       {0x30, 0x33, 0, cmd_nothing}, /* nobody sends MIDI */
    {0x34, 0x37, 0, cmd_uart},          {0x38, 0x38, 1, cmd_midi_out},
    {0x40, 0x40, 1, cmd_time_constant}, {0x41, 0x42, 2, cmd_rate},
    {0x45, 0x45, 0, cmd_continue_auto}, {0x47, 0x47, 0, cmd_continue_auto},
    {0x48, 0x48, 2, cmd_block_size},    {0x74, 0x77, 2, cmd_old_dma},
    {0x7d, 0x7d, 0, cmd_old_dma},       {0x7f, 0x7f, 0, cmd_old_dma},
    {0x80, 0x80, 2, cmd_old_dma},       {0x90, 0x91, 0, cmd_old_dma},
    {0x98, 0x99, 0, cmd_old_dma},       {0xa0, 0xa0, 0, cmd_nothing}, /* stereo input of the Pro */
    {0xa8, 0xa8, 0, cmd_nothing},       {0xb0, 0xcf, 3, cmd_new_dma},
    {0xd0, 0xd0, 0, cmd_pause},         {0xd1, 0xd1, 0, cmd_speaker},
    {0xd3, 0xd3, 0, cmd_speaker},       {0xd4, 0xd6, 0, cmd_pause},
    {0xd8, 0xd8, 0, cmd_speaker_state}, {0xd9, 0xda, 0, cmd_exit_auto},
    {0xe0, 0xe0, 1, cmd_identify},      {0xe1, 0xe1, 0, cmd_version},
    {0xe2, 0xe2, 1, cmd_identify_dma},  {0xe3, 0xe3, 0, cmd_copyright},
    {0xe4, 0xe4, 1, cmd_test},          {0xe8, 0xe8, 0, cmd_test},
    {0xf2, 0xf3, 0, cmd_irq},           {0xf8, 0xf8, 0, cmd_zero},
};

static const struct command *find_command(uint8_t cmd)
{
    for (unsigned n = 0; n < ARRAY_LEN(commands); n++) {
        if (cmd >= commands[n].first && cmd <= commands[n].last) {
            return &commands[n];
        }
    }
    return NULL;
}

static void dsp_write(struct sb16 *s, uint8_t val)
{
    const struct command *c;

    if (s->uart) {
        chardev_put(&s->midi, val);
        return;
    }
    if (!s->command) {
        c = find_command(val);
        if (!c) {
            log_guest(s->dev.env->log, "sb16", "unknown DSP command %02x", val);
            return;
        }
        s->command = val;
        s->args = 0;
    } else {
        c = find_command(s->command);
        s->arg[s->args++] = val;
    }
    if (s->args == c->args) {
        uint8_t cmd = s->command;

        s->command = 0;
        c->run(s, cmd);
    }
}

static void dsp_reset(struct sb16 *s)
{
    unsigned n;

    for (n = 0; n < STREAMS; n++) {
        stream_stop(&s->stream[n]);
        set_level(&s->stream[n], 0);
        s->stream[n].adpcm = (struct adpcm){0x80, 0};
    }
    s->id_wait = false;
    update_dreq(s);
    clear_irq(s, PENDING_8 | PENDING_16);
    s->speaker = s->uart = false;
    s->command = s->args = 0;
    s->out_count = 0;
    s->by_constant = false;
    s->rate = 22050;
    s->block = 0;
    s->id_sum = 0xaa;
    s->id_key = 0x96;
}

/* --- ports ------------------------------------------------------------------------------------ */

static uint64_t dsp_port_read(void *dev, uint64_t off, unsigned size UNUSED)
{
    struct sb16 *s = dev;

    switch (off) {
    case DSP_READ:
        if (s->out_count) {
            s->out_last = s->out[s->out_head];
            s->out_head = (s->out_head + 1) % OUT;
            s->out_count--;
        }
        return s->out_last;
    case DSP_WRITE:
        return s->in_reset ? 0xff : 0x7f; /* bit 7: not ready for a command */
    case DSP_READ_STATUS:
        clear_irq(s, PENDING_8);
        return s->out_count ? 0xff : 0x7f;
    case DSP_ACK16:
        clear_irq(s, PENDING_16);
        return 0xff;
    default:
        return 0xff;
    }
}

static void dsp_port_write(void *dev, uint64_t off, unsigned size UNUSED, uint64_t val)
{
    struct sb16 *s = dev;

    if (off == DSP_WRITE && !s->in_reset) {
        dsp_write(s, (uint8_t)val);
    }
}

/* The DSP starts when the reset bit goes back to 0, and says AAh. */
static void reset_port_write(void *dev, uint64_t off UNUSED, unsigned size UNUSED, uint64_t val)
{
    struct sb16 *s = dev;
    bool before = s->in_reset;

    s->in_reset = val & 1;
    if (s->in_reset && !before) {
        dsp_reset(s);
    } else if (before && !s->in_reset) {
        answer(s, 0xaa);
    }
}

static void apply_mixer(struct sb16 *s)
{
    int bass[2] = {ct1745_bass(&s->mixer, 0), ct1745_bass(&s->mixer, 1)};
    int treble[2] = {ct1745_treble(&s->mixer, 0), ct1745_treble(&s->mixer, 1)};
    uint32_t left = ct1745_gain(&s->mixer, CT1745_VOICE, 0);
    uint32_t right = ct1745_gain(&s->mixer, CT1745_VOICE, 1);

    audio_volume(s->stream[NARROW].out, left, right);
    audio_volume(s->stream[WIDE].out, left, right);
    audio_volume(s->fm, ct1745_gain(&s->mixer, CT1745_MIDI, 0),
                 ct1745_gain(&s->mixer, CT1745_MIDI, 1));
    audio_volume(s->cd, ct1745_gain(&s->mixer, CT1745_CD, 0),
                 ct1745_gain(&s->mixer, CT1745_CD, 1));
    audio_tone(s->fm, bass, treble);
    update_irq(s);
    update_dreq(s);
}

static uint64_t mixer_port_read(void *dev, uint64_t off, unsigned size UNUSED)
{
    struct sb16 *s = dev;

    return off ? ct1745_read(&s->mixer, s->pending) : s->mixer.index;
}

static void mixer_port_write(void *dev, uint64_t off, unsigned size UNUSED, uint64_t val)
{
    struct sb16 *s = dev;

    if (off) {
        ct1745_write(&s->mixer, (uint8_t)val);
        apply_mixer(s);
    } else {
        s->mixer.index = (uint8_t)val;
    }
}

/* MPU-401: data, and status (bit 7: no data, bit 6: busy) or command. */
static uint64_t mpu_read(void *dev, uint64_t off, unsigned size UNUSED)
{
    struct sb16 *s = dev;

    if (off) {
        return s->mpu_ack ? 0x3f : 0xbf;
    }
    s->mpu_ack = false;
    return MPU_ACK;
}

static void mpu_write(void *dev, uint64_t off, unsigned size UNUSED, uint64_t val)
{
    struct sb16 *s = dev;

    if (!off) {
        if (s->mpu_uart) {
            chardev_put(&s->midi, (uint8_t)val);
        }
    } else if (val == MPU_RESET) {
        s->mpu_ack = !s->mpu_uart; /* leaving UART mode goes without an answer */
        s->mpu_uart = false;
    } else if (val == MPU_UART && !s->mpu_uart) {
        s->mpu_ack = s->mpu_uart = true;
    }
}

static const struct io_ops dsp_ops = {dsp_port_read, dsp_port_write, 1, 1, "sb16"};
static const struct io_ops reset_ops = {NULL, reset_port_write, 1, 1, "sb16 reset"};
static const struct io_ops mixer_ops = {mixer_port_read, mixer_port_write, 1, 1, "ct1745"};
static const struct io_ops mpu_ops = {mpu_read, mpu_write, 1, 1, "mpu401"};

/* --- life ------------------------------------------------------------------------------------- */

static bool sb16_init(struct device *d, const void *config, struct err *e)
{
    struct sb16 *s = (struct sb16 *)d;
    const struct sb16_config *c = config;
    struct bus *io = d->env->io;
    unsigned n;

    memcpy(s->irq, c->irq, sizeof s->irq);
    memcpy(s->dma, c->dma, sizeof s->dma);
    s->fm = c->fm;
    s->cd = c->cd;
    s->midi = c->midi;
    s->irq_select = c->irq_select;
    s->dma_select = c->dma_select;
    for (n = 0; n < 8; n++) {
        s->side[n] = (struct dma_side){s, n};
    }
    for (n = 0; n < STREAMS; n++) {
        struct stream *st = &s->stream[n];

        st->card = s;
        st->out = c->voice[n];
        st->num = st->den = 1;
        snprintf(st->event_name, sizeof st->event_name, "%s/%s", d->id, n ? "dma16" : "dma8");
        event_init(d->env->sched, &st->event, st->event_name, stream_event, st);
        audio_set_render(st->out, stream_render, st);
    }
    if (bus_map(io, c->port + 4u, 2, &mixer_ops, s, PRIO_DEVICE) < 0 ||
        bus_map(io, c->port + 6u, 1, &reset_ops, s, PRIO_DEVICE) < 0 ||
        bus_map(io, c->port + 10u, DSP_PORTS, &dsp_ops, s, PRIO_DEVICE) < 0 ||
        bus_map(io, c->mpu_port, 2, &mpu_ops, s, PRIO_DEVICE) < 0) {
        return err_set(e, "%s: out of memory", d->id);
    }
    return true;
}

static void sb16_reset(struct device *d, enum reset_kind kind UNUSED)
{
    struct sb16 *s = (struct sb16 *)d;

    dsp_reset(s);
    s->in_reset = s->mpu_uart = s->mpu_ack = false;
    s->test = 0;
    s->out_last = 0xff;
    ct1745_power_on(&s->mixer, s->irq_select, s->dma_select);
    apply_mixer(s);
}

static bool stream_valid(const struct stream *st)
{
    return st->now.codec <= CODEC_LAST && st->then.codec <= CODEC_LAST && st->num && st->den &&
           st->num <= 1000000 && st->den <= 256 && st->num / st->den <= 100000 &&
           st->head < QUEUE && st->count <= QUEUE && st->raw_n < 4 + st->piece * 2 &&
           st->piece <= RAW / 2 - 4 && st->want <= st->piece * value_size(st) &&
           st->raw_n + st->want <= RAW && st->left <= 65536 &&
           (!st->want || st->piece <= st->left) && st->now.len <= 65536 && st->then.len <= 65536;
}

static bool sb16_post_load(struct device *d, unsigned version UNUSED, struct err *e)
{
    struct sb16 *s = (struct sb16 *)d;
    const struct command *c = find_command(s->command);
    uint64_t now = card_now(s);
    unsigned n;

    if (!stream_valid(&s->stream[NARROW]) || !stream_valid(&s->stream[WIDE]) ||
        s->out_head >= OUT || s->out_count > OUT || (s->command && (!c || s->args >= c->args)) ||
        s->irq_line > 15 || s->rate == 0) {
        return err_set(e, "%s: the saved state is not valid", d->id);
    }
    for (n = 0; n < STREAMS; n++) {
        struct stream *st = &s->stream[n];

        st->now.mode &= MODE_ALL;
        st->then.mode &= MODE_ALL;
        st->shown = 0;
        audio_level(st->out, now, as_signed(st->level[0]), as_signed(st->level[1]));
        stream_render(st, now);
    }
    apply_mixer(s);
    return true;
}

#define SETUP_STATE(m)                                                                         \
    SNAP_F(struct sb16, m.mode, SNAP_U8), SNAP_F(struct sb16, m.codec, SNAP_U8),               \
        SNAP_F(struct sb16, m.reference, SNAP_BOOL), SNAP_F(struct sb16, m.len, SNAP_U32)

#define STREAM_STATE(m)                                                                        \
    SETUP_STATE(m.now), SETUP_STATE(m.then), SNAP_F(struct sb16, m.active, SNAP_BOOL),         \
        SNAP_F(struct sb16, m.has_then, SNAP_BOOL), SNAP_F(struct sb16, m.ending, SNAP_BOOL),  \
        SNAP_F(struct sb16, m.paused, SNAP_BOOL), SNAP_F(struct sb16, m.held, SNAP_BOOL),      \
        SNAP_F(struct sb16, m.want_reference, SNAP_BOOL), SNAP_F(struct sb16, m.left, SNAP_U32), \
        SNAP_F(struct sb16, m.base, SNAP_U64), SNAP_F(struct sb16, m.ticks, SNAP_U64),         \
        SNAP_F(struct sb16, m.num, SNAP_U32), SNAP_F(struct sb16, m.den, SNAP_U32),            \
        SNAP_F(struct sb16, m.piece, SNAP_U32), SNAP_F(struct sb16, m.want, SNAP_U32),         \
        SNAP_F(struct sb16, m.raw_n, SNAP_U32), SNAP_ARRAY(struct sb16, m.raw, SNAP_BYTES),    \
        SNAP_F(struct sb16, m.adpcm.value, SNAP_U8), SNAP_F(struct sb16, m.adpcm.step, SNAP_U8), \
        SNAP_ARRAY(struct sb16, m.at, SNAP_U64), SNAP_ARRAY(struct sb16, m.sample, SNAP_U16),  \
        SNAP_F(struct sb16, m.head, SNAP_U16), SNAP_F(struct sb16, m.count, SNAP_U16),         \
        SNAP_ARRAY(struct sb16, m.level, SNAP_U16)

static const struct snap_field sb16_state[] = {
    SNAP_F(struct sb16, mixer.index, SNAP_U8),
    SNAP_ARRAY(struct sb16, mixer.reg, SNAP_BYTES),
    STREAM_STATE(stream[NARROW]),
    STREAM_STATE(stream[WIDE]),
    SNAP_F(struct sb16, in_reset, SNAP_BOOL),
    SNAP_F(struct sb16, speaker, SNAP_BOOL),
    SNAP_F(struct sb16, uart, SNAP_BOOL),
    SNAP_F(struct sb16, mpu_uart, SNAP_BOOL),
    SNAP_F(struct sb16, mpu_ack, SNAP_BOOL),
    SNAP_F(struct sb16, pending, SNAP_U8),
    SNAP_F(struct sb16, irq_line, SNAP_U8),
    SNAP_F(struct sb16, dreq, SNAP_U8),
    SNAP_F(struct sb16, command, SNAP_U8),
    SNAP_F(struct sb16, args, SNAP_U8),
    SNAP_ARRAY(struct sb16, arg, SNAP_BYTES),
    SNAP_ARRAY(struct sb16, out, SNAP_BYTES),
    SNAP_F(struct sb16, out_head, SNAP_U8),
    SNAP_F(struct sb16, out_count, SNAP_U8),
    SNAP_F(struct sb16, out_last, SNAP_U8),
    SNAP_F(struct sb16, by_constant, SNAP_BOOL),
    SNAP_F(struct sb16, constant, SNAP_U8),
    SNAP_F(struct sb16, rate, SNAP_U16),
    SNAP_F(struct sb16, block, SNAP_U16),
    SNAP_F(struct sb16, test, SNAP_U8),
    SNAP_F(struct sb16, id_sum, SNAP_U8),
    SNAP_F(struct sb16, id_key, SNAP_U8),
    SNAP_F(struct sb16, id_byte, SNAP_U8),
    SNAP_F(struct sb16, id_wait, SNAP_BOOL),
    SNAP_END,
};

const struct device_class sb16_class = {
    .name = "sb16",
    .size = sizeof(struct sb16),
    .init = sb16_init,
    .reset = sb16_reset,
    .state = sb16_state,
    .state_version = 1,
    .post_load = sb16_post_load,
};
