/*
 * Direct kernel boot: what is refused, and what a Linux bzImage or a multiboot kernel finds in
 * memory when the option ROM has asked.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "devices/loader.h"
#include "memory/bytes.h"
#include "tests/cpu_fixture.h"

enum { RAM = 16 << 20, SETUP = 5 * 512 };

struct rig {
    struct bus *mem, *io;
    uint8_t *ram;
    struct loader l;
    struct err e;
};

static void rig_new(struct rig *r)
{
    memset(r, 0, sizeof *r);
    r->mem = bus_new((uint64_t)1 << 36);
    r->io = bus_new(65536);
    r->ram = malloc(RAM);
    memset(r->ram, 0xcc, RAM);
    bus_map_ram(r->mem, 0, RAM, r->ram, BUS_RW, PRIO_RAM);
}

static void rig_end(struct rig *r)
{
    loader_free(&r->l);
    bus_free(r->mem);
    bus_free(r->io);
    free(r->ram);
}

static bool init(struct rig *r, const void *kernel, size_t len, const char *initrd,
                 const char *append)
{
    r->e.text[0] = 0;
    loader_free(&r->l);
    return loader_init(&r->l, r->mem, RAM, kernel, len, initrd, initrd ? strlen(initrd) : 0, append,
                       &r->e);
}

static void refused(struct rig *r, const void *kernel, size_t len, const char *why)
{
    ck_assert(!init(r, kernel, len, NULL, NULL));
    ck_assert_msg(strstr(r->e.text, why) != NULL, "%s", r->e.text);
}

/* The ROM's write and reads. */
static uint32_t load(struct rig *r)
{
    ck_assert(loader_map(&r->l, r->io));
    bus_write(r->io, LOADER_PORT, 4, 0);
    return (uint32_t)bus_read(r->io, LOADER_PORT, 4);
}

static uint32_t answer(struct rig *r)
{
    return (uint32_t)bus_read(r->io, LOADER_PORT, 4);
}

/* --- Linux ------------------------------------------------------------------------------------ */

static void make_linux(uint8_t *k, size_t len, unsigned version)
{
    memset(k, 0x11, SETUP);
    memset(k + SETUP, 0x22, len - SETUP);
    k[0x1f1] = 4;
    put16(k + 0x1fe, 0xaa55);
    memcpy(k + 0x202, "HdrS", 4);
    put16(k + 0x206, (uint16_t)version);
    k[0x211] = 1;
    put32(k + 0x218, 0);
    put32(k + 0x21c, 0);
    put32(k + 0x22c, 0x37ffffff);
    put32(k + 0x238, 100);
}

START_TEST(without_kernel)
{
    struct rig r;
    rig_new(&r);
    ck_assert(init(&r, NULL, 0, NULL, NULL));
    ck_assert_int_eq(r.l.kind, LOADER_NONE);
    ck_assert(loader_map(&r.l, r.io));
    ck_assert_uint_eq(bus_read(r.io, LOADER_PORT, 4), 0xffffffff);
    ck_assert(!init(&r, NULL, 0, "x", NULL));
    ck_assert_str_eq(r.e.text, "-initrd needs -kernel");
    ck_assert(!init(&r, NULL, 0, NULL, "x"));
    ck_assert_str_eq(r.e.text, "-append needs -kernel");
    rig_end(&r);
}
END_TEST

START_TEST(bad_kernels)
{
    struct rig r;
    uint8_t *k = calloc(1, RAM);
    char long_line[102];
    rig_new(&r);
    refused(&r, k, 4096, "neither a Linux bzImage nor a multiboot kernel");
    refused(&r, k, 0, "neither");
    make_linux(k, 8192, 0x1ff);
    refused(&r, k, 8192, "older than the bzImage format");
    make_linux(k, 8192, 0x204);
    k[0x211] = 0;
    refused(&r, k, 8192, "older than the bzImage format");
    make_linux(k, 8192, 0x204);
    refused(&r, k, SETUP, "cut off");
    refused(&r, k, RAM, "raise -m");
    make_linux(k, 8192, 0x20c);
    memset(long_line, 'x', sizeof long_line);
    long_line[101] = 0;
    ck_assert(!init(&r, k, 8192, NULL, long_line));
    ck_assert_msg(strstr(r.e.text, "at most 100 characters") != NULL, "%s", r.e.text);
    long_line[100] = 0;
    ck_assert(init(&r, k, 8192, NULL, long_line));
    rig_end(&r);
    free(k);
}
END_TEST

