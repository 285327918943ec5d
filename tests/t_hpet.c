/*
 * HPET: registers, counter, one-shot and periodic comparators in 32 and 64 bits, edge and level,
 * routes, legacy replacement, round trips, a storm of accesses.
 */
#include "devices/hpet.h"

#include "chip_rig.h"

#define BASE 0xfed00000u

enum { CAPS = 0, CONFIG = 0x10, STATUS = 0x20, COUNTER = 0xf0, T0 = 0x100, T1 = 0x120, T2 = 0x140 };
enum { COMPARE = 8 };

struct timers {
    struct rig r;
    bool pin[32], isa[16], legacy;
    unsigned rises[32], isa_rises[16];
};

static void set_pin(void *to, unsigned n, bool level)
{
    struct timers *t = to;

    t->rises[n] += level && !t->pin[n];
    t->pin[n] = level;
}

static void set_isa(void *to, unsigned n, bool level)
{
    struct timers *t = to;

    t->isa_rises[n] += level && !t->isa[n];
    t->isa[n] = level;
}

static void set_legacy(void *to, bool on)
{
    ((struct timers *)to)->legacy = on;
}

static void setup(struct timers *t)
{
    struct hpet_config c = {BASE, set_pin, set_isa, set_legacy, t};

    memset(t, 0, sizeof *t);
    rig_init(&t->r);
    rig_add(&t->r, &hpet_class, "hpet", &c);
}

static uint64_t get(struct timers *t, unsigned reg)
{
    return bus_read(t->r.env.mem, BASE + reg, 8);
}

static void put(struct timers *t, unsigned reg, uint64_t v)
{
    bus_write(t->r.env.mem, BASE + reg, 8, v);
}

static void put32(struct timers *t, unsigned reg, uint32_t v)
{
    bus_write(t->r.env.mem, BASE + reg, 4, v);
}

START_TEST(registers)
{
    struct timers t;
    unsigned n;

    setup(&t);
    ck_assert_uint_eq(get(&t, CAPS), 0x009896808086a201);
    ck_assert_uint_eq(bus_read(t.r.env.mem, BASE + 4, 4), 10000000); /* 10 ns */
    ck_assert_uint_eq(get(&t, CONFIG) | get(&t, STATUS) | get(&t, COUNTER), 0);
    for (n = T0; n <= T2; n += 0x20) {
        ck_assert_uint_eq(get(&t, n), 0x00f0000000000030);
        ck_assert_uint_eq(get(&t, n + COMPARE), UINT64_MAX);
        put(&t, n, UINT64_MAX);
        ck_assert_uint_eq(get(&t, n), 0x00f0000000003f7e);
        ck_assert_uint_eq(get(&t, n + COMPARE), 0xffffffff); /* it is in 32-bit mode now */
        put(&t, n, 0);
        put32(&t, n + COMPARE, 0x11223344);
        put32(&t, n + COMPARE + 4, 0x55667788);
        ck_assert_uint_eq(get(&t, n + COMPARE), 0x5566778811223344);
        ck_assert_uint_eq(bus_read(t.r.env.mem, BASE + n + COMPARE + 4, 4), 0x55667788);
    }
    put(&t, CAPS, 0);
    put(&t, 0x160, 1); /* no fourth one */
    ck_assert_uint_eq(get(&t, 0x160), 0);
    put(&t, CONFIG, UINT64_MAX);
    ck_assert_uint_eq(get(&t, CONFIG), 3);
    rig_free(&t.r);
}
END_TEST

START_TEST(counting)
{
    struct timers t;

    setup(&t);
    rig_run(&t.r, 1000);
    ck_assert_uint_eq(get(&t, COUNTER), 0);
    put(&t, COUNTER, 0xfffffff0);
    put(&t, CONFIG, 1);
    rig_run(&t.r, 200);
    ck_assert_uint_eq(get(&t, COUNTER), 0x100000004);
    put(&t, CONFIG, 0);
    rig_run(&t.r, 200);
    ck_assert_uint_eq(get(&t, COUNTER), 0x100000004);
    put(&t, CONFIG, 1);
    put32(&t, COUNTER + 4, 7); /* runs on */
    rig_run(&t.r, 10);
    ck_assert_uint_eq(get(&t, COUNTER), 0x700000005);
    rig_free(&t.r);
}
END_TEST

START_TEST(one_shot)
{
    struct timers t;

    setup(&t);
    put(&t, CONFIG, 1);
    put(&t, T0, 20 << 9 | 4); /* edge, input 20 */
    put(&t, T0 + COMPARE, 100);
    rig_run_to(&t.r, 999);
    ck_assert_uint_eq(t.rises[20], 0);
    rig_run_to(&t.r, 1000);
    ck_assert_uint_eq(t.rises[20], 1);
    ck_assert(t.pin[20]); /* until the next one */
    ck_assert_uint_eq(get(&t, STATUS), 0);
    rig_run(&t.r, 100000000);
    ck_assert_uint_eq(t.rises[20], 1);
    put(&t, T0 + COMPARE, 5); /* in the past: not in this life */
    rig_run(&t.r, 100000000);
    ck_assert_uint_eq(t.rises[20], 1);
    put(&t, T1, 21 << 9 | 0x104); /* 32 bits: comes round */
    put(&t, T1 + COMPARE, get(&t, COUNTER) + 50);
    rig_run(&t.r, 500);
    ck_assert_uint_eq(t.rises[21], 1);
    rig_run(&t.r, 10ull << 32);
    ck_assert_uint_eq(t.rises[21], 2);
    put(&t, T2, 3 << 9 | 4); /* an input it cannot reach */
    put(&t, T2 + COMPARE, get(&t, COUNTER) + 50);
    rig_run(&t.r, 500);
    ck_assert_uint_eq(t.rises[3], 0);
    rig_free(&t.r);
}
END_TEST

