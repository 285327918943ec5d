/*
 * 8254: every mode's timing by clock pulse, gates, latches, read-back, BCD; and port 61h.
 */
#include "devices/i8254.h"

#include "chip_rig.h"
#include "devices/speaker.h"

#define PIT ((struct clock){14318180u, 12u})

struct pit {
    struct rig r;
    struct pin out[3];
    struct device *d;
    uint64_t t0; /* pulse that the test counts from */
};

static uint64_t pulse_now(struct pit *p)
{
    return clock_ticks(p->r.env.sched, PIT, rig_now(&p->r));
}

/* Goes to pulse n after t0. */
static void go(struct pit *p, uint64_t n)
{
    rig_run_to(&p->r, clock_icount(p->r.env.sched, PIT, p->t0 + n));
}

static void setup(struct pit *p)
{
    struct i8254_config c = {0x40, {{NULL, NULL, 0}, {NULL, NULL, 0}, {NULL, NULL, 0}}};
    unsigned i;

    memset(p, 0, sizeof *p);
    rig_init(&p->r);
    for (i = 0; i < 3; i++) {
        c.out[i] = pin_line(&p->out[i], &p->r);
    }
    p->d = rig_add(&p->r, &i8254_class, "i8254", &c);
    p->t0 = 10;
    go(p, 0);
}

/* Programs a counter with both bytes; t0 becomes the pulse of the last write. */
static void program(struct pit *p, unsigned ch, unsigned mode, unsigned count)
{
    out8(&p->r, 0x43, (uint8_t)(ch << 6 | 0x30 | mode << 1));
    out8(&p->r, 0x40 + ch, (uint8_t)count);
    out8(&p->r, 0x40 + ch, (uint8_t)(count >> 8));
    p->t0 = pulse_now(p);
}

static unsigned latched(struct pit *p, unsigned ch)
{
    unsigned lo;

    out8(&p->r, 0x43, (uint8_t)(ch << 6));
    lo = in8(&p->r, 0x40 + ch);
    return lo | (unsigned)in8(&p->r, 0x40 + ch) << 8;
}

static uint8_t status(struct pit *p, unsigned ch)
{
    out8(&p->r, 0x43, (uint8_t)(0xe0 | 2u << ch));
    return in8(&p->r, 0x40 + ch);
}

static bool out(struct pit *p, unsigned ch)
{
    bool level = i8254_out(p->d, ch);

    ck_assert_int_eq(level, p->out[ch].level);
    return level;
}

/* A string of the output's levels at pulses t0+1, t0+2, ... */
static void check_wave(struct pit *p, unsigned ch, const char *wave)
{
    unsigned i;

    for (i = 0; wave[i]; i++) {
        go(p, i + 1);
        ck_assert_msg(out(p, ch) == (wave[i] == '1'), "pulse %u of %s", i + 1, wave);
    }
}

START_TEST(mode0)
{
    struct pit p;

    setup(&p);
    out8(&p.r, 0x43, 0x30);
    ck_assert(!out(&p, 0));
    program(&p, 0, 0, 4);
    ck_assert_uint_eq(status(&p, 0), 0x70); /* null count until the next pulse */
    check_wave(&p, 0, "00001111");
    ck_assert_uint_eq(status(&p, 0), 0xb0);
    ck_assert_uint_eq(latched(&p, 0), 0xfffd); /* goes on below zero */
    /* The first byte of a new count stops the counter, the second loads it. */
    out8(&p.r, 0x40, 3);
    ck_assert(!out(&p, 0));
    go(&p, 20);
    ck_assert_uint_eq(latched(&p, 0), 0xfffd);
    out8(&p.r, 0x40, 0);
    p.t0 = pulse_now(&p);
    check_wave(&p, 0, "00011");
    /* The gate holds the count. */
    i8254_gate(p.d, 2, true);
    program(&p, 2, 0, 5);
    go(&p, 3);
    ck_assert_uint_eq(latched(&p, 2), 3);
    i8254_gate(p.d, 2, false);
    go(&p, 100);
    ck_assert_uint_eq(latched(&p, 2), 3);
    ck_assert(!out(&p, 2));
    i8254_gate(p.d, 2, true);
    p.t0 += 97;
    go(&p, 5);
    ck_assert(!out(&p, 2));
    go(&p, 6);
    ck_assert(out(&p, 2));
    rig_free(&p.r);
}
END_TEST

