/*
 * The mixer: exact shares of frames, rates, gains, tone, what is kept and dropped, and that it does
 * not matter when somebody listens; then a guest that plays on every device, in a whole machine.
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

/* --- the whole machine ----------------------------------------------------------------------- */

/* A floppy that plays on everything; see there. */
static const uint8_t program[] = {
#include "tests/guest/sound.inc"
};

/* What it says on port E9h, with the frame heard last. */
struct progress {
    char text[64];
    size_t frame[64], n;
    const struct ear *ear;
};

static void console(void *ctx, const uint8_t *data, size_t n)
{
    struct progress *p = ctx;

    for (size_t k = 0; k < n && p->n < sizeof p->text - 1; k++) {
        p->frame[p->n] = p->ear ? p->ear->n : 0;
        p->text[p->n++] = (char)data[k];
    }
}

static struct oxbow *player(uint32_t rate, struct progress *p)
{
    uint8_t *image = calloc(1, 1474560);
    struct oxbow_config cfg;
    struct err e = {{0}};
    struct oxbow *m;

    memcpy(image, program, sizeof program);
    oxbow_config_init(&cfg);
    cfg.ram_mb = 4;
    cfg.boot = "a";
    cfg.audio_rate = rate;
    cfg.sb16.on = true;
    cfg.floppy[0] = block_open_mem(image, 1474560, true, &e);
    if (p) {
        cfg.debugcon = (struct chardev){console, p};
    }
    free(image);
    m = oxbow_new(&cfg, &e);
    ck_assert_msg(m != NULL, "%s", e.text);
    return m;
}

/* Runs to the end and hears all of it. */
static void hear(struct oxbow *m, struct ear *e, uint64_t slice)
{
    enum oxbow_stop stop;

    do {
        stop = oxbow_run(m, slice);
        e->n += oxbow_audio(m, e->frame[e->n], EAR_MAX - e->n);
    } while (stop == OXBOW_LIMIT && e->n < EAR_MAX);
    ck_assert_int_eq(stop, OXBOW_POWEROFF);
}

#define SECOND 400000000u

static void check_stage(const struct progress *p, char stage, unsigned ch, unsigned hz, int level)
{
    const char *at = strrchr(p->text, stage);
    size_t from, to;
    uint64_t f;

    ck_assert_ptr_nonnull(at);
    from = p->frame[at - p->text] + EAR_RATE / 8;
    to = from + EAR_RATE * 3 / 10;
    ck_assert_uint_lt(to, p->ear->n);
    f = ear_frequency(p->ear, ch, from, to);
    ck_assert_msg(f >= hz * 997u && f <= hz * 1003u, "stage %c: %llu mHz, not %u Hz", stage,
                  (unsigned long long)f, hz);
    ck_assert_int_le(abs(ear_high(p->ear, ch, from, to) - level), 20);
}

START_TEST(guest_program)
{
    struct ear *e = ear_new(NULL);
    struct progress p = {.ear = e};
    struct oxbow *m = player(EAR_RATE, &p);

    hear(m, e, SECOND / 1000);
    ck_assert_ptr_nonnull(strstr(p.text, "SF8WOK\n"));
    check_stage(&p, 'S', 0, 1000, 8192);
    check_stage(&p, 'F', 1, 440, 4084);
    check_stage(&p, '8', 0, 441, 16384);
    check_stage(&p, 'W', 0, 630, 12000);
    check_stage(&p, 'W', 1, 315, 12000);
    free(e);
    oxbow_free(m);
}
END_TEST

/* The same frames in any slices; the same state with and without a listener. */
START_TEST(machine_deterministic)
{
    struct oxbow *a = player(EAR_RATE, NULL), *b = player(EAR_RATE, NULL), *c = player(0, NULL);
    struct ear *x = ear_new(NULL), *y = ear_new(NULL), *z = ear_new(NULL);
    uint64_t h;

    hear(a, x, SECOND / 7);
    hear(b, y, 123457);
    hear(c, z, SECOND);
    h = oxbow_hash(a);
    ck_assert_uint_gt(x->n, 2 * EAR_RATE);
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

/* Saved in the middle of every stage: the same end, and the same frames from the next one on. */
START_TEST(machine_load)
{
    for (uint64_t at = SECOND / 4; at < 3 * (uint64_t)SECOND; at += SECOND / 9 * 2 + 12345) {
        struct oxbow *a = player(EAR_RATE, NULL), *b = player(EAR_RATE, NULL);
        struct ear *x = ear_new(NULL), *y = ear_new(NULL);
        struct err e = {{0}};
        uint8_t *state;
        size_t len;

        if (oxbow_run(a, at) == OXBOW_LIMIT) {
            state = oxbow_save(a, &len, &e);
            ck_assert_msg(state && oxbow_load(b, state, len, &e), "%s", e.text);
            free(state);
            hear(a, x, SECOND / 50);
            hear(b, y, SECOND / 70);
            ck_assert_uint_gt(x->n, y->n); /* what nobody had taken from the first */
            ck_assert_int_eq(memcmp(x->frame[x->n - y->n], y->frame, y->n * sizeof y->frame[0]), 0);
            ck_assert_uint_eq(oxbow_hash(a), oxbow_hash(b));
        }
        free(x);
        free(y);
        oxbow_free(a);
        oxbow_free(b);
    }
}
END_TEST

/* Settings of the card that can't be are refused in a sentence. */
START_TEST(machine_settings)
{
    static const struct {
        uint16_t port;
        uint8_t irq, dma, dma16;
        bool adlib, good;
    } want[] = {{0x240, 7, 3, 7, false, true}, {0x260, 10, 1, 6, false, true},
                {0x280, 9, 1, 1, false, true}, {0x230, 5, 1, 5, false, false},
                {0x220, 3, 1, 5, false, false}, {0x220, 5, 2, 5, false, false},
                {0x220, 5, 1, 4, false, false}, {0, 0, 0, 0, true, false}};
    struct oxbow_config cfg;
    struct err e;

    for (unsigned n = 0; n < ARRAY_LEN(want); n++) {
        struct oxbow *m;

        oxbow_config_init(&cfg);
        cfg.sb16 = (struct oxbow_sb16){true, want[n].port, want[n].irq, want[n].dma,
                                       want[n].dma16};
        cfg.adlib = want[n].adlib;
        e.text[0] = 0;
        m = oxbow_new(&cfg, &e);
        ck_assert_int_eq(m != NULL, want[n].good);
        ck_assert_int_eq(e.text[0] == 0, want[n].good);
        oxbow_free(m);
    }
    oxbow_config_init(&cfg);
    cfg.audio_rate = 100;
    ck_assert_ptr_null(oxbow_new(&cfg, &e));
    cfg.audio_rate = 22050;
    cfg.adlib = true;
    oxbow_free(oxbow_new(&cfg, &e));
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
    tcase_add_test(t, guest_program);
    tcase_add_test(t, machine_deterministic);
    tcase_add_test(t, machine_load);
    tcase_add_test(t, machine_settings);
}

int main(void)
{
    return rig_main("audio", add);
}
