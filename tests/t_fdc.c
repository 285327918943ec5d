/*
 * 82077AA: reset and polling, the register set, seeks, transfers by DMA and by hand, formats,
 * errors, media change, snapshots.
 */
#include "devices/fdc82077.h"
#include "memory/bytes.h"
#include "tests/chip_rig.h"

enum { DOR = 0x3f2, TDR = 0x3f3, MSR = 0x3f4, FIFO = 0x3f5, DIR = 0x3f7 };

/* A stand-in for the 8237: moves data while DREQ is up, in pieces of 100 bytes. */
struct fake_dma {
    struct dma_peripheral per;
    bool level;
    enum dma_dir dir;
    uint8_t *mem;
    uint32_t at, count;
};

struct fdc_rig {
    struct rig r;
    struct pin irq;
    struct fake_dma dma;
    struct device *fdc;
    struct block *disk;
};

static void fake_request(void *ctl, unsigned n, bool level)
{
    ck_assert_uint_eq(n, 2);
    ((struct fake_dma *)ctl)->level = level;
}

static void pump(struct fdc_rig *g)
{
    struct fake_dma *d = &g->dma;

    while (d->level && d->at < d->count) {
        uint32_t want = MIN(d->count - d->at, 100u);
        uint32_t n = d->per.transfer(d->per.dev, d->dir, d->mem + d->at, want,
                                     d->at + want == d->count);

        ck_assert_uint_le(n, want);
        if (n == 0) {
            break;
        }
        d->at += n;
    }
}

/* Runs until the interrupt comes, or the time is up. */
static bool wait_irq(struct fdc_rig *g, unsigned ms)
{
    unsigned i;

    for (i = 0; i < ms * 20 && !g->irq.level; i++) {
        rig_run(&g->r, 50000);
        pump(g);
    }
    return g->irq.level;
}

static void send(struct fdc_rig *g, const uint8_t *p, unsigned n)
{
    unsigned i;

    for (i = 0; i < n; i++) {
        ck_assert_uint_eq(in8(&g->r, MSR) & 0xc0, 0x80);
        out8(&g->r, FIFO, p[i]);
    }
}

static unsigned results(struct fdc_rig *g, uint8_t *to)
{
    unsigned n = 0;

    while ((in8(&g->r, MSR) & 0xd0) == 0xd0) {
        ck_assert_uint_lt(n, 16);
        to[n++] = in8(&g->r, FIFO);
    }
    return n;
}

#define SEND(g, ...) send(g, (const uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}))

static void sense_int(struct fdc_rig *g, uint8_t st0, uint8_t pcn)
{
    uint8_t b[16];

    SEND(g, 8);
    ck_assert_uint_eq(results(g, b), 2);
    ck_assert_uint_eq(b[0], st0);
    ck_assert_uint_eq(b[1], pcn);
}

static void fdc_rig_init(struct fdc_rig *g, unsigned sectors)
{
    struct fdc82077_config k = {.port = 0x3f0};
    uint8_t *data = calloc(sectors, 512);
    struct err e;
    unsigned i;

    memset(g, 0, sizeof *g);
    for (i = 0; i < sectors; i++) {
        put32(data + i * 512, i);
        put32(data + i * 512 + 508, ~i);
    }
    g->disk = block_open_mem(data, (uint64_t)sectors * 512, true, &e);
    free(data);
    rig_init(&g->r);
    k.irq = pin_line(&g->irq, &g->r);
    k.dma.request = fake_request;
    k.dma.ctl = &g->dma;
    k.dma.n = 2;
    k.drive[0].present = true;
    k.drive[0].block = g->disk;
    g->fdc = rig_add(&g->r, &fdc82077_class, "fdc82077", &k);
    g->dma.per = fdc82077_dma(g->fdc);
    g->dma.mem = calloc(1, 65536);
    /* Out of reset with motor 0, as a BIOS does; four answers of the polling. */
    out8(&g->r, DOR, 0x1c);
    ck_assert(wait_irq(g, 5));
    for (i = 0; i < 4; i++) {
        sense_int(g, (uint8_t)(0xc0 | i), 0);
        ck_assert(!g->irq.level);
    }
    SEND(g, 3, 0xaf, 2);
    out8(&g->r, DIR, 0);
}

