/*
 * Scheduler: order of events, exact clock domains, holds, and its snapshot.
 */
#include <check.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "devices/sched.h"
#include "memory/bytes.h"
#include "tests/suite.h"

struct probe {
    struct sched *s;
    struct event e;
    struct event *again;
    uint64_t again_at, seen, fired;
    char *trail;
    char mark;
};

static void fire(void *arg, uint64_t now)
{
    struct probe *p = arg;

    p->seen = now;
    p->fired++;
    if (p->trail) {
        size_t n = strlen(p->trail);

        p->trail[n] = p->mark;
        p->trail[n + 1] = 0;
    }
    if (p->again) {
        event_at(p->s, p->again, p->again_at);
    }
}

static void probe_init(struct probe *p, struct sched *s, const char *name, char *trail, char mark)
{
    memset(p, 0, sizeof *p);
    p->s = s;
    p->trail = trail;
    p->mark = mark;
    event_init(s, &p->e, name, fire, p);
}

START_TEST(order_and_ties)
{
    struct sched *s = sched_new(1000000);
    char trail[32] = "";
    struct probe a, b, c, d;

    probe_init(&a, s, "a", trail, 'a');
    probe_init(&b, s, "b", trail, 'b');
    probe_init(&c, s, "c", trail, 'c');
    probe_init(&d, s, "d", trail, 'd');
    ck_assert(!event_pending(&a.e));
    ck_assert_uint_eq(sched_next(s), UINT64_MAX);
    event_at(s, &a.e, 100);
    event_at(s, &b.e, 50);
    event_at(s, &c.e, 100);
    event_at(s, &d.e, 70);
    event_at(s, &a.e, 100); /* moved: now behind c */
    event_cancel(s, &d.e);
    event_cancel(s, &d.e);
    ck_assert_uint_eq(sched_next(s), 50);
    sched_run(s, 49);
    ck_assert_str_eq(trail, "");
    sched_run(s, 1000);
    ck_assert_str_eq(trail, "bca");
    ck_assert_uint_eq(a.seen, 100);
    ck_assert_uint_eq(sched_now(s), 1000);
    ck_assert_uint_eq(a.e.pos, UINT_MAX);
    sched_free(s);
}
END_TEST

START_TEST(rescheduling_from_an_event)
{
    struct sched *s = sched_new(1000000);
    char trail[32] = "";
    struct probe a, b;

    probe_init(&a, s, "a", trail, 'a');
    probe_init(&b, s, "b", trail, 'b');
    a.again = &b.e;
    a.again_at = 5; /* already past: runs in the same round */
    event_at(s, &a.e, 10);
    sched_run(s, 10);
    ck_assert_str_eq(trail, "ab");
    sched_free(s);
}
END_TEST

START_TEST(an_event_that_is_always_due_ends)
{
    struct sched *s = sched_new(1000000);
    struct probe a;

    probe_init(&a, s, "a", NULL, 0);
    a.again = &a.e;
    a.again_at = 0;
    event_at(s, &a.e, 1);
    sched_run(s, 1);
    ck_assert_uint_gt(a.fired, 1);
    ck_assert(event_pending(&a.e));
    sched_free(s);
}
END_TEST

START_TEST(many_events_in_random_order)
{
    enum { N = 300 };
    struct sched *s = sched_new(1000000);
    struct probe *p = calloc(N, sizeof *p);
    uint32_t seed = 7;
    uint64_t last = 0;
    unsigned i;

    for (i = 0; i < N; i++) {
        probe_init(&p[i], s, "x", NULL, 0);
    }
    for (i = 0; i < 5000; i++) {
        seed = seed * 1103515245u + 12345u;
        if (seed & 0x800000) {
            event_at(s, &p[(seed >> 8) % N].e, (seed >> 4) % 100000);
        } else {
            event_cancel(s, &p[(seed >> 8) % N].e);
        }
    }
    while (sched_next(s) != UINT64_MAX) {
        ck_assert_uint_ge(sched_next(s), last);
        last = sched_next(s);
        sched_run(s, last);
    }
    for (i = 0; i < N; i++) {
        ck_assert(!event_pending(&p[i].e));
    }
    free(p);
    sched_free(s);
}
END_TEST

START_TEST(clocks_are_exact)
{
    struct sched *s = sched_new(123456789);
    struct clock pit = {14318180, 12}, rtc = {32768, 1};
    uint64_t n;

    ck_assert_uint_eq(clock_ticks(s, rtc, 123456789), 32768);
    ck_assert_uint_eq(clock_ticks(s, rtc, 123456788), 32767);
    for (n = 1; n < 1000000000000ull; n = n * 3 + 1) {
        uint64_t t = clock_icount(s, pit, n);

        ck_assert_uint_eq(clock_ticks(s, pit, t), n);
        ck_assert_uint_eq(clock_ticks(s, pit, t - 1), n - 1);
    }
    ck_assert_uint_eq(clock_ticks(s, CLOCK_NS, 123456789ull * 1000000), 1000000000000000ull);
    sched_set_now(s, 1000);
    ck_assert_uint_eq(sched_after_ns(s, 0), 1001);
    ck_assert_uint_eq(sched_after_ns(s, 1000000000u), 1000 + 123456789);
    ck_assert_uint_eq(sched_after_ns(s, UINT64_MAX) > 1000, 1);
    sched_free(s);
}
END_TEST

