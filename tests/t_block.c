/*
 * Block back ends: files with odd sizes, locks and bad names; memory; the overlay, also over a base
 * that answers late.
 */
#define _XOPEN_SOURCE 700
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/block.h"
#include "tests/suite.h"

static void note(struct block_req *req, enum block_error error)
{
    *(int *)req->arg = (int)error;
}

static int run(struct block *b, enum block_cmd cmd, uint64_t sector, uint32_t count, uint8_t *buf)
{
    int result = -1;
    struct block_req req = {.cmd = cmd, .sector = sector, .count = count, .buf = buf,
                            .done = note, .arg = &result};

    block_submit(b, &req);
    return result;
}

static void make_file(char *path, size_t bytes, int fill)
{
    int fd;
    FILE *f;

    strcpy(path, "t_block_XXXXXX");
    fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    f = fdopen(fd, "wb");
    while (bytes--) {
        fputc(fill, f);
    }
    fclose(f);
}

START_TEST(file_read_write)
{
    char path[32];
    uint8_t buf[2048];
    struct err e = {{0}};
    struct block *b;

    make_file(path, 1500, 0x5a);
    b = block_open_file(path, false, &e);
    ck_assert_msg(b != NULL, "%s", e.text);
    ck_assert_str_eq(b->label, path);
    ck_assert_uint_eq(b->sectors, 3);
    memset(buf, 1, sizeof buf);
    ck_assert_int_eq(run(b, BLOCK_READ, 2, 1, buf), BLOCK_OK);
    ck_assert_uint_eq(buf[475], 0x5a);
    ck_assert_uint_eq(buf[476], 0);
    ck_assert_uint_eq(buf[511], 0);
    ck_assert_uint_eq(buf[512], 1);
    ck_assert_int_eq(run(b, BLOCK_READ, 2, 2, buf), BLOCK_ERANGE);
    ck_assert_int_eq(run(b, BLOCK_READ, UINT64_MAX, 2, buf), BLOCK_ERANGE);
    memset(buf, 0x33, sizeof buf);
    ck_assert_int_eq(run(b, BLOCK_WRITE, 1, 2, buf), BLOCK_OK);
    ck_assert_int_eq(run(b, BLOCK_FLUSH, 0, 0, NULL), BLOCK_OK);
    memset(buf, 0, sizeof buf);
    ck_assert_int_eq(run(b, BLOCK_READ, 0, 3, buf), BLOCK_OK);
    ck_assert_uint_eq(buf[511], 0x5a);
    ck_assert_uint_eq(buf[512], 0x33);
    ck_assert_uint_eq(buf[1535], 0x33);
    block_close(b);
    unlink(path);
}
END_TEST

START_TEST(file_locks)
{
    char path[32];
    uint8_t buf[512] = {0};
    struct err e = {{0}};
    struct block *b, *c;

    make_file(path, 512, 1);
    b = block_open_file(path, false, &e);
    ck_assert_ptr_nonnull(b);
    ck_assert_ptr_null(block_open_file(path, false, &e));
    ck_assert_ptr_nonnull(strstr(e.text, "in use"));
    ck_assert_ptr_nonnull(strstr(e.text, path));
    ck_assert_ptr_null(block_open_file(path, true, &e));
    block_close(b);
    b = block_open_file(path, true, &e);
    c = block_open_file(path, true, &e);
    ck_assert(b && c);
    ck_assert_ptr_null(block_open_file(path, false, &e));
    ck_assert_int_eq(run(b, BLOCK_WRITE, 0, 1, buf), BLOCK_EROFS);
    ck_assert_int_eq(run(b, BLOCK_FLUSH, 0, 0, NULL), BLOCK_OK);
    block_close(b);
    block_close(c);
    block_close(NULL);
    unlink(path);
}
END_TEST

START_TEST(file_refusals)
{
    char path[32];
    struct err e = {{0}};

    ck_assert_ptr_null(block_open_file("t_block_missing.img", false, &e));
    ck_assert_ptr_nonnull(strstr(e.text, "no such file"));
    ck_assert_ptr_null(block_open_file(".", false, &e));
    ck_assert_ptr_nonnull(strstr(e.text, "directory"));
    ck_assert_ptr_null(block_open_file(".", true, &e));
    ck_assert_ptr_nonnull(strstr(e.text, "directory"));
    ck_assert_ptr_null(block_open_file("/dev/null", true, &e));
    ck_assert_ptr_nonnull(strstr(e.text, "neither"));
    make_file(path, 0, 0);
    ck_assert_ptr_null(block_open_file(path, true, &e));
    ck_assert_ptr_nonnull(strstr(e.text, "the file is empty; "));
    unlink(path);
    make_file(path, 10, 0);
    chmod(path, 0);
    if (geteuid() != 0) {
        ck_assert_ptr_null(block_open_file(path, true, NULL));
        ck_assert_ptr_null(block_open_file(path, true, &e));
        ck_assert_ptr_nonnull(strstr(e.text, "no permission"));
    }
    unlink(path);
}
END_TEST