START_TEST(periodic)
{
    struct timers t;

    setup(&t);
    put(&t, CONFIG, 1);
    rig_run(&t.r, 1000);
    put(&t, T0, 22 << 9 | 0x4c);   /* periodic, "set value" */
    put(&t, T0 + COMPARE, 300);    /* first */
    put(&t, T0 + COMPARE, 200);    /* and then */
    ck_assert_uint_eq(get(&t, T0) & 0x40, 0);
    rig_run_to(&t.r, 2999);
    ck_assert_uint_eq(t.rises[22], 0);
    rig_run_to(&t.r, 3000);
    ck_assert_uint_eq(t.rises[22], 1);
    rig_run_to(&t.r, 3000 + 2000 * 10);
    ck_assert_uint_eq(t.rises[22], 11);
    ck_assert_uint_eq(get(&t, T0 + COMPARE), 300 + 200 * 11);
    put(&t, CONFIG, 0); /* halted */
    rig_run(&t.r, 100000);
    ck_assert_uint_eq(t.rises[22], 11);
    put(&t, CONFIG, 1);
    rig_run(&t.r, 2000);
    ck_assert_uint_eq(t.rises[22], 12);
    rig_free(&t.r);
}
END_TEST

START_TEST(levels)
{
    struct timers t;

    setup(&t);
    put(&t, CONFIG, 1);
    put(&t, T2, 23 << 9 | 6);
    put(&t, T2 + COMPARE, 10);
    rig_run(&t.r, 100);
    ck_assert(t.pin[23]);
    ck_assert_uint_eq(get(&t, STATUS), 4);
    put(&t, STATUS, 3);
    ck_assert(t.pin[23]);
    put(&t, STATUS, 4);
    ck_assert(!t.pin[23]);
    ck_assert_uint_eq(get(&t, STATUS), 0);
    put(&t, T2, 23 << 9 | 2); /* disabled: only the status */
    put(&t, T2 + COMPARE, 30);
    rig_run(&t.r, 300);
    ck_assert(!t.pin[23]);
    ck_assert_uint_eq(get(&t, STATUS), 4);
    put(&t, T2, 21 << 9 | 6); /* moves while active */
    ck_assert(t.pin[21]);
    put(&t, T2, 0);
    ck_assert(!t.pin[21]);
    rig_free(&t.r);
}
END_TEST

START_TEST(legacy_replacement)
{
    struct timers t;

    setup(&t);
    put(&t, T0, 0x4c);
    put(&t, T0 + COMPARE, 100);
    put(&t, T1, 20 << 9 | 6);
    put(&t, T1 + COMPARE, 150);
    put(&t, CONFIG, 3);
    ck_assert(t.legacy);
    rig_run(&t.r, 5000);
    ck_assert_uint_eq(t.isa_rises[0], 5);
    ck_assert(t.isa[8] && !t.pin[20]);
    put(&t, CONFIG, 1); /* comparator 1 goes where its own route says */
    ck_assert(!t.legacy && !t.isa[8] && t.pin[20]);
    put(&t, CONFIG, 3);
    ck_assert(t.isa[8] && !t.pin[20]);
    devices_reset(&t.r.env, RESET_WARM);
    ck_assert(!t.legacy && !t.isa[8]);
    rig_free(&t.r);
}
END_TEST

START_TEST(round_trip)
{
    struct timers t;
    uint64_t due;

    setup(&t);
    put(&t, CONFIG, 1);
    put(&t, T0, 22 << 9 | 0x4c);
    put(&t, T0 + COMPARE, 300);
    put(&t, T0 + COMPARE, 200);
    put(&t, T2, 23 << 9 | 6);
    put(&t, T2 + COMPARE, 10);
    rig_run(&t.r, 3333);
    due = sched_next(t.r.env.sched);
    rig_round_trip(&t.r);
    ck_assert_uint_eq(get(&t, COUNTER), 333);
    ck_assert_uint_eq(get(&t, STATUS), 4);
    ck_assert_uint_eq(sched_next(t.r.env.sched), due);
    rig_free(&t.r);
}
END_TEST

START_TEST(storm)
{
    struct timers t;
    uint32_t x = 3;
    unsigned n;

    setup(&t);
    for (n = 0; n < 200000; n++) {
        x = x * 1664525u + 1013904223u;
        if (x >> 9 & 1) {
            put32(&t, x >> 20 & 0x1fc, (x * 2654435761u) >> (x >> 4 & 31));
        } else {
            get(&t, x >> 20 & 0x1f8);
        }
        rig_run(&t.r, x >> 24);
    }
    rig_free(&t.r);
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, registers);
    tcase_add_test(t, counting);
    tcase_add_test(t, one_shot);
    tcase_add_test(t, periodic);
    tcase_add_test(t, levels);
    tcase_add_test(t, legacy_replacement);
    tcase_add_test(t, round_trip);
    tcase_add_test(t, storm);
}

int main(void)
{
    return rig_main("hpet", add);
}