START_TEST(mode1)
{
    struct pit p;

    setup(&p);
    program(&p, 2, 1, 3);
    check_wave(&p, 2, "1111");
    ck_assert_uint_eq(status(&p, 2) & 0xc0, 0xc0);
    i8254_gate(p.d, 2, true);
    p.t0 = pulse_now(&p);
    check_wave(&p, 2, "00011");
    i8254_gate(p.d, 2, false);
    ck_assert(out(&p, 2));
    i8254_gate(p.d, 2, true);
    p.t0 = pulse_now(&p);
    check_wave(&p, 2, "00");
    i8254_gate(p.d, 2, false); /* no effect */
    i8254_gate(p.d, 2, true);  /* retrigger */
    p.t0 = pulse_now(&p);
    check_wave(&p, 2, "000111");
    /* A new count is for the next trigger. */
    i8254_gate(p.d, 2, false);
    i8254_gate(p.d, 2, true);
    p.t0 = pulse_now(&p);
    go(&p, 1);
    out8(&p.r, 0x42, 1);
    out8(&p.r, 0x42, 0);
    p.t0 = pulse_now(&p);
    check_wave(&p, 2, "00111");
    i8254_gate(p.d, 2, false);
    i8254_gate(p.d, 2, true);
    p.t0 = pulse_now(&p);
    check_wave(&p, 2, "0111");
    rig_free(&p.r);
}
END_TEST

START_TEST(mode2)
{
    struct pit p;
    uint64_t rises;

    setup(&p);
    program(&p, 0, 2, 3);
    check_wave(&p, 0, "110110110");
    /* A new count waits for the end of the period. */
    out8(&p.r, 0x40, 5);
    out8(&p.r, 0x40, 0);
    ck_assert_uint_eq(status(&p, 0) & 0x40, 0x40);
    p.t0 = pulse_now(&p);
    check_wave(&p, 0, "1111011110");
    ck_assert_uint_eq(status(&p, 0), 0x34);
    ck_assert_uint_eq(latched(&p, 0), 1);
    /* The gate forces the output high and restarts the period. */
    i8254_gate(p.d, 2, true);
    program(&p, 2, 2, 4);
    check_wave(&p, 2, "1110");
    i8254_gate(p.d, 2, false);
    ck_assert(out(&p, 2));
    go(&p, 50);
    i8254_gate(p.d, 2, true);
    p.t0 = pulse_now(&p);
    check_wave(&p, 2, "11101110");
    /* The classic tick: 65536 pulses, 18.2 a second, over ten seconds. */
    i8254_gate(p.d, 2, false);
    program(&p, 0, 2, 0);
    rises = p.out[0].rises;
    rig_run(&p.r, 10ull * RIG_IPS);
    ck_assert_uint_eq(p.out[0].rises - rises, 182);
    rig_free(&p.r);
}
END_TEST

START_TEST(mode3)
{
    struct pit p;

    setup(&p);
    program(&p, 0, 3, 4);
    check_wave(&p, 0, "110011001");
    ck_assert_uint_eq(latched(&p, 0), 4);
    program(&p, 0, 3, 5);
    check_wave(&p, 0, "11100111001");
    go(&p, 12);
    ck_assert_uint_eq(latched(&p, 0), 2); /* 4 2 0 4 2 */
    go(&p, 13);
    ck_assert_uint_eq(latched(&p, 0), 0);
    go(&p, 14);
    ck_assert_uint_eq(latched(&p, 0), 4);
    /* A new count takes over at the end of the half period. */
    program(&p, 0, 3, 6);
    go(&p, 2);
    out8(&p.r, 0x40, 2);
    out8(&p.r, 0x40, 0);
    p.t0 = pulse_now(&p);
    check_wave(&p, 0, "101010");
    program(&p, 0, 3, 1);
    check_wave(&p, 0, "1111");
    i8254_gate(p.d, 2, true);
    program(&p, 2, 7, 4); /* mode 7 is mode 3 */
    ck_assert_uint_eq(status(&p, 2) & 0x0e, 6);
    check_wave(&p, 2, "110");
    i8254_gate(p.d, 2, false);
    ck_assert(out(&p, 2));
    i8254_gate(p.d, 2, true);
    p.t0 = pulse_now(&p);
    check_wave(&p, 2, "110011");
    rig_free(&p.r);
}
END_TEST

START_TEST(mode4_and_5)
{
    struct pit p;

    setup(&p);
    program(&p, 0, 4, 3);
    check_wave(&p, 0, "11101111");
    out8(&p.r, 0x40, 1);
    go(&p, 12);
    ck_assert_uint_eq(latched(&p, 0), 0x10000 + 4 - 12); /* one byte: no effect yet */
    out8(&p.r, 0x40, 0);
    p.t0 = pulse_now(&p);
    check_wave(&p, 0, "1011");
    program(&p, 2, 5, 2);
    check_wave(&p, 2, "111");
    i8254_gate(p.d, 2, true);
    p.t0 = pulse_now(&p);
    check_wave(&p, 2, "11011");
    i8254_gate(p.d, 2, false);
    i8254_gate(p.d, 2, true);
    p.t0 = pulse_now(&p);
    check_wave(&p, 2, "1");
    i8254_gate(p.d, 2, false);
    i8254_gate(p.d, 2, true);
    p.t0 = pulse_now(&p);
    check_wave(&p, 2, "11011");
    rig_free(&p.r);
}
END_TEST

