/*
 * IDE channel and ATA disk: reset, selection, PIO and DMA in every address mode, interrupts,
 * errors, late hosts, and snapshots in the middle of transfers.
 */
#include "tests/ide_rig.h"

START_TEST(reset_and_signature)
{
    struct ide_rig g;

    disk_rig_init(&g);
    ck_assert_uint_eq(in8(&g.r, 0x1f7), 0x50);
    ck_assert_uint_eq(in8(&g.r, 0x1f1), 1);
    ck_assert_uint_eq(in8(&g.r, 0x1f2), 1);
    ck_assert_uint_eq(in8(&g.r, 0x1f3), 1);
    ck_assert_uint_eq(in8(&g.r, 0x1f4), 0);
    ck_assert_uint_eq(in8(&g.r, 0x1f5), 0);
    ck_assert_uint_eq(in8(&g.r, 0x1f6), 0xa0);
    out8(&g.r, 0x1f2, 0x55);
    out8(&g.r, 0x1f3, 0xaa);
    ck_assert_uint_eq(in8(&g.r, 0x1f2), 0x55);
    ck_assert_uint_eq(in8(&g.r, 0x1f3), 0xaa);
    /* SRST holds BSY until it is taken back and some time has gone. */
    out8(&g.r, 0x3f6, 4);
    ck_assert_uint_eq(alt_status(&g), BSY);
    rig_run(&g.r, 10000000);
    ck_assert_uint_eq(alt_status(&g), BSY);
    out8(&g.r, 0x3f6, 0);
    ck_assert_uint_eq(alt_status(&g), BSY);
    ck_assert_uint_eq(wait_idle(&g), 0x50);
    ck_assert_uint_eq(in8(&g.r, 0x1f2), 1);
    ck_assert(!g.irq.level);
    /* EXECUTE DEVICE DIAGNOSTIC interrupts. */
    out8(&g.r, 0x1f6, 0xb0);
    out8(&g.r, 0x1f7, 0x90);
    rig_run(&g.r, 100000);
    ck_assert(g.irq.level);
    ck_assert_uint_eq(in8(&g.r, 0x1f6), 0xa0);
    ck_assert_uint_eq(in8(&g.r, 0x1f1), 1);
    ck_assert_uint_eq(in8(&g.r, 0x1f7), 0x50);
    ck_assert(!g.irq.level);
    ide_rig_free(&g);
}
END_TEST

START_TEST(absent_drives)
{
    struct ide_rig g;
    struct ide_config none = {0};

    disk_rig_init(&g);
    out8(&g.r, 0x1f6, 0xb0);
    ck_assert_uint_eq(in8(&g.r, 0x1f7), 0);
    out8(&g.r, 0x1f2, 0x55);
    ck_assert_uint_eq(in8(&g.r, 0x1f2), 0);
    out8(&g.r, 0x1f7, 0xec);
    rig_run(&g.r, 1000000);
    ck_assert_uint_eq(in8(&g.r, 0x1f7), 0);
    ck_assert(!g.irq.level);
    out8(&g.r, 0x1f6, 0xa0);
    ck_assert_uint_eq(in8(&g.r, 0x1f7), 0x50);
    ide_rig_free(&g);

    memset(&g.disk, 0, sizeof g.disk);
    ide_rig_init(&g, &none);
    ck_assert_uint_eq(in8(&g.r, 0x1f7), 0x7f);
    ck_assert_uint_eq(in8(&g.r, 0x1f2), 0x7f);
    out8(&g.r, 0x1f7, 0xec);
    rig_run(&g.r, 1000000);
    ck_assert_uint_eq(in8(&g.r, 0x1f7), 0x7f);
    ide_rig_free(&g);
}
END_TEST

START_TEST(identify)
{
    struct ide_rig g;
    uint8_t w[512], sum = 0;
    unsigned i;

    disk_rig_init(&g);
    out8(&g.r, 0x1f7, 0xec);
    ck_assert_uint_eq(alt_status(&g) & BSY, BSY);
    rig_run(&g.r, 100000);
    ck_assert(g.irq.level);
    ck_assert_uint_eq(alt_status(&g), 0x58);
    ck_assert(g.irq.level); /* the alternate status leaves it alone */
    ck_assert_uint_eq(in8(&g.r, 0x1f7), 0x58);
    ck_assert(!g.irq.level);
    read_data(&g, w, 512);
    ck_assert_uint_eq(in8(&g.r, 0x1f7), 0x50);
    rig_run(&g.r, 100000);
    ck_assert(!g.irq.level);
    ck_assert_uint_eq(get16(w), 0x40);
    ck_assert_uint_eq(get16(w + 2), DISK_SECTORS / (16 * 63));
    ck_assert_uint_eq(get16(w + 6), 16);
    ck_assert_uint_eq(get16(w + 12), 63);
    ck_assert_uint_eq(get32(w + 120), DISK_SECTORS);
    ck_assert_uint_eq(get64(w + 200), DISK_SECTORS);
    ck_assert_int_eq(memcmp(w + 54, "XOOB WAHDRIDKS  ", 16), 0);
    for (i = 0; i < 512; i++) {
        sum = (uint8_t)(sum + w[i]);
    }
    ck_assert_uint_eq(sum, 0);
    ide_rig_free(&g);
}
END_TEST

