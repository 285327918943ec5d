/*
 * Mixer in virtual time; see audio.h.
 *
 * A position counts 1/65536 frames since power-on: floor(icount * rate * 65536 / ips).  A level is
 * integrated over the exact part of each frame in which it was there (a box filter), so frames
 * depend only on levels and instruction counts, not on when they are read (R3).
 * Invariants: frames below `read` are gone, those below `toned` have been through the tone
 * control; every other frame of the ring holds sums of level * length so far.  Frames nobody reads
 * are dropped, oldest first.  Nothing here is machine state: a loaded machine starts with an empty
 * ring, and the chips report their present levels again.
 */
#include "devices/audio.h"

#include <stdlib.h>
#include <string.h>

enum { FRAMES = 16384, MAX_INPUTS = 8, BASS_HZ = 120, TREBLE_HZ = 3500 };
#define ONE_FRAME 65536u
#define TWO_PI_65536 411775u /* 2 * pi * 65536 */

struct input {
    enum audio_bus bus;
    void (*render)(void *ctx, uint64_t now);
    void *ctx;
    uint64_t pos;     /* integrated so far */
    int level[2];     /* as reported */
    uint32_t gain[2];
    int32_t out[2];   /* level with gain */
};

/* A shelf each for low and high frequencies, made of one-pole low passes. */
struct tone {
    int32_t bass, treble; /* gain - 1, times 65536 */
    int64_t low, high;    /* states of the low passes */
};

struct frame {
    int64_t sum[AUDIO_BUSES][2];
};

struct audio {
    struct device dev;
    uint32_t rate;
    unsigned inputs;
    struct input input[MAX_INPUTS];
    struct tone tone[2];
    uint32_t bass_pole, treble_pole;
    struct frame *ring; /* NULL: nobody listens */
    uint64_t read, toned;
};

static uint64_t position(const struct audio *a, uint64_t icount)
{
    return clock_ticks(a->dev.env->sched, (struct clock){(uint64_t)a->rate * ONE_FRAME, 1}, icount);
}

static uint64_t now_of(const struct audio *a)
{
    return sched_now(a->dev.env->sched);
}

static struct frame *frame_at(const struct audio *a, uint64_t n)
{
    return &a->ring[n % FRAMES];
}

/* --- tone control ----------------------------------------------------------------------------- */

static int64_t toned(const struct audio *a, struct tone *t, int64_t x)
{
    t->low += (x - t->low) * a->bass_pole / 65536;
    t->high += (x - t->high) * a->treble_pole / 65536;
    return x + t->low * t->bass / 65536 + (x - t->high) * t->treble / 65536;
}

/* Sends the card's frames below `end` through its tone control. */
static void tone_until(struct audio *a, uint64_t end)
{
    unsigned ch;

    for (ch = 0; ch < 2; ch++) {
        struct tone *t = &a->tone[ch];
        uint64_t n;

        if (!t->bass && !t->treble) {
            t->low = t->high = 0;
            continue;
        }
        for (n = a->toned; n < end; n++) {
            int64_t *sum = &frame_at(a, n)->sum[AUDIO_CARD][ch];

            *sum = toned(a, t, *sum);
        }
    }
    a->toned = MAX(a->toned, end);
}

/* --- the ring --------------------------------------------------------------------------------- */

/* Room for a frame: what is too old to be kept beside it goes. */
static void make_room(struct audio *a, uint64_t last)
{
    uint64_t first, n;

    if (last - a->read < FRAMES || last < a->read) {
        return;
    }
    first = last - FRAMES + 1;
    for (n = 0; n < MIN(first - a->read, (uint64_t)FRAMES); n++) {
        *frame_at(a, a->read + n) = (struct frame){{{0}}};
    }
    a->read = first;
    a->toned = MAX(a->toned, first);
}

static void integrate(struct audio *a, struct input *in, uint64_t pos)
{
    uint64_t p = in->pos;

    if (pos <= p) {
        return;
    }
    in->pos = pos;
    if (!in->out[0] && !in->out[1]) {
        return;
    }
    make_room(a, pos / ONE_FRAME);
    p = MAX(p, a->read * ONE_FRAME);
    while (p < pos) {
        int64_t *sum = frame_at(a, p / ONE_FRAME)->sum[in->bus];
        uint64_t end = MIN(pos, (p / ONE_FRAME + 1) * ONE_FRAME);

        sum[0] += (int64_t)in->out[0] * (int64_t)(end - p);
        sum[1] += (int64_t)in->out[1] * (int64_t)(end - p);
        p = end;
    }
}

/* Everything up to now is in the ring; returns the position of now. */
static uint64_t bring_up(struct audio *a)
{
    uint64_t now = now_of(a), pos = position(a, now);
    unsigned n;

    for (n = 0; n < a->inputs; n++) {
        struct input *in = &a->input[n];

        if (in->render) {
            in->render(in->ctx, now);
        }
        integrate(a, in, pos);
    }
    return pos;
}

/* --- inputs ----------------------------------------------------------------------------------- */

struct audio_input audio_connect(struct device *d, enum audio_bus bus)
{
    struct audio *a = (struct audio *)d;
    struct audio_input in = {d, 0};

    if (!a || a->inputs == MAX_INPUTS) {
        return (struct audio_input){NULL, 0};
    }
    in.n = a->inputs++;
    a->input[in.n] = (struct input){.bus = bus, .gain = {AUDIO_UNITY, AUDIO_UNITY}};
    return in;
}

static struct input *input_of(struct audio_input in)
{
    struct audio *a = (struct audio *)in.audio;

    return &a->input[in.n];
}

