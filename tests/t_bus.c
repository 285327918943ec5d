/*
 * Buses: priorities, directions, width splitting, edges of the space, code marks, dirty pages.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "memory/bus.h"
#include "memory/bytes.h"
#include "tests/suite.h"

struct window {
    unsigned reads, writes;
    uint64_t off, val;
    unsigned size;
    uint8_t mem[64];
    struct bus *bus;
    int handle;
};

static uint64_t window_rd(void *dev, uint64_t off, unsigned size)
{
    struct window *w = dev;

    w->reads++;
    w->off = off;
    w->size = size;
    return off + size <= sizeof w->mem ? get_n(w->mem + off, size) : 0;
}

static void window_wr(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct window *w = dev;

    w->writes++;
    w->off = off;
    w->size = size;
    w->val = val;
    if (off + size <= sizeof w->mem) {
        put_n(w->mem + off, size, val);
    }
    if (w->bus) {
        bus_move(w->bus, w->handle, 0x8000, true);
    }
}

static const struct io_ops ops_byte = {window_rd, window_wr, 1, 1, "byte"};
static const struct io_ops ops_any = {window_rd, window_wr, 1, 4, "any"};
static const struct io_ops ops_dword = {window_rd, window_wr, 4, 4, "dword"};
static const struct io_ops ops_none = {NULL, NULL, 0, 0, "none"};

struct seen {
    unsigned remaps, rearms, writes;
    uint64_t pa, len;
};

static void on_remap(void *ctx)
{
    ((struct seen *)ctx)->remaps++;
}

static void on_code(void *ctx, uint64_t pa, uint64_t len)
{
    struct seen *s = ctx;

    s->writes++;
    s->pa = pa;
    s->len = len;
}

static void on_rearm(void *ctx)
{
    ((struct seen *)ctx)->rearms++;
}

static struct bus *watched_bus(struct seen *s)
{
    struct bus *b = bus_new(1ull << 36);
    struct bus_client c = {s, on_remap, on_code, on_rearm};

    memset(s, 0, sizeof *s);
    bus_set_client(b, &c);
    return b;
}

START_TEST(empty_spaces)
{
    struct bus *mem = bus_new(1ull << 36), *io = bus_new(65536);
    struct bus_page p;
    uint8_t buf[16] = {0};

    ck_assert_uint_eq(bus_read(mem, 0, 8), UINT64_MAX);
    ck_assert_uint_eq(bus_read(mem, UINT64_MAX - 2, 8), UINT64_MAX);
    ck_assert_uint_eq(bus_read(io, 0x10, 4), 0xffffffffu);
    ck_assert_uint_eq(bus_read(io, 0xffff, 4), 0xffffffffu);
    ck_assert_uint_eq(bus_read(io, 1ull << 40, 1), 0xff);
    bus_write(io, 0xfffe, 4, 1);
    bus_write(mem, UINT64_MAX, 8, 1);
    bus_write_block(mem, (1ull << 36) - 8, buf, sizeof buf);
    bus_read_block(mem, (1ull << 36) - 8, buf, sizeof buf);
    ck_assert_uint_eq(buf[0], 0xff);
    ck_assert_uint_eq(buf[15], 0xff);
    bus_page(mem, 0x1234, &p);
    ck_assert_ptr_null(p.read);
    bus_page(mem, UINT64_MAX, &p);
    ck_assert_ptr_null(p.read);
    bus_page(io, 0, &p);
    ck_assert_ptr_null(p.read);
    bus_free(mem);
    bus_free(io);
    bus_free(NULL);
}
END_TEST

START_TEST(ports_split_and_merge)
{
    struct bus *io = bus_new(65536);
    struct window a = {0}, b = {0}, c = {0}, d = {0};

    ck_assert_int_ge(bus_map(io, 0x100, 8, &ops_byte, &a, PRIO_DEVICE), 0);
    bus_map(io, 0x108, 8, &ops_any, &b, PRIO_DEVICE);
    bus_map(io, 0x110, 8, &ops_dword, &c, PRIO_DEVICE);
    bus_map(io, 0xfffe, 2, &ops_any, &d, PRIO_DEVICE);
    bus_write(io, 0x100, 4, 0x44332211);
    ck_assert_uint_eq(a.writes, 4);
    ck_assert_uint_eq(a.off, 3);
    ck_assert_uint_eq(bus_read(io, 0x101, 2), 0x3322);
    bus_write(io, 0x108, 8, 0x8877665544332211ull);
    ck_assert_uint_eq(b.writes, 2);
    ck_assert_uint_eq(bus_read(io, 0x108, 8), 0x8877665544332211ull);
    /* Narrow accesses to a wide window: extracted, and merged with what is there. */
    put32(c.mem, 0xddccbbaa);
    ck_assert_uint_eq(bus_read(io, 0x111, 1), 0xbb);
    ck_assert_uint_eq(c.size, 4);
    bus_write(io, 0x112, 1, 0x12);
    ck_assert_uint_eq(c.val, 0xdd12bbaa);
    put32(c.mem + 4, 0x04030201);
    ck_assert_uint_eq(bus_read(io, 0x113, 2), 0x01dd);
    ck_assert_uint_eq(bus_read(io, 0x112, 4), 0x0201dd12);
    /* Across two windows and over the end of the space. */
    a.mem[7] = 0x5a;
    b.mem[0] = 0xa5;
    ck_assert_uint_eq(bus_read(io, 0x107, 2), 0xa55a);
    d.mem[1] = 7;
    ck_assert_uint_eq(bus_read(io, 0xffff, 2), 0xff07);
    bus_write(io, 0xffff, 4, 0x01020309);
    ck_assert_uint_eq(d.mem[1], 9);
    ck_assert_uint_gt(bus_stats(io).reads, 0);
    bus_free(io);
}
END_TEST

