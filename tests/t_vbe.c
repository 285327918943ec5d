/*
 * VBE of our display BIOS as systems use it past INT 10h: the protected-mode interface called from
 * 32-bit code, and the largest screen there is.  bios/vga/selftest.asm checks the INT 10h side.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "devices/machine.h"
#include "memory/bytes.h"
#include "tests/cpu_fixture.h"

static const uint8_t pm_sector[] = {
#include "tests/guest/vbe_pm.inc"
};

/*
 * Sets mode 15Fh with its linear buffer, asks its description to 8000h and leaves:
 *   mov ax, 4F01h / mov cx, 15Fh / mov di, 8000h / int 10h
 *   mov ax, 4F02h / mov bx, 415Fh / int 10h / out 501h, al
 */
static const uint8_t largest[] = {
    0x31, 0xc0, 0x8e, 0xc0, 0xb8, 0x01, 0x4f, 0xb9, 0x5f, 0x01, 0xbf, 0x00, 0x80, 0xcd, 0x10,
    0xb8, 0x02, 0x4f, 0xbb, 0x5f, 0x41, 0xcd, 0x10, 0xba, 0x01, 0x05, 0xee, 0xf4};

static struct oxbow *boot(const uint8_t *code, size_t len)
{
    uint8_t *image = calloc(1, 1474560);
    struct oxbow_config cfg;
    struct err e = {{0}};

    memcpy(image, code, len);
    put16(image + 510, 0xaa55);
    oxbow_config_init(&cfg);
    cfg.boot = "a";
    cfg.debug_exit = true;
    cfg.no_reboot = true;
    cfg.floppy[0] = block_open_mem(image, 1474560, true, &e);
    free(image);
    struct oxbow *m = oxbow_new(&cfg, &e);
    ck_assert_msg(m != NULL, "%s", e.text);
    ck_assert_int_eq(oxbow_run(m, 400000000), OXBOW_DEBUG_EXIT);
    return m;
}

static unsigned dispi(struct oxbow *m, unsigned index)
{
    bus_write(m->io, 0x1ce, 2, index);
    return (unsigned)bus_read(m->io, 0x1cf, 2);
}

START_TEST(protected_mode_interface)
{
    static const uint8_t colour[] = {1, 2, 3, 4, 5, 6};
    struct oxbow *m = boot(pm_sector, sizeof pm_sector);

    ck_assert_uint_eq(oxbow_exit_value(m), 1);
    ck_assert_uint_eq(dispi(m, 1), 800);
    ck_assert_uint_eq(dispi(m, 6), 1024);
    ck_assert_uint_eq(dispi(m, 5), 3);
    ck_assert_uint_eq(dispi(m, 8), 40);
    ck_assert_uint_eq(dispi(m, 9), 25);
    bus_write(m->io, 0x3c7, 1, 200);
    for (unsigned n = 0; n < sizeof colour; n++) {
        ck_assert_uint_eq(bus_read(m->io, 0x3c9, 1), colour[n]);
    }
    oxbow_free(m);
}
END_TEST

START_TEST(largest_mode)
{
    struct oxbow *m = boot(largest, sizeof largest);

    ck_assert_uint_eq(oxbow_exit_value(m), 0x4f);
    uint32_t lfb = (uint32_t)bus_read(m->mem, 0x8028, 4);
    ck_assert_uint_eq(bus_read(m->mem, 0x8032, 2), 2560 * 4); /* bytes per line, linear */
    ck_assert_uint_eq(bus_read(m->mem, 0x8012, 2), 2560);
    ck_assert_uint_eq(bus_read(m->mem, 0x8014, 2), 1600);
    ck_assert_uint_eq(bus_read(m->mem, 0x8019, 1), 32);
    bus_write(m->mem, lfb + (1599u * 2560 + 2559) * 4, 4, 0x123456);
    const struct surface *s = oxbow_surface(m);
    ck_assert_uint_eq(s->w, 2560);
    ck_assert_uint_eq(s->h, 1600);
    ck_assert_uint_eq(s->px[1599 * s->stride + 2559] & 0xffffff, 0x123456);
    oxbow_free(m);
}
END_TEST

FIX_SUITE("vbe", protected_mode_interface, largest_mode)
