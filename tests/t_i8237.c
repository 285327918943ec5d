/*
 * 8237A pair: registers, transfer kinds, wrap, word channels, auto-initialisation, priorities,
 * memory to memory.
 */
#include "devices/i8237.h"

#include "chip_rig.h"

/* A peripheral with bytes to give (or room), that drops DREQ when it is done. */
struct source {
    struct dma_channel ch;
    uint8_t data[70000];
    uint32_t pos, len, most; /* most: bytes per call */
    unsigned calls, tcs;
    enum dma_dir dir;
    uint64_t at;
    struct rig *rig;
};

struct dma {
    struct rig r;
    struct device *d;
    struct source s[8];
    uint8_t post;
    unsigned posts;
};

static uint32_t move(void *dev, enum dma_dir dir, uint8_t *buf, uint32_t len, bool tc)
{
    struct source *s = dev;
    uint32_t n = MIN(MIN(len, s->most), s->len - s->pos);

    s->calls++;
    s->dir = dir;
    s->at = rig_now(s->rig);
    if (dir == DMA_TO_MEMORY) {
        memcpy(buf, s->data + s->pos, n);
    } else if (dir == DMA_FROM_MEMORY) {
        memcpy(s->data + s->pos, buf, n);
    }
    s->pos += n;
    if (tc && n == len) {
        s->tcs++;
        dma_request(&s->ch, false);
    }
    if (s->pos == s->len) {
        dma_request(&s->ch, false);
    }
    return n;
}

static void post_code(void *ctx, uint8_t code)
{
    struct dma *p = ctx;

    p->post = code;
    p->posts++;
}

static void setup(struct dma *p)
{
    struct i8237_config c = {0x00, 0xc0, 0x80, post_code, p};
    unsigned n, i;

    memset(p, 0, sizeof *p);
    rig_init(&p->r);
    p->d = rig_add(&p->r, &i8237_class, "i8237", &c);
    for (n = 0; n < 8; n++) {
        struct dma_peripheral per = {&p->s[n], move};

        p->s[n].rig = &p->r;
        p->s[n].ch = i8237_channel(p->d, n);
        p->s[n].most = UINT32_MAX;
        if (n != 0 && n != 4) {
            i8237_connect(p->d, n, &per);
        }
        for (i = 0; i < sizeof p->s[n].data; i++) {
            p->s[n].data[i] = (uint8_t)(i * 7 + n + (i >> 8));
        }
    }
    out8(&p->r, 0xd6, 0xc0); /* channel 4: cascade */
    out8(&p->r, 0xd4, 0x00);
}

static void program(struct dma *p, unsigned n, uint8_t mode, uint32_t addr, unsigned count)
{
    static const uint8_t page[8] = {0x87, 0x83, 0x81, 0x82, 0x8f, 0x8b, 0x89, 0x8a};
    unsigned k = n & 3, step = n < 4 ? 1 : 2, base = n < 4 ? 0 : 0xc0;
    uint32_t a = n < 4 ? addr : addr >> 1;

    out8(&p->r, base + 0xc * step, 0);
    out8(&p->r, base + 0xb * step, (uint8_t)(mode | k));
    out8(&p->r, base + 2 * k * step, (uint8_t)a);
    out8(&p->r, base + 2 * k * step, (uint8_t)(a >> 8));
    out8(&p->r, base + (2 * k + 1) * step, (uint8_t)(count - 1));
    out8(&p->r, base + (2 * k + 1) * step, (uint8_t)((count - 1) >> 8));
    out8(&p->r, page[n], (uint8_t)(addr >> 16));
    out8(&p->r, base + 0xa * step, (uint8_t)k);
}

static unsigned reg16(struct dma *p, unsigned port)
{
    unsigned lo;

    out8(&p->r, port < 0xc0 ? 0x0c : 0xd8, 0);
    lo = in8(&p->r, port);
    return lo | (unsigned)in8(&p->r, port) << 8;
}

