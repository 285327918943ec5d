/*
 * Snapshot stream: round trip of every kind of field, versions, damage, and the device list.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "devices/device.h"
#include "memory/bytes.h"
#include "tests/suite.h"

struct thing {
    struct device d;
    uint8_t u8;
    uint16_t u16[3];
    uint32_t u32;
    uint64_t u64[2];
    bool flags[2];
    uint8_t bytes[5];
    uint32_t late;
    uint32_t tail_len; /* variable part */
    uint8_t tail[8];
    unsigned resets;
};

static const struct snap_field thing_fields[] = {
    SNAP_F(struct thing, u8, SNAP_U8),
    SNAP_ARRAY(struct thing, u16, SNAP_U16),
    SNAP_F(struct thing, u32, SNAP_U32),
    SNAP_ARRAY(struct thing, u64, SNAP_U64),
    SNAP_ARRAY(struct thing, flags, SNAP_BOOL),
    SNAP_ARRAY(struct thing, bytes, SNAP_BYTES),
    {"late", (uint32_t)offsetof(struct thing, late), 1, SNAP_U32, 2},
    SNAP_END,
};

static bool thing_init(struct device *d, const void *config, struct err *e)
{
    struct thing *t = (struct thing *)(void *)d;

    if (!config) {
        return err_set(e, "no config");
    }
    t->u8 = *(const uint8_t *)config;
    return true;
}

static void thing_reset(struct device *d, enum reset_kind kind)
{
    struct thing *t = (struct thing *)(void *)d;

    (void)kind;
    t->resets++;
    t->late = 77;
}

static void thing_save(const struct device *d, struct snap_writer *w)
{
    const struct thing *t = (const struct thing *)(const void *)d;

    snap_put_u32(w, t->tail_len);
    snap_put(w, t->tail, t->tail_len);
}

static bool thing_load(struct device *d, struct snap_reader *r, unsigned version)
{
    struct thing *t = (struct thing *)(void *)d;

    (void)version;
    t->tail_len = snap_get_u32(r);
    return t->tail_len <= sizeof t->tail && snap_get(r, t->tail, t->tail_len);
}

static const struct device_class thing_class = {
    .name = "thing", .size = sizeof(struct thing), .init = thing_init, .reset = thing_reset,
    .state = thing_fields, .state_version = 2, .save = thing_save, .load = thing_load,
};

static const struct thing sample = {
    .u8 = 1, .u16 = {2, 3, 0xfffe}, .u32 = 0xdeadbeef, .u64 = {5, 0x8877665544332211ull},
    .flags = {true, false}, .bytes = {9, 8, 7, 6, 5}, .late = 4,
};

START_TEST(fields_round_trip)
{
    struct thing in = sample, out;
    struct snap_writer w;
    struct snap_reader r;
    struct err e = {{0}};

    memset(&out, 0, sizeof out);
    snap_writer_init(&w);
    snap_begin(&w, "thing", 2);
    snap_put_fields(&w, thing_fields, &in);
    snap_put_u32(&w, 0x01020304);
    snap_put_u64(&w, 0x0102030405060708ull);
    snap_end(&w);
    snap_begin(&w, "empty", 1);
    snap_end(&w);
    ck_assert(!w.failed);
    /* The layout itself is the contract: little-endian on every host. */
    ck_assert_uint_eq(get32(w.buf + 8 + 28), 1 + 6 + 4 + 16 + 2 + 5 + 4 + 12);
    ck_assert_uint_eq(w.buf[8 + 36 + 1], 2);
    ck_assert_uint_eq(w.buf[8 + 36 + 5], 0xfe);
    ck_assert(snap_reader_init(&r, w.buf, w.len, &e));
    ck_assert(snap_open(&r, "thing", 3, &e));
    ck_assert(snap_get_fields(&r, thing_fields, &out));
    ck_assert_uint_eq(snap_get_u32(&r), 0x01020304);
    ck_assert_uint_eq(snap_get_u64(&r), 0x0102030405060708ull);
    ck_assert(snap_close(&r, &e));
    ck_assert(snap_open(&r, "empty", 1, &e));
    ck_assert(snap_close(&r, &e));
    ck_assert_mem_eq(&in, &out, sizeof in);
    snap_writer_free(&w);
}
END_TEST

START_TEST(older_version_keeps_reset_value)
{
    struct thing in = sample, out = sample;
    struct snap_field old[8];
    struct snap_writer w;
    struct snap_reader r;
    struct err e;

    memcpy(old, thing_fields, sizeof old);
    old[6].name = NULL;
    out.late = 55;
    snap_writer_init(&w);
    snap_begin(&w, "thing", 1);
    snap_put_fields(&w, old, &in);
    snap_end(&w);
    ck_assert(snap_reader_init(&r, w.buf, w.len, &e));
    ck_assert(snap_open(&r, "thing", 2, &e));
    ck_assert(snap_get_fields(&r, thing_fields, &out));
    ck_assert(snap_close(&r, &e));
    ck_assert_uint_eq(out.late, 55);
    snap_writer_free(&w);
}
END_TEST