START_TEST(linux_kernel)
{
    static uint8_t k[20000];
    struct rig r;
    rig_new(&r);
    make_linux(k, sizeof k, 0x20c);
    ck_assert(init(&r, k, sizeof k, "the initial RAM disk", "root=/dev/ram vga=0x317 quiet"));
    ck_assert_uint_eq(load(&r), LOADER_LINUX);
    ck_assert_uint_eq(answer(&r), 0x1000);
    ck_assert_uint_eq(answer(&r), 0);
    const uint8_t *head = r.ram + 0x10000;
    ck_assert_uint_eq(head[0], 0x11);
    ck_assert_uint_eq(head[SETUP - 1], 0x11);
    ck_assert_uint_eq(head[SETUP], 0xcc);
    ck_assert_uint_eq(head[0x210], 0xff);
    ck_assert_uint_eq(head[0x211], 0x81);
    ck_assert_uint_eq(get16(head + 0x1fa), 0x317);
    ck_assert_uint_eq(get32(head + 0x228), 0x20000);
    ck_assert_uint_eq(get16(head + 0x224), 0xde00); /* the heap ends at 0xe000 */
    ck_assert_str_eq((const char *)r.ram + 0x20000, "root=/dev/ram vga=0x317 quiet");
    ck_assert_uint_eq(r.ram[0x100000], 0x22);
    ck_assert_uint_eq(r.ram[0x100000 + sizeof k - SETUP - 1], 0x22);
    ck_assert_uint_eq(r.ram[0x100000 + sizeof k - SETUP], 0xcc);
    uint32_t at = get32(head + 0x218);
    ck_assert_uint_eq(at & 0xfff, 0);
    ck_assert_uint_eq(get32(head + 0x21c), 20);
    ck_assert_uint_gt(at, 0x100000 + sizeof k);
    ck_assert_int_eq(memcmp(r.ram + at, "the initial RAM disk", 20), 0);
    /* A second write loads again. */
    bus_write(r.io, LOADER_PORT, 4, 0);
    ck_assert_uint_eq(answer(&r), LOADER_LINUX);
    rig_end(&r);
}
END_TEST

static unsigned mode_of(const char *append)
{
    static uint8_t k[8192];
    struct rig r;
    rig_new(&r);
    make_linux(k, sizeof k, 0x20c);
    ck_assert(init(&r, k, sizeof k, NULL, append));
    load(&r);
    unsigned mode = get16(r.ram + 0x101fa);
    ck_assert_uint_eq(get32(r.ram + 0x1021c), 0);
    rig_end(&r);
    return mode;
}

START_TEST(video_modes)
{
    ck_assert_uint_eq(mode_of(NULL), 0xffff);
    ck_assert_uint_eq(mode_of("quiet"), 0xffff);
    ck_assert_uint_eq(mode_of("vga=normal"), 0xffff);
    ck_assert_uint_eq(mode_of("x vga=ext y"), 0xfffe);
    ck_assert_uint_eq(mode_of("vga=ask"), 0xfffd);
    ck_assert_uint_eq(mode_of("vga=791"), 791);
}
END_TEST

/* Before version 2.02 the command line's place is an offset behind a magic number. */
START_TEST(old_linux_kernel)
{
    static uint8_t k[8192];
    struct rig r;
    rig_new(&r);
    make_linux(k, sizeof k, 0x201);
    k[0x1f1] = 0; /* four sectors, as before there was a number */
    ck_assert(init(&r, k, sizeof k, "disk", "old"));
    load(&r);
    ck_assert_uint_eq(get16(r.ram + 0x10020), 0xa33f);
    ck_assert_uint_eq(get16(r.ram + 0x10022), 0x9800);
    ck_assert_str_eq((const char *)r.ram + 0x19800, "old");
    /* The heap ends below it; the kernel moves all of this to 90000h. */
    ck_assert_uint_eq(get16(r.ram + 0x10224), 0x9600);
    ck_assert_uint_eq(get16(r.ram + 0x10212), 0x9804);
    ck_assert_uint_eq(r.ram[0x100000], 0x22);
    rig_end(&r);
}
END_TEST

/* --- multiboot -------------------------------------------------------------------------------- */

static void put_header(uint8_t *p, uint32_t flags)
{
    put32(p, 0x1badb002);
    put32(p + 4, flags);
    put32(p + 8, 0u - 0x1badb002u - flags);
}

/*
 * An ELF file: one segment of 64 bytes (200 in memory) at C0200000, that is 200000, and one to be
 * skipped.
 */
static void make_elf(uint8_t *k)
{
    memset(k, 0, 8192);
    memcpy(k, "\177ELF\1\1\1", 7);
    put32(k + 24, 0xc0200010);
    put32(k + 28, 64);
    put16(k + 42, 32);
    put16(k + 44, 2);
    put32(k + 64, 4); /* a note */
    put32(k + 96, 1);
    put32(k + 100, 4096);
    put32(k + 104, 0xc0200000);
    put32(k + 108, 0x200000);
    put32(k + 112, 64);
    put32(k + 116, 200);
    memset(k + 4096, 0x33, 64);
    put_header(k + 256, 3);
}

