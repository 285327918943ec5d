/*
 * MC146818: calendar in all formats, update cycle, alarm, periodic rates, SET, divider, CMOS.
 */
#include "devices/mc146818.h"

#include "chip_rig.h"

struct rtc {
    struct rig r;
    struct pin irq;
    struct device *d;
    bool nmi_masked;
};

static void nmi_mask(void *ctx, bool masked)
{
    ((struct rtc *)ctx)->nmi_masked = masked;
}

static void setup(struct rtc *p, struct rtc_time base)
{
    struct mc146818_config c = {0x70, {NULL, NULL, 0}, {0, 0, 0, 0, 0, 0}, nmi_mask, p};

    memset(p, 0, sizeof *p);
    rig_init(&p->r);
    c.irq = pin_line(&p->irq, &p->r);
    c.base = base;
    p->d = rig_add(&p->r, &mc146818_class, "mc146818", &c);
}

static uint8_t get(struct rtc *p, unsigned reg)
{
    out8(&p->r, 0x70, (uint8_t)reg);
    return in8(&p->r, 0x71);
}

static void set(struct rtc *p, unsigned reg, uint8_t v)
{
    out8(&p->r, 0x70, (uint8_t)reg);
    out8(&p->r, 0x71, v);
}

static void check_time(struct rtc *p, unsigned c, unsigned y, unsigned mo, unsigned d, unsigned wd,
                       unsigned h, unsigned mi, unsigned s)
{
    ck_assert_uint_eq(get(p, 0x32), c);
    ck_assert_uint_eq(get(p, 9), y);
    ck_assert_uint_eq(get(p, 8), mo);
    ck_assert_uint_eq(get(p, 7), d);
    ck_assert_uint_eq(get(p, 6), wd);
    ck_assert_uint_eq(get(p, 4), h);
    ck_assert_uint_eq(get(p, 2), mi);
    ck_assert_uint_eq(get(p, 0), s);
}

/* Tick n of the 32768 Hz oscillator. */
static void go(struct rtc *p, uint64_t tick)
{
    rig_run_to(&p->r, clock_icount(p->r.env.sched, (struct clock){32768, 1}, tick));
}

START_TEST(calendar)
{
    struct rtc p;

    setup(&p, (struct rtc_time){1999, 12, 31, 23, 59, 58});
    ck_assert_uint_eq(get(&p, 10), 0x26);
    ck_assert_uint_eq(get(&p, 11), 0x02);
    ck_assert_uint_eq(get(&p, 13), 0x80);
    check_time(&p, 0x19, 0x99, 0x12, 0x31, 6, 0x23, 0x59, 0x58); /* a Friday */
    go(&p, 32768);
    ck_assert_uint_eq(get(&p, 0), 0x59);
    go(&p, 2 * 32768 - 1);
    ck_assert_uint_eq(get(&p, 0), 0x59);
    go(&p, 2 * 32768);
    check_time(&p, 0x20, 0x00, 0x01, 0x01, 7, 0x00, 0x00, 0x00);
    rig_free(&p.r);
    setup(&p, (struct rtc_time){2024, 2, 28, 23, 59, 59});
    go(&p, 32768);
    check_time(&p, 0x20, 0x24, 0x02, 0x29, 5, 0, 0, 0);
    rig_free(&p.r);
    setup(&p, (struct rtc_time){2023, 2, 28, 23, 59, 59});
    go(&p, 32768);
    check_time(&p, 0x20, 0x23, 0x03, 0x01, 4, 0, 0, 0);
    rig_free(&p.r);
    setup(&p, (struct rtc_time){2026, 11, 20, 6, 23, 9});
    check_time(&p, 0x20, 0x26, 0x11, 0x20, 6, 0x06, 0x23, 0x09);
    rig_run(&p.r, 3600ull * RIG_IPS);
    check_time(&p, 0x20, 0x26, 0x11, 0x20, 6, 0x07, 0x23, 0x09);
    rig_free(&p.r);
}
END_TEST