START_TEST(ports_priority_and_move)
{
    struct bus *io = bus_new(65536);
    struct window low = {0}, high = {0};
    int h;

    low.mem[2] = 1;
    high.mem[0] = 2;
    h = bus_map(io, 0x202, 1, &ops_byte, &high, PRIO_DEVICE);
    bus_map(io, 0x200, 4, &ops_byte, &low, PRIO_RAM);
    ck_assert_uint_eq(bus_read(io, 0x202, 1), 2);
    ck_assert_uint_eq(bus_read(io, 0x200, 4), 0x00020000);
    bus_set_flags(io, h, BUS_WRITE);
    ck_assert_uint_eq(bus_read(io, 0x202, 1), 1);
    bus_write(io, 0x202, 1, 9);
    ck_assert_uint_eq(high.mem[0], 9);
    bus_set_flags(io, h, BUS_RW);
    bus_move(io, h, 0xffff, true);
    ck_assert_uint_eq(bus_read(io, 0xffff, 1), 9);
    bus_move(io, h, 0x123456789ull, true);
    ck_assert_uint_eq(bus_read(io, 0xffff, 1), 0xff);
    bus_move(io, h, 0x202, false);
    ck_assert_uint_eq(bus_read(io, 0x202, 1), 1);
    bus_map(io, 0x200, 4, &ops_none, NULL, PRIO_SHADOW);
    ck_assert_uint_eq(bus_read(io, 0x202, 1), 0xff);
    bus_write(io, 0x202, 1, 0x77);
    ck_assert_uint_eq(low.mem[2], 1);
    bus_free(io);
}
END_TEST

START_TEST(move_from_inside_a_callback)
{
    struct bus *m = bus_new(1ull << 36);
    struct window w = {0};
    uint8_t src[16];
    uint8_t *ram = calloc(1, 0x2000);

    memset(src, 0xee, sizeof src);
    bus_map_ram(m, 0x1000, 0x2000, ram, BUS_RW, PRIO_RAM);
    w.handle = bus_map(m, 0x1000, 16, &ops_any, &w, PRIO_DEVICE);
    w.bus = m;
    bus_write_block(m, 0x1000, src, sizeof src);
    ck_assert_uint_eq(w.writes, 1);
    ck_assert_uint_eq(ram[3], 0);
    ck_assert_uint_eq(ram[4], 0xee);
    bus_free(m);
    free(ram);
}
END_TEST