static void fdc_rig_free(struct fdc_rig *g)
{
    rig_free(&g->r);
    block_close(g->disk);
    free(g->dma.mem);
}

static void set_dma(struct fdc_rig *g, enum dma_dir dir, uint32_t count)
{
    g->dma.dir = dir;
    g->dma.at = 0;
    g->dma.count = count;
}

static void seek_to(struct fdc_rig *g, uint8_t track)
{
    SEND(g, 0x0f, 0, track);
    ck_assert(wait_irq(g, 50));
    sense_int(g, 0x20, track);
}

START_TEST(reset_and_registers)
{
    struct fdc_rig g;
    uint8_t b[16];

    fdc_rig_init(&g, 2880);
    ck_assert_uint_eq(in8(&g.r, MSR), 0x80);
    ck_assert_uint_eq(in8(&g.r, DOR), 0x1c);
    out8(&g.r, TDR, 0xff);
    ck_assert_uint_eq(in8(&g.r, TDR) & 3, 3);
    ck_assert_uint_eq(in8(&g.r, 0x3f0), 0xff);
    SEND(&g, 8); /* nothing to sense */
    ck_assert_uint_eq(results(&g, b), 1);
    ck_assert_uint_eq(b[0], 0x80);
    SEND(&g, 0x10);
    ck_assert_uint_eq(results(&g, b), 1);
    ck_assert_uint_eq(b[0], 0x90);
    SEND(&g, 0x18); /* the 82077AA has no part id */
    ck_assert_uint_eq(results(&g, b), 1);
    ck_assert_uint_eq(b[0], 0x80);
    SEND(&g, 0x13, 0, 0x1a, 7);
    SEND(&g, 0x94);
    ck_assert_uint_eq(results(&g, b), 1);
    ck_assert_uint_eq(b[0], 0x10);
    SEND(&g, 0x0e);
    ck_assert_uint_eq(results(&g, b), 10);
    ck_assert_uint_eq(b[4], 0xaf);
    ck_assert_uint_eq(b[5], 2);
    ck_assert_uint_eq(b[7], 0x80);
    ck_assert_uint_eq(b[8], 0x1a);
    ck_assert_uint_eq(b[9], 7);
    /* A software reset keeps what is locked; polling is off now, so no interrupt. */
    out8(&g.r, MSR, 0x80);
    ck_assert_uint_eq(in8(&g.r, MSR), 0);
    ck_assert(!wait_irq(&g, 5));
    SEND(&g, 0x14);
    results(&g, b);
    out8(&g.r, DOR, 0x18);
    ck_assert_uint_eq(in8(&g.r, MSR), 0);
    out8(&g.r, DOR, 0x1c);
    ck_assert(wait_irq(&g, 5));
    SEND(&g, 0x0e);
    results(&g, b);
    ck_assert_uint_eq(b[8], 0x20);
    fdc_rig_free(&g);
}
END_TEST

START_TEST(seeks_and_change_line)
{
    struct fdc_rig g;
    uint8_t b[16];

    fdc_rig_init(&g, 2880);
    ck_assert_uint_eq(in8(&g.r, DIR) & 0x80, 0x80);
    SEND(&g, 7, 0);
    ck_assert_uint_eq(in8(&g.r, MSR), 0x81);
    ck_assert(wait_irq(&g, 50));
    ck_assert_uint_eq(in8(&g.r, MSR), 0x80);
    sense_int(&g, 0x20, 0);
    ck_assert_uint_eq(in8(&g.r, DIR) & 0x80, 0x80); /* no step: still changed */
    seek_to(&g, 5);
    ck_assert_uint_eq(in8(&g.r, DIR) & 0x80, 0);
    SEND(&g, 4, 0);
    ck_assert_uint_eq(results(&g, b), 1);
    ck_assert_uint_eq(b[0], 0x28);
    SEND(&g, 0xcf, 0, 3); /* relative, inwards */
    ck_assert(wait_irq(&g, 50));
    sense_int(&g, 0x20, 8);
    SEND(&g, 0x8f, 4, 8);
    ck_assert(wait_irq(&g, 50));
    sense_int(&g, 0x24, 0);
    SEND(&g, 4, 4);
    results(&g, b);
    ck_assert_uint_eq(b[0], 0x3c); /* track 0, head 1 */
    /* No second drive: recalibrate gives up. */
    SEND(&g, 7, 1);
    ck_assert(wait_irq(&g, 50));
    sense_int(&g, 0x71, 0);
    /* Two seeks at once. */
    SEND(&g, 0x0f, 0, 10);
    SEND(&g, 0x0f, 1, 10);
    ck_assert_uint_eq(in8(&g.r, MSR) & 3, 3);
    rig_run(&g.r, 100000000);
    sense_int(&g, 0x20, 10);
    ck_assert(g.irq.level);
    sense_int(&g, 0x21, 10);
    ck_assert(!g.irq.level);
    fdc_rig_free(&g);
}
END_TEST