START_TEST(muldiv)
{
    uint32_t seed = 3;
    unsigned i;

    ck_assert_uint_eq(muldiv64(UINT64_MAX, UINT64_MAX, UINT64_MAX), UINT64_MAX);
    ck_assert_uint_eq(muldiv64(UINT64_MAX, 3, 7), 7905747460161236406ull);
    ck_assert_uint_eq(muldiv64_up(UINT64_MAX, 3, 7), 7905747460161236407ull);
    ck_assert_uint_eq(muldiv64(1ull << 63, 6, 1ull << 62), 12);
    ck_assert_uint_eq(muldiv64(UINT64_MAX, 2, 1), UINT64_MAX);
    ck_assert_uint_eq(muldiv64(5, 5, 0), UINT64_MAX);
    for (i = 0; i < 20000; i++) {
        uint64_t q, d, a, b;

        /* a * b + 0 with a known quotient: (q * d) / d and one less in the product. */
        seed = seed * 1103515245u + 12345u;
        q = (uint64_t)seed << (seed >> 27);
        seed = seed * 1103515245u + 12345u;
        d = ((uint64_t)seed << 30 | seed) >> (seed >> 28);
        a = q;
        b = d;
        ck_assert_uint_eq(muldiv64(a, b, d ? d : 1), d ? q : 0);
        ck_assert_uint_eq(muldiv64_up(a, b, d ? d : 1), d ? q : 0);
        if (d > 1 && q > 1) {
            ck_assert_uint_eq(muldiv64(q, d - 1, d), q - q / d - (q % d != 0));
            ck_assert_uint_eq(muldiv64_up(q, d - 1, d), q - q / d);
        }
    }
}
END_TEST

static uint64_t source_now(void *ctx)
{
    return ((uint64_t *)ctx)[0];
}

static void source_deadline(void *ctx, uint64_t due)
{
    ((uint64_t *)ctx)[1] = due;
}

START_TEST(source_and_deadline)
{
    struct sched *s = sched_new(1000000);
    uint64_t state[2] = {500, 0};
    struct sched_source src = {state, source_now, source_deadline};
    struct probe a;

    probe_init(&a, s, "a", NULL, 0);
    sched_set_source(s, &src);
    ck_assert_uint_eq(sched_now(s), 500);
    ck_assert_uint_eq(state[1], UINT64_MAX);
    event_at(s, &a.e, 600);
    ck_assert_uint_eq(state[1], 600);
    state[0] = 610;
    sched_run(s, 610);
    ck_assert_uint_eq(a.seen, 610);
    ck_assert_uint_eq(state[1], UINT64_MAX);
    sched_free(s);
}
END_TEST

struct waiter {
    struct sched *s;
    struct event e;
    bool host_done;
    unsigned fired;
};

static void fire_hold(void *arg, uint64_t now)
{
    struct waiter *w = arg;

    (void)now;
    w->fired++;
    if (!w->host_done) {
        sched_hold(w->s, true);
    }
}

START_TEST(hold_stops_the_round)
{
    struct sched *s = sched_new(1000000);
    struct waiter w = {.s = s};
    char trail[8] = "";
    struct probe a;

    event_init(s, &w.e, "w", fire_hold, &w);
    probe_init(&a, s, "a", trail, 'a');
    event_at(s, &w.e, 10);
    event_at(s, &a.e, 10);
    sched_run(s, 20);
    ck_assert(sched_held(s));
    ck_assert_uint_eq(a.fired, 0);
    ck_assert_uint_eq(sched_next(s), 10);
    sched_run(s, 20);
    ck_assert_uint_eq(w.fired, 1);
    w.host_done = true;
    sched_hold(s, false);
    ck_assert(!sched_held(s));
    sched_run(s, 20);
    ck_assert_uint_eq(w.fired, 2);
    ck_assert_uint_eq(a.fired, 1);
    sched_free(s);
}
END_TEST

START_TEST(snapshot_keeps_times_and_ties)
{
    struct sched *s = sched_new(1000000), *t = sched_new(1000000), *u = sched_new(2000000);
    char trail[32] = "";
    struct probe a, b, c, a2, b2, c2;
    struct snap_writer w;
    struct snap_reader r;
    struct err e;

    probe_init(&a, s, "a", NULL, 0);
    probe_init(&b, s, "b", NULL, 0);
    probe_init(&c, s, "c", NULL, 0);
    sched_set_now(s, 42);
    event_at(s, &b.e, 100);
    event_at(s, &a.e, 100);
    snap_writer_init(&w);
    sched_save(s, &w);
    ck_assert(!w.failed);
    probe_init(&a2, t, "a", trail, 'a');
    probe_init(&b2, t, "b", trail, 'b');
    probe_init(&c2, t, "c", trail, 'c');
    event_at(t, &c2.e, 1);
    ck_assert(snap_reader_init(&r, w.buf, w.len, &e));
    ck_assert(sched_load(t, &r, &e));
    ck_assert_uint_eq(sched_now(t), 42);
    sched_run(t, 1000);
    ck_assert_str_eq(trail, "ba");
    /* Another speed, or an event that this machine lacks: refused. */
    ck_assert(snap_reader_init(&r, w.buf, w.len, &e));
    ck_assert(!sched_load(u, &r, &e));
    snap_writer_free(&w);
    sched_free(s);
    sched_free(t);
    sched_free(u);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sched");
    TCase *t = tcase_create("sched");

    tcase_add_test(t, order_and_ties);
    tcase_add_test(t, rescheduling_from_an_event);
    tcase_add_test(t, an_event_that_is_always_due_ends);
    tcase_add_test(t, many_events_in_random_order);
    tcase_add_test(t, clocks_are_exact);
    tcase_add_test(t, muldiv);
    tcase_add_test(t, source_and_deadline);
    tcase_add_test(t, hold_stops_the_round);
    tcase_add_test(t, snapshot_keeps_times_and_ties);
    suite_add_tcase(s, t);
    return suite_run(s);
}
