/*
 * Screenshots: what is written can be taken apart again by the rules of RFC 2083, and failures say
 * so.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "gui/png.h"
#include "tests/suite.h"

#define FILE_NAME "t_png.out"

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Checks one chunk's length and CRC; returns its data. */
static const uint8_t *chunk(const uint8_t **p, const uint8_t *end, const char *type, uint32_t *n)
{
    const uint8_t *at = *p;

    ck_assert_int_ge(end - at, 12);
    *n = be32(at);
    ck_assert_int_ge(end - at, 12 + (long)*n);
    ck_assert_int_eq(memcmp(at + 4, type, 4), 0);
    ck_assert_uint_eq(crc32(0, at + 4, *n + 4), be32(at + 8 + *n));
    *p = at + 12 + *n;
    return at + 8;
}

START_TEST(round_trip)
{
    enum { W = 37, H = 11, STRIDE = 40, LINE = 1 + 3 * W };
    static uint32_t px[STRIDE * H];
    static uint8_t file[65536], raw[LINE * H];
    struct surface s = {.px = px, .w = W, .h = H, .stride = STRIDE};
    const uint8_t *p = file + 8, *data;
    uLongf len = sizeof raw;
    struct err e = {""};
    uint32_t n, i, x, y;
    size_t size;
    FILE *f;

    for (i = 0; i < STRIDE * H; i++) {
        px[i] = i * 0x00102b67u & 0xffffff;
    }
    ck_assert_msg(png_write(FILE_NAME, &s, &e), "%s", e.text);
    f = fopen(FILE_NAME, "rb");
    ck_assert_ptr_nonnull(f);
    size = fread(file, 1, sizeof file, f);
    fclose(f);
    remove(FILE_NAME);
    ck_assert_int_eq(memcmp(file, "\x89PNG\r\n\x1a\n", 8), 0);
    data = chunk(&p, file + size, "IHDR", &n);
    ck_assert_uint_eq(n, 13);
    ck_assert_uint_eq(be32(data), W);
    ck_assert_uint_eq(be32(data + 4), H);
    ck_assert_int_eq(memcmp(data + 8, "\x08\x02\0\0\0", 5), 0);
    data = chunk(&p, file + size, "IDAT", &n);
    ck_assert_int_eq(uncompress(raw, &len, data, n), Z_OK);
    ck_assert_uint_eq(len, sizeof raw);
    for (y = 0; y < H; y++) {
        uint8_t rgb[3] = {0, 0, 0};

        ck_assert_uint_eq(raw[y * LINE], 1);
        for (x = 0; x < W; x++) {
            for (i = 0; i < 3; i++) {
                rgb[i] = (uint8_t)(rgb[i] + raw[y * LINE + 1 + x * 3 + i]);
            }
            ck_assert_uint_eq((uint32_t)rgb[0] << 16 | (uint32_t)rgb[1] << 8 | rgb[2],
                              px[y * STRIDE + x]);
        }
    }
    chunk(&p, file + size, "IEND", &n);
    ck_assert_ptr_eq(p, file + size);
}
END_TEST

START_TEST(failures)
{
    uint32_t px = 0;
    struct surface s = {.px = &px, .w = 1, .h = 1, .stride = 1}, none = {0};
    struct err e = {""};

    ck_assert(!png_write("no-such-folder/x.png", &s, &e));
    ck_assert_ptr_nonnull(strstr(e.text, "no-such-folder/x.png"));
    ck_assert(!png_write(FILE_NAME, &none, &e));
    ck_assert_ptr_nonnull(strstr(e.text, "no picture"));
    ck_assert_ptr_null(fopen(FILE_NAME, "rb"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("png");
    TCase *t = tcase_create("png");

    tcase_add_test(t, round_trip);
    tcase_add_test(t, failures);
    suite_add_tcase(s, t);
    return suite_run(s);
}