START_TEST(dma_read)
{
    struct fdc_rig g;
    uint8_t b[16];
    unsigned i;

    fdc_rig_init(&g, 2880);
    seek_to(&g, 2);
    /* Multi-track from head 0 sector 17 over to head 1: four sectors, the last cut by TC. */
    set_dma(&g, DMA_TO_MEMORY, 4 * 512 - 100);
    SEND(&g, 0xe6, 0, 2, 0, 17, 2, 18, 0x1b, 0xff);
    ck_assert_uint_eq(in8(&g.r, MSR), 0x10);
    ck_assert(wait_irq(&g, 100));
    ck_assert_uint_eq(results(&g, b), 7);
    ck_assert(!g.irq.level);
    ck_assert_uint_eq(b[0], 0x04);
    ck_assert_uint_eq(b[1], 0);
    ck_assert_uint_eq(b[2], 0);
    ck_assert_uint_eq(b[3], 2);
    ck_assert_uint_eq(b[4], 1);
    ck_assert_uint_eq(b[5], 3);
    ck_assert_uint_eq(b[6], 2);
    for (i = 0; i < 4; i++) {
        ck_assert_uint_eq(get32(g.dma.mem + i * 512), 2 * 36 + 16 + i);
    }
    ck_assert_uint_eq(g.dma.at, 4 * 512 - 100);
    /* TC exactly at the end of the track, with one head. */
    set_dma(&g, DMA_TO_MEMORY, 512);
    SEND(&g, 0x46, 0, 2, 0, 18, 2, 18, 0x1b, 0xff);
    ck_assert(wait_irq(&g, 100));
    results(&g, b);
    ck_assert_uint_eq(b[0], 0);
    ck_assert_uint_eq(b[3], 3);
    ck_assert_uint_eq(b[5], 1);
    /* No TC: end of cylinder. */
    set_dma(&g, DMA_TO_MEMORY, 4096);
    SEND(&g, 0x46, 0, 2, 0, 17, 2, 18, 0x1b, 0xff);
    ck_assert(wait_irq(&g, 100));
    results(&g, b);
    ck_assert_uint_eq(b[0], 0x40);
    ck_assert_uint_eq(b[1], 0x80);
    ck_assert_uint_eq(g.dma.at, 1024);
    fdc_rig_free(&g);
}
END_TEST