START_TEST(rom_over_ram_is_shadow)
{
    struct seen seen;
    struct bus *m = watched_bus(&seen);
    uint8_t *ram = calloc(1, 0x100000), *rom = malloc(0x10000);
    struct bus_page p;
    unsigned before;
    int h;

    memset(rom, 0xcc, 0x10000);
    bus_map_ram(m, 0, 0x100000, ram, BUS_RW, PRIO_RAM);
    h = bus_map_ram(m, 0xf0000, 0x10000, rom, BUS_READ, PRIO_ROM);
    bus_write(m, 0xf0010, 4, 0x11223344);
    ck_assert_uint_eq(bus_read(m, 0xf0010, 4), 0xcccccccc);
    ck_assert_uint_eq(get32(ram + 0xf0010), 0x11223344);
    bus_page(m, 0xf0010, &p);
    ck_assert_ptr_eq(p.read, rom);
    ck_assert_ptr_null(p.write);
    ck_assert_ptr_nonnull(p.code);
    /* Read across the border, and switch the ROM off. */
    put16(ram + 0xefffe, 0xbeef);
    ck_assert_uint_eq(bus_read(m, 0xefffe, 4), 0xccccbeef);
    before = seen.remaps;
    bus_begin(m);
    bus_set_flags(m, h, 0);
    bus_move(m, h, 0xf0000, true);
    bus_commit(m);
    ck_assert_uint_eq(seen.remaps, before + 1);
    ck_assert_uint_eq(bus_read(m, 0xf0010, 4), 0x11223344);
    bus_page(m, 0xf0010, &p);
    ck_assert_ptr_eq(p.write, ram + 0xf0000);
    bus_set_flags(m, h, 0);
    ck_assert_uint_eq(seen.remaps, before + 1);
    bus_free(m);
    free(ram);
    free(rom);
}
END_TEST

START_TEST(code_marks_are_shared_by_aliases)
{
    struct seen seen;
    struct bus *m = watched_bus(&seen);
    uint8_t *rom = calloc(1, 0x40000), *ram = calloc(1, 0x10000);
    struct bus_page a, b;
    uint8_t buf[300] = {0};

    /* The part is mapped before the whole, so the blocks have to join and keep the marks. */
    bus_map_ram(m, 0xe0000, 0x20000, rom + 0x20000, BUS_READ, PRIO_ROM);
    bus_page(m, 0xe1000, &a);
    *a.code = 5;
    bus_map_ram(m, 0xfffc0000, 0x40000, rom, BUS_READ, PRIO_ROM);
    bus_page(m, 0xe1000, &a);
    bus_page(m, 0xfffe1000, &b);
    ck_assert_ptr_eq(a.code, b.code);
    ck_assert_uint_eq(*b.code, 5);

    bus_map_ram(m, 0, 0x10000, ram, BUS_RW, PRIO_RAM);
    bus_map_ram(m, 0x200000, 0x10000, ram, BUS_RW, PRIO_RAM);
    bus_page(m, 0x3000, &a);
    *a.code = 1u << 31 | 1u << 2;
    bus_write(m, 0x203000 + 0x180, 4, 1);
    ck_assert_uint_eq(seen.writes, 0);
    bus_write(m, 0x203000 + 0x17e, 4, 0x01020304);
    ck_assert_uint_eq(seen.writes, 1);
    ck_assert_uint_eq(seen.pa, 0x20317e);
    ck_assert_uint_eq(seen.len, 4);
    bus_write_block(m, 0x3000, buf, 256);
    ck_assert_uint_eq(seen.writes, 1);
    bus_write_block(m, 0x3000, buf, 300);
    ck_assert_uint_eq(seen.writes, 2);
    bus_write(m, 0x3fff, 2, 0);
    ck_assert_uint_eq(seen.writes, 3);
    bus_free(m);
    free(rom);
    free(ram);
}
END_TEST

