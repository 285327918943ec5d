/*
 * WAV files: the header, sizes that are right at any moment, pipes.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gui/hostfile.h"
#include "gui/wav.h"
#include "memory/bytes.h"
#include "tests/suite.h"

static char path[] = "/tmp/t_wav.XXXXXX";

static void setup(void)
{
    strcpy(path + strlen(path) - 6, "XXXXXX");
    ck_assert_int_ge(mkstemp(path), 0);
}

static void teardown(void)
{
    unlink(path);
}

/* The whole file; checks that its sizes fit it. */
static uint8_t *read_back(size_t *len, uint32_t *bytes)
{
    struct err e = {{0}};
    uint8_t *d = hostfile_read(path, len, &e);

    ck_assert_msg(d != NULL, "%s", e.text);
    ck_assert_uint_ge(*len, 44);
    ck_assert_int_eq(memcmp(d, "RIFF", 4), 0);
    ck_assert_int_eq(memcmp(d + 8, "WAVEfmt ", 8), 0);
    ck_assert_int_eq(memcmp(d + 36, "data", 4), 0);
    *bytes = get32(d + 40);
    ck_assert_uint_eq(get32(d + 4), *bytes + 36);
    ck_assert_uint_le(*bytes + 44, *len);
    return d;
}

START_TEST(contents)
{
    static const int16_t frames[3][2] = {{1, -2}, {32767, -32768}, {0x1234, 0}};
    static const uint8_t want[12] = {1, 0, 0xfe, 0xff, 0xff, 0x7f, 0, 0x80, 0x34, 0x12, 0, 0};
    static struct wav w;
    struct err e = {{0}};
    uint32_t bytes;
    uint8_t *d;
    size_t len;

    ck_assert(wav_open(&w, path, 22050, &e));
    ck_assert(wav_start(&w, &e));
    ck_assert(wav_put(&w, frames[0], 3, &e));
    ck_assert(wav_close(&w, &e));
    ck_assert(wav_close(&w, &e)); /* once more does nothing */
    d = read_back(&len, &bytes);
    ck_assert_uint_eq(len, 56);
    ck_assert_uint_eq(bytes, 12);
    ck_assert_uint_eq(get32(d + 16), 16);
    ck_assert_uint_eq(get16(d + 20), 1);
    ck_assert_uint_eq(get16(d + 22), 2);
    ck_assert_uint_eq(get32(d + 24), 22050);
    ck_assert_uint_eq(get32(d + 28), 88200);
    ck_assert_uint_eq(get16(d + 32), 4);
    ck_assert_uint_eq(get16(d + 34), 16);
    ck_assert_int_eq(memcmp(d + 44, want, sizeof want), 0);
    free(d);
}
END_TEST

/* As if the program had been killed: at most a second is missing. */
START_TEST(sizes_on_the_way)
{
    static int16_t frames[1000][2];
    static struct wav w;
    struct err e = {{0}};
    uint32_t bytes;
    size_t len;

    ck_assert(wav_open(&w, path, 8000, &e));
    ck_assert(wav_start(&w, &e));
    for (unsigned n = 1; n < 40; n++) {
        ck_assert(wav_put(&w, frames[0], 1000, &e));
        free(read_back(&len, &bytes));
        ck_assert_uint_ge(bytes / 4 + 8000, n * 1000u);
    }
    ck_assert(wav_close(&w, &e));
    free(read_back(&len, &bytes));
    ck_assert_uint_eq(bytes, 39u * 4000);
    ck_assert_uint_eq(len, 39u * 4000 + 44);
}
END_TEST

/* A longer file from before does not shine through; what can't be opened is said. */
START_TEST(replaced)
{
    static struct wav w;
    struct err e = {{0}};
    uint32_t bytes;
    size_t len;

    for (unsigned n = 0; n < 2; n++) {
        static int16_t frames[500][2];

        ck_assert(wav_open(&w, path, 8000, &e));
        ck_assert(wav_start(&w, &e));
        ck_assert(wav_put(&w, frames[0], n ? 10 : 500, &e));
        ck_assert(wav_close(&w, &e));
    }
    free(read_back(&len, &bytes));
    ck_assert_uint_eq(len, 84);
    ck_assert(!wav_open(&w, "/nonexistent/folder/x.wav", 8000, &e));
    ck_assert_ptr_nonnull(strstr(e.text, "x.wav"));
}
END_TEST

START_TEST(pipe_has_no_sizes)
{
    static const int16_t frame[1][2] = {{5, 6}};
    static struct wav w;
    struct err e = {{0}};
    uint8_t got[64];
    int fd[2];

    ck_assert_int_eq(pipe(fd), 0);
    ck_assert(wav_open(&w, path, 8000, &e));
    hostfile_close(w.fd);
    w.fd = fd[1];
    ck_assert(wav_start(&w, &e));
    ck_assert(wav_put(&w, frame[0], 1, &e));
    ck_assert(wav_close(&w, &e));
    ck_assert_int_eq(read(fd[0], got, sizeof got), 48);
    ck_assert_uint_ge(get32(got + 40), 0xffffff00u);
    ck_assert_uint_eq(got[44], 5);
    close(fd[0]);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {contents, sizes_on_the_way, replaced, pipe_has_no_sizes};
    Suite *s = suite_create("wav");
    TCase *t = tcase_create("wav");

    tcase_add_checked_fixture(t, setup, teardown);
    for (unsigned n = 0; n < ARRAY_LEN(tests); n++) {
        tcase_add_test(t, tests[n]);
    }
    suite_add_tcase(s, t);
    return suite_run(s);
}