START_TEST(pio_read)
{
    struct ide_rig g;
    uint8_t b[1536];
    unsigned i;

    disk_rig_init(&g);
    lba28(&g, 1000, 3, 0x20);
    for (i = 0; i < 3; i++) {
        rig_run(&g.r, 200000);
        ck_assert(g.irq.level);
        ck_assert_uint_eq(wait_idle(&g), 0x58);
        read_data(&g, b + i * 512, 512);
    }
    ck_assert_uint_eq(in8(&g.r, 0x1f7), 0x50);
    ck_assert_uint_eq(g.irq.rises, 3);
    for (i = 0; i < 3; i++) {
        ck_assert_uint_eq(get32(b + i * 512), 1000 + i);
        ck_assert_uint_eq(get32(b + i * 512 + 508), ~(1000 + i));
    }
    ck_assert_uint_eq(in8(&g.r, 0x1f2), 0);
    ck_assert_uint_eq(in8(&g.r, 0x1f3), 1002 & 0xff);
    /* 32-bit reads of the port, across the reply of a whole sector. */
    lba28(&g, 7, 1, 0x20);
    ck_assert_uint_eq(wait_idle(&g), 0x58);
    ck_assert_uint_eq(bus_read(g.r.env.io, 0x1f0, 4), 7);
    for (i = 0; i < 126; i++) {
        bus_read(g.r.env.io, 0x1f0, 4);
    }
    ck_assert_uint_eq(bus_read(g.r.env.io, 0x1f0, 4), ~7u);
    ck_assert_uint_eq(in8(&g.r, 0x1f7), 0x50);
    /* Reading on gives nothing and breaks nothing. */
    ck_assert_uint_eq(bus_read(g.r.env.io, 0x1f0, 2), 0xffff);
    ide_rig_free(&g);
}
END_TEST

START_TEST(pio_write)
{
    struct ide_rig g;
    uint8_t b[1024];

    disk_rig_init(&g);
    memset(b, 0x3c, sizeof b);
    lba28(&g, 50, 2, 0x30);
    ck_assert_uint_eq(wait_idle(&g), 0x58);
    ck_assert_uint_eq(g.irq.rises, 0); /* none for the first block */
    write_data(&g, b, 512);
    rig_run(&g.r, 100000);
    ck_assert(g.irq.level);
    ck_assert_uint_eq(wait_idle(&g), 0x58);
    write_data(&g, b + 512, 512);
    ck_assert_uint_eq(alt_status(&g) & BSY, BSY);
    rig_run(&g.r, 200000);
    ck_assert(g.irq.level);
    ck_assert_uint_eq(wait_idle(&g), 0x50);
    ck_assert_int_eq(memcmp(g.disk.data + 50 * 512, b, 1024), 0);
    ck_assert_uint_eq(get32(g.disk.data + 52 * 512), 52);
    out8(&g.r, 0x1f7, 0xe7);
    ck_assert_uint_eq(wait_idle(&g), 0x50);
    ck_assert_uint_eq(g.disk.flushes, 1);
    /* A disk that can't be written. */
    g.disk.b.read_only = true;
    lba28(&g, 50, 1, 0x30);
    ck_assert_uint_eq(wait_idle(&g), 0x51);
    ck_assert_uint_eq(in8(&g.r, 0x1f1), 4);
    ide_rig_free(&g);
}
END_TEST

START_TEST(multiple_and_lba48)
{
    struct ide_rig g;
    static uint8_t b[300 * 512];
    unsigned i, irqs;

    disk_rig_init(&g);
    out8(&g.r, 0x1f2, 3);
    out8(&g.r, 0x1f7, 0xc6);
    ck_assert_uint_eq(wait_idle(&g), 0x51); /* no power of two */
    lba28(&g, 0, 4, 0xc4);
    ck_assert_uint_eq(wait_idle(&g), 0x51); /* and now the mode is off */
    out8(&g.r, 0x1f2, 8);
    out8(&g.r, 0x1f7, 0xc6);
    ck_assert_uint_eq(wait_idle(&g), 0x50);
    irqs = g.irq.rises;
    lba28(&g, 100, 20, 0xc4);
    for (i = 0; i < 20; i += 8) {
        ck_assert_uint_eq(wait_idle(&g), 0x58);
        read_data(&g, b + i * 512, MIN(20 - i, 8u) * 512);
    }
    ck_assert_uint_eq(in8(&g.r, 0x1f7), 0x50);
    ck_assert_uint_eq(g.irq.rises - irqs, 3);
    ck_assert_uint_eq(get32(b + 19 * 512), 119);
    /* READ SECTORS EXT of 300: the count needs its second byte, and two host requests. */
    out8(&g.r, 0x1f6, 0x40);
    out8(&g.r, 0x1f2, 300 >> 8);
    out8(&g.r, 0x1f3, 0);
    out8(&g.r, 0x1f4, 0);
    out8(&g.r, 0x1f5, 0);
    out8(&g.r, 0x1f2, 300 & 0xff);
    out8(&g.r, 0x1f3, 0x10);
    out8(&g.r, 0x1f4, 0x20);
    out8(&g.r, 0x1f5, 0);
    out8(&g.r, 0x3f6, 0x80);
    ck_assert_uint_eq(in8(&g.r, 0x1f2), 1);
    out8(&g.r, 0x3f6, 0);
    g.disk.requests = 0;
    out8(&g.r, 0x1f7, 0x24);
    for (i = 0; i < 300; i++) {
        ck_assert_uint_eq(wait_idle(&g), 0x58);
        read_data(&g, b + i * 512, 512);
    }
    ck_assert_uint_eq(in8(&g.r, 0x1f7), 0x50);
    ck_assert_uint_eq(g.disk.requests, 2);
    for (i = 0; i < 300; i++) {
        ck_assert_uint_eq(get32(b + i * 512), 0x2010 + i);
    }
    ide_rig_free(&g);
}
END_TEST