START_TEST(to_memory)
{
    struct dma p;

    setup(&p);
    p.s[2].len = 10000;
    program(&p, 2, 0x44, 0x12f00, 10000);
    dma_request(&p.s[2].ch, true);
    ck_assert_uint_eq(p.s[2].calls, 0); /* never from inside the request */
    rig_run(&p.r, 100000000);
    ck_assert_uint_eq(p.s[2].tcs, 1);
    ck_assert_int_eq(memcmp(p.r.ram + 0x12f00, p.s[2].data, 10000), 0);
    ck_assert_uint_eq(reg16(&p, 4), 0x2f00 + 10000);
    ck_assert_uint_eq(reg16(&p, 5), 0xffff);
    ck_assert_uint_eq(in8(&p.r, 0x0f), 0x0f); /* masked at the terminal count */
    ck_assert_uint_eq(in8(&p.r, 0x08), 0x04);
    ck_assert_uint_eq(in8(&p.r, 0x08), 0x00); /* cleared by the read */
    /* 10000 bytes take 10 ms. */
    ck_assert_uint_ge(p.s[2].at, 8000000);
    ck_assert_uint_le(p.s[2].at, 11000000);
    rig_free(&p.r);
}
END_TEST

START_TEST(from_memory_in_portions)
{
    struct dma p;
    unsigned i;

    setup(&p);
    for (i = 0; i < 600; i++) {
        p.r.ram[0x5000 + i] = (uint8_t)(i * 3);
    }
    p.s[1].len = 512;
    p.s[1].most = 100;
    program(&p, 1, 0x08, 0x5000, 512);
    dma_request(&p.s[1].ch, true);
    rig_run(&p.r, 10000000);
    ck_assert_uint_eq(p.s[1].calls, 6);
    ck_assert_uint_eq(p.s[1].dir, DMA_FROM_MEMORY);
    ck_assert_int_eq(memcmp(p.r.ram + 0x5000, p.s[1].data, 512), 0);
    /* Nothing ready: DREQ must be signalled again. */
    p.s[1].len = 1000;
    p.s[1].most = 0;
    program(&p, 1, 0x08, 0x5000, 16);
    dma_request(&p.s[1].ch, true);
    rig_run(&p.r, 1000000);
    ck_assert_uint_eq(p.s[1].calls, 7);
    p.s[1].most = 16;
    rig_run(&p.r, 1000000);
    ck_assert_uint_eq(p.s[1].calls, 7);
    dma_request(&p.s[1].ch, true);
    rig_run(&p.r, 1000000);
    ck_assert_uint_eq(p.s[1].calls, 8);
    ck_assert_uint_eq(p.s[1].tcs, 2);
    rig_free(&p.r);
}
END_TEST

START_TEST(wrap_and_decrement)
{
    struct dma p;
    unsigned i;

    setup(&p);
    p.s[3].len = 300;
    program(&p, 3, 0x44, 0x3fff0, 300); /* wraps inside page 3 */
    dma_request(&p.s[3].ch, true);
    rig_run(&p.r, 10000000);
    ck_assert_int_eq(memcmp(p.r.ram + 0x3fff0, p.s[3].data, 16), 0);
    ck_assert_int_eq(memcmp(p.r.ram + 0x30000, p.s[3].data + 16, 284), 0);
    ck_assert_uint_eq(p.r.ram[0x40000], 0);
    memset(p.r.ram, 0, RIG_RAM);
    p.s[3].pos = 0;
    program(&p, 3, 0x64, 0x30007, 300);
    dma_request(&p.s[3].ch, true);
    rig_run(&p.r, 10000000);
    for (i = 0; i < 300; i++) {
        uint32_t at = 0x30000 | ((0x0007 - i) & 0xffff);

        ck_assert_uint_eq(p.r.ram[at], p.s[3].data[i]);
    }
    rig_free(&p.r);
}
END_TEST

