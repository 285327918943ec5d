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
    struct sched *sched; /* an instruction is a nanosecond */
    uint8_t *ram;
    struct loader l;
    struct err e;
};

static void rig_new(struct rig *r)
{
    memset(r, 0, sizeof *r);
    r->mem = bus_new((uint64_t)1 << 36);
    r->io = bus_new(65536);
    r->sched = sched_new(1000000000);
    r->ram = malloc(RAM);
    memset(r->ram, 0xcc, RAM);
    bus_map_ram(r->mem, 0, RAM, r->ram, BUS_RW, PRIO_RAM);
}

static void rig_end(struct rig *r)
{
    loader_free(&r->l);
    bus_free(r->mem);
    bus_free(r->io);
    sched_free(r->sched);
    free(r->ram);
}

static bool init(struct rig *r, const void *kernel, size_t len, const char *initrd,
                 const char *append)
{
    r->e.text[0] = 0;
    loader_free(&r->l);
    bool ok = loader_init(&r->l, r->mem, RAM, kernel, len, initrd, initrd ? strlen(initrd) : 0,
                          append, &r->e);
    r->l.sched = r->sched; /* the port may be mapped already */
    return ok;
}

static void refused(struct rig *r, const void *kernel, size_t len, const char *why)
{
    ck_assert(!init(r, kernel, len, NULL, NULL));
    ck_assert_msg(strstr(r->e.text, why) != NULL, "%s", r->e.text);
}

/* The ROM's write and reads. */
static uint32_t load(struct rig *r)
{
    ck_assert(loader_map(&r->l, r->io, r->sched));
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
    put64(k + 0x258, 0x100000);
    put32(k + 0x260, 0x200000);
}