START_TEST(cylinders_heads_sectors)
{
    struct ide_rig g;
    uint8_t b[512];

    disk_rig_init(&g);
    out8(&g.r, 0x1f6, 0xa2);
    out8(&g.r, 0x1f2, 2);
    out8(&g.r, 0x1f3, 63);
    out8(&g.r, 0x1f4, 3);
    out8(&g.r, 0x1f5, 0);
    out8(&g.r, 0x1f7, 0x20);
    ck_assert_uint_eq(wait_idle(&g), 0x58);
    read_data(&g, b, 512);
    ck_assert_uint_eq(get32(b), (3 * 16 + 2) * 63 + 62);
    ck_assert_uint_eq(wait_idle(&g), 0x58);
    read_data(&g, b, 512);
    ck_assert_uint_eq(get32(b), (3 * 16 + 3) * 63);
    ck_assert_uint_eq(in8(&g.r, 0x1f3), 1);
    ck_assert_uint_eq(in8(&g.r, 0x1f6), 0xa3);
    /* Another translation. */
    out8(&g.r, 0x1f6, 0xa3);
    out8(&g.r, 0x1f2, 17);
    out8(&g.r, 0x1f7, 0x91);
    ck_assert_uint_eq(wait_idle(&g), 0x50);
    out8(&g.r, 0x1f6, 0xa1);
    out8(&g.r, 0x1f2, 1);
    out8(&g.r, 0x1f3, 17);
    out8(&g.r, 0x1f4, 10);
    out8(&g.r, 0x1f7, 0x20);
    ck_assert_uint_eq(wait_idle(&g), 0x58);
    read_data(&g, b, 512);
    ck_assert_uint_eq(get32(b), (10 * 4 + 1) * 17 + 16);
    out8(&g.r, 0x1f3, 18);
    out8(&g.r, 0x1f7, 0x20);
    ck_assert_uint_eq(wait_idle(&g), 0x51);
    ck_assert_uint_eq(in8(&g.r, 0x1f1), 0x10);
    ide_rig_free(&g);
}
END_TEST

START_TEST(errors)
{
    struct ide_rig g;

    disk_rig_init(&g);
    lba28(&g, DISK_SECTORS - 1, 2, 0x20);
    ck_assert_uint_eq(wait_idle(&g), 0x51);
    ck_assert_uint_eq(in8(&g.r, 0x1f1), 0x10);
    lba28(&g, 0, 1, 0xff);
    rig_run(&g.r, 100000);
    ck_assert(g.irq.level);
    ck_assert_uint_eq(wait_idle(&g), 0x51);
    ck_assert_uint_eq(in8(&g.r, 0x1f1), 4);
    g.disk.error = BLOCK_EIO;
    lba28(&g, 77, 4, 0x20);
    ck_assert_uint_eq(wait_idle(&g), 0x51);
    ck_assert_uint_eq(in8(&g.r, 0x1f1), 0x40);
    ck_assert_uint_eq(in8(&g.r, 0x1f3), 77);
    out8(&g.r, 0x1f7, 0xe7);
    ck_assert_uint_eq(wait_idle(&g), 0x71);
    ide_rig_free(&g);
}
END_TEST

