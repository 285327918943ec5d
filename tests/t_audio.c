/*
 * The mixer: exact shares of frames, rates, gains, tone, what is kept and dropped, and that it does not
 * matter when somebody listens.
 */
#include "tests/audio_rig.h"

#include "devices/speaker.h"
#include "oxbow.h"

struct bench {
    struct rig r;
    struct ear *e;
    struct audio_input in, card;
};

static void setup(struct bench *b, uint32_t rate)
{
    struct device *audio;

    rig_init(&b->r);
    audio = ear_mixer(&b->r, rate);
    b->e = ear_new(audio);
    b->in = audio_connect(audio, AUDIO_BOARD);
    b->card = audio_connect(audio, AUDIO_CARD);
}

static void teardown(struct bench *b)
{
    free(b->e);
    rig_free(&b->r);
}

/* At 10 kHz and 1e9 instructions a second a frame is 100000 instructions. */
START_TEST(exact_share)
{
    struct bench b;

    setup(&b, 10000);
    audio_level(b.in, 125000, 1000, -1000); /* from the second quarter of frame 1 */
    audio_level(b.in, 350000, 0, 500);
    rig_run_to(&b.r, 499999);
    ear_take(b.e);
    ck_assert_uint_eq(b.e->n, 4);
    ck_assert_int_eq(b.e->frame[0][0], 0);
    ck_assert_int_eq(b.e->frame[1][0], 750);
    ck_assert_int_eq(b.e->frame[1][1], -750);
    ck_assert_int_eq(b.e->frame[2][0], 1000);
    ck_assert_int_eq(b.e->frame[3][0], 500);
    ck_assert_int_eq(b.e->frame[3][1], -250);
    rig_run_to(&b.r, 500000);
    ear_take(b.e);
    ck_assert_uint_eq(b.e->n, 5);
    ck_assert_int_eq(b.e->frame[4][1], 500);
    teardown(&b);
}
END_TEST

START_TEST(sum_and_clip)
{
    struct bench b;

    setup(&b, 10000);
    audio_level(b.in, 0, 20000, -20000);
    audio_level(b.card, 0, 5000, -20000);
    rig_run_to(&b.r, 100000);
    ear_take(b.e);
    ck_assert_int_eq(b.e->frame[0][0], 25000);
    ck_assert_int_eq(b.e->frame[0][1], -32768);
    audio_volume(b.card, AUDIO_UNITY / 2, AUDIO_UNITY * 4);
    rig_run_to(&b.r, 200000);
    ear_take(b.e);
    ck_assert_int_eq(b.e->frame[1][0], 22500);
    audio_level(b.in, 200000, 0, 0);
    rig_run_to(&b.r, 300000);
    ear_take(b.e);
    ck_assert_int_eq(b.e->frame[2][1], -32768);
    teardown(&b);
}
END_TEST

/* 44100 frames in every second, whatever the pieces. */
START_TEST(frame_count)
{
    static const uint32_t rate[] = {4000, 11025, 44100, 48000, 192000};
    static int16_t buf[20000][2];

    for (unsigned n = 0; n < ARRAY_LEN(rate); n++) {
        struct bench b;
        size_t total = 0;

        setup(&b, rate[n]);
        for (unsigned k = 0; k < 300; k++) {
            rig_run(&b.r, 10000000);
            total += audio_read(b.e->audio, buf[0], 20000);
        }
        ck_assert_uint_eq(total, rate[n] * 3);
        teardown(&b);
    }
}
END_TEST

/* Nobody comes for a long time: the newest frames are there. */
START_TEST(oldest_dropped)
{
    static int16_t buf[20000][2];
    struct bench b;
    size_t n;

    setup(&b, 10000);
    audio_level(b.in, 0, 100, 100);
    rig_run_to(&b.r, 9999950000u); /* within frame 99999 */
    audio_level(b.in, 9999900000u, 200, 200);
    rig_run_to(&b.r, 10000000000u);
    n = audio_read(b.e->audio, buf[0], 20000);
    ck_assert_uint_ge(n, 16383);
    ck_assert_uint_le(n, 16384);
    ck_assert_int_eq(buf[0][0], 100);
    ck_assert_int_eq(buf[n - 2][0], 100);
    ck_assert_int_eq(buf[n - 1][0], 200);
    ck_assert_uint_eq(audio_read(b.e->audio, buf[0], 20000), 0);
    teardown(&b);
}
END_TEST

START_TEST(silent)
{
    struct bench b;
    struct audio_input none = {NULL, 0};

    setup(&b, 0);
    ck_assert(!audio_listens(b.in));
    audio_level(b.in, 0, 100, 100);
    audio_volume(b.in, 0, 0);
    rig_run(&b.r, 1000000000);
    ear_take(b.e);
    ck_assert_uint_eq(b.e->n, 0);
    ck_assert(!audio_listens(none));
    audio_level(none, 0, 1, 1);
    audio_volume(none, 0, 0);
    audio_set_render(none, NULL, NULL);
    ck_assert_ptr_null(audio_connect(NULL, AUDIO_BOARD).audio);
    teardown(&b);
}
END_TEST