START_TEST(without_kernel)
{
    struct rig r;
    rig_new(&r);
    ck_assert(init(&r, NULL, 0, NULL, NULL));
    ck_assert_int_eq(r.l.kind, LOADER_NONE);
    ck_assert(loader_map(&r.l, r.io, r.sched));
    ck_assert_uint_eq(bus_read(r.io, LOADER_PORT, 4), 0xffffffff);
    ck_assert(!init(&r, NULL, 0, "x", NULL));
    ck_assert_str_eq(r.e.text, "initrd: this needs a kernel");
    ck_assert(!init(&r, NULL, 0, NULL, "x"));
    ck_assert_str_eq(r.e.text, "append: this needs a kernel");
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
    refused(&r, k, RAM, "need more memory");
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

/* Where the RAM disk may lie, and what is refused before a kernel would run over it. */
START_TEST(linux_memory)
{
    static uint8_t k[20000];
    static char disk[2 << 20];
    struct rig r;
    rig_new(&r);
    make_linux(k, sizeof k, 0x20c);
    memset(disk, 'd', sizeof disk - 1);
    put64(k + 0x258, 0x400000);
    put32(k + 0x260, 0x800000); /* the kernel unpacks itself up to 12 MB */
    ck_assert(init(&r, k, sizeof k, disk, NULL));
    load(&r);
    ck_assert_uint_ge(get32(r.ram + 0x10218), 0xc00000);
    ck_assert_uint_le(get32(r.ram + 0x10218) + sizeof disk - 1, RAM - 0x100000);
    put32(k + 0x260, 0xa00000);
    ck_assert(!init(&r, k, sizeof k, disk, NULL));
    ck_assert_msg(strstr(r.e.text, "need more memory") != NULL, "%s", r.e.text);
    ck_assert(init(&r, k, sizeof k, NULL, NULL));
    put32(k + 0x260, 0xc01000);
    refused(&r, k, sizeof k, "need more memory");
    put32(k + 0x260, 0xffffffff);
    refused(&r, k, sizeof k, "need more memory");
    put64(k + 0x258, UINT64_MAX);
    refused(&r, k, sizeof k, "need more memory");
    put64(k + 0x258, 0);
    put32(k + 0x260, 0x300000);
    put32(k + 0x22c, 0x5fffff); /* the RAM disk below 6 MB */
    ck_assert(init(&r, k, sizeof k, disk, NULL));
    load(&r);
    ck_assert_uint_eq(get32(r.ram + 0x10218), 0x400000);
    put32(k + 0x22c, 0x5ffffd);
    ck_assert(init(&r, k, sizeof k, "x", NULL));
    ck_assert(!init(&r, k, sizeof k, disk, NULL));
    ck_assert_msg(strstr(r.e.text, "ends below 5 MB") != NULL, "%s", r.e.text);
    put32(k + 0x22c, 0);
    ck_assert(!init(&r, k, sizeof k, "x", NULL));
    /* A setup part as long as there is room for, and one sector more. */
    make_linux(k, sizeof k, 0x20c);
    k[0x1f1] = 75;
    refused(&r, k, sizeof k, "cut off");
    rig_end(&r);
}
END_TEST

START_TEST(linux_setup_size)
{
    static uint8_t k[80 * 512];
    struct rig r;
    rig_new(&r);
    make_linux(k, sizeof k, 0x20c);
    k[0x1f1] = 75;
    memset(k + SETUP, 0x11, 71 * 512);
    ck_assert(init(&r, k, sizeof k, NULL, NULL));
    load(&r);
    ck_assert_uint_eq(r.ram[0x10000 + 76 * 512 - 1], 0x11);
    ck_assert_uint_eq(r.ram[0x100000], 0x22);
    k[0x1f1] = 76;
    refused(&r, k, sizeof k, "the setup part of this Linux kernel has 39424 bytes");
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

/* Segments outside of memory or of the file, and a table that runs out of it, are refused. */
START_TEST(damaged_elf)
{
    static uint8_t k[8192];
    struct rig r;
    rig_new(&r);
    make_elf(k);
    put32(k + 100, 8000);
    refused(&r, k, 8000 + 63, "cut off");
    put32(k + 112, 0xffffffff);
    refused(&r, k, sizeof k, "cut off");
    make_elf(k);
    put32(k + 116, 0xffffffff);
    refused(&r, k, sizeof k, "wants to lie at 200000h to 1001FFFFEh, and there is no memory");
    make_elf(k);
    put32(k + 28, 8190);
    refused(&r, k, sizeof k, "cut off");
    make_elf(k);
    put32(k + 108, RAM - 199);
    refused(&r, k, sizeof k, "wants to lie at FFFF39h to 1000000h");
    put32(k + 108, RAM - 200);
    ck_assert(init(&r, k, sizeof k, NULL, NULL));
    put32(k + 108, 0xf0000000);
    refused(&r, k, sizeof k, "no memory for it");
    /* The extended BIOS data area, the display, the BIOS. */
    put32(k + 108, 0x9fc00 - 200);
    ck_assert(init(&r, k, sizeof k, NULL, NULL));
    put32(k + 108, 0x9fc00 - 199);
    refused(&r, k, sizeof k, "no memory for it");
    put32(k + 108, 0xfffff);
    refused(&r, k, sizeof k, "no memory for it");
    make_elf(k);
    put_header(k + 256, 8 | 3);
    refused(&r, k, sizeof k, "something unknown (flags Bh)");
    rig_end(&r);
}
END_TEST

/* Segments that lie over each other are each copied once; their sum is bounded. */
START_TEST(many_segments)
{
    static uint8_t k[8192];
    struct rig r;
    rig_new(&r);
    make_elf(k);
    memset(k + 64, 0, 4000);
    put_header(k + 7000, 3);
    put16(k + 44, 70);
    for (unsigned n = 0; n < 70; n++) {
        put32(k + 64 + n * 32, 1);
        put32(k + 64 + n * 32 + 12, 0x100000);
        put32(k + 64 + n * 32 + 20, n < 63 ? 1 : 0);
    }
    ck_assert(init(&r, k, sizeof k, NULL, NULL));
    put32(k + 64 + 63 * 32 + 20, 1);
    refused(&r, k, sizeof k, "more than 63 segments");
    for (unsigned n = 0; n < 3; n++) {
        put32(k + 64 + n * 32 + 20, 6 << 20);
    }
    refused(&r, k, sizeof k, "no memory for it");
    rig_end(&r);
}
END_TEST

/*
 * Whatever a kernel fills: what the loader adds (a stack of 1 KB and the information structure, its
 * strings, list of modules, map, and the module) lies in memory that is nobody else's.
 */
struct span {
    uint32_t from, to;
};

static void apart(const struct span *s, unsigned n, unsigned line)
{
    for (unsigned a = 0; a < n; a++) {
        ck_assert_msg(s[a].to <= 0x9fc00 || s[a].from >= 0x100000, "row %u: %x to %x", line,
                      (unsigned)s[a].from, (unsigned)s[a].to);
        ck_assert_uint_le(s[a].to, RAM);
        for (unsigned b = 0; b < a; b++) {
            ck_assert_msg(s[a].to <= s[b].from || s[b].to <= s[a].from,
                          "row %u: %x to %x and %x to %x", line, (unsigned)s[a].from,
                          (unsigned)s[a].to, (unsigned)s[b].from, (unsigned)s[b].to);
        }
    }
}

static void loaded_apart(uint32_t first, uint32_t first_size, uint32_t second,
                         uint32_t second_size, uint32_t module_size, unsigned line)
{
    static uint8_t k[8192];
    char *module = malloc(module_size + 1), words[5000];
    struct rig r;
    rig_new(&r);
    make_elf(k);
    put32(k + 64, 1);
    put32(k + 76, first);
    put32(k + 84, first_size);
    put32(k + 108, second);
    put32(k + 112, 0);
    put32(k + 116, second_size);
    memset(module, 'm', module_size);
    module[module_size] = 0;
    memset(words, 'w', sizeof words - 1);
    words[sizeof words - 1] = 0;
    ck_assert_msg(init(&r, k, sizeof k, module, words), "row %u: %s", line, r.e.text);
    load(&r);
    answer(&r);
    uint32_t info = answer(&r);
    const uint8_t *f = r.ram + info, *mod = r.ram + get32(f + 24);
    const struct span s[] = {
        {first, first + first_size}, {second, second + second_size}, {info - 0x400, info + 116},
        {get32(f + 16), get32(f + 16) + sizeof words}, {get32(f + 24), get32(f + 24) + 16},
        {get32(f + 48), get32(f + 48) + get32(f + 44)}, {get32(f + 64), get32(f + 64) + 6},
        {get32(mod), get32(mod + 4)}};
    apart(s, ARRAY_LEN(s), line);
    ck_assert_uint_eq(get32(mod) & 0xfff, 0);
    ck_assert_uint_eq(get32(mod + 4) - get32(mod), module_size);
    ck_assert_int_eq(memcmp(r.ram + get32(mod), module, module_size), 0);
    ck_assert_str_eq((const char *)r.ram + get32(f + 16), words);
    ck_assert_str_eq((const char *)r.ram + get32(f + 64), "oxbow");
    for (unsigned n = 0; n < 2; n++) {
        ck_assert_uint_eq(r.ram[s[n].from], 0);
        ck_assert_uint_eq(r.ram[s[n].to - 1], 0);
    }
    rig_end(&r);
    free(module);
}

START_TEST(nothing_overlaps)
{
    static const uint32_t row[][5] = {
        {0x100000, 0x10000, 0x200000, 0x1000, 0x100},  /* as usual */
        {0x8000, 0x6000, 0x100000, 1, 0x5000},         /* over the preferred place */
        {0x9000, 1, 0xa001, 0x1000, 0x100},            /* a page between is too small */
        {0, 0x9fc00, 0x100000, 0x1000, 0x100},         /* all of base memory */
        {0x9000, 0x96c00, 0x7000, 0x2000, 0x100},      /* room below the image only */
        {0x1000, 0x8e000, 0x100000, 0x800000, 0x9000}, /* what is left belongs to ROMs */
        {0x100000, 0xefc000, 0x9000, 0x2000, 0x4000},  /* no room above: both below 640 KB */
        {0xf00000, 0xf0000, 0x100000, 0x8000, 0x4000},
        {0x1000, 0x6000, 0x100000, 0xefc000, 0x60000},
    };
    for (unsigned n = 0; n < ARRAY_LEN(row); n++) {
        loaded_apart(row[n][0], row[n][1], row[n][2], row[n][3], row[n][4], n);
    }
}
END_TEST

START_TEST(no_room_left)
{
    static uint8_t k[8192];
    struct rig r;
    rig_new(&r);
    make_elf(k);
    put32(k + 64, 1);
    put32(k + 84, 0x9fc00);
    put32(k + 108, 0x100000);
    put32(k + 116, RAM - 0x140000 + 0x1000);
    refused(&r, k, sizeof k, "need more memory than the machine has");
    put32(k + 116, RAM - 0x140000 - 0x1000);
    ck_assert(init(&r, k, sizeof k, NULL, NULL));
    ck_assert(!init(&r, k, sizeof k, "x", NULL));
    rig_end(&r);
}
END_TEST

/* Base memory is what the BIOS data area says before the kernel lies over it. */
START_TEST(base_memory)
{
    static uint8_t k[8192];
    struct rig r;
    rig_new(&r);
    make_elf(k);
    put32(k + 108, 0x400);
    put16(r.ram + 0x413, 600);
    ck_assert(init(&r, k, sizeof k, NULL, NULL));
    load(&r);
    answer(&r);
    const uint8_t *f = r.ram + answer(&r), *map = r.ram + get32(f + 48);
    ck_assert_uint_eq(r.ram[0x413], 0x33);
    ck_assert_uint_eq(get32(f + 4), 600);
    ck_assert_uint_eq(get64(map + 12), 600 << 10);
    ck_assert_uint_eq(get64(map + 24 + 4), 600 << 10);
    ck_assert_uint_eq(get64(map + 24 + 12), 40 << 10);
    rig_end(&r);
}
END_TEST

/* The first question loads nothing. */
START_TEST(kind_only)
{
    static uint8_t k[8192];
    struct rig r;
    rig_new(&r);
    make_elf(k);
    ck_assert(init(&r, k, sizeof k, NULL, NULL));
    ck_assert(loader_map(&r.l, r.io, r.sched));
    bus_write(r.io, LOADER_PORT, 4, LOADER_ASK_KIND);
    ck_assert_uint_eq(answer(&r), LOADER_MULTIBOOT);
    ck_assert_uint_eq(answer(&r), 0);
    ck_assert_uint_eq(r.ram[0x200000], 0xcc);
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
    /* Addresses that can't be: the header outside of the image, ends before the start. */
    put32(k + 76, 0x2fffff);
    refused(&r, k, sizeof k, "contradict");
    put32(k + 76, 0x300041);
    refused(&r, k, sizeof k, "contradict");
    put32(k + 76, 0x300040);
    put32(k + 84, 0x2fffff);
    refused(&r, k, sizeof k, "contradict");
    put32(k + 84, 0x300800);
    put32(k + 88, 0x3007ff);
    refused(&r, k, sizeof k, "contradict");
    put32(k + 84, 0x301001);
    put32(k + 88, 0);
    refused(&r, k, sizeof k, "cut off");
    put32(k + 84, 0);
    /* Neither ELF nor addresses; addresses behind the end of the file. */
    put_header(k + 64, 3);
    refused(&r, k, sizeof k, "must be a 32-bit ELF file or carry load addresses");
    put_header(k + 64, 0x10000);
    refused(&r, k, 64 + 31, "cut off");
    ck_assert(init(&r, k, 64 + 32, NULL, NULL));
    rig_end(&r);
}
END_TEST

/* Writes in a loop copy once; a reset, or as much time as copying takes, and they copy again. */
START_TEST(copies_once)
{
    static uint8_t k[1 << 16];
    struct rig r;
    rig_new(&r);
    make_linux(k, sizeof k, 0x206);
    ck_assert(init(&r, k, sizeof k, "initrd", NULL));
    ck_assert_uint_eq(load(&r), LOADER_LINUX);
    ck_assert_uint_eq(r.ram[0x100000], 0x22);
    r.ram[0x100000] = 0;
    sched_set_now(r.sched, 60000);
    bus_write(r.io, LOADER_PORT, 4, 0);
    ck_assert_uint_eq(answer(&r), LOADER_LINUX);
    ck_assert_uint_eq(answer(&r), 0x1000);
    ck_assert_uint_eq(answer(&r), 0);
    ck_assert_uint_eq(r.ram[0x100000], 0);
    loader_reset(&r.l);
    bus_write(r.io, LOADER_PORT, 4, 0);
    ck_assert_uint_eq(r.ram[0x100000], 0x22);
    r.ram[0x100000] = 0;
    sched_set_now(r.sched, 130000);
    bus_write(r.io, LOADER_PORT, 4, 0);
    ck_assert_uint_eq(r.ram[0x100000], 0x22);
    rig_end(&r);
}
END_TEST

FIX_SUITE("loader", copies_once, without_kernel, bad_kernels, linux_kernel, video_modes,
          old_linux_kernel,
          linux_memory, linux_setup_size, multiboot_elf, damaged_elf, many_segments,
          nothing_overlaps, no_room_left, base_memory, kind_only, multiboot_addresses)
