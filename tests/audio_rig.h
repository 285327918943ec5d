/*
 * Listening to chips in a unit test: a rig with a mixer, frames as they come, the frequency of a
 * tone by its zero crossings, and its size.
 */
#ifndef OXBOW_TESTS_AUDIO_RIG_H
#define OXBOW_TESTS_AUDIO_RIG_H

#include "devices/audio.h"
#include "tests/chip_rig.h"

#define EAR_RATE 44100u
#define EAR_MAX (EAR_RATE * 4u)

struct ear {
    struct device *audio;
    size_t n;
    int16_t frame[EAR_MAX][2];
};

static inline struct device *ear_mixer(struct rig *r, uint32_t rate)
{
    return rig_add(r, &audio_class, "audio", &(struct audio_config){rate});
}

static inline struct ear *ear_new(struct device *audio)
{
    struct ear *e = calloc(1, sizeof *e);

    ck_assert_ptr_nonnull(e);
    e->audio = audio;
    return e;
}

/* Takes what is there. */
static inline void ear_take(struct ear *e)
{
    e->n += audio_read(e->audio, e->frame[e->n], EAR_MAX - e->n);
}

/* Forgets what was heard and what waits to be. */
static inline void ear_skip(struct ear *e)
{
    do {
        e->n = 0;
        ear_take(e);
    } while (e->n);
}

/* Lets `ns` pass and hears them, looking every `step` ns. */
static inline void ear_listen(struct ear *e, struct rig *r, uint64_t ns, uint64_t step)
{
    uint64_t end = rig_now(r) + ns;

    while (rig_now(r) < end) {
        rig_run(r, MIN(step, end - rig_now(r)));
        ear_take(e);
    }
}

/* The same number on every host, whatever its byte order. */
static inline uint64_t ear_hash(const struct ear *e)
{
    uint64_t h = SNAP_HASH_INIT;

    for (size_t k = 0; k < e->n; k++) {
        uint16_t l = (uint16_t)e->frame[k][0], r = (uint16_t)e->frame[k][1];
        uint8_t b[4] = {(uint8_t)l, (uint8_t)(l >> 8), (uint8_t)r, (uint8_t)(r >> 8)};

        h = snap_hash(h, b, sizeof b);
    }
    return h;
}

static inline int ear_low(const struct ear *e, unsigned ch, size_t from, size_t to)
{
    int v = 32767;

    for (; from < to; from++) {
        v = MIN(v, e->frame[from][ch]);
    }
    return v;
}

static inline int ear_high(const struct ear *e, unsigned ch, size_t from, size_t to)
{
    int v = -32768;

    for (; from < to; from++) {
        v = MAX(v, e->frame[from][ch]);
    }
    return v;
}

/* Rises through the middle in a span, counted between the first and the last, in millihertz. */
static inline uint64_t ear_frequency(const struct ear *e, unsigned ch, size_t from, size_t to)
{
    int middle = (ear_low(e, ch, from, to) + ear_high(e, ch, from, to)) / 2;
    size_t k, first = 0, last = 0, count = 0;

    for (k = from + 1; k < to; k++) {
        if (e->frame[k - 1][ch] <= middle && e->frame[k][ch] > middle) {
            first = count++ ? first : k;
            last = k;
        }
    }
    return count < 2 ? 0 : (count - 1) * (uint64_t)EAR_RATE * 1000 / (last - first);
}

#endif