START_TEST(words)
{
    struct dma p;
    unsigned i;

    setup(&p);
    p.s[5].len = 40000;
    program(&p, 5, 0x54, 0x31000, 20000); /* A16 is in the address, not in the page */
    dma_request(&p.s[5].ch, true);
    rig_run(&p.r, 50000000);
    ck_assert_int_eq(memcmp(p.r.ram + 0x31000, p.s[5].data, 40000), 0);
    ck_assert_uint_eq(p.s[5].tcs, 1);
    ck_assert_uint_eq(in8(&p.r, 0xd0), 0x02);
    ck_assert_uint_eq(in8(&p.r, 0xde) & 2, 0); /* auto-init: not masked */
    ck_assert_uint_eq(reg16(&p, 0xc4), 0x31000 >> 1 & 0xffff);
    ck_assert_uint_eq(reg16(&p, 0xc6), 19999);
    p.s[6].len = 8;
    memcpy(p.r.ram + 0x60000, "abcdefgh", 8);
    program(&p, 6, 0x68, 0x60006, 4); /* downwards: words in reverse */
    dma_request(&p.s[6].ch, true);
    rig_run(&p.r, 1000000);
    for (i = 0; i < 8; i++) {
        ck_assert_uint_eq(p.s[6].data[i], (uint8_t)"ghefcdab"[i]);
    }
    rig_free(&p.r);
}
END_TEST

START_TEST(verify_mask_disable)
{
    struct dma p;

    setup(&p);
    p.s[2].len = 64;
    program(&p, 2, 0x40, 0x1000, 64);
    out8(&p.r, 0x0a, 0x06); /* mask */
    dma_request(&p.s[2].ch, true);
    rig_run(&p.r, 1000000);
    ck_assert_uint_eq(p.s[2].calls, 0);
    ck_assert_uint_eq(in8(&p.r, 0x08), 0x40);
    out8(&p.r, 0x08, 0x04); /* controller off */
    out8(&p.r, 0x0e, 0);    /* clear mask */
    rig_run(&p.r, 1000000);
    ck_assert_uint_eq(p.s[2].calls, 0);
    out8(&p.r, 0x08, 0x00);
    out8(&p.r, 0xd4, 0x04); /* the cascade is masked */
    rig_run(&p.r, 1000000);
    ck_assert_uint_eq(p.s[2].calls, 0);
    out8(&p.r, 0xd4, 0x00);
    rig_run(&p.r, 1000000);
    ck_assert_uint_eq(p.s[2].calls, 1);
    ck_assert_uint_eq(p.s[2].dir, DMA_VERIFY);
    ck_assert_uint_eq(p.r.ram[0x1000], 0);
    ck_assert_uint_eq(in8(&p.r, 0x08), 0x04);
    out8(&p.r, 0x0f, 0x0b);
    ck_assert_uint_eq(in8(&p.r, 0x0f), 0x0b);
    ck_assert_uint_eq(in8(&p.r, 0x09), 0xff);
    /* Master clear: all masked, flip-flop and status cleared, addresses kept. */
    in8(&p.r, 0x04);
    out8(&p.r, 0x0d, 0);
    ck_assert_uint_eq(in8(&p.r, 0x0f), 0x0f);
    ck_assert_uint_eq(in8(&p.r, 0x04), 0x40);
    ck_assert_uint_eq(in8(&p.r, 0x04), 0x10);
    rig_free(&p.r);
}
END_TEST

START_TEST(software_request_and_priority)
{
    struct dma p;
    unsigned i;

    setup(&p);
    /* Channel 0 has no peripheral: a requested write takes what floats on the bus. */
    program(&p, 0, 0x84, 0x2000, 8);
    out8(&p.r, 0x09, 0x04);
    ck_assert_uint_eq(in8(&p.r, 0x08) & 0xf0, 0x10);
    rig_run(&p.r, 1000000);
    for (i = 0; i < 8; i++) {
        ck_assert_uint_eq(p.r.ram[0x2000 + i], 0xff);
    }
    ck_assert_uint_eq(p.r.ram[0x2008], 0);
    ck_assert_uint_eq(in8(&p.r, 0x08), 0x01);
    /* Fixed: 1 before 3. Rotating: the one just served waits. */
    p.s[1].len = p.s[3].len = 60000;
    program(&p, 1, 0x44, 0x10000, 8192);
    program(&p, 3, 0x44, 0x20000, 8192);
    dma_request(&p.s[3].ch, true);
    dma_request(&p.s[1].ch, true);
    rig_run(&p.r, 3000000);
    ck_assert_uint_eq(p.s[1].calls, 1);
    ck_assert_uint_eq(p.s[3].calls, 0);
    rig_run(&p.r, 100000000);
    ck_assert_uint_eq(p.s[1].pos, 8192);
    ck_assert_uint_eq(p.s[3].pos, 8192);
    out8(&p.r, 0x08, 0x10);
    p.s[1].calls = p.s[3].calls = 0;
    program(&p, 1, 0x44, 0x10000, 8192);
    program(&p, 3, 0x44, 0x20000, 8192);
    dma_request(&p.s[3].ch, true);
    dma_request(&p.s[1].ch, true);
    rig_run(&p.r, 6000000);
    ck_assert_uint_eq(p.s[1].calls, 1);
    ck_assert_uint_eq(p.s[3].calls, 1);
    rig_free(&p.r);
}
END_TEST