START_TEST(bytes_and_latches)
{
    struct pit p;

    setup(&p);
    out8(&p.r, 0x43, 0x14); /* counter 0, low byte only, mode 2 */
    out8(&p.r, 0x40, 0x80);
    p.t0 = pulse_now(&p);
    go(&p, 1);
    ck_assert_uint_eq(in8(&p.r, 0x40), 0x80);
    go(&p, 2);
    ck_assert_uint_eq(in8(&p.r, 0x40), 0x7f);
    out8(&p.r, 0x43, 0x24); /* high byte only */
    out8(&p.r, 0x40, 0x12);
    p.t0 = pulse_now(&p);
    go(&p, 1);
    ck_assert_uint_eq(in8(&p.r, 0x40), 0x12);
    go(&p, 2);
    ck_assert_uint_eq(in8(&p.r, 0x40), 0x11);
    program(&p, 0, 2, 0x1234);
    go(&p, 1);
    out8(&p.r, 0x43, 0x00);
    go(&p, 5);
    out8(&p.r, 0x43, 0x00); /* the second latch command is ignored */
    ck_assert_uint_eq(in8(&p.r, 0x40), 0x34);
    ck_assert_uint_eq(in8(&p.r, 0x40), 0x12);
    ck_assert_uint_eq(in8(&p.r, 0x40), 0x30); /* live again */
    ck_assert_uint_eq(in8(&p.r, 0x40), 0x12);
    /* Read-back of status and count of two counters: status comes first. */
    program(&p, 1, 3, 0x100);
    go(&p, 1);
    out8(&p.r, 0x43, 0xc6);
    go(&p, 3);
    ck_assert_uint_eq(in8(&p.r, 0x41), 0xb6);
    ck_assert_uint_eq(in8(&p.r, 0x41), 0x00);
    ck_assert_uint_eq(in8(&p.r, 0x41), 0x01);
    ck_assert_uint_eq(in8(&p.r, 0x40), 0xb4);
    ck_assert_uint_eq(in8(&p.r, 0x40), 0x2f);
    ck_assert_uint_eq(in8(&p.r, 0x43), 0xff);
    rig_free(&p.r);
}
END_TEST

START_TEST(bcd)
{
    struct pit p;

    setup(&p);
    out8(&p.r, 0x43, 0x31);
    out8(&p.r, 0x40, 0x00);
    out8(&p.r, 0x40, 0x10); /* 1000 */
    p.t0 = pulse_now(&p);
    go(&p, 2);
    ck_assert_uint_eq(latched(&p, 0), 0x0999);
    go(&p, 1000);
    ck_assert(!out(&p, 0));
    go(&p, 1001);
    ck_assert(out(&p, 0));
    go(&p, 1002);
    ck_assert_uint_eq(latched(&p, 0), 0x9999);
    out8(&p.r, 0x43, 0x35);
    out8(&p.r, 0x40, 0);
    out8(&p.r, 0x40, 0); /* 10000 */
    p.t0 = pulse_now(&p);
    go(&p, 1);
    ck_assert_uint_eq(latched(&p, 0), 0);
    go(&p, 9999);
    ck_assert(out(&p, 0));
    go(&p, 10000);
    ck_assert(!out(&p, 0));
    out8(&p.r, 0x40, 0xff); /* digits above nine must not hurt */
    out8(&p.r, 0x40, 0xff);
    rig_run(&p.r, 1000000000);
    ck_assert_uint_le(latched(&p, 0), 0x9999);
    rig_free(&p.r);
}
END_TEST

/* A counter that is left alone for long shows the same as one that is watched pulse by pulse. */
START_TEST(closed_form)
{
    struct pit a, b;
    unsigned mode, count, i;

    setup(&a);
    setup(&b);
    i8254_gate(a.d, 2, true);
    i8254_gate(b.d, 2, true);
    i8254_connect(b.d, 2, (struct irq_line){NULL, NULL, 0});
    for (mode = 0; mode < 6; mode++) {
        for (count = 1; count < 9; count++) {
            a.t0 = b.t0 = MAX(pulse_now(&a), pulse_now(&b)) + 1;
            go(&a, 0);
            go(&b, 0);
            program(&a, 2, mode, count);
            program(&b, 2, mode, count);
            for (i = 1; i < 70; i++) {
                go(&a, i);
                latched(&a, 2);
            }
            go(&b, i - 1);
            ck_assert_uint_eq(latched(&a, 2), latched(&b, 2));
            ck_assert_uint_eq(status(&a, 2), status(&b, 2));
        }
    }
    rig_free(&a.r);
    rig_free(&b.r);
}
END_TEST