/* Last Sundays of April and October 2001, in binary with 24 hours and in BCD with 12. */
START_TEST(daylight_saving)
{
    static const struct {
        uint8_t format, month, day, weekday;
        uint8_t hour; /* after 1:59:59 */
    } row[] = {{0x07, 4, 29, 1, 3}, {0x01, 0x04, 0x29, 1, 3},  {0x06, 4, 29, 1, 2},
               {0x07, 4, 22, 1, 2}, {0x07, 4, 29, 2, 2},       {0x07, 10, 28, 1, 1},
               {0x01, 0x10, 0x28, 1, 1}, {0x07, 10, 21, 1, 2}, {0x07, 5, 27, 1, 2}};

    for (unsigned n = 0; n < ARRAY_LEN(row); n++) {
        struct rtc p;

        setup(&p, (struct rtc_time){2001, 1, 1, 0, 0, 0});
        set(&p, 11, 0x80 | row[n].format);
        set(&p, 0, row[n].format & 4 ? 58 : 0x58);
        set(&p, 2, row[n].format & 4 ? 59 : 0x59);
        set(&p, 4, 1);
        set(&p, 6, row[n].weekday);
        set(&p, 7, row[n].day);
        set(&p, 8, row[n].month);
        set(&p, 11, row[n].format);
        rig_run(&p.r, 2ull * RIG_IPS);
        ck_assert_uint_eq(get(&p, 4), row[n].hour);
        ck_assert_uint_eq(get(&p, 2), 0);
        /* One o'clock is gone through once more in October, and not a third time. */
        rig_run(&p.r, 1800ull * RIG_IPS);
        rig_round_trip(&p.r);
        rig_run(&p.r, 1800ull * RIG_IPS);
        ck_assert_uint_eq(get(&p, 4), row[n].hour + 1u);
        rig_free(&p.r);
    }
}
END_TEST

START_TEST(formats)
{
    struct rtc p;

    setup(&p, (struct rtc_time){2001, 1, 1, 0, 0, 0});
    set(&p, 11, 0x80 | 0x04 | 0x02); /* SET, binary, 24 h */
    set(&p, 0, 59);
    set(&p, 2, 59);
    set(&p, 4, 23);
    set(&p, 7, 30);
    set(&p, 8, 9);
    set(&p, 9, 10);
    set(&p, 0x32, 20);
    go(&p, 32768);
    ck_assert_uint_eq(get(&p, 0), 59); /* held */
    set(&p, 11, 0x06);
    go(&p, 2 * 32768);
    check_time(&p, 20, 10, 10, 1, 3, 0, 0, 0);
    /* BCD, 12 h: 11:59:59 am -> 12 pm -> 01 pm; 11:59:59 pm -> 12 am. */
    set(&p, 11, 0x80);
    set(&p, 0, 0x59);
    set(&p, 2, 0x59);
    set(&p, 4, 0x11);
    set(&p, 7, 0x15);
    set(&p, 11, 0x00);
    go(&p, 3 * 32768);
    ck_assert_uint_eq(get(&p, 4), 0x92);
    ck_assert_uint_eq(get(&p, 7), 0x15);
    set(&p, 0, 0x59);
    set(&p, 2, 0x59);
    go(&p, 4 * 32768);
    ck_assert_uint_eq(get(&p, 4), 0x81);
    set(&p, 0, 0x59);
    set(&p, 2, 0x59);
    set(&p, 4, 0x91);
    go(&p, 5 * 32768);
    ck_assert_uint_eq(get(&p, 4), 0x12);
    ck_assert_uint_eq(get(&p, 7), 0x16);
    set(&p, 0, 0xff); /* bit 7 can't be written */
    ck_assert_uint_eq(get(&p, 0), 0x7f);
    rig_free(&p.r);
}
END_TEST