START_TEST(refused)
{
    struct rig r;
    struct err e = {""};

    rig_init(&r);
    ck_assert_ptr_null(device_new(&r.env, &audio_class, "a", &(struct audio_config){3999}, &e));
    ck_assert_ptr_null(device_new(&r.env, &audio_class, "a", &(struct audio_config){200000}, &e));
    ck_assert(e.text[0] != 0);
    rig_free(&r);
}
END_TEST

static void square(struct bench *b, unsigned hz, uint64_t ns, int level)
{
    uint64_t at = rig_now(&b->r), end = at + ns, half = 500000000u / hz;
    int v = level;

    for (; at < end; at += half, v = -v) {
        rig_run_to(&b->r, at);
        audio_level(b->card, at, v, v);
        ear_take(b->e);
    }
}

START_TEST(tone_frequency)
{
    static const unsigned hz[] = {50, 440, 1000, 5000};
    struct bench b;

    setup(&b, EAR_RATE);
    for (unsigned n = 0; n < ARRAY_LEN(hz); n++) {
        size_t from = b.e->n;
        uint64_t f;

        square(&b, hz[n], 500000000, 1000);
        f = ear_frequency(b.e, 0, from + 2, b.e->n - 2);
        ck_assert_uint_ge(f, hz[n] * 998u);
        ck_assert_uint_le(f, hz[n] * 1002u);
    }
    teardown(&b);
}
END_TEST

/* Size of a tone after the tone control, in thousandths of what it was. */
static unsigned toned(unsigned hz, int bass, int treble)
{
    struct bench b;
    int db[2] = {bass, bass}, dt[2] = {treble, treble};
    int64_t sum = 0;
    size_t k;

    setup(&b, EAR_RATE);
    audio_tone(b.card, db, dt);
    square(&b, hz, 1000000000, 1000);
    for (k = b.e->n / 2; k < b.e->n; k++) {
        sum += b.e->frame[k][0] < 0 ? -b.e->frame[k][0] : b.e->frame[k][0];
    }
    sum /= (int64_t)(b.e->n - b.e->n / 2);
    teardown(&b);
    return (unsigned)sum;
}

START_TEST(tone_control)
{
    unsigned flat = toned(40, 0, 0);

    ck_assert_uint_ge(flat, 980);
    ck_assert_uint_gt(toned(40, 14, 0), 3 * flat);
    ck_assert_uint_lt(toned(40, -14, 0), flat * 6 / 10);
    ck_assert_uint_le(toned(40, 0, 14), flat * 12 / 10);
    flat = toned(9000, 0, 0);
    ck_assert_uint_gt(toned(9000, 0, 14), 3 * flat);
    ck_assert_uint_lt(toned(9000, 0, -14), flat * 6 / 10);
    ck_assert_uint_le(toned(9000, 14, 0), flat * 11 / 10);
}
END_TEST

/* Frames of the speaker behind its port, heard in pieces of `step` ns. */
static struct ear *speaker_run(uint64_t step, bool tone)
{
    struct bench b;
    struct ear *e;
    struct device *d;
    struct speaker_config c = {.port = 0x61};
    int bass[2] = {8, -6}, treble[2] = {-4, 10};

    setup(&b, EAR_RATE);
    if (tone) {
        audio_tone(b.card, bass, treble);
    }
    d = rig_add(&b.r, &speaker_class, "speaker", &c);
    out8(&b.r, 0x61, 3);
    for (unsigned k = 0; k < 300; k++) {
        ear_listen(b.e, &b.r, 333331 + k * 7, step);
        speaker_out2(d, 0, k & 1);
        audio_level(b.in, rig_now(&b.r), k & 1 ? 8192 : 0, k & 2 ? 100 : 0);
        audio_level(b.card, rig_now(&b.r), k & 4 ? 3000 : -1000, (int)k);
    }
    e = b.e;
    rig_free(&b.r);
    return e;
}

START_TEST(same_whenever_heard)
{
    for (unsigned tone = 0; tone < 2; tone++) {
        struct ear *a = speaker_run(100000, tone), *b = speaker_run(1777, tone);

        ck_assert_uint_eq(a->n, b->n);
        ck_assert_uint_gt(a->n, 4000);
        ck_assert_int_eq(memcmp(a->frame, b->frame, a->n * sizeof a->frame[0]), 0);
        free(a);
        free(b);
    }
}
END_TEST

/* After a load the frames from the next whole one on are those of the saved machine. */
START_TEST(after_load)
{
    struct bench b;

    setup(&b, 10000);
    audio_level(b.in, 0, 700, 700);
    rig_run_to(&b.r, 1050000);
    ear_take(b.e);
    ck_assert_uint_eq(b.e->n, 10);
    rig_round_trip(&b.r);
    audio_level(b.in, rig_now(&b.r), 700, 700);
    rig_run_to(&b.r, 1300000);
    ear_take(b.e);
    ck_assert_uint_eq(b.e->n, 12); /* 11 and 12 */
    ck_assert_int_eq(b.e->frame[10][0], 700);
    teardown(&b);
}
END_TEST