START_TEST(dirty_pages)
{
    struct seen seen;
    struct bus *m = watched_bus(&seen);
    uint8_t *vram = calloc(1, 0x4000);
    struct bus_page p;
    int h = bus_map_ram(m, 0xe0000000u, 0x4000, vram, BUS_RW | BUS_DIRTY, PRIO_PCI);

    ck_assert(!bus_dirty_test(m, h, 0x1000));
    bus_write(m, 0xe0001ffe, 4, 1);
    ck_assert(bus_dirty_test(m, h, 0x1000));
    ck_assert(bus_dirty_test(m, h, 0x2000));
    ck_assert(!bus_dirty_test(m, h, 0));
    ck_assert(!bus_dirty_test(m, h, 0x4000));
    bus_dirty_clear(m, h);
    ck_assert(!bus_dirty_test(m, h, 0x1000));
    ck_assert_uint_eq(seen.rearms, 1);
    bus_dirty_clear(m, h);
    ck_assert_uint_eq(seen.rearms, 1);
    bus_move(m, h, 0xd0000000u, true);
    bus_page(m, 0xd0003000u, &p);
    ck_assert_ptr_eq(p.write, vram + 0x3000);
    *p.dirty = 1;
    ck_assert(bus_dirty_test(m, h, 0x3000));
    ck_assert(!bus_dirty_test(m, -1, 0));
    bus_free(m);
    free(vram);
}
END_TEST

START_TEST(page_needs_to_be_whole)
{
    struct bus *m = bus_new(1ull << 36);
    uint8_t *ram = calloc(1, 0x3000);
    struct window w = {0};
    struct bus_page p;

    bus_map_ram(m, 0, 0x3000, ram, BUS_RW, PRIO_RAM);
    bus_map(m, 0x1ff0, 0x10, &ops_byte, &w, PRIO_DEVICE);
    bus_page(m, 0x1000, &p);
    ck_assert_ptr_null(p.read);
    bus_page(m, 0x0fff, &p);
    ck_assert_ptr_eq(p.read, ram);
    bus_page(m, 0x2000, &p);
    ck_assert_ptr_eq(p.write, ram + 0x2000);
    bus_free(m);
    free(ram);
}
END_TEST

/* Random maps against a byte-by-byte model. */
START_TEST(random_maps_agree_with_a_model)
{
    enum { SPACE = 64, N = 12 };
    uint32_t seed = 1;
    unsigned round, i, a;

    for (round = 0; round < 200; round++) {
        struct bus *m = bus_new(SPACE * PAGE_SIZE);
        uint8_t *host[N];
        uint64_t base[N], len[N];
        unsigned flags[N];
        int prio[N];

        for (i = 0; i < N; i++) {
            seed = seed * 1103515245u + 12345u;
            base[i] = (seed >> 8) % SPACE * PAGE_SIZE;
            len[i] = ((seed >> 16) % 16 + 1) * PAGE_SIZE;
            flags[i] = (seed >> 4) & BUS_RW;
            prio[i] = (int)(seed >> 24) % 4;
            host[i] = malloc((size_t)len[i]);
            memset(host[i], (int)i, (size_t)len[i]);
            bus_map_ram(m, base[i], len[i], host[i], flags[i], prio[i]);
        }
        for (a = 0; a < SPACE; a++) {
            int best = -1;

            for (i = 0; i < N; i++) {
                if ((flags[i] & BUS_READ) && a * PAGE_SIZE >= base[i]
                    && a * PAGE_SIZE < base[i] + len[i]
                    && (best < 0 || prio[i] >= prio[best])) {
                    best = (int)i;
                }
            }
            ck_assert_uint_eq(bus_read(m, a * PAGE_SIZE + 5, 1), best < 0 ? 0xff : (unsigned)best);
        }
        bus_free(m);
        for (i = 0; i < N; i++) {
            free(host[i]);
        }
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("bus");
    TCase *t = tcase_create("bus");

    tcase_add_test(t, empty_spaces);
    tcase_add_test(t, ports_split_and_merge);
    tcase_add_test(t, ports_priority_and_move);
    tcase_add_test(t, move_from_inside_a_callback);
    tcase_add_test(t, rom_over_ram_is_shadow);
    tcase_add_test(t, code_marks_are_shared_by_aliases);
    tcase_add_test(t, dirty_pages);
    tcase_add_test(t, page_needs_to_be_whole);
    tcase_add_test(t, random_maps_agree_with_a_model);
    suite_add_tcase(s, t);
    return suite_run(s);
}
