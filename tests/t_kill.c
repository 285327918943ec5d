/*
 * A machine that is killed in the middle of writing: its disk image holds everything that the guest
 * had flushed, and nothing else has changed.
 *
 * The guest (guest/kill.asm) writes numbered records of eight sectors with a commit sector, flushes
 * after each and tells the number when it is safe.  A child process runs it on an image file and
 * dies by SIGKILL after some host time; then the image is compared with what was told.  The next
 * child goes on with the same image.  In the same way a state file that is being written anew is
 * the old one or the new one.
 */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gui/statefile.h"
#include "memory/bytes.h"
#include "oxbow.h"
#include "tests/cpu_fixture.h"

enum { SECTORS = 8192, COMMIT = 1, RECORDS = 64, SLOTS = 256, PER_RECORD = 8, SECTOR = 512 };
enum { FILL = 0xa7 };

static const uint8_t guest[] = {
#include "tests/guest/kill.inc"
};

static uint8_t image[SECTORS * SECTOR];

static void write_image(int fd)
{
    memset(image, FILL, sizeof image);
    memset(image + COMMIT * SECTOR, 0, SECTOR);
    ck_assert_int_eq(pwrite(fd, image, sizeof image, 0), sizeof image);
}

static void read_image(int fd)
{
    ck_assert_int_eq(pread(fd, image, sizeof image, 0), sizeof image);
}

/* What the guest tells goes to the parent at once. */
static void tell(void *ctx, const uint8_t *data, size_t n)
{
    if (write(*(int *)ctx, data, n) != (ssize_t)n) {
        _exit(9);
    }
}

/* The next number; false when the child's end is closed, perhaps in the middle of one. */
static bool hear(int fd, uint32_t *number)
{
    uint8_t b[4];

    for (size_t have = 0; have < sizeof b;) {
        ssize_t n = read(fd, b + have, sizeof b - have);

        if (n <= 0) {
            return false;
        }
        have += (size_t)n;
    }
    *number = get32(b);
    return true;
}

/* The child's life; it ends by a signal, or with a status when something is wrong. */
static void run(const char *path, bool snapshot, int to)
{
    static uint8_t rom[65536];
    struct oxbow_config cfg;
    struct err e = {""};
    struct block *disk = block_open_file(path, snapshot, &e);

    memset(rom, 0xf4, sizeof rom);
    memcpy(rom, guest, sizeof guest);
    memcpy(rom + 0xfff0, "\xea\x00\x00\x00\xf0", 5); /* jmp F000:0000 */
    oxbow_config_init(&cfg);
    cfg.ram_mb = 2;
    cfg.bios = (struct oxbow_blob){rom, sizeof rom};
    cfg.debugcon = (struct chardev){tell, &to};
    cfg.debug_exit = true;
    if (disk && snapshot) {
        disk = block_open_overlay(disk, &e);
    }
    cfg.drive[0] = (struct oxbow_drive){OXBOW_DRIVE_DISK, disk};
    struct oxbow *m = disk ? oxbow_new(&cfg, &e) : NULL;
    while (m && oxbow_run(m, 10000000) == OXBOW_LIMIT) {
        continue;
    }
    _exit(8); /* the guest failed, or never started */
}

/*
 * Runs a child until it has told `records` numbers and `us` more microseconds have passed.  Returns
 * the last number it told, 0 when there was none.
 */
static uint32_t killed(const char *path, bool snapshot, unsigned records, unsigned us)
{
    int ends[2], status;
    uint32_t last = 0, next;

    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        close(ends[0]);
        run(path, snapshot, ends[1]);
    }
    close(ends[1]);
    for (unsigned n = 0; n < records; n++) {
        ck_assert_msg(hear(ends[0], &last), "the guest stopped");
    }
    nanosleep(&(struct timespec){0, (long)us * 1000}, NULL);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    while (hear(ends[0], &next)) {
        ck_assert_uint_eq(next, last + 1);
        last = next;
    }
    close(ends[0]);
    return last;
}

/* The doubleword that fills a sector; UINT32_MAX: the sector is torn. */
static uint32_t sector_value(uint32_t sector)
{
    const uint8_t *p = image + sector * SECTOR;

    for (unsigned at = 4; at < SECTOR; at += 4) {
        if (get32(p + at) != get32(p)) {
            return UINT32_MAX;
        }
    }
    return get32(p);
}

