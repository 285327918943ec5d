/*
 * ACPI S3 with our BIOS: a boot sector leaves a waking vector in the FACS, goes to sleep, and what
 * runs after the wake says why and whether memory is as it was.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "memory/bytes.h"
#include "oxbow.h"
#include "tests/cpu_fixture.h"

enum {
    PWRBTN = 0x100, RTC = 0x400, WAK = 0x8000,
    FIRST = 400000000, /* instructions in a second */
};

/* Clock with an alarm at 00:00:08, then to sleep with the enable register that follows. */
static const uint8_t to_sleep[] = {
    0x31, 0xc0, 0x8e, 0xd8,                               /* ds = 0 */
    0xb8, 0xc0, 0x9f, 0x8e, 0xc0,                         /* es = EBDA */
    0x26, 0x66, 0xc7, 0x06, 0xcc, 0x03, 0, 0x80, 0, 0,    /* waking vector = 0000:8000 */
    0x66, 0xc7, 0x06, 0x00, 0x50, 0x78, 0x56, 0x34, 0x12, /* [5000h] = 12345678h */
    0xb0, 0x01, 0xe6, 0x70, 0xb0, 0x08, 0xe6, 0x71,       /* alarm: second 8 */
    0xb0, 0x03, 0xe6, 0x70, 0xb0, 0xff, 0xe6, 0x71,       /* any minute */
    0xb0, 0x05, 0xe6, 0x70, 0xb0, 0xff, 0xe6, 0x71,       /* any hour */
    0xb0, 0x0b, 0xe6, 0x70, 0xb0, 0x22, 0xe6, 0x71,       /* alarm interrupt on, 24 hours, BCD */
    0xba, 0x02, 0x06, 0xb8};                              /* enable register = */
static const uint8_t sleep_tail[] = {
    0xef, 0xba, 0x04, 0x06, 0xb8, 0x00, 0x24, 0xef,       /* out ; SLP_EN, type 1 */
    0xb0, 0xee, 0xba, 0x01, 0x05, 0xee, 0xf4};            /* not reached: exit EEh */
/* At 8000h: exit with the PM1 status when memory is right, else with DEADh. */
static const uint8_t awake[] = {
    0x31, 0xc0, 0x8e, 0xd8,
    0xba, 0x00, 0x06, 0xed,                               /* in ax, 600h */
    0x66, 0x81, 0x3e, 0x00, 0x50, 0x78, 0x56, 0x34, 0x12, /* cmp [5000h], 12345678h */
    0x74, 0x03, 0xb8, 0xad, 0xde,
    0xba, 0x01, 0x05, 0xef, 0xf4};

static struct oxbow *start(unsigned enable, const char *cpu)
{
    static uint8_t image[1474560];
    struct oxbow_config cfg;
    struct err e = {{0}};
    uint8_t *p = image;

    memset(image, 0, 1024);
    /* mov ax, 201h ; mov bx, 8000h ; mov cx, 2 ; mov dx, 0 ; mov es, dx ; int 13h */
    static const uint8_t load[] = {0xb8, 1, 2, 0xbb, 0, 0x80, 0xb9, 2, 0, 0xba, 0, 0, 0x8e, 0xc2,
                                   0xcd, 0x13};
    memcpy(p, load, sizeof load);
    p += sizeof load;
    memcpy(p, to_sleep, sizeof to_sleep);
    p += sizeof to_sleep;
    put16(p, (uint16_t)enable);
    memcpy(p + 2, sleep_tail, sizeof sleep_tail);
    put16(image + 510, 0xaa55);
    memcpy(image + 512, awake, sizeof awake);
    oxbow_config_init(&cfg);
    cfg.ram_mb = 8;
    cfg.boot = "a";
    cfg.cpu = cpu;
    cfg.no_reboot = true; /* the end of sleep is no reset */
    cfg.debug_exit = true;
    cfg.floppy[0] = block_open_mem(image, sizeof image, true, &e);
    struct oxbow *m = oxbow_new(&cfg, &e);
    ck_assert_msg(m != NULL, "%s", e.text);
    return m;
}

