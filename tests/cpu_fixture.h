/*
 * A CPU with plain memory and nothing else, for unit tests: code is put at 0x1000 and run in flat
 * 32-bit protected mode (or real mode) until HLT or an instruction count.
 */
#ifndef OXBOW_TESTS_CPU_FIXTURE_H
#define OXBOW_TESTS_CPU_FIXTURE_H

#include <check.h>
#include <stdlib.h>

#include "cpu/exec.h"
#include "cpu/trace.h"
#include "tests/suite.h"

#define FIX_RAM (16u << 20)
#define FIX_CODE 0x1000u
#define FIX_STACK 0x8000u

struct fixture {
    struct bus *mem, *io;
    struct cpu *c;
    uint8_t *ram;
};

static inline struct fixture fix_new(bool generic_only)
{
    struct fixture f = {.mem = bus_new((uint64_t)1 << 36), .io = bus_new(65536),
                        .ram = calloc(1, FIX_RAM)};
    struct err e = {{0}};
    struct cpu_config cfg = {
        .mem = f.mem, .io = f.io, .model = "pentium3", .generic_only = generic_only};
    bus_map_ram(f.mem, 0, FIX_RAM, f.ram, BUS_RW, PRIO_RAM);
    f.c = cpu_new(&cfg, &e);
    ck_assert_msg(f.c != NULL, "%s", e.text);
    struct bus_client client = cpu_bus_client(f.c);
    bus_set_client(f.mem, &client);
    cpu_set_a20(f.c, true);
    return f;
}

static inline void fix_free(struct fixture *f)
{
    cpu_free(f->c);
    bus_free(f->mem);
    bus_free(f->io);
    free(f->ram);
}

/* Code at `at` in flat protected mode, stack at FIX_STACK. */
static inline void fix_flat(struct fixture *f, uint32_t at, const void *code, size_t n)
{
    bus_write_block(f->mem, at, code, n);
    cpu_enter_flat32(f->c, at);
    cpu_set_reg(f->c, CPU_ESP, FIX_STACK);
}

static inline void fix_real(struct fixture *f, const void *code, size_t n)
{
    bus_write_block(f->mem, FIX_CODE, code, n);
    cpu_reset(f->c);
    cpu_set_reg(f->c, CPU_CS, 0);
    cpu_set_reg(f->c, CPU_EIP, FIX_CODE);
    cpu_set_reg(f->c, CPU_ESP, FIX_STACK);
}

/* Runs until HLT; fails when that takes more than `max` instructions. */
static inline void fix_run(struct fixture *f, uint64_t max)
{
    enum cpu_stop s = cpu_run(f->c, cpu_icount(f->c) + max);
    if (s != CPU_STOP_HALT) {
        char text[2048];
        cpu_dump(f->c, text, sizeof text);
        ck_abort_msg("stopped for reason %d after %llu instructions\n%s", s,
                     (unsigned long long)cpu_icount(f->c), text);
    }
}

#define FIX_SUITE(name, ...)                                                                   \
    int main(void)                                                                             \
    {                                                                                          \
        const TTest *const tests[] = {__VA_ARGS__};                                            \
        Suite *s = suite_create(name);                                                         \
        TCase *t = tcase_create(name);                                                         \
        tcase_set_timeout(t, 120);                                                             \
        for (size_t k = 0; k < ARRAY_LEN(tests); k++) {                                        \
            tcase_add_test(t, tests[k]);                                                       \
        }                                                                                      \
        suite_add_tcase(s, t);                                                                 \
        return suite_run(s);                                                                   \
    }

#endif