static void check_image(uint32_t told)
{
    uint32_t fill = FILL * 0x01010101u, commit = sector_value(COMMIT);

    ck_assert_msg(commit == told || commit == told + 1, "told %u, committed %u", (unsigned)told,
                  (unsigned)commit);
    for (uint32_t s = 0; s < SECTORS; s++) {
        uint32_t v = sector_value(s);

        if (s < RECORDS || s >= RECORDS + SLOTS * PER_RECORD) {
            ck_assert_msg(s == COMMIT || v == fill, "sector %u", (unsigned)s);
            continue;
        }
        /* The last record that belongs here, and the one after the last that may be on its way. */
        uint32_t slot = (s - RECORDS) / PER_RECORD, back = (commit - 1 - slot) % SLOTS;
        uint32_t want = commit > back ? commit - back : fill;

        ck_assert_msg(v == want || (back == SLOTS - 1 && v == commit + 1),
                      "sector %u: %u instead of %u, committed %u", (unsigned)s, (unsigned)v,
                      (unsigned)want, (unsigned)commit);
    }
}

START_TEST(flushed_data_stays)
{
    char path[] = "kill-XXXXXX";
    int fd = mkstemp(path);
    uint32_t told = 0, before;

    ck_assert_int_ge(fd, 0);
    write_image(fd);
    for (unsigned n = 0; n < 24; n++) {
        before = told;
        told = killed(path, false, 1 + n * 7 % 60, n * 1237 % 3000);
        ck_assert_uint_gt(told, before);
        read_image(fd);
        check_image(told);
        told = sector_value(COMMIT); /* one more than told, at times; the next child sees it */
    }
    ck_assert_uint_gt(told, SLOTS);
    close(fd);
    ck_assert_int_eq(unlink(path), 0);
}
END_TEST

START_TEST(snapshot_never_writes)
{
    static uint8_t before[SECTORS * SECTOR];
    char path[] = "kill-XXXXXX";
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    write_image(fd);
    memcpy(before, image, sizeof image);
    ck_assert_uint_ge(killed(path, true, 300, 0), 300);
    read_image(fd);
    ck_assert_int_eq(memcmp(image, before, sizeof image), 0);
    close(fd);
    ck_assert_int_eq(unlink(path), 0);
}
END_TEST

/* A child that saves its machine over and over; a byte tells of each file that is complete. */
static void save_for_ever(const char *path, int to)
{
    struct oxbow_config cfg;
    struct err e = {""};

    oxbow_config_init(&cfg);
    cfg.ram_mb = 8;
    struct oxbow *m = oxbow_new(&cfg, &e);
    while (m) {
        oxbow_run(m, 3000000);
        if (!statefile_save(m, path, &e) || write(to, "s", 1) != 1) {
            break;
        }
    }
    _exit(8);
}

/* The file is the last one that was complete, or the next; never a part of one. */
START_TEST(saved_states_are_whole)
{
    char base[] = "kill-XXXXXX", path[40], temp[80], byte;

    ck_assert_ptr_nonnull(mkdtemp(base));
    snprintf(path, sizeof path, "%s/state", base);
    for (unsigned n = 0; n < 12; n++) {
        int ends[2], status;
        struct oxbow_config cfg;
        struct err e = {""};

        ck_assert_int_eq(pipe(ends), 0);
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            save_for_ever(path, ends[1]);
        }
        close(ends[1]);
        for (unsigned k = 0; k < 1 + n % 3; k++) {
            ck_assert_int_eq(read(ends[0], &byte, 1), 1);
        }
        nanosleep(&(struct timespec){0, (long)(n * 977 % 9000) * 1000}, NULL);
        kill(child, SIGKILL);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFSIGNALED(status));
        close(ends[0]);
        oxbow_config_init(&cfg);
        cfg.ram_mb = 8;
        struct oxbow *m = oxbow_new(&cfg, &e);
        ck_assert_msg(statefile_load(m, path, &e), "%s", e.text);
        ck_assert_uint_ge(oxbow_icount(m), 3000000 * (1 + n % 3));
        oxbow_free(m);
        snprintf(temp, sizeof temp, "%s.%ld.tmp", path, (long)child);
        unlink(temp); /* what a killed one may leave */
    }
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(base), 0);
}
END_TEST

FIX_SUITE("kill", flushed_data_stays, snapshot_never_writes, saved_states_are_whole)