/* Asleep two seconds after power-on, with all that time but POST and boot skipped. */
static struct oxbow *asleep(unsigned enable, const char *cpu)
{
    struct oxbow *m = start(enable, cpu);
    ck_assert_int_eq(oxbow_run(m, 2u * FIRST), OXBOW_LIMIT);
    uint64_t idle = oxbow_idle(m);
    ck_assert_int_eq(oxbow_run(m, FIRST), OXBOW_LIMIT);
    ck_assert_uint_eq(oxbow_idle(m) - idle, FIRST);
    return m;
}

static void woken(struct oxbow *m, unsigned status)
{
    ck_assert_int_eq(oxbow_run(m, FIRST), OXBOW_DEBUG_EXIT);
    ck_assert_uint_eq(oxbow_exit_value(m) & (WAK | PWRBTN | RTC), status);
    oxbow_free(m);
}

START_TEST(alarm)
{
    struct oxbow *m = asleep(RTC, NULL);
    ck_assert_int_eq(oxbow_run(m, 4u * FIRST), OXBOW_LIMIT);
    ck_assert_int_eq(oxbow_run(m, 2u * FIRST), OXBOW_DEBUG_EXIT);
    ck_assert_uint_ge(oxbow_icount(m), 8u * (uint64_t)FIRST);
    ck_assert_uint_lt(oxbow_icount(m), 8u * (uint64_t)FIRST + FIRST / 4);
    woken(m, WAK | RTC);
}
END_TEST

/* The alarm comes, and the machine sleeps on: it was not enabled as a reason. */
START_TEST(alarm_not_enabled)
{
    struct oxbow *m = asleep(0, NULL);
    ck_assert_int_eq(oxbow_run(m, 20u * (uint64_t)FIRST), OXBOW_LIMIT);
    oxbow_power_button(m);
    woken(m, WAK | PWRBTN | RTC);
}
END_TEST

START_TEST(other_reasons)
{
    static const char *const cpu[] = {NULL, "486", "pentium3"};
    for (unsigned n = 0; n < ARRAY_LEN(cpu); n++) {
        struct oxbow *m = asleep(0, cpu[n]);
        oxbow_power_button(m);
        woken(m, WAK | PWRBTN);
        m = asleep(RTC, cpu[n]);
        oxbow_key(m, 0x1e, true, oxbow_icount(m) + 1000000);
        woken(m, WAK);
        m = asleep(RTC, cpu[n]);
        oxbow_mouse(m, 1, 0, 0, 0, 0);
        woken(m, WAK);
    }
}
END_TEST

/* Neither a key that goes up nor bytes on a wire. */
START_TEST(no_reason)
{
    struct oxbow *m = asleep(0, NULL);
    oxbow_key(m, 0x1e, false, 0);
    oxbow_serial_input(m, 0, 'x');
    ck_assert_int_eq(oxbow_run(m, FIRST), OXBOW_LIMIT);
    ck_assert(!oxbow_input_pending(m));
    oxbow_reset(m); /* the reset line is one as ever */
    ck_assert_int_eq(oxbow_run(m, FIRST), OXBOW_RESET);
    oxbow_free(m);
}
END_TEST

START_TEST(saved_asleep)
{
    struct oxbow *m = asleep(RTC, NULL), *b = start(RTC, NULL);
    struct err e = {{0}};
    size_t len;
    uint8_t *state = oxbow_save(m, &len, &e);
    ck_assert_msg(oxbow_load(b, state, len, &e), "%s", e.text);
    free(state);
    ck_assert_uint_eq(oxbow_hash(m), oxbow_hash(b));
    ck_assert_int_eq(oxbow_run(m, 8u * (uint64_t)FIRST), OXBOW_DEBUG_EXIT);
    ck_assert_int_eq(oxbow_run(b, 8u * (uint64_t)FIRST), OXBOW_DEBUG_EXIT);
    ck_assert_uint_eq(oxbow_hash(m), oxbow_hash(b));
    oxbow_free(m);
    woken(b, WAK | RTC);
}
END_TEST

FIX_SUITE("suspend", alarm, alarm_not_enabled, other_reasons, no_reason, saved_asleep)