START_TEST(small_commands)
{
    struct ide_rig g;
    uint8_t b[512], sum = 0;
    unsigned i;
    static const uint8_t fine[] = {0x10, 0x70, 0xe0, 0xe1, 0xe2, 0xe3, 0x40};

    disk_rig_init(&g);
    for (i = 0; i < sizeof fine; i++) {
        lba28(&g, 5, 1, fine[i]);
        ck_assert_uint_eq(wait_idle(&g), 0x50);
    }
    out8(&g.r, 0x1f7, 0xe0);
    wait_idle(&g);
    out8(&g.r, 0x1f7, 0xe5);
    ck_assert_uint_eq(wait_idle(&g), 0x50);
    ck_assert_uint_eq(in8(&g.r, 0x1f2), 0);
    lba28(&g, 5, 1, 0x40);
    wait_idle(&g);
    out8(&g.r, 0x1f7, 0xe5);
    wait_idle(&g);
    ck_assert_uint_eq(in8(&g.r, 0x1f2), 0xff);
    out8(&g.r, 0x1f7, 0xf8);
    wait_idle(&g);
    ck_assert_uint_eq(in8(&g.r, 0x1f3) | (unsigned)in8(&g.r, 0x1f4) << 8, DISK_SECTORS - 1);
    /* Features: transfer mode, and one that isn't there. */
    out8(&g.r, 0x1f1, 3);
    out8(&g.r, 0x1f2, 0x45);
    out8(&g.r, 0x1f7, 0xef);
    ck_assert_uint_eq(wait_idle(&g), 0x50);
    out8(&g.r, 0x1f2, 0x47);
    out8(&g.r, 0x1f7, 0xef);
    ck_assert_uint_eq(wait_idle(&g), 0x51);
    out8(&g.r, 0x1f7, 0xec);
    wait_idle(&g);
    read_data(&g, b, 512);
    ck_assert_uint_eq(get16(b + 176), 0x203f);
    ck_assert_uint_eq(get16(b + 126), 0x0007);
    /* SMART. */
    out8(&g.r, 0x1f1, 0xda);
    out8(&g.r, 0x1f4, 0x4f);
    out8(&g.r, 0x1f5, 0xc2);
    out8(&g.r, 0x1f7, 0xb0);
    ck_assert_uint_eq(wait_idle(&g), 0x50);
    ck_assert_uint_eq(in8(&g.r, 0x1f4), 0x4f);
    out8(&g.r, 0x1f1, 0xd0);
    out8(&g.r, 0x1f7, 0xb0);
    ck_assert_uint_eq(wait_idle(&g), 0x58);
    read_data(&g, b, 512);
    for (i = 0; i < 512; i++) {
        sum = (uint8_t)(sum + b[i]);
    }
    ck_assert_uint_eq(sum, 0);
    out8(&g.r, 0x1f4, 0);
    out8(&g.r, 0x1f7, 0xb0);
    ck_assert_uint_eq(wait_idle(&g), 0x51);
    ide_rig_free(&g);
}
END_TEST

static uint8_t command(struct ide_rig *g, uint8_t feature, uint8_t count, uint8_t code)
{
    out8(&g->r, 0x1f1, feature);
    out8(&g->r, 0x1f2, count);
    out8(&g->r, 0x1f7, code);
    return wait_idle(g);
}

static uint8_t smart(struct ide_rig *g, uint8_t feature, uint8_t log)
{
    out8(&g->r, 0x1f3, log);
    out8(&g->r, 0x1f4, 0x4f);
    out8(&g->r, 0x1f5, 0xc2);
    return command(g, feature, 1, 0xb0);
}

static unsigned word_of(struct ide_rig *g, unsigned n)
{
    uint8_t b[512];

    ck_assert_uint_eq(command(g, 0, 0, 0xec), 0x58);
    read_data(g, b, 512);
    return get16(b + n * 2);
}

static void page(struct ide_rig *g, uint8_t *b)
{
    uint8_t sum = 0;

    read_data(g, b, 512);
    for (unsigned n = 0; n < 512; n++) {
        sum = (uint8_t)(sum + b[n]);
    }
    ck_assert_uint_eq(sum, 0);
}

/* All of SMART that a healthy drive has (ATA/ATAPI-6, 8.55). */
START_TEST(smart_commands)
{
    static const uint8_t plain[] = {0xd2, 0xd3, 0xd4, 0xdb};
    struct ide_rig g;
    uint8_t data[512], limits[512];

    disk_rig_init(&g);
    out8(&g.r, 0x1f6, 0xa0);
    ck_assert_uint_eq(smart(&g, 0xd0, 0), 0x58);
    page(&g, data);
    ck_assert_uint_eq(smart(&g, 0xd1, 0), 0x58);
    page(&g, limits);
    for (unsigned n = 2; n < 2 + 12 * 6; n += 12) {
        ck_assert_uint_ne(data[n], 0);
        ck_assert_uint_eq(limits[n], data[n]);
        ck_assert_uint_gt(data[n + 3], limits[n + 1]); /* value over threshold */
    }
    ck_assert_uint_eq(smart(&g, 0xd5, 0), 0x58); /* directory of the logs */
    read_data(&g, data, 512);
    ck_assert_uint_eq(get16(data), 1);
    ck_assert_uint_eq(data[2], 1);
    ck_assert_uint_eq(data[12], 1);
    ck_assert_uint_eq(smart(&g, 0xd5, 1), 0x58); /* errors */
    page(&g, data);
    ck_assert_uint_eq(data[1], 0);
    ck_assert_uint_eq(smart(&g, 0xd5, 6), 0x58); /* self-tests */
    page(&g, data);
    ck_assert_uint_eq(smart(&g, 0xd5, 0x80), 0x51); /* no host log */
    for (unsigned n = 0; n < sizeof plain; n++) {
        ck_assert_uint_eq(smart(&g, plain[n], 0), 0x50);
    }
    ck_assert_uint_eq(smart(&g, 0xdf, 0), 0x51);
    ck_assert_uint_eq(word_of(&g, 85) & 1, 1);
    ck_assert_uint_eq(smart(&g, 0xd9, 0), 0x50); /* off: nothing but "on" is there then */
    ck_assert_uint_eq(word_of(&g, 85) & 1, 0);
    ck_assert_uint_eq(smart(&g, 0xda, 0), 0x51);
    ck_assert_uint_eq(smart(&g, 0xd8, 0), 0x50);
    ck_assert_uint_eq(smart(&g, 0xda, 0), 0x50);
    ide_rig_free(&g);
}
END_TEST