START_TEST(dma_write)
{
    struct fdc_rig g;
    uint8_t b[16];
    unsigned i;

    fdc_rig_init(&g, 2880);
    memset(g.dma.mem, 0x99, 4096);
    set_dma(&g, DMA_FROM_MEMORY, 700);
    SEND(&g, 0x45, 4, 0, 1, 3, 2, 18, 0x1b, 0xff);
    ck_assert(wait_irq(&g, 100));
    ck_assert_uint_eq(results(&g, b), 7);
    ck_assert_uint_eq(b[0], 4);
    ck_assert_uint_eq(b[5], 5);
    memset(g.dma.mem, 0, 4096);
    set_dma(&g, DMA_TO_MEMORY, 1536);
    SEND(&g, 0x46, 4, 0, 1, 3, 2, 18, 0x1b, 0xff);
    ck_assert(wait_irq(&g, 100));
    results(&g, b);
    for (i = 0; i < 1024; i++) {
        ck_assert_uint_eq(g.dma.mem[i], i < 700 ? 0x99 : 0); /* the rest of a cut sector is zero */
    }
    ck_assert_uint_eq(get32(g.dma.mem + 1024), 18 + 4);
    g.disk->read_only = true;
    set_dma(&g, DMA_FROM_MEMORY, 512);
    SEND(&g, 0x45, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    ck_assert(wait_irq(&g, 100));
    results(&g, b);
    ck_assert_uint_eq(b[0], 0x40);
    ck_assert_uint_eq(b[1], 2);
    SEND(&g, 4, 0);
    results(&g, b);
    ck_assert_uint_eq(b[0] & 0x40, 0x40);
    fdc_rig_free(&g);
}
END_TEST

START_TEST(byte_by_byte)
{
    struct fdc_rig g;
    uint8_t b[16], data[512];
    unsigned i, edges;

    fdc_rig_init(&g, 2880);
    SEND(&g, 3, 0xaf, 3);
    SEND(&g, 0x46, 0, 0, 0, 18, 2, 18, 0x1b, 0xff);
    ck_assert_uint_eq(in8(&g.r, MSR), 0x30);
    ck_assert(wait_irq(&g, 100));
    edges = g.irq.rises;
    for (i = 0; i < 512; i++) {
        ck_assert_uint_eq(in8(&g.r, MSR), 0xf0);
        data[i] = in8(&g.r, FIFO);
    }
    ck_assert_uint_eq(g.irq.rises - edges, 512); /* 511 bytes and the end */
    ck_assert_uint_eq(get32(data), 17);
    ck_assert_uint_eq(results(&g, b), 7);
    ck_assert_uint_eq(b[0], 0x40);
    ck_assert_uint_eq(b[1], 0x80);
    SEND(&g, 0x45, 0, 0, 0, 18, 2, 18, 0x1b, 0xff);
    for (i = 0; i < 512; i++) {
        ck_assert_uint_eq(in8(&g.r, MSR), 0xb0);
        out8(&g.r, FIFO, (uint8_t)i);
    }
    ck_assert(wait_irq(&g, 100));
    ck_assert_uint_eq(results(&g, b), 7);
    SEND(&g, 0x46, 0, 0, 0, 18, 2, 18, 0x1b, 0xff);
    ck_assert(wait_irq(&g, 100));
    for (i = 0; i < 512; i++) {
        ck_assert_uint_eq(in8(&g.r, FIFO), (uint8_t)i);
    }
    fdc_rig_free(&g);
}
END_TEST

/* Runs a read of one sector; returns ST0 << 16 | ST1 << 8 | ST2. */
static unsigned try_read(struct fdc_rig *g, uint8_t op, uint8_t c, uint8_t h, uint8_t r, uint8_t n)
{
    uint8_t b[16];

    set_dma(g, DMA_TO_MEMORY, 512);
    SEND(g, op, (uint8_t)(h << 2), c, h, r, n, 18, 0x1b, 0xff);
    ck_assert(wait_irq(g, 100));
    ck_assert_uint_eq(results(g, b), 7);
    return (unsigned)b[0] << 16 | (unsigned)b[1] << 8 | b[2];
}

START_TEST(sectors_that_are_not_there)
{
    struct fdc_rig g;

    fdc_rig_init(&g, 2880);
    ck_assert_uint_eq(try_read(&g, 0x46, 0, 0, 1, 2), 0);
    ck_assert_uint_eq(try_read(&g, 0x46, 0, 0, 19, 2), 0x400400);
    ck_assert_uint_eq(try_read(&g, 0x46, 0, 0, 0, 2), 0x400400);
    ck_assert_uint_eq(try_read(&g, 0x46, 0, 0, 1, 3), 0x400400);
    ck_assert_uint_eq(try_read(&g, 0x46, 1, 0, 1, 2), 0x400410);
    ck_assert_uint_eq(try_read(&g, 0x06, 0, 0, 1, 2), 0x400100); /* FM */
    ck_assert_uint_eq(try_read(&g, 0x4c, 0, 0, 1, 2), 0x000040); /* not deleted */
    out8(&g.r, DIR, 2);
    ck_assert_uint_eq(try_read(&g, 0x46, 0, 0, 1, 2), 0x400100); /* wrong rate */
    out8(&g.r, DIR, 0);
    out8(&g.r, DOR, 0x0c);
    ck_assert_uint_eq(try_read(&g, 0x46, 0, 0, 1, 2), 0x400100); /* motor off */
    out8(&g.r, DOR, 0x1c);
    ck_assert(fdc82077_set_media(g.fdc, 0, NULL));
    ck_assert_uint_eq(try_read(&g, 0x46, 0, 0, 1, 2), 0x400100);
    ck_assert_uint_eq(in8(&g.r, DIR) & 0x80, 0x80);
    ck_assert(fdc82077_set_media(g.fdc, 0, g.disk));
    ck_assert_uint_eq(try_read(&g, 0x46, 0, 0, 1, 2), 0);
    ck_assert(!fdc82077_set_media(g.fdc, 1, g.disk));
    fdc_rig_free(&g);
}
END_TEST

START_TEST(read_id_and_format)
{
    struct fdc_rig g;
    uint8_t b[16];
    unsigned i;

    fdc_rig_init(&g, 2880);
    seek_to(&g, 7);
    SEND(&g, 0x4a, 4);
    ck_assert(wait_irq(&g, 100));
    ck_assert_uint_eq(results(&g, b), 7);
    ck_assert_uint_eq(b[0], 4);
    ck_assert_uint_eq(b[3], 7);
    ck_assert_uint_eq(b[4], 1);
    ck_assert(b[5] >= 1 && b[5] <= 18);
    ck_assert_uint_eq(b[6], 2);
    for (i = 0; i < 18; i++) {
        put32(g.dma.mem + i * 4, 0x02000007u | (i + 1) << 16);
    }
    set_dma(&g, DMA_FROM_MEMORY, 18 * 4);
    SEND(&g, 0x4d, 0, 2, 18, 0x54, 0xf6);
    ck_assert(wait_irq(&g, 100));
    ck_assert_uint_eq(results(&g, b), 7);
    ck_assert_uint_eq(b[0], 0);
    set_dma(&g, DMA_TO_MEMORY, 18 * 512);
    SEND(&g, 0x46, 0, 7, 0, 1, 2, 18, 0x1b, 0xff);
    ck_assert(wait_irq(&g, 100));
    results(&g, b);
    for (i = 0; i < 18 * 512; i++) {
        ck_assert_uint_eq(g.dma.mem[i], 0xf6);
    }
    fdc_rig_free(&g);
}
END_TEST

START_TEST(verify_scan_track_and_implied_seek)
{
    struct fdc_rig g;
    uint8_t b[16];

    fdc_rig_init(&g, 2880);
    SEND(&g, 0x56, 0x80, 0, 0, 1, 2, 18, 0x1b, 5);
    ck_assert(wait_irq(&g, 100));
    results(&g, b);
    ck_assert_uint_eq(b[0], 0);
    ck_assert_uint_eq(b[5], 6);
    SEND(&g, 0x56, 0, 0, 0, 1, 2, 19, 0x1b, 0xff);
    ck_assert(wait_irq(&g, 100));
    results(&g, b);
    ck_assert_uint_eq(b[1], 4);
    /* Scan: the third sector is equal. */
    memset(g.dma.mem, 0xff, 4 * 512);
    put32(g.dma.mem, 2);
    put32(g.dma.mem + 512, 2);
    put32(g.dma.mem + 1024, 2);
    set_dma(&g, DMA_FROM_MEMORY, 4 * 512);
    SEND(&g, 0x51, 0, 0, 0, 1, 2, 18, 0x1b, 1);
    ck_assert(wait_irq(&g, 100));
    results(&g, b);
    ck_assert_uint_eq(b[0], 0);
    ck_assert_uint_eq(b[2], 8);
    ck_assert_uint_eq(b[5], 3);
    set_dma(&g, DMA_FROM_MEMORY, 2 * 512);
    SEND(&g, 0x51, 0, 0, 0, 5, 2, 18, 0x1b, 1);
    ck_assert(wait_irq(&g, 100));
    results(&g, b);
    ck_assert_uint_eq(b[2], 4);
    /* Read track starts at sector 1; implied seek goes to track 9. */
    SEND(&g, 0x13, 0, 0x50, 0);
    set_dma(&g, DMA_TO_MEMORY, 3 * 512);
    SEND(&g, 0x42, 0, 9, 0, 4, 2, 3, 0x1b, 0xff);
    ck_assert(wait_irq(&g, 100));
    results(&g, b);
    ck_assert_uint_eq(b[0], 0);
    ck_assert_uint_eq(get32(g.dma.mem), 9 * 36);
    ck_assert_uint_eq(get32(g.dma.mem + 1024), 9 * 36 + 2);
    fdc_rig_free(&g);
}
END_TEST

/* Scans by hand, byte after byte; low and high compare the other way round. */
START_TEST(scan_by_hand)
{
    static const struct {
        uint8_t op, byte, step, st2, r;
    } row[] = {
        {0x51, 0x40, 1, 8, 3}, /* equal: sector 3 */
        {0x59, 0x3f, 1, 0, 1}, /* low or equal: sector 1 is below */
        {0x59, 0x1f, 1, 4, 5}, /* none is */
        {0x59, 0x20, 1, 8, 1}, /* sector 1 is equal */
        {0x5d, 0x2f, 1, 0, 2}, /* high or equal: sector 2 is above */
        {0x51, 0x50, 2, 4, 5}, /* every other sector: 1 and 3, not 4 */
    };
    struct fdc_rig g;
    uint8_t b[16];

    for (unsigned k = 0; k < ARRAY_LEN(row); k++) {
        fdc_rig_init(&g, 2880);
        /* Sectors 1 to 4 of track 0 are full of 20h, 30h, 40h, 50h. */
        for (unsigned s = 0; s < 4; s++) {
            memset(g.dma.mem, (int)(0x20 + s * 0x10), 512);
            set_dma(&g, DMA_FROM_MEMORY, 512);
            SEND(&g, 0x45, 0, 0, 0, (uint8_t)(s + 1), 2, 18, 0x1b, 0xff);
            ck_assert(wait_irq(&g, 100));
            results(&g, b);
        }
        SEND(&g, 3, 0xaf, 3);
        SEND(&g, row[k].op, 0, 0, 0, 1, 2, 4, 0x1b, row[k].step);
        for (unsigned n = 0; n < 5000; n++) {
            uint8_t status = in8(&g.r, MSR);

            if ((status & 0xf0) == 0xb0) {
                out8(&g.r, FIFO, row[k].byte);
            } else if (status & 0x80) {
                break;
            } else {
                rig_run(&g.r, 100000);
            }
        }
        ck_assert_uint_eq(results(&g, b), 7);
        ck_assert_uint_eq(b[2], row[k].st2);
        if (row[k].st2 != 4) {
            ck_assert_uint_eq(b[5], row[k].r);
        }
        fdc_rig_free(&g);
    }
}
END_TEST

/* An image that fails: data errors, and what was to be written is not. */
static enum block_error broken;

static void broken_submit(struct block *b UNUSED, struct block_req *req)
{
    memset(req->buf, 0, req->cmd == BLOCK_READ ? (size_t)req->count * 512 : 0);
    req->done(req, broken);
}

static const struct block_ops broken_ops = {"broken", broken_submit, NULL, NULL, NULL};

START_TEST(refusals)
{
    struct fdc_rig g;
    uint8_t b[16];
    struct block bad = {.ops = &broken_ops, .sectors = 2880, .label = "broken"};

    fdc_rig_init(&g, 2880);
    ck_assert(fdc82077_set_media(g.fdc, 0, &bad));
    broken = BLOCK_EIO;
    ck_assert_uint_eq(try_read(&g, 0x46, 0, 0, 1, 2), 0x402020); /* CRC, in the data field */
    set_dma(&g, DMA_FROM_MEMORY, 512);
    SEND(&g, 0x45, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    ck_assert(wait_irq(&g, 100));
    results(&g, b);
    ck_assert_uint_eq(b[0], 0x40);
    ck_assert_uint_eq(b[1], 4);
    broken = BLOCK_OK;
    /* Deleted data is skipped by a read that says so, and never found. */
    ck_assert_uint_eq(try_read(&g, 0x6c, 0, 0, 18, 2) & 0xff8000, 0x408000);
    bad.read_only = true;
    SEND(&g, 0x4d, 0, 2, 18, 0x54, 0xf6); /* format */
    ck_assert(wait_irq(&g, 100));
    results(&g, b);
    ck_assert_uint_eq(b[0], 0x40);
    ck_assert_uint_eq(b[1], 2);
    ck_assert(fdc82077_set_media(g.fdc, 0, NULL));
    SEND(&g, 0x4a, 0); /* READ ID */
    ck_assert(wait_irq(&g, 600));
    results(&g, b);
    ck_assert_uint_eq(b[0], 0x40);
    ck_assert_uint_eq(b[1], 1);
    SEND(&g, 0x4d, 0, 2, 18, 0x54, 0xf6);
    ck_assert(wait_irq(&g, 600));
    results(&g, b);
    ck_assert_uint_eq(b[1], 1);
    ck_assert(fdc82077_set_media(g.fdc, 0, g.disk));
    fdc_rig_free(&g);
}
END_TEST

/* Places that a format names and the disk does not have are left out; the others are written. */
START_TEST(odd_format)
{
    static const uint32_t id[] = {0x02010000, 0x02020000, 0x02200000, 0x03030000};
    struct fdc_rig g;
    uint8_t b[16];

    fdc_rig_init(&g, 2880);
    for (unsigned n = 0; n < ARRAY_LEN(id); n++) {
        put32(g.dma.mem + n * 4, id[n]);
    }
    set_dma(&g, DMA_FROM_MEMORY, 16);
    SEND(&g, 0x4d, 0, 2, 4, 0x54, 0x77);
    ck_assert(wait_irq(&g, 200));
    results(&g, b);
    ck_assert_uint_eq(b[0], 0);
    set_dma(&g, DMA_TO_MEMORY, 3 * 512);
    SEND(&g, 0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    ck_assert(wait_irq(&g, 100));
    results(&g, b);
    ck_assert_uint_eq(g.dma.mem[0], 0x77);
    ck_assert_uint_eq(g.dma.mem[512 + 511], 0x77);
    ck_assert_uint_eq(get32(g.dma.mem + 1024), 2);
    fdc_rig_free(&g);
}
END_TEST

/* PERPENDICULAR MODE as DUMPREG shows it: drive bits only with OW. */
START_TEST(perpendicular)
{
    struct fdc_rig g;
    uint8_t b[16];

    fdc_rig_init(&g, 5760);
    SEND(&g, 0x12, 0x84);
    SEND(&g, 0x0e);
    results(&g, b);
    ck_assert_uint_eq(b[7] & 0x7f, 0x04);
    SEND(&g, 0x12, 0x3b); /* without OW: GAP and WGATE alone */
    SEND(&g, 0x0e);
    results(&g, b);
    ck_assert_uint_eq(b[7] & 0x7f, 0x07);
    out8(&g.r, MSR, 0x80); /* a software reset clears GAP and WGATE */
    rig_run(&g.r, 1000000);
    for (unsigned n = 0; n < 4; n++) {
        sense_int(&g, (uint8_t)(0xc0 | n), 0);
    }
    SEND(&g, 0x0e);
    results(&g, b);
    ck_assert_uint_eq(b[7] & 0x7f, 0x04);
    fdc_rig_free(&g);
}
END_TEST

START_TEST(formats)
{
    static const struct {
        unsigned sectors, type, rate, spt, sides;
    } f[] = {
        {320, 1, 2, 8, 1},  {360, 1, 2, 9, 1},  {640, 1, 2, 8, 2},   {720, 1, 2, 9, 2},
        {1440, 4, 2, 9, 2}, {2400, 2, 0, 15, 2}, {2880, 4, 0, 18, 2}, {5760, 5, 3, 36, 2},
        {1600, 4, 2, 10, 2}, {3360, 4, 0, 21, 2}, {3444, 4, 0, 21, 2},
        {100, 1, 2, 8, 1},  {2000, 2, 0, 15, 2},
    };
    unsigned i;
    struct fdc_rig g;
    uint8_t b[16];

    for (i = 0; i < ARRAY_LEN(f); i++) {
        fdc_rig_init(&g, f[i].sectors);
        ck_assert_uint_eq(fdc82077_cmos_type(g.fdc, 0), f[i].type);
        ck_assert_uint_eq(fdc82077_cmos_type(g.fdc, 1), 0);
        out8(&g.r, DIR, (uint8_t)f[i].rate);
        seek_to(&g, 5);
        set_dma(&g, DMA_TO_MEMORY, 512);
        SEND(&g, 0x46, 0, 5, 0, 3, 2, 18, 0x1b, 0xff);
        ck_assert(wait_irq(&g, 100));
        results(&g, b);
        ck_assert_uint_eq(b[0], 0);
        ck_assert_uint_eq(get32(g.dma.mem), 5 * f[i].spt * f[i].sides + 2);
        fdc_rig_free(&g);
    }
    /* Past the end of a file that is cut short: zeros. */
    fdc_rig_init(&g, 2800);
    seek_to(&g, 79);
    ck_assert_uint_eq(try_read(&g, 0x46, 79, 1, 18, 2), 0x040000);
    ck_assert_uint_eq(get32(g.dma.mem), 0);
    fdc_rig_free(&g);
}
END_TEST

START_TEST(snapshots)
{
    struct fdc_rig g;
    uint8_t b[16];
    unsigned step;

    /* At ten places of one transfer of two sectors, by hand. */
    for (step = 0; step < 10; step++) {
        unsigned i;
        uint8_t data[1024];

        fdc_rig_init(&g, 2880);
        SEND(&g, 3, 0xaf, 3);
        SEND(&g, 0x46, 0, 0, 0, 17);
        if (step == 0) {
            rig_round_trip(&g.r);
        }
        SEND(&g, 2, 18, 0x1b, 0xff);
        rig_run(&g.r, step * 10000);
        rig_round_trip(&g.r);
        for (i = 0; i < 1024; i++) {
            unsigned k;

            for (k = 0; k < 1000 && !(in8(&g.r, MSR) & 0x80); k++) {
                rig_run(&g.r, 10000);
            }
            data[i] = in8(&g.r, FIFO);
            if (i == step * 100) {
                rig_round_trip(&g.r);
            }
        }
        ck_assert_uint_eq(get32(data), 16);
        ck_assert_uint_eq(get32(data + 1020), ~17u);
        ck_assert_uint_eq(results(&g, b), 7);
        fdc_rig_free(&g);
    }
}
END_TEST

START_TEST(seek_over_snapshot)
{
    struct fdc_rig g;

    fdc_rig_init(&g, 2880);
    SEND(&g, 0x0f, 0, 40);
    rig_run(&g.r, 1000000);
    rig_round_trip(&g.r);
    ck_assert_uint_eq(in8(&g.r, MSR) & 1, 1);
    rig_run(&g.r, 10000000);
    sense_int(&g, 0x20, 40);
    fdc_rig_free(&g);
}
END_TEST

START_TEST(storm)
{
    static const unsigned ports[] = {DOR, TDR, MSR, FIFO, FIFO, FIFO, FIFO, DIR};
    struct fdc_rig g;

    fdc_rig_init(&g, 2880);
    set_dma(&g, DMA_TO_MEMORY, 65536);
    rig_storm(&g.r, ports, ARRAY_LEN(ports), 300000);
    out8(&g.r, DOR, 0);
    out8(&g.r, DOR, 0x1c);
    rig_run(&g.r, 1000000);
    ck_assert_uint_eq(in8(&g.r, MSR) & 0xf0, 0x80);
    fdc_rig_free(&g);
}
END_TEST

static void add_tests(TCase *t)
{
    tcase_add_test(t, reset_and_registers);
    tcase_add_test(t, seeks_and_change_line);
    tcase_add_test(t, dma_read);
    tcase_add_test(t, dma_write);
    tcase_add_test(t, byte_by_byte);
    tcase_add_test(t, sectors_that_are_not_there);
    tcase_add_test(t, read_id_and_format);
    tcase_add_test(t, verify_scan_track_and_implied_seek);
    tcase_add_test(t, scan_by_hand);
    tcase_add_test(t, refusals);
    tcase_add_test(t, odd_format);
    tcase_add_test(t, perpendicular);
    tcase_add_test(t, formats);
    tcase_add_test(t, snapshots);
    tcase_add_test(t, seek_over_snapshot);
    tcase_add_test(t, storm);
}

int main(void)
{
    return rig_main("fdc", add_tests);
}