void audio_set_render(struct audio_input in, void (*render)(void *ctx, uint64_t now), void *ctx)
{
    if (in.audio) {
        input_of(in)->render = render;
        input_of(in)->ctx = ctx;
    }
}

bool audio_listens(struct audio_input in)
{
    const struct audio *a = (const struct audio *)in.audio;

    return a && a->ring;
}

static int32_t amplified(int level, uint32_t gain)
{
    int64_t v = (int64_t)level * gain / AUDIO_UNITY;

    return (int32_t)MIN(MAX(v, -32768), 32767);
}

static void set_out(struct input *in)
{
    in->out[0] = amplified(in->level[0], in->gain[0]);
    in->out[1] = amplified(in->level[1], in->gain[1]);
}

void audio_level(struct audio_input in, uint64_t icount, int left, int right)
{
    struct audio *a = (struct audio *)in.audio;
    struct input *p;

    if (!audio_listens(in)) {
        return;
    }
    p = input_of(in);
    integrate(a, p, position(a, icount));
    p->level[0] = left;
    p->level[1] = right;
    set_out(p);
}

void audio_volume(struct audio_input in, uint32_t left, uint32_t right)
{
    struct audio *a = (struct audio *)in.audio;
    struct input *p;

    if (!audio_listens(in)) {
        return;
    }
    p = input_of(in);
    if (left == p->gain[0] && right == p->gain[1]) {
        return;
    }
    if (p->render) {
        p->render(p->ctx, now_of(a));
    }
    integrate(a, p, position(a, now_of(a)));
    p->gain[0] = left;
    p->gain[1] = right;
    set_out(p);
}

void audio_tone(struct audio_input in, const int bass[2], const int treble[2])
{
    /* 65536 * (10^(dB / 20) - 1) for -14, -12 .. 14 dB */
    static const int32_t less_one[15] = {-52460, -49074, -44812, -39446, -32690, -24186, -13479, 0,
                                         16969, 38332, 65226, 99083, 141707, 195368, 262922};
    struct audio *a = (struct audio *)in.audio;
    bool same = true;
    unsigned ch;

    if (!audio_listens(in)) {
        return;
    }
    for (ch = 0; ch < 2; ch++) {
        same = same && a->tone[ch].bass == less_one[bass[ch] / 2 + 7] &&
               a->tone[ch].treble == less_one[treble[ch] / 2 + 7];
    }
    if (same) {
        return;
    }
    tone_until(a, bring_up(a) / ONE_FRAME);
    for (ch = 0; ch < 2; ch++) {
        a->tone[ch].bass = less_one[bass[ch] / 2 + 7];
        a->tone[ch].treble = less_one[treble[ch] / 2 + 7];
    }
}

/* --- output ----------------------------------------------------------------------------------- */

static int16_t sample_of(const struct frame *f, unsigned ch)
{
    int64_t v = (f->sum[AUDIO_BOARD][ch] + f->sum[AUDIO_CARD][ch]) / ONE_FRAME;

    return (int16_t)MIN(MAX(v, -32768), 32767);
}

size_t audio_read(struct device *d, int16_t *frames, size_t max)
{
    struct audio *a = (struct audio *)d;
    uint64_t end;
    size_t n;

    if (!a || !a->ring) {
        return 0;
    }
    end = bring_up(a) / ONE_FRAME;
    make_room(a, end);
    tone_until(a, end);
    for (n = 0; n < max && a->read < end; n++, a->read++) {
        struct frame *f = frame_at(a, a->read);

        frames[2 * n] = sample_of(f, 0);
        frames[2 * n + 1] = sample_of(f, 1);
        *f = (struct frame){{{0}}};
    }
    return n;
}

/* --- life ------------------------------------------------------------------------------------- */

static bool audio_init(struct device *d, const void *config, struct err *e)
{
    struct audio *a = (struct audio *)d;
    const struct audio_config *c = config;

    a->rate = c->rate;
    if (!c->rate) {
        return true;
    }
    if (c->rate < 4000 || c->rate > 192000) {
        return err_set(e, "the sound rate must be between 4000 and 192000 frames a second");
    }
    a->bass_pole = (uint32_t)((uint64_t)TWO_PI_65536 * BASS_HZ / c->rate);
    a->treble_pole = (uint32_t)MIN((uint64_t)TWO_PI_65536 * TREBLE_HZ / c->rate, 65536u);
    a->ring = calloc(FRAMES, sizeof *a->ring);
    return a->ring || err_set(e, "not enough memory for the sound");
}

static void audio_free(struct device *d)
{
    free(((struct audio *)d)->ring);
}

/* From the next whole frame on, the frames are those that the saved machine would have made. */
static bool audio_post_load(struct device *d, unsigned version UNUSED, struct err *e UNUSED)
{
    struct audio *a = (struct audio *)d;
    uint64_t pos = position(a, now_of(a));
    unsigned n;

    if (!a->ring) {
        return true;
    }
    memset(a->ring, 0, FRAMES * sizeof *a->ring);
    a->read = a->toned = pos / ONE_FRAME + (pos % ONE_FRAME != 0);
    for (n = 0; n < a->inputs; n++) {
        struct input *in = &a->input[n];

        in->pos = a->read * ONE_FRAME;
        in->level[0] = in->level[1] = 0;
        set_out(in);
    }
    for (n = 0; n < 2; n++) {
        a->tone[n] = (struct tone){0, 0, 0, 0};
    }
    return true;
}

const struct device_class audio_class = {
    .name = "audio",
    .size = sizeof(struct audio),
    .init = audio_init,
    .free = audio_free,
    .state = snap_no_state,
    .state_version = 1,
    .post_load = audio_post_load,
};