/* SET FEATURES and what IDENTIFY DEVICE says afterwards. */
START_TEST(features)
{
    static const struct {
        uint8_t feature, word, bit;
        bool on;
    } row[] = {
        {0x82, 85, 5, false}, {0x02, 85, 5, true}, {0x55, 85, 6, false}, {0xaa, 85, 6, true}};
    struct ide_rig g;

    disk_rig_init(&g);
    out8(&g.r, 0x1f6, 0xa0);
    for (unsigned n = 0; n < ARRAY_LEN(row); n++) {
        ck_assert_uint_eq(command(&g, row[n].feature, 0, 0xef), 0x50);
        ck_assert_int_eq(word_of(&g, row[n].word) >> row[n].bit & 1, row[n].on);
    }
    ck_assert_uint_eq(command(&g, 0x66, 0, 0xef), 0x50);
    ck_assert_uint_eq(command(&g, 0xcc, 0, 0xef), 0x50);
    ck_assert_uint_eq(command(&g, 0x99, 0, 0xef), 0x51);
    ck_assert_uint_eq(command(&g, 3, 0x22, 0xef), 0x50); /* multiword DMA 2 */
    ck_assert_uint_eq(word_of(&g, 63), 0x0407);
    ck_assert_uint_eq(word_of(&g, 88), 0x003f);
    ck_assert_uint_eq(command(&g, 3, 0x40, 0xef), 0x50); /* Ultra DMA 0 */
    ck_assert_uint_eq(word_of(&g, 63), 0x0007);
    ck_assert_uint_eq(word_of(&g, 88), 0x013f);
    ck_assert_uint_eq(command(&g, 3, 0x0c, 0xef), 0x50); /* PIO 4 */
    ck_assert_uint_eq(command(&g, 3, 0x0d, 0xef), 0x51);
    ck_assert_uint_eq(command(&g, 3, 0x10, 0xef), 0x51); /* single word DMA */
    ck_assert_uint_eq(command(&g, 3, 0x23, 0xef), 0x51);
    /* Blocks of SET MULTIPLE are powers of two up to 16. */
    ck_assert_uint_eq(command(&g, 0, 8, 0xc6), 0x50);
    ck_assert_uint_eq(word_of(&g, 59), 0x0108);
    ck_assert_uint_eq(command(&g, 0, 32, 0xc6), 0x51);
    ck_assert_uint_eq(word_of(&g, 59), 0);
    lba28(&g, 0, 1, 0xc4);
    ck_assert_uint_eq(wait_idle(&g), 0x51);
    /* A translation without sectors: none at all, CHS addresses are nowhere. */
    ck_assert_uint_eq(command(&g, 0, 0, 0x91), 0x51);
    ck_assert_uint_eq(word_of(&g, 55), 0);
    out8(&g.r, 0x1f6, 0xa0);
    out8(&g.r, 0x1f3, 1);
    out8(&g.r, 0x1f4, 0);
    out8(&g.r, 0x1f5, 0);
    ck_assert_uint_eq(command(&g, 0, 1, 0x20), 0x51);
    ck_assert_uint_eq(in8(&g.r, 0x1f1), 0x10);
    out8(&g.r, 0x1f6, 0xa3);
    ck_assert_uint_eq(command(&g, 0, 9, 0x91), 0x50);
    ck_assert_uint_eq(word_of(&g, 55), 4);
    ck_assert_uint_eq(word_of(&g, 56), 9);
    ck_assert_uint_eq(word_of(&g, 54), DISK_SECTORS / 36);
    ide_rig_free(&g);
}
END_TEST

/* Every power command, by its number of today and of old. */
START_TEST(power_modes)
{
    static const struct {
        uint8_t code, mode;
    } row[] = {{0xe0, 0x00}, {0x94, 0x00}, {0xe1, 0x80}, {0x95, 0x80}, {0xe2, 0x00},
               {0x96, 0x00}, {0xe3, 0x80}, {0x97, 0x80}, {0xe6, 0x00}, {0x99, 0x00}};
    struct ide_rig g;

    disk_rig_init(&g);
    out8(&g.r, 0x1f6, 0xa0);
    for (unsigned n = 0; n < ARRAY_LEN(row); n++) {
        ck_assert_uint_eq(command(&g, 0, 77, row[n].code), 0x50);
        ck_assert_uint_eq(command(&g, 0, 77, n & 1 ? 0x98 : 0xe5), 0x50);
        ck_assert_uint_eq(in8(&g.r, 0x1f2), row[n].mode);
    }
    lba28(&g, 5, 1, 0x70); /* a seek wakes it */
    wait_idle(&g);
    ck_assert_uint_eq(command(&g, 0, 77, 0xe5), 0x50);
    ck_assert_uint_eq(in8(&g.r, 0x1f2), 0xff);
    ide_rig_free(&g);
}
END_TEST