START_TEST(update_cycle)
{
    struct rtc p;

    setup(&p, (struct rtc_time){2020, 1, 1, 0, 0, 0});
    go(&p, 32768 - 74);
    ck_assert_uint_eq(get(&p, 10), 0x26);
    go(&p, 32768 - 73); /* 244 us before the cycle of 1984 us */
    ck_assert_uint_eq(get(&p, 10), 0xa6);
    set(&p, 10, 0xa6); /* UIP is read only */
    set(&p, 11, 0x82); /* SET clears it */
    ck_assert_uint_eq(get(&p, 10), 0x26);
    set(&p, 11, 0x12); /* UIE */
    ck_assert_uint_eq(get(&p, 12), 0x40); /* periodic flag at 1024 Hz, not enabled */
    go(&p, 32768 - 1);
    ck_assert_uint_eq(get(&p, 10), 0xa6);
    ck_assert(!p.irq.level);
    go(&p, 32768);
    ck_assert_uint_eq(get(&p, 10), 0x26);
    ck_assert(p.irq.level);
    ck_assert_uint_eq(get(&p, 12) & 0xb0, 0x90);
    ck_assert(!p.irq.level);
    ck_assert_uint_eq(get(&p, 12), 0x00);
    set(&p, 12, 0xff);
    set(&p, 13, 0x00);
    ck_assert_uint_eq(get(&p, 12), 0x00);
    ck_assert_uint_eq(get(&p, 13), 0x80);
    set(&p, 11, 0x92);
    ck_assert_uint_eq(get(&p, 11), 0x82); /* SET clears UIE */
    rig_free(&p.r);
}
END_TEST

START_TEST(alarm)
{
    struct rtc p;

    setup(&p, (struct rtc_time){2020, 1, 1, 7, 59, 57});
    set(&p, 1, 0x00);
    set(&p, 3, 0x00);
    set(&p, 5, 0x08);
    set(&p, 11, 0x22);
    go(&p, 3 * 32768 - 1);
    ck_assert(!p.irq.level);
    go(&p, 3 * 32768);
    ck_assert(p.irq.level);
    ck_assert_uint_eq(get(&p, 12) & 0xb0, 0xb0);
    set(&p, 1, 0xc0); /* every second of every minute ... */
    set(&p, 3, 0xff);
    go(&p, 4 * 32768);
    ck_assert(p.irq.level);
    get(&p, 12);
    set(&p, 5, 0x09); /* ... but of another hour */
    go(&p, 5 * 32768);
    ck_assert(!p.irq.level);
    ck_assert_uint_eq(get(&p, 12) & 0x30, 0x10);
    rig_free(&p.r);
}
END_TEST

START_TEST(periodic)
{
    static const unsigned ticks[16] = {0,  128, 256, 4,   8,    16,   32,   64,
                                       128, 256, 512, 1024, 2048, 4096, 8192, 16384};
    struct rtc p;
    unsigned rate;

    for (rate = 1; rate < 16; rate++) {
        uint64_t at, step;
        unsigned i;

        setup(&p, (struct rtc_time){2020, 1, 1, 0, 0, 0});
        set(&p, 10, (uint8_t)(0x20 | rate));
        set(&p, 11, 0x42);
        for (i = 1; i < 6; i++) {
            step = (uint64_t)i * ticks[rate];
            at = clock_icount(p.r.env.sched, (struct clock){32768, 1}, step);
            rig_run_to(&p.r, at - 1);
            ck_assert(!p.irq.level);
            rig_run_to(&p.r, at);
            ck_assert(p.irq.level);
            ck_assert_uint_eq(get(&p, 12) & 0xc0, 0xc0);
        }
        ck_assert_uint_eq(p.irq.rises, 5);
        set(&p, 10, 0x20);
        rig_run(&p.r, 999000000);
        ck_assert_uint_eq(get(&p, 12) & 0xc0, 0);
        rig_free(&p.r);
    }
}
END_TEST