START_TEST(memory_image)
{
    uint8_t data[700], buf[1024];
    struct err e;
    struct block *b;

    memset(data, 7, sizeof data);
    ck_assert_ptr_null(block_open_mem(data, 0, true, &e));
    b = block_open_mem(data, sizeof data, false, &e);
    ck_assert_uint_eq(b->sectors, 2);
    ck_assert(b->read_only);
    ck_assert_int_eq(run(b, BLOCK_READ, 0, 2, buf), BLOCK_OK);
    ck_assert_uint_eq(buf[699], 7);
    ck_assert_uint_eq(buf[700], 0);
    ck_assert_int_eq(run(b, BLOCK_WRITE, 0, 1, buf), BLOCK_EROFS);
    block_close(b);
    b = block_open_mem(data, sizeof data, true, &e);
    memset(buf, 9, sizeof buf);
    ck_assert_int_eq(run(b, BLOCK_WRITE, 1, 1, buf), BLOCK_OK);
    ck_assert_int_eq(run(b, BLOCK_READ, 0, 2, buf), BLOCK_OK);
    ck_assert_uint_eq(buf[511], 7);
    ck_assert_uint_eq(buf[1023], 9);
    ck_assert_uint_eq(data[600], 7);
    block_close(b);
}
END_TEST

/* A base that keeps one request until it is told to answer. */
struct late {
    struct block b;
    struct block_req *waiting;
    bool *closed;
};

static void late_submit(struct block *b, struct block_req *req)
{
    ((struct late *)(void *)b)->waiting = req;
}

static void late_close(struct block *b)
{
    *((struct late *)(void *)b)->closed = true;
}

static const struct block_ops late_ops = {"late", late_submit, late_close, NULL, NULL};

START_TEST(overlay)
{
    uint8_t *data = malloc(64 * 512), buf[64 * 512];
    struct err e;
    struct block *b;
    unsigned i;

    memset(data, 1, 64 * 512);
    b = block_open_overlay(block_open_mem(data, 64 * 512, false, &e), &e);
    ck_assert_ptr_nonnull(b);
    ck_assert(!b->read_only);
    memset(buf, 2, sizeof buf);
    ck_assert_int_eq(run(b, BLOCK_WRITE, 5, 10, buf), BLOCK_OK);
    ck_assert_int_eq(run(b, BLOCK_READ, 0, 64, buf), BLOCK_OK);
    for (i = 0; i < 64; i++) {
        ck_assert_uint_eq(buf[i * 512 + 17], i >= 5 && i < 15 ? 2 : 1);
    }
    ck_assert_int_eq(run(b, BLOCK_READ, 6, 3, buf), BLOCK_OK);
    ck_assert_uint_eq(buf[0], 2);
    ck_assert_int_eq(run(b, BLOCK_READ, 20, 3, buf), BLOCK_OK);
    ck_assert_uint_eq(buf[0], 1);
    ck_assert_int_eq(run(b, BLOCK_WRITE, 60, 5, buf), BLOCK_ERANGE);
    ck_assert_int_eq(run(b, BLOCK_FLUSH, 0, 0, NULL), BLOCK_OK);
    ck_assert_uint_eq(data[5 * 512], 1);
    block_close(b);
    free(data);
}
END_TEST

START_TEST(overlay_over_a_late_base)
{
    bool closed = false;
    struct late base = {{&late_ops, 1ull << 32, true, "late", NULL}, NULL, &closed};
    uint8_t buf[1024], one[512];
    struct err e;
    struct block *b = block_open_overlay(&base.b, &e);
    int result = -1;
    struct block_req req = {.cmd = BLOCK_READ, .sector = 0xfffffff0u, .count = 2, .buf = buf,
                            .done = note, .arg = &result};

    memset(one, 8, sizeof one);
    ck_assert_int_eq(run(b, BLOCK_WRITE, 0xfffffff1u, 1, one), BLOCK_OK);
    block_submit(b, &req);
    ck_assert_int_eq(result, -1);
    memset(base.waiting->buf, 3, sizeof buf);
    base.waiting->done(base.waiting, BLOCK_OK);
    ck_assert_int_eq(result, BLOCK_OK);
    ck_assert_uint_eq(buf[0], 3);
    ck_assert_uint_eq(buf[512], 8);
    block_submit(b, &req);
    base.waiting->done(base.waiting, BLOCK_EIO);
    ck_assert_int_eq(result, BLOCK_EIO);
    block_close(b);
    ck_assert(closed);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("block");
    TCase *t = tcase_create("block");

    tcase_add_test(t, file_read_write);
    tcase_add_test(t, file_locks);
    tcase_add_test(t, file_refusals);
    tcase_add_test(t, memory_image);
    tcase_add_test(t, overlay);
    tcase_add_test(t, overlay_over_a_late_base);
    suite_add_tcase(s, t);
    return suite_run(s);
}