/* More sectors than the buffer holds, in each direction; a disk that may not be written. */
START_TEST(long_and_refused_writes)
{
    static uint8_t b[600 * 512];
    struct ide_rig g;

    disk_rig_init(&g);
    for (unsigned n = 0; n < 600; n++) {
        memset(b + n * 512, (int)(n * 3), 512);
    }
    out8(&g.r, 0x1f2, 600 >> 8);
    for (unsigned n = 3; n < 6; n++) {
        out8(&g.r, 0x1f0 + n, 0); /* the high bytes first */
    }
    lba28(&g, 700, 600 & 0xff, 0x34);
    ck_assert_uint_eq(in8(&g.r, 0x1f6) & 0x40, 0x40);
    for (unsigned n = 0; n < 600; n++) {
        ck_assert_uint_eq(wait_idle(&g), 0x58);
        write_data(&g, b + n * 512, 512);
    }
    ck_assert_uint_eq(wait_idle(&g), 0x50);
    ck_assert_int_eq(memcmp(g.disk.data + 700 * 512, b, sizeof b), 0);
    ck_assert_uint_eq(get32(g.disk.data + 1300 * 512), 1300);
    g.disk.b.read_only = true;
    lba28(&g, 5, 1, 0x30);
    ck_assert_uint_eq(wait_idle(&g), 0x51);
    ck_assert_uint_eq(in8(&g.r, 0x1f1), 4);
    lba28(&g, 5, 1, 0xca);
    ck_assert_uint_eq(wait_idle(&g), 0x51);
    ide_rig_free(&g);
}
END_TEST

/* The bus master's registers (82371SB, 2.4): what can be written, what a 1 clears, sizes. */
START_TEST(busmaster_registers)
{
    struct ide_rig g;

    disk_rig_init(&g);
    for (unsigned channel = 0; channel < 2; channel++) {
        unsigned at = BM + channel * 8;

        ck_assert_uint_eq(bus_read(g.r.env.io, at, 4), 0);
        out8(&g.r, at, 0xfe); /* the direction only */
        ck_assert_uint_eq(in8(&g.r, at), 8);
        out8(&g.r, at + 2, 0x60); /* drives capable of DMA: for the software's own use */
        ck_assert_uint_eq(in8(&g.r, at + 2), 0x60);
        out8(&g.r, at + 1, 0xff); /* reserved */
        out8(&g.r, at + 3, 0xff);
        ck_assert_uint_eq(bus_read(g.r.env.io, at, 4), 0x00600008);
        bus_write(g.r.env.io, at + 4, 4, 0x12345677);
        ck_assert_uint_eq(bus_read(g.r.env.io, at + 4, 4), 0x12345674);
        out8(&g.r, at + 6, 0x99);
        ck_assert_uint_eq(bus_read(g.r.env.io, at + 6, 2), 0x1299);
        out8(&g.r, at + 2, 0);
    }
    /* The interrupt bit stays until a 1 is written; stopping the engine ends its activity. */
    lba28(&g, 1, 1, 0x40);
    wait_idle(&g);
    ck_assert_uint_eq(in8(&g.r, BM + 2), 4);
    out8(&g.r, BM + 2, 0);
    ck_assert_uint_eq(in8(&g.r, BM + 2), 4);
    out8(&g.r, BM, 9);
    ck_assert_uint_eq(in8(&g.r, BM + 2), 5);
    out8(&g.r, BM, 1); /* the direction does not change while it runs */
    ck_assert_uint_eq(in8(&g.r, BM), 9);
    out8(&g.r, BM + 2, 4);
    ck_assert_uint_eq(in8(&g.r, BM + 2), 1);
    out8(&g.r, BM, 0);
    ck_assert_uint_eq(in8(&g.r, BM + 2), 0);
    ide_rig_free(&g);
}
END_TEST

START_TEST(interrupt_enable)
{
    struct ide_rig g;

    disk_rig_init(&g);
    out8(&g.r, 0x3f6, 2);
    lba28(&g, 0, 1, 0x40);
    rig_run(&g.r, 1000000);
    ck_assert(!g.irq.level);
    out8(&g.r, 0x3f6, 0);
    ck_assert(g.irq.level);
    /* Selecting the other drive takes the line away, and back. */
    out8(&g.r, 0x1f6, 0xb0);
    ck_assert(!g.irq.level);
    out8(&g.r, 0x1f6, 0xa0);
    ck_assert(g.irq.level);
    /* So does a new command. */
    out8(&g.r, 0x1f7, 0xe5);
    ck_assert(!g.irq.level);
    ide_rig_free(&g);
}
END_TEST