/* --- the whole machine ------------------------------------------------------------------------- */

/* A boot sector that plays 1000 Hz on the speaker for ever. */
static const uint8_t beep[] = {0xb0, 0xb6, 0xe6, 0x43, 0xb0, 0xa9, 0xe6, 0x42, 0xb0, 0x04, 0xe6, 0x42,
                               0xe4, 0x61, 0x0c, 0x03, 0xe6, 0x61, 0xf4, 0xeb, 0xfd};

static struct oxbow *beeper(uint32_t rate)
{
    uint8_t *image = calloc(1, 1474560);
    struct oxbow_config cfg;
    struct err e = {{0}};
    struct oxbow *m;

    memcpy(image, beep, sizeof beep);
    image[510] = 0x55;
    image[511] = 0xaa;
    oxbow_config_init(&cfg);
    cfg.ram_mb = 4;
    cfg.boot = "a";
    cfg.audio_rate = rate;
    cfg.sb16.on = true;
    cfg.floppy[0] = block_open_mem(image, 1474560, true, &e);
    free(image);
    m = oxbow_new(&cfg, &e);
    ck_assert_msg(m != NULL, "%s", e.text);
    return m;
}

static struct ear *hear(struct oxbow *m, uint64_t until, uint64_t slice)
{
    struct ear *e = calloc(1, sizeof *e);

    while (oxbow_icount(m) < until) {
        ck_assert_int_eq(oxbow_run(m, MIN(slice, until - oxbow_icount(m))), OXBOW_LIMIT);
        e->n += oxbow_audio(m, e->frame[e->n], EAR_MAX - e->n);
    }
    return e;
}

#define SECOND 400000000u

START_TEST(speaker_tone)
{
    struct oxbow *m = beeper(EAR_RATE);
    struct ear *e = hear(m, 2 * SECOND, SECOND / 100);
    uint64_t f = ear_frequency(e, 0, EAR_RATE + EAR_RATE / 2, 2 * EAR_RATE);

    ck_assert_uint_eq(e->n, 2 * EAR_RATE);
    ck_assert_uint_ge(f, 999000);
    ck_assert_uint_le(f, 1001000);
    ck_assert_int_eq(ear_high(e, 0, EAR_RATE, 2 * EAR_RATE), 8192);
    ck_assert_int_eq(ear_low(e, 1, EAR_RATE, 2 * EAR_RATE), 0);
    free(e);
    oxbow_free(m);
}
END_TEST

/* The same frames in any slices; the same state with and without a listener. */
START_TEST(machine_deterministic)
{
    struct oxbow *a = beeper(EAR_RATE), *b = beeper(EAR_RATE), *c = beeper(0);
    struct ear *x = hear(a, SECOND, SECOND / 7), *y = hear(b, SECOND, 1234567);
    struct ear *z = hear(c, SECOND, SECOND);
    uint64_t h = oxbow_hash(a);

    ck_assert_uint_eq(x->n, y->n);
    ck_assert_int_eq(memcmp(x->frame, y->frame, x->n * sizeof x->frame[0]), 0);
    ck_assert_uint_eq(z->n, 0);
    ck_assert_uint_eq(oxbow_hash(b), h);
    ck_assert_uint_eq(oxbow_hash(c), h);
    free(x);
    free(y);
    free(z);
    oxbow_free(a);
    oxbow_free(b);
    oxbow_free(c);
}
END_TEST

START_TEST(machine_load)
{
    struct oxbow *a = beeper(EAR_RATE), *b = beeper(EAR_RATE);
    struct err e = {{0}};
    struct ear *x, *y;
    size_t len;
    uint8_t *state;

    oxbow_run(a, SECOND + 12345);
    state = oxbow_save(a, &len, &e);
    x = hear(a, SECOND + 12345 + SECOND / 2, SECOND / 50);
    ck_assert_msg(oxbow_load(b, state, len, &e), "%s", e.text);
    free(state);
    y = hear(b, SECOND + 12345 + SECOND / 2, SECOND / 50);
    ck_assert_uint_gt(y->n, 20000);
    ck_assert_uint_gt(x->n, y->n); /* what nobody had taken from the first */
    ck_assert_int_eq(memcmp(x->frame[x->n - y->n], y->frame, y->n * sizeof y->frame[0]), 0);
    free(x);
    free(y);
    oxbow_free(a);
    oxbow_free(b);
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, exact_share);
    tcase_add_test(t, sum_and_clip);
    tcase_add_test(t, frame_count);
    tcase_add_test(t, oldest_dropped);
    tcase_add_test(t, silent);
    tcase_add_test(t, refused);
    tcase_add_test(t, tone_frequency);
    tcase_add_test(t, tone_control);
    tcase_add_test(t, same_whenever_heard);
    tcase_add_test(t, after_load);
    tcase_add_test(t, speaker_tone);
    tcase_add_test(t, machine_deterministic);
    tcase_add_test(t, machine_load);
}

int main(void)
{
    return rig_main("audio", add);
}