struct sound {
    unsigned n;
    uint64_t at[8];
};

static void note(void *ctx, uint64_t icount, bool level UNUSED)
{
    struct sound *s = ctx;

    if (s->n < 8) {
        s->at[s->n++] = icount;
    }
}

START_TEST(port61)
{
    struct pit p;
    struct sound sound = {0, {0}};
    struct pin nmi = {0};
    struct speaker_config c = {0x61, {NULL, NULL, 0}, {NULL, NULL, 0}, {note, &sound}};
    struct device *s;
    unsigned toggles = 0, i;
    uint8_t last;

    setup(&p);
    c.gate2 = (struct irq_line){i8254_gate_line, p.d, 2};
    c.nmi = pin_line(&nmi, &p.r);
    s = rig_add(&p.r, &speaker_class, "speaker", &c);
    i8254_connect(p.d, 2, (struct irq_line){speaker_out2, s, 0});
    ck_assert_uint_eq(in8(&p.r, 0x61) & 0xef, 0x20);
    /* Refresh toggles every 18 pulses: 66287 times a second. */
    last = in8(&p.r, 0x61);
    for (i = 0; i < 10000; i++) {
        uint8_t v;

        rig_run(&p.r, 100);
        v = in8(&p.r, 0x61);
        toggles += (v ^ last) >> 4 & 1;
        last = v;
    }
    ck_assert_uint_ge(toggles, 66);
    ck_assert_uint_le(toggles, 67);
    /* Mode 3 through the gate and the data bit to the speaker. */
    out8(&p.r, 0x61, 1);
    program(&p, 2, 3, 1000);
    go(&p, 501);
    ck_assert_uint_eq(in8(&p.r, 0x61) & 0x2f, 0x01);
    ck_assert_uint_eq(sound.n, 0);
    go(&p, 1001);
    out8(&p.r, 0x61, 3);
    ck_assert_uint_eq(sound.n, 1);
    go(&p, 2501);
    ck_assert_uint_eq(sound.n, 4);
    ck_assert_uint_eq((sound.at[2] - sound.at[1]) / 1000, 419);
    ck_assert_uint_eq((sound.at[3] - sound.at[1]) / 1000, 838);
    out8(&p.r, 0x61, 0);
    ck_assert_uint_eq(in8(&p.r, 0x61) & 0x2f, 0x20);
    /* NMI sources are latched, masked and cleared by their bits. */
    speaker_serr(s);
    ck_assert(nmi.level);
    ck_assert_uint_eq(in8(&p.r, 0x61) & 0xc0, 0x80);
    out8(&p.r, 0x61, 4);
    ck_assert(!nmi.level);
    speaker_serr(s);
    ck_assert(!nmi.level);
    speaker_iochk(s);
    ck_assert_uint_eq(in8(&p.r, 0x61) & 0xcf, 0x44);
    ck_assert(nmi.level);
    out8(&p.r, 0x61, 8);
    ck_assert(!nmi.level);
    rig_free(&p.r);
}
END_TEST

START_TEST(snapshot_and_storm)
{
    static const unsigned ports[] = {0x40, 0x41, 0x42, 0x43};
    struct pit p;
    unsigned i;

    setup(&p);
    program(&p, 0, 2, 1000);
    program(&p, 1, 3, 77);
    out8(&p.r, 0x43, 0x80);
    rig_run(&p.r, 123456);
    rig_round_trip(&p.r);
    go(&p, 1000);
    ck_assert(!out(&p, 0));
    for (i = 0; i < 2000; i++) {
        i8254_gate(p.d, 2, i & 1);
        rig_storm(&p.r, ports, 4, 1 + i % 7);
    }
    rig_free(&p.r);
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, mode0);
    tcase_add_test(t, mode1);
    tcase_add_test(t, mode2);
    tcase_add_test(t, mode3);
    tcase_add_test(t, mode4_and_5);
    tcase_add_test(t, bytes_and_latches);
    tcase_add_test(t, bcd);
    tcase_add_test(t, closed_form);
    tcase_add_test(t, port61);
    tcase_add_test(t, snapshot_and_storm);
}

int main(void)
{
    return rig_main("i8254", add);
}
