/*
 * The input queue: order of time, of arrival where that is equal, a full ring, and the queues of
 * states that were saved before there was an order.
 */
#include <check.h>
#include <stdlib.h>

#include "devices/input.h"
#include "tests/suite.h"

enum { FULL = 65536 };

static bool put(struct input_queue *q, uint64_t at, unsigned code)
{
    return input_put(q, &(struct input_event){.at = at, .kind = INPUT_KEY, .code = (uint16_t)code});
}

/* The next key, which must be due at `at`. */
static unsigned take(struct input_queue *q, uint64_t at)
{
    ck_assert_ptr_null(at ? input_due(q, INPUT_KEY, at - 1) : NULL);
    const struct input_event *ev = input_due(q, INPUT_KEY, at);
    ck_assert_ptr_nonnull(ev);
    ck_assert_uint_eq(ev->at, at);
    unsigned code = ev->code;
    input_take(q, INPUT_KEY);
    return code;
}

START_TEST(order_of_time)
{
    struct input_queue q = {0};
    ck_assert(put(&q, 100, 1) && put(&q, 200, 2) && put(&q, 50, 3) && put(&q, 100, 4));
    ck_assert_uint_eq(input_next(&q, 0), 50);
    ck_assert_uint_eq(take(&q, 50), 3);
    ck_assert_uint_eq(take(&q, 100), 1);
    ck_assert(put(&q, 100, 5) && put(&q, 60, 6) && put(&q, 300, 7));
    ck_assert_uint_eq(take(&q, 60), 6);
    ck_assert_uint_eq(take(&q, 100), 4);
    ck_assert_uint_eq(take(&q, 100), 5);
    ck_assert_uint_eq(take(&q, 200), 2);
    ck_assert_uint_eq(take(&q, 300), 7);
    ck_assert(input_empty(&q));
    input_free(&q);
}
END_TEST

/* Against a plain list, with the ring's head at every place and while it grows. */
START_TEST(any_order)
{
    enum { MOST = 500 };
    struct input_queue q = {0};
    struct {
        uint64_t at;
        unsigned code;
    } list[MOST];
    unsigned n = 0, code = 0, seed = 7;
    for (unsigned step = 0; step < 40000; step++) {
        seed = seed * 1664525 + 1013904223;
        bool in = n == 0 || (n < MOST && (seed >> 16) % (step < 20000 ? 11 : 9) < 5);
        if (in) {
            uint64_t at = (seed >> 20) % 97;
            unsigned k = n++;
            ck_assert(put(&q, at, ++code & 0xffff));
            for (; k > 0 && list[k - 1].at > at; k--) {
                list[k] = list[k - 1];
            }
            list[k].at = at;
            list[k].code = code & 0xffff;
        } else {
            ck_assert_uint_eq(take(&q, list[0].at), list[0].code);
            n--;
            for (unsigned k = 0; k < n; k++) {
                list[k] = list[k + 1];
            }
        }
    }
    input_free(&q);
}
END_TEST

START_TEST(full)
{
    struct input_queue q = {0};
    ck_assert(input_reserve(&q, INPUT_KEY, FULL));
    ck_assert(!input_reserve(&q, INPUT_KEY, FULL + 1));
    for (unsigned n = 0; n < FULL; n++) {
        ck_assert(put(&q, n, n));
    }
    ck_assert(!put(&q, 0, 1));
    ck_assert(!input_reserve(&q, INPUT_KEY, 1));
    ck_assert(input_reserve(&q, INPUT_MOUSE, 1));
    ck_assert_uint_eq(take(&q, 0), 0);
    ck_assert(input_reserve(&q, INPUT_KEY, 1));
    ck_assert(put(&q, FULL, 5));
    ck_assert(!input_reserve(&q, INPUT_KEY, SIZE_MAX));
    input_free(&q);
}
END_TEST

/* A section as version 2 wrote it when events lay in order of arrival. */
START_TEST(old_state)
{
    static const uint8_t at[3] = {90, 30, 60};
    struct snap_writer w;
    struct snap_reader r;
    struct input_queue q = {0};
    struct err e = {{0}};
    snap_writer_init(&w);
    snap_begin(&w, "input", 2);
    snap_put_u32(&w, 3);
    for (unsigned n = 0; n < 3; n++) {
        uint8_t event[18] = {at[n]};
        event[9] = (uint8_t)(n + 1);
        snap_put(&w, event, sizeof event);
    }
    for (unsigned n = 1; n < INPUT_KINDS; n++) {
        snap_put_u32(&w, 0);
    }
    snap_end(&w);
    ck_assert(snap_reader_init(&r, w.buf, w.len, &e));
    ck_assert_msg(input_load(&q, &r, &e), "%s", e.text);
    ck_assert_uint_eq(take(&q, 30), 2);
    ck_assert_uint_eq(take(&q, 60), 3);
    ck_assert_uint_eq(take(&q, 90), 1);
    snap_writer_free(&w);
    input_free(&q);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("input");
    TCase *t = tcase_create("input");

    tcase_add_test(t, order_of_time);
    tcase_add_test(t, any_order);
    tcase_add_test(t, full);
    tcase_add_test(t, old_state);
    suite_add_tcase(s, t);
    return suite_run(s);
}