START_TEST(damage_is_refused)
{
    struct thing in = sample;
    struct snap_writer w;
    struct snap_reader r;
    struct err e;
    size_t n;

    snap_writer_init(&w);
    snap_begin(&w, "thing", 2);
    snap_put_fields(&w, thing_fields, &in);
    snap_end(&w);
    ck_assert(!snap_reader_init(&r, "nonsense", 8, &e));
    for (n = 0; n < w.len; n++) {
        ck_assert(!(snap_reader_init(&r, w.buf, n, &e) && snap_open(&r, "thing", 2, &e)));
        ck_assert(e.text[0]);
    }
    for (n = 0; n < w.len; n++) {
        bool ok;

        if (n == 8 + 26 || n == 8 + 27) {
            continue; /* the reserved word */
        }
        w.buf[n] ^= 0x40;
        ok = snap_reader_init(&r, w.buf, w.len, &e) && snap_open(&r, "thing", 2, &e);
        ck_assert_msg(!ok, "byte %u", (unsigned)n);
        w.buf[n] ^= 0x40;
    }
    ck_assert(snap_reader_init(&r, w.buf, w.len, &e));
    ck_assert(!snap_open(&r, "other", 2, &e));
    ck_assert(snap_reader_init(&r, w.buf, w.len, &e));
    ck_assert(!snap_open(&r, "thing", 1, &e));
    /* Too little and too much is read. */
    ck_assert(snap_reader_init(&r, w.buf, w.len, &e));
    ck_assert(snap_open(&r, "thing", 2, &e));
    ck_assert(!snap_close(&r, &e));
    ck_assert(snap_reader_init(&r, w.buf, w.len, &e));
    ck_assert(snap_open(&r, "thing", 2, &e));
    ck_assert(snap_get_fields(&r, thing_fields, &in));
    ck_assert_uint_eq(snap_get_u32(&r), 0);
    ck_assert(!snap_close(&r, &e));
    snap_writer_free(&w);
}
END_TEST

START_TEST(sums)
{
    uint8_t b;
    unsigned i, k;

    ck_assert_uint_eq(snap_crc32(0, "123456789", 9), 0xcbf43926);
    ck_assert_uint_eq(snap_crc32(snap_crc32(0, "1234", 4), "56789", 5), 0xcbf43926);
    ck_assert_uint_eq(snap_hash(SNAP_HASH_INIT, "foobar", 6), 0x85944171f73967e8ull);
    for (i = 0; i < 256; i++) {
        uint32_t c = 0xffffffffu ^ i;

        b = (uint8_t)i;
        for (k = 0; k < 8; k++) {
            c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
        }
        ck_assert_uint_eq(snap_crc32(0, &b, 1), c ^ 0xffffffffu);
    }
}
END_TEST

START_TEST(device_list)
{
    struct device_env env = {0}, other = {0};
    struct device_class no_table = thing_class;
    struct snap_writer w;
    struct snap_reader r;
    struct thing *a, *b, *a2, *b2;
    struct err e = {{0}};
    uint8_t one = 1, two = 2;

    no_table.state = NULL;
    a = (struct thing *)(void *)device_new(&env, &thing_class, "a", &one, &e);
    b = (struct thing *)(void *)device_new(&env, &thing_class, "b", &two, &e);
    ck_assert(a && b && b->d.env == &env && env.last == &b->d);
    ck_assert_ptr_null(device_new(&env, &thing_class, "a", &one, &e));
    ck_assert_ptr_null(device_new(&env, &thing_class, "c", NULL, &e));
    ck_assert_str_eq(e.text, "no config");
    ck_assert_ptr_null(device_new(&env, &no_table, "c", &one, &e));
    ck_assert_ptr_null(device_new(&env, &thing_class, "a name that is too long", &one, &e));
    devices_reset(&env, RESET_WARM);
    ck_assert_uint_eq(a->resets, 2);
    b->u32 = 1234;
    b->tail_len = 3;
    memcpy(b->tail, "xyz", 3);
    snap_writer_init(&w);
    devices_save(&env, &w);
    ck_assert(!w.failed);
    a2 = (struct thing *)(void *)device_new(&other, &thing_class, "a", &two, &e);
    b2 = (struct thing *)(void *)device_new(&other, &thing_class, "b", &two, &e);
    ck_assert(snap_reader_init(&r, w.buf, w.len, &e));
    ck_assert(devices_load(&other, &r, &e));
    ck_assert_uint_eq(a2->u8, 1);
    ck_assert_uint_eq(b2->u32, 1234);
    ck_assert_mem_eq(b2->tail, "xyz", 3);
    /* A length that the chip refuses. */
    b->tail_len = 8;
    snap_writer_free(&w);
    snap_writer_init(&w);
    b->tail_len = 8;
    devices_save(&env, &w);
    put32(w.buf + w.len - 12, 9);
    put32(w.buf + w.len - 12 - 38 - 4, snap_crc32(0, w.buf + w.len - 12 - 38, 50));
    ck_assert(snap_reader_init(&r, w.buf, w.len, &e));
    ck_assert(!devices_load(&other, &r, &e));
    snap_writer_free(&w);
    devices_free(&env);
    devices_free(&other);
    ck_assert_ptr_null(env.first);
}
END_TEST

