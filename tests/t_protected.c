/*
 * Runs the protected-mode probe (tests/guest/protected.asm) from reset and compares its log with
 * the recorded one: exceptions, gates, task switches, V86 and VME, paging, debug registers,
 * SYSENTER. Both layers must give it, and a run that is saved and loaded at every few hundred
 * instructions.
 *
 * The ROM is assembled by `make check` (PROTECTED_ROM names it); without it the test is skipped.
 */
#include <stdio.h>
#include <string.h>

#include "cpu_fixture.h"
#include "tests/suite.h"

enum { ROM_SIZE = 65536, LOG_MAX = 1 << 17 };

struct probe {
    struct fixture f;
    uint8_t rom[ROM_SIZE];
    char log[LOG_MAX];
    size_t len;
    bool done;
};

static void log_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct probe *p = dev;

    (void)off;
    (void)size;
    if (p->len < LOG_MAX - 1) {
        p->log[p->len++] = (char)val;
    }
}

static void exit_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct probe *p = dev;

    (void)off;
    (void)size;
    (void)val;
    p->done = true;
    cpu_kick(p->f.c);
}

static const struct io_ops log_ops = {.write = log_write, .name = "log"};
static const struct io_ops exit_ops = {.write = exit_write, .name = "exit"};

static size_t load(const char *path, void *to, size_t max)
{
    FILE *file = fopen(path, "rb");
    size_t n;

    if (!file) {
        return 0;
    }
    n = fread(to, 1, max, file);
    fclose(file);
    return n;
}

static const char *rom_path(void)
{
    const char *p = getenv("PROTECTED_ROM");

    return p ? p : "tests/guest/protected.bin";
}

static struct probe *probe_new(bool generic_only)
{
    struct probe *p = calloc(1, sizeof *p);
    struct err e;

    ck_assert_uint_eq(load(rom_path(), p->rom, ROM_SIZE), ROM_SIZE);
    p->f = fix_new(generic_only);
    ck_assert(cpu_model_select(p->f.c, "pentium3", &e)); /* what the log was recorded for */
    bus_map_ram(p->f.mem, 0xf0000, ROM_SIZE, p->rom, BUS_READ, PRIO_ROM);
    bus_map_ram(p->f.mem, 0xffff0000, ROM_SIZE, p->rom, BUS_READ, PRIO_ROM);
    bus_map(p->f.io, 0xe9, 1, &log_ops, p, PRIO_DEVICE);
    bus_map(p->f.io, 0xf4, 1, &exit_ops, p, PRIO_DEVICE);
    cpu_reset(p->f.c);
    return p;
}

static void probe_free(struct probe *p)
{
    fix_free(&p->f);
    free(p);
}

static void compare(const struct probe *p)
{
    static char want[LOG_MAX];
    const char *dir = getenv("srcdir"), *a = p->log, *b = want;
    char path[4096];
    size_t n;
    unsigned line = 1;

    snprintf(path, sizeof path, "%s/tests/guest/protected.log", dir ? dir : ".");
    n = load(path, want, LOG_MAX - 1);
    ck_assert_uint_gt(n, 0);
    want[n] = 0;
    while (*a || *b) {
        size_t la = strcspn(a, "\n"), lb = strcspn(b, "\n");

        ck_assert_msg(la == lb && memcmp(a, b, la) == 0,
                      "line %u of %s: got \"%.*s\", want \"%.*s\"", line, path, (int)la, a,
                      (int)lb, b);
        a += la + (a[la] != 0);
        b += lb + (b[lb] != 0);
        line++;
    }
}

static void run(struct probe *p, uint64_t slice, bool reload)
{
    unsigned n;

    for (n = 0; n < 4000000 / slice && !p->done; n++) {
        enum cpu_stop s = cpu_run(p->f.c, cpu_icount(p->f.c) + slice);

        ck_assert_int_eq(s, CPU_STOP_DEADLINE);
        if (reload) {
            struct snap_writer w;
            struct snap_reader r;
            struct err e = {{0}};

            snap_writer_init(&w);
            cpu_save(p->f.c, &w);
            cpu_reset(p->f.c);
            ck_assert(snap_reader_init(&r, w.buf, w.len, &e));
            ck_assert_msg(cpu_load(p->f.c, &r, &e), "%s", e.text);
            snap_writer_free(&w);
        }
    }
    ck_assert(p->done);
}

START_TEST(fast_layer)
{
    struct probe *p = probe_new(false);

    run(p, 100000, false);
    compare(p);
    probe_free(p);
}
END_TEST

START_TEST(generic_layer)
{
    struct probe *p = probe_new(true);

    run(p, 100000, false);
    compare(p);
    probe_free(p);
}
END_TEST

START_TEST(saved_and_loaded)
{
    struct probe *p = probe_new(false);

    run(p, 391, true);
    compare(p);
    probe_free(p);
}
END_TEST

int main(void)
{
    FILE *rom = fopen(rom_path(), "rb");
    Suite *s;
    TCase *t;

    if (!rom) {
        return 77; /* skipped: no nasm */
    }
    fclose(rom);
    s = suite_create("protected");
    t = tcase_create("probe");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, fast_layer);
    tcase_add_test(t, generic_layer);
    tcase_add_test(t, saved_and_loaded);
    suite_add_tcase(s, t);
    return suite_run(s);
}