START_TEST(dma_read_and_write)
{
    struct ide_rig g;
    unsigned i;

    disk_rig_init(&g);
    lba28(&g, 300, 128, 0xc8);
    start_dma(&g, true, 0x20000, 0);
    ck_assert_uint_eq(in8(&g.r, BM + 2) & 7, 1);
    rig_run(&g.r, 1000000);
    ck_assert(g.irq.level);
    ck_assert_uint_eq(in8(&g.r, BM + 2) & 7, 4);
    ck_assert_uint_eq(wait_idle(&g), 0x50);
    out8(&g.r, BM, 0);
    out8(&g.r, BM + 2, 4);
    ck_assert_uint_eq(in8(&g.r, BM + 2) & 7, 0);
    for (i = 0; i < 128; i++) {
        ck_assert_uint_eq(get32(g.r.ram + 0x20000 + i * 512), 300 + i);
    }
    /* The engine first, the command afterwards; and a table in two parts. */
    put32(g.r.ram + 0x1000, 0x30000);
    put32(g.r.ram + 0x1004, 100);
    put32(g.r.ram + 0x1008, 0x40000);
    put32(g.r.ram + 0x100c, 0x80000000u | 924);
    memset(g.r.ram + 0x30000, 0x11, 100);
    memset(g.r.ram + 0x40000, 0x22, 924);
    bus_write(g.r.env.io, BM + 4, 4, 0x1000);
    out8(&g.r, BM, 1);
    lba28(&g, 9, 2, 0xca);
    rig_run(&g.r, 1000000);
    ck_assert_uint_eq(in8(&g.r, BM + 2) & 7, 4);
    ck_assert_uint_eq(wait_idle(&g), 0x50);
    ck_assert_uint_eq(g.disk.data[9 * 512 + 99], 0x11);
    ck_assert_uint_eq(g.disk.data[9 * 512 + 100], 0x22);
    ck_assert_uint_eq(g.disk.data[10 * 512 + 511], 0x22);
    ide_rig_free(&g);
}
END_TEST

START_TEST(dma_with_a_wrong_table)
{
    struct ide_rig g;

    disk_rig_init(&g);
    /* Too short: the drive waits with its data, and a new table brings the rest. */
    lba28(&g, 20, 2, 0xc8);
    start_dma(&g, true, 0x20000, 512);
    rig_run(&g.r, 1000000);
    ck_assert(!g.irq.level);
    ck_assert_uint_eq(in8(&g.r, BM + 2) & 7, 0);
    ck_assert_uint_eq(alt_status(&g), 0x58);
    out8(&g.r, BM, 0);
    start_dma(&g, true, 0x30000, 512);
    rig_run(&g.r, 1000000);
    ck_assert(g.irq.level);
    ck_assert_uint_eq(get32(g.r.ram + 0x30000), 21);
    ck_assert_uint_eq(wait_idle(&g), 0x50);
    out8(&g.r, BM, 0);
    /* Too long: the engine stays active, the interrupt comes. */
    lba28(&g, 20, 1, 0xc8);
    start_dma(&g, true, 0x20000, 4096);
    rig_run(&g.r, 1000000);
    ck_assert_uint_eq(in8(&g.r, BM + 2) & 7, 5);
    ck_assert_uint_eq(wait_idle(&g), 0x50);
    out8(&g.r, BM, 0);
    /* The wrong direction moves nothing; a reset ends the wait. */
    lba28(&g, 20, 1, 0xc8);
    start_dma(&g, false, 0x20000, 512);
    rig_run(&g.r, 1000000);
    ck_assert_uint_eq(alt_status(&g), 0x58);
    out8(&g.r, 0x3f6, 4);
    out8(&g.r, 0x3f6, 0);
    ck_assert_uint_eq(wait_idle(&g), 0x50);
    ide_rig_free(&g);
}
END_TEST

START_TEST(late_host_holds_time)
{
    struct ide_rig g;
    uint8_t b[512];
    uint64_t on_time, now;

    disk_rig_init(&g);
    now = rig_now(&g.r);
    lba28(&g, 5, 1, 0x20);
    rig_run(&g.r, 500000);
    on_time = g.irq.at - now;
    wait_idle(&g);
    read_data(&g, b, 512);

    lba28(&g, 5000, 1, 0x40); /* away, so that the access takes as long as the first */
    wait_idle(&g);
    g.disk.late = true;
    now = rig_now(&g.r);
    lba28(&g, 5, 1, 0x20);
    rig_run(&g.r, 500000);
    ck_assert(sched_held(g.r.env.sched));
    ck_assert(!g.irq.level);
    slow_answer(&g.disk);
    ck_assert(!sched_held(g.r.env.sched));
    sched_set_now(g.r.env.sched, sched_next(g.r.env.sched));
    sched_run(g.r.env.sched, sched_next(g.r.env.sched));
    ck_assert(g.irq.level);
    ck_assert_uint_eq(g.irq.at - now, on_time);
    ck_assert_uint_eq(wait_idle(&g), 0x58);
    read_data(&g, b, 512);
    ck_assert_uint_eq(get32(b), 5);
    /* A reset while the host is at it: BSY until it has answered. */
    lba28(&g, 6, 1, 0x20);
    rig_run(&g.r, 10000);
    out8(&g.r, 0x3f6, 4);
    out8(&g.r, 0x3f6, 0);
    rig_run(&g.r, 1000000);
    ck_assert(sched_held(g.r.env.sched));
    ck_assert_uint_eq(alt_status(&g), BSY);
    slow_answer(&g.disk);
    ck_assert_uint_eq(wait_idle(&g), 0x50);
    ide_rig_free(&g);
}
END_TEST