START_TEST(multiboot_elf)
{
    static uint8_t k[8192];
    struct rig r;
    rig_new(&r);
    make_elf(k);
    ck_assert(init(&r, k, sizeof k, "a module", "words"));
    ck_assert_uint_eq(load(&r), LOADER_MULTIBOOT);
    ck_assert_uint_eq(answer(&r), 0x200010);
    uint32_t info = answer(&r);
    ck_assert_uint_eq(answer(&r), 0);
    ck_assert_uint_eq(r.ram[0x20003f], 0x33);
    ck_assert_uint_eq(r.ram[0x200040], 0);
    ck_assert_uint_eq(r.ram[0x2000c7], 0);
    ck_assert_uint_eq(r.ram[0x2000c8], 0xcc);
    const uint8_t *f = r.ram + info;
    ck_assert_uint_eq(get32(f) & 0x4d, 0x4d);
    ck_assert_uint_eq(get32(f + 4), 639);
    ck_assert_uint_eq(get32(f + 8), (RAM >> 10) - 1024);
    ck_assert_str_eq((const char *)r.ram + get32(f + 16), "words");
    ck_assert_uint_eq(get32(f + 20), 1);
    const uint8_t *module = r.ram + get32(f + 24);
    ck_assert_uint_eq(get32(module), 0x201000);
    ck_assert_uint_eq(get32(module + 4), 0x201008);
    ck_assert_int_eq(memcmp(r.ram + 0x201000, "a module", 8), 0);
    /* The map's last range is memory from 1 MB up. */
    const uint8_t *map = r.ram + get32(f + 48), *last = map + get32(f + 44) - 24;
    ck_assert_uint_eq(get32(last), 20);
    ck_assert_uint_eq(get64(last + 4), 0x100000);
    ck_assert_uint_eq(get64(last + 12), RAM - 0x100000);
    ck_assert_uint_eq(get32(last + 20), 1);
    rig_end(&r);
}
END_TEST

/* Segments outside of memory or of the file, and a table that runs out of it, do no harm. */
START_TEST(damaged_elf)
{
    static uint8_t k[8192];
    struct rig r;
    rig_new(&r);
    make_elf(k);
    put32(k + 100, 8000);
    put32(k + 112, 0xffffffff);
    put32(k + 116, 0xffffffff);
    put32(k + 108, RAM - 100);
    ck_assert(init(&r, k, sizeof k, NULL, NULL));
    load(&r);
    make_elf(k);
    put32(k + 28, 8190);
    ck_assert(init(&r, k, sizeof k, NULL, NULL));
    load(&r);
    make_elf(k);
    put32(k + 108, 0xf0000000);
    ck_assert(init(&r, k, sizeof k, NULL, NULL));
    load(&r);
    rig_end(&r);
}
END_TEST

START_TEST(multiboot_addresses)
{
    static uint8_t k[4096];
    struct rig r;
    rig_new(&r);
    memset(k, 0x44, sizeof k);
    put_header(k + 64, 0x10000);
    put32(k + 76, 0x300040);  /* header */
    put32(k + 80, 0x300000);  /* load */
    put32(k + 84, 0x300800);  /* end of data */
    put32(k + 88, 0x301000);  /* end of bss */
    put32(k + 92, 0x300100);  /* entry */
    ck_assert(init(&r, k, sizeof k, NULL, NULL));
    ck_assert_uint_eq(load(&r), LOADER_MULTIBOOT);
    ck_assert_uint_eq(answer(&r), 0x300100);
    ck_assert_uint_eq(r.ram[0x300000], 0x44);
    ck_assert_uint_eq(r.ram[0x3007ff], 0x44);
    ck_assert_uint_eq(r.ram[0x300800], 0);
    ck_assert_uint_eq(r.ram[0x301000], 0xcc);
    /* End 0: all of the file. */
    put32(k + 84, 0);
    put32(k + 88, 0);
    ck_assert(init(&r, k, sizeof k, NULL, NULL));
    bus_write(r.io, LOADER_PORT, 4, 0);
    ck_assert_uint_eq(r.ram[0x300fff], 0x44);
    /* Neither ELF nor addresses; addresses behind the end of the file. */
    put_header(k + 64, 3);
    refused(&r, k, sizeof k, "must be a 32-bit ELF file or carry load addresses");
    put_header(k + 64, 0x10000);
    refused(&r, k, 64 + 31, "cut off");
    ck_assert(init(&r, k, 64 + 32, NULL, NULL));
    rig_end(&r);
}
END_TEST

FIX_SUITE("loader", without_kernel, bad_kernels, linux_kernel, video_modes, old_linux_kernel,
          multiboot_elf, damaged_elf, multiboot_addresses)