START_TEST(memory_to_memory)
{
    struct dma p;
    unsigned i;

    setup(&p);
    for (i = 0; i < 6000; i++) {
        p.r.ram[0x4000 + i] = (uint8_t)(i * 11 + 1);
    }
    program(&p, 0, 0x88, 0x4000, 6000);
    program(&p, 1, 0x84, 0x8000, 6000);
    out8(&p.r, 0x08, 0x01);
    out8(&p.r, 0x09, 0x04);
    rig_run(&p.r, 20000000);
    ck_assert_int_eq(memcmp(p.r.ram + 0x4000, p.r.ram + 0x8000, 6000), 0);
    ck_assert_uint_eq(in8(&p.r, 0x0d), p.r.ram[0x4000 + 5999]);
    ck_assert_uint_eq(in8(&p.r, 0x08), 0x02);
    /* Address hold fills a block with one byte. */
    program(&p, 0, 0x88, 0x4003, 1);
    program(&p, 1, 0x84, 0x8000, 100);
    out8(&p.r, 0x08, 0x03);
    out8(&p.r, 0x09, 0x04);
    rig_run(&p.r, 20000000);
    for (i = 0; i < 100; i++) {
        ck_assert_uint_eq(p.r.ram[0x8000 + i], p.r.ram[0x4003]);
    }
    rig_free(&p.r);
}
END_TEST

START_TEST(pages_post_snapshot_storm)
{
    static const unsigned ports[] = {0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15, 0xc0, 0xc4,
                                     0xc6, 0xd0, 0xd2, 0xd4, 0xd6, 0xdc, 0x81, 0x83, 0x87, 0x8b};
    struct dma p;
    unsigned i;

    setup(&p);
    for (i = 0; i < 16; i++) {
        out8(&p.r, 0x80 + i, (uint8_t)(0x50 + i));
    }
    for (i = 0; i < 16; i++) {
        ck_assert_uint_eq(in8(&p.r, 0x80 + i), 0x50 + i);
    }
    ck_assert_uint_eq(p.posts, 1);
    ck_assert_uint_eq(p.post, 0x50);
    p.s[2].len = 20000;
    program(&p, 2, 0x44, 0x10000, 20000);
    dma_request(&p.s[2].ch, true);
    rig_run(&p.r, 5000000);
    rig_round_trip(&p.r);
    rig_run(&p.r, 50000000);
    ck_assert_int_eq(memcmp(p.r.ram + 0x10000, p.s[2].data, 20000), 0);
    for (i = 0; i < 3000; i++) {
        p.s[1].pos = p.s[2].pos = p.s[5].pos = 0;
        dma_request(&p.s[i % 7].ch, i & 1);
        rig_storm(&p.r, ports, ARRAY_LEN(ports), 1 + i % 9);
    }
    devices_reset(&p.r.env, RESET_WARM);
    ck_assert_uint_eq(in8(&p.r, 0x0f), 0x0f);
    rig_free(&p.r);
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, to_memory);
    tcase_add_test(t, from_memory_in_portions);
    tcase_add_test(t, wrap_and_decrement);
    tcase_add_test(t, words);
    tcase_add_test(t, verify_mask_disable);
    tcase_add_test(t, software_request_and_priority);
    tcase_add_test(t, memory_to_memory);
    tcase_add_test(t, pages_post_snapshot_storm);
}

int main(void)
{
    return rig_main("i8237", add);
}