/* Reads sectors 40 and 41 with a snapshot taken and loaded after `bytes` bytes and `ns` later. */
static void read_over_snapshot(unsigned bytes, uint64_t ns)
{
    struct ide_rig g;
    uint8_t b[1024];
    unsigned i;

    disk_rig_init(&g);
    lba28(&g, 40, 2, 0x20);
    for (i = 0; i < bytes; i += 2) {
        if (i % 512 == 0) {
            ck_assert_uint_eq(wait_idle(&g), 0x58);
        }
        read_data(&g, b + i, 2);
    }
    rig_run(&g.r, ns);
    rig_round_trip(&g.r);
    for (; i < 1024; i += 2) {
        if (i % 512 == 0) {
            ck_assert_uint_eq(wait_idle(&g), 0x58);
        }
        read_data(&g, b + i, 2);
    }
    ck_assert_uint_eq(get32(b), 40);
    ck_assert_uint_eq(get32(b + 508), ~40u);
    ck_assert_uint_eq(get32(b + 512), 41);
    ck_assert_uint_eq(get32(b + 1020), ~41u);
    ck_assert_uint_eq(in8(&g.r, 0x1f7), 0x50);
    ide_rig_free(&g);
}

START_TEST(snapshots_during_transfers)
{
    struct ide_rig g;
    uint8_t b[512];

    read_over_snapshot(0, 0);
    read_over_snapshot(0, 10000); /* the host request is under way */
    read_over_snapshot(2, 0);
    read_over_snapshot(500, 0);
    read_over_snapshot(512, 0); /* between the blocks */
    read_over_snapshot(900, 0);

    disk_rig_init(&g);
    memset(b, 0x77, sizeof b);
    lba28(&g, 60, 1, 0x30);
    wait_idle(&g);
    write_data(&g, b, 300);
    rig_round_trip(&g.r);
    write_data(&g, b, 212);
    rig_run(&g.r, 1000);
    memset(g.disk.data + 60 * 512, 0, 512);
    rig_round_trip(&g.r); /* the write is done again */
    ck_assert_uint_eq(wait_idle(&g), 0x50);
    ck_assert_int_eq(memcmp(g.disk.data + 60 * 512, b, 512), 0);
    lba28(&g, 70, 1, 0xc8);
    rig_run(&g.r, 1000000);
    rig_round_trip(&g.r);
    start_dma(&g, true, 0x20000, 512);
    rig_run(&g.r, 1000000);
    ck_assert_uint_eq(get32(g.r.ram + 0x20000), 70);
    ide_rig_free(&g);
}
END_TEST

START_TEST(another_image_is_refused)
{
    struct ide_rig g;
    struct snap_writer w;
    struct snap_reader in;
    struct err e = {""};

    disk_rig_init(&g);
    snap_writer_init(&w);
    devices_save(&g.r.env, &w);
    snap_writer_free(&w);
    g.disk.b.sectors--;
    snap_writer_init(&w);
    devices_save(&g.r.env, &w);
    ck_assert(snap_reader_init(&in, w.buf, w.len, &e));
    ck_assert(!devices_load(&g.r.env, &in, &e));
    ck_assert_ptr_nonnull(strstr(e.text, "another image"));
    snap_writer_free(&w);
    ide_rig_free(&g);
}
END_TEST

START_TEST(decode_enable)
{
    struct ide_rig g;

    disk_rig_init(&g);
    bus_write(g.r.env.io, 0xcf8, 4, 0x80000940);
    bus_write(g.r.env.io, 0xcfc, 2, 0);
    ck_assert_uint_eq(in8(&g.r, 0x1f7), 0xff);
    ck_assert_uint_eq(in8(&g.r, 0x3f6), 0xff);
    bus_write(g.r.env.io, 0xcfc, 2, 0x8000);
    ck_assert_uint_eq(in8(&g.r, 0x1f7), 0x50);
    ide_rig_free(&g);
}
END_TEST

START_TEST(storm)
{
    static const unsigned ports[] = {0x1f0, 0x1f1, 0x1f2, 0x1f3, 0x1f4, 0x1f5, 0x1f6,
                                     0x1f7, 0x1f7, 0x3f6, BM,    BM + 2, BM + 4};
    struct ide_rig g;

    disk_rig_init(&g);
    rig_storm(&g.r, ports, ARRAY_LEN(ports), 200000);
    out8(&g.r, BM, 0);
    out8(&g.r, 0x3f6, 4);
    out8(&g.r, 0x3f6, 0);
    ck_assert_uint_eq(wait_idle(&g), 0x50);
    ide_rig_free(&g);
}
END_TEST

static void add_tests(TCase *t)
{
    tcase_add_test(t, reset_and_signature);
    tcase_add_test(t, absent_drives);
    tcase_add_test(t, identify);
    tcase_add_test(t, pio_read);
    tcase_add_test(t, pio_write);
    tcase_add_test(t, multiple_and_lba48);
    tcase_add_test(t, cylinders_heads_sectors);
    tcase_add_test(t, errors);
    tcase_add_test(t, small_commands);
    tcase_add_test(t, smart_commands);
    tcase_add_test(t, features);
    tcase_add_test(t, power_modes);
    tcase_add_test(t, long_and_refused_writes);
    tcase_add_test(t, busmaster_registers);
    tcase_add_test(t, interrupt_enable);
    tcase_add_test(t, dma_read_and_write);
    tcase_add_test(t, dma_with_a_wrong_table);
    tcase_add_test(t, late_host_holds_time);
    tcase_add_test(t, snapshots_during_transfers);
    tcase_add_test(t, another_image_is_refused);
    tcase_add_test(t, decode_enable);
    tcase_add_test(t, storm);
}

int main(void)
{
    return rig_main("ide", add_tests);
}