START_TEST(divider)
{
    struct rtc p;
    uint64_t t;

    setup(&p, (struct rtc_time){2020, 1, 1, 0, 0, 0});
    go(&p, 1000);
    set(&p, 10, 0x76); /* reset */
    go(&p, 10 * 32768);
    ck_assert_uint_eq(get(&p, 0), 0);
    ck_assert_uint_eq(get(&p, 10), 0x76);
    ck_assert_uint_eq(get(&p, 12), 0x40);
    go(&p, 11 * 32768);
    ck_assert_uint_eq(get(&p, 12), 0x00); /* no periodic edges either */
    t = 11 * 32768 + 77;
    go(&p, t);
    set(&p, 10, 0x26); /* the first update comes half a second later */
    go(&p, t + 16383);
    ck_assert_uint_eq(get(&p, 0), 0);
    go(&p, t + 16384);
    ck_assert_uint_eq(get(&p, 0), 1);
    go(&p, t + 16384 + 32767);
    ck_assert_uint_eq(get(&p, 0), 1);
    go(&p, t + 16384 + 32768);
    ck_assert_uint_eq(get(&p, 0), 2);
    rig_free(&p.r);
}
END_TEST

START_TEST(cmos_and_reset)
{
    struct rtc p;
    unsigned i, sum = 0;

    setup(&p, (struct rtc_time){2020, 1, 1, 0, 0, 0});
    ck_assert(p.nmi_masked);
    for (i = 0x0e; i < 0x80; i++) {
        if (i != 0x32) {
            set(&p, i, (uint8_t)(i * 5));
        }
    }
    for (i = 0x0e; i < 0x80; i++) {
        if (i != 0x32) {
            ck_assert_uint_eq(get(&p, i), (uint8_t)(i * 5));
        }
        sum += i >= 0x10 && i <= 0x2d ? (uint8_t)(i * 5) : 0;
    }
    ck_assert(!p.nmi_masked);
    ck_assert_uint_eq(get(&p, 0x80 | 0x20), 0xa0);
    ck_assert(p.nmi_masked);
    ck_assert_uint_eq(in8(&p.r, 0x70), 0xff);
    mc146818_checksum(p.d);
    ck_assert_uint_eq(mc146818_get(p.d, 0x2e), sum >> 8);
    ck_assert_uint_eq(mc146818_get(p.d, 0x2f), sum & 0xff);
    mc146818_set(p.d, 0x40, 0x99);
    ck_assert_uint_eq(get(&p, 0x40), 0x99);
    set(&p, 11, 0x7b); /* DSE is kept and has no effect */
    ck_assert_uint_eq(get(&p, 11), 0x7b);
    go(&p, 3 * 32768);
    ck_assert(p.irq.level);
    devices_reset(&p.r.env, RESET_WARM);
    ck_assert(!p.irq.level);
    ck_assert_uint_eq(get(&p, 11), 0x03);
    ck_assert_uint_eq(get(&p, 12), 0x00);
    ck_assert_uint_eq(get(&p, 0x40), 0x99);
    ck_assert_uint_eq(get(&p, 0), 3);
    rig_free(&p.r);
}
END_TEST

START_TEST(snapshot_and_storm)
{
    static const unsigned ports[] = {0x70, 0x71};
    struct rtc p;

    setup(&p, (struct rtc_time){2020, 1, 1, 0, 0, 0});
    set(&p, 11, 0x72);
    rig_run(&p.r, 1234567890);
    rig_round_trip(&p.r);
    rig_run(&p.r, 3000000000);
    ck_assert_uint_eq(get(&p, 0), 4);
    rig_storm(&p.r, ports, 2, 50000);
    rig_run(&p.r, 10ull * RIG_IPS);
    rig_free(&p.r);
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, calendar);
    tcase_add_test(t, daylight_saving);
    tcase_add_test(t, formats);
    tcase_add_test(t, update_cycle);
    tcase_add_test(t, alarm);
    tcase_add_test(t, periodic);
    tcase_add_test(t, divider);
    tcase_add_test(t, cmos_and_reset);
    tcase_add_test(t, snapshot_and_storm);
}

int main(void)
{
    return rig_main("mc146818", add);
}