/* Sections a, b, c as one byte each: in what order they lie makes no difference. */
static void three(struct snap_writer *w, const char *order)
{
    snap_writer_init(w);
    for (; *order; order++) {
        const char name[2] = {*order, 0};
        snap_begin(w, name, 1);
        snap_put(w, order, 1);
        snap_end(w);
    }
}

static bool read_three(const struct snap_writer *w, const char *names, struct err *e)
{
    struct snap_reader r;
    bool ok = snap_reader_init(&r, w->buf, w->len, e);

    for (; ok && *names; names++) {
        const char name[2] = {*names, 0};
        char got = 0;
        ok = snap_open(&r, name, 1, e) && snap_get(&r, &got, 1) && snap_close(&r, e);
        ck_assert(!ok || got == *names);
    }
    return ok && snap_finish(&r, e);
}

START_TEST(sections_by_name)
{
    struct snap_writer w;
    struct snap_reader r;
    struct err e = {{0}};

    three(&w, "cab");
    ck_assert_msg(read_three(&w, "abc", &e), "%s", e.text);
    ck_assert(!read_three(&w, "ab", &e));
    ck_assert_msg(strstr(e.text, "had \"c\" and this one has not") != NULL, "%s", e.text);
    ck_assert(!read_three(&w, "abcd", &e));
    ck_assert_msg(strstr(e.text, "had no \"d\"") != NULL, "%s", e.text);
    ck_assert(snap_reader_init(&r, w.buf, w.len, &e));
    ck_assert(snap_has(&r, "b") && !snap_has(&r, "d") && !snap_has(&r, ""));
    snap_writer_free(&w);
    three(&w, "aba");
    ck_assert(!read_three(&w, "ab", &e));
    ck_assert_msg(strstr(e.text, "list of parts") != NULL, "%s", e.text);
    snap_writer_free(&w);
    three(&w, "");
    for (unsigned n = 0; n < 129; n++) {
        char name[8] = {0};
        ck_assert(snap_reader_init(&r, w.buf, w.len, &e));
        name[0] = (char)('a' + n / 16);
        name[1] = (char)('a' + n % 16);
        snap_begin(&w, name, 1);
        snap_end(&w);
    }
    ck_assert(!snap_reader_init(&r, w.buf, w.len, &e));
    snap_writer_free(&w);
}
END_TEST

/* Devices in another order, one more, one less, and one that came after the state was saved. */
START_TEST(device_lists_differ)
{
    struct device_env env = {0}, other = {0};
    struct device_class late = thing_class;
    struct snap_writer w;
    struct snap_reader r;
    struct thing *b, *b2, *n;
    struct err e = {{0}};
    uint8_t one = 1;

    ck_assert_ptr_nonnull(device_new(&env, &thing_class, "a", &one, &e));
    b = (struct thing *)(void *)device_new(&env, &thing_class, "b", &one, &e);
    b->u32 = 77;
    snap_writer_init(&w);
    devices_save(&env, &w);
    b2 = (struct thing *)(void *)device_new(&other, &thing_class, "b", &one, &e);
    ck_assert(snap_reader_init(&r, w.buf, w.len, &e));
    ck_assert(devices_load(&other, &r, &e));
    ck_assert_uint_eq(b2->u32, 77);
    ck_assert(!snap_finish(&r, &e));
    ck_assert_msg(strstr(e.text, "had \"a\" and this one has not") != NULL, "%s", e.text);
    ck_assert_ptr_nonnull(device_new(&other, &thing_class, "a", &one, &e));
    ck_assert(snap_reader_init(&r, w.buf, w.len, &e));
    ck_assert(devices_load(&other, &r, &e) && snap_finish(&r, &e));
    late.newer_than_states = true;
    n = (struct thing *)(void *)device_new(&other, &late, "new", &one, &e);
    n->u32 = 5;
    unsigned resets = n->resets;
    ck_assert(snap_reader_init(&r, w.buf, w.len, &e));
    ck_assert(devices_load(&other, &r, &e) && snap_finish(&r, &e));
    ck_assert_uint_eq(n->resets, resets + 1);
    ck_assert_ptr_nonnull(device_new(&other, &thing_class, "more", &one, &e));
    ck_assert(snap_reader_init(&r, w.buf, w.len, &e));
    ck_assert(!devices_load(&other, &r, &e));
    ck_assert_msg(strstr(e.text, "had no \"more\" and this one has") != NULL, "%s", e.text);
    snap_writer_free(&w);
    devices_free(&env);
    devices_free(&other);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("snap");
    TCase *t = tcase_create("snap");

    tcase_add_test(t, fields_round_trip);
    tcase_add_test(t, older_version_keeps_reset_value);
    tcase_add_test(t, damage_is_refused);
    tcase_add_test(t, sums);
    tcase_add_test(t, device_list);
    tcase_add_test(t, sections_by_name);
    tcase_add_test(t, device_lists_differ);
    suite_add_tcase(s, t);
    return suite_run(s);
}
