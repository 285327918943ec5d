/*
 * ATAPI CD-ROM: signature, packets by PIO and DMA, byte count limits, sense data, media change, the
 * informational commands, raw sectors, snapshots.
 */
#include "tests/ide_rig.h"

enum { CD_BLOCKS = 400 };

static void cd_rig_init(struct ide_rig *g, bool disc)
{
    struct ide_config k = {0};

    slow_init(&g->disk, CD_BLOCKS * 4);
    k.unit[1].kind = IDE_CDROM;
    k.unit[1].block = disc ? &g->disk.b : NULL;
    ide_rig_init(g, &k);
    out8(&g->r, 0x1f6, 0xb0);
}

/* Sends a packet; returns the status that follows it. */
static uint8_t packet(struct ide_rig *g, const uint8_t *p, unsigned limit, bool dma)
{
    out8(&g->r, 0x1f1, dma);
    out8(&g->r, 0x1f4, (uint8_t)limit);
    out8(&g->r, 0x1f5, (uint8_t)(limit >> 8));
    out8(&g->r, 0x1f7, 0xa0);
    ck_assert_uint_eq(wait_idle(g), 0x58);
    ck_assert_uint_eq(in8(&g->r, 0x1f2), 1);
    write_data(g, p, 12);
    return wait_idle(g);
}

/* Reads what a packet offers; returns the number of bytes. */
static unsigned drain(struct ide_rig *g, uint8_t *to, unsigned room)
{
    unsigned n = 0;

    while (wait_idle(g) & DRQ) {
        unsigned bytes = in8(&g->r, 0x1f4) | (unsigned)in8(&g->r, 0x1f5) << 8;

        ck_assert_uint_eq(in8(&g->r, 0x1f2), 2);
        ck_assert_uint_le(n + bytes, room);
        read_data(g, to + n, bytes + (bytes & 1));
        n += bytes;
    }
    ck_assert_uint_eq(in8(&g->r, 0x1f2), 3);
    return n;
}

static unsigned run_in(struct ide_rig *g, const uint8_t *p, uint8_t *to, unsigned room)
{
    uint8_t status = packet(g, p, 0xfffe, false);

    ck_assert_msg(!(status & ERR), "packet %02x failed", p[0]);
    return drain(g, to, room);
}

/* Sense key << 16 | asc << 8 | ascq. */
static unsigned sense(struct ide_rig *g)
{
    static const uint8_t p[12] = {0x03, 0, 0, 0, 18};
    uint8_t b[18];

    ck_assert_uint_eq(run_in(g, p, b, sizeof b), 18);
    return (unsigned)b[2] << 16 | (unsigned)b[12] << 8 | b[13];
}

static void clear_attention(struct ide_rig *g)
{
    static const uint8_t tur[12] = {0};

    ck_assert_uint_eq(packet(g, tur, 0, false), 0x51);
    ck_assert_uint_eq(in8(&g->r, 0x1f1) >> 4, 6);
    ck_assert_uint_eq(sense(g), 0x062900);
}

START_TEST(signature_and_identify)
{
    struct ide_rig g;
    uint8_t w[512];

    cd_rig_init(&g, true);
    ck_assert_uint_eq(in8(&g.r, 0x1f7), 0);
    ck_assert_uint_eq(in8(&g.r, 0x1f4), 0x14);
    ck_assert_uint_eq(in8(&g.r, 0x1f5), 0xeb);
    out8(&g.r, 0x1f4, 0);
    out8(&g.r, 0x1f7, 0xec);
    ck_assert_uint_eq(wait_idle(&g) & ERR, ERR);
    ck_assert_uint_eq(in8(&g.r, 0x1f1), 4);
    ck_assert_uint_eq(in8(&g.r, 0x1f4), 0x14);
    out8(&g.r, 0x1f7, 0xa1);
    ck_assert_uint_eq(wait_idle(&g), 0x58);
    g.irq.rises = 0;
    read_data(&g, w, 512);
    rig_run(&g.r, 100000);
    ck_assert_uint_eq(g.irq.rises, 0);
    ck_assert_uint_eq(in8(&g.r, 0x1f7), 0x50);
    ck_assert_uint_eq(get16(w), 0x85c0);
    out8(&g.r, 0x1f7, 0x08);
    ck_assert_uint_eq(wait_idle(&g), 0);
    ck_assert_uint_eq(in8(&g.r, 0x1f5), 0xeb);
    ck_assert_uint_eq(g.irq.rises, 0);
    ide_rig_free(&g);
}
END_TEST

START_TEST(unit_attention_then_capacity)
{
    static const uint8_t capacity[12] = {0x25}, inquiry[12] = {0x12, 0, 0, 0, 36};
    static const uint8_t bad[12] = {0xfe};
    struct ide_rig g;
    uint8_t b[64];

    cd_rig_init(&g, true);
    ck_assert_uint_eq(run_in(&g, inquiry, b, 64), 36);
    ck_assert_uint_eq(b[0], 5);
    clear_attention(&g);
    ck_assert_uint_eq(run_in(&g, capacity, b, 64), 8);
    ck_assert_uint_eq(b[2] << 8 | b[3], CD_BLOCKS - 1);
    ck_assert_uint_eq(b[6], 8);
    ck_assert_uint_eq(packet(&g, bad, 0, false), 0x51);
    ck_assert_uint_eq(sense(&g), 0x052000);
    ck_assert_uint_eq(sense(&g), 0);
    ide_rig_free(&g);
}
END_TEST

START_TEST(read_with_byte_count_limits)
{
    static const unsigned limits[] = {0xfffe, 0, 0xffff, 2048, 2047, 100, 4096};
    struct ide_rig g;
    static uint8_t b[50 * 2048];
    unsigned i, k;

    cd_rig_init(&g, true);
    clear_attention(&g);
    for (i = 0; i < ARRAY_LEN(limits); i++) {
        uint8_t p[12] = {0x28, 0, 0, 0, 0, 10, 0, 0, 40};

        memset(b, 0, sizeof b);
        ck_assert_uint_eq(packet(&g, p, limits[i], false), 0x58);
        ck_assert_uint_eq(drain(&g, b, sizeof b), 40 * 2048);
        for (k = 0; k < 160; k++) {
            ck_assert_uint_eq(get32(b + k * 512), 40 + k);
        }
    }
    ide_rig_free(&g);
}
END_TEST

START_TEST(read_by_dma)
{
    static const uint8_t p[12] = {0xa8, 0, 0, 0, 0, 100, 0, 0, 0, 16}; /* READ (12) */
    struct ide_rig g;
    unsigned k;

    cd_rig_init(&g, true);
    clear_attention(&g);
    out8(&g.r, 0x1f1, 1);
    out8(&g.r, 0x1f7, 0xa0);
    wait_idle(&g);
    write_data(&g, p, 12);
    start_dma(&g, true, 0x20000, 32768);
    rig_run(&g.r, 1000000);
    ck_assert(g.irq.level);
    ck_assert_uint_eq(in8(&g.r, BM + 2) & 7, 4);
    ck_assert_uint_eq(wait_idle(&g), 0x50);
    ck_assert_uint_eq(in8(&g.r, 0x1f2), 3);
    for (k = 0; k < 64; k++) {
        ck_assert_uint_eq(get32(g.r.ram + 0x20000 + k * 512), 400 + k);
    }
    ide_rig_free(&g);
}
END_TEST

START_TEST(range_and_host_errors)
{
    static const uint8_t past[12] = {0x28, 0, 0, 0, 1, 0x90, 0, 0, 1};
    static const uint8_t none[12] = {0x28, 0, 0, 0, 1, 0x90, 0, 0, 0};
    static const uint8_t first[12] = {0x28, 0, 0, 0, 0, 0, 0, 0, 1};
    struct ide_rig g;

    cd_rig_init(&g, true);
    clear_attention(&g);
    ck_assert_uint_eq(packet(&g, past, 0, false), 0x51);
    ck_assert_uint_eq(sense(&g), 0x052100);
    ck_assert_uint_eq(packet(&g, none, 0, false), 0x50);
    g.disk.error = BLOCK_EIO;
    ck_assert_uint_eq(packet(&g, first, 0, false), 0x51);
    ck_assert_uint_eq(sense(&g), 0x031100);
    ide_rig_free(&g);
}
END_TEST

START_TEST(table_of_contents)
{
    uint8_t p[12] = {0x43, 2, 0, 0, 0, 0, 0, 0, 100}, b[100];
    struct ide_rig g;

    cd_rig_init(&g, true);
    clear_attention(&g);
    ck_assert_uint_eq(run_in(&g, p, b, 100), 20);
    ck_assert_uint_eq(b[1], 18);
    ck_assert_uint_eq(b[6], 1);
    ck_assert_uint_eq(b[10], 2); /* 00:02:00 */
    ck_assert_uint_eq(b[14], 0xaa);
    ck_assert_uint_eq(b[17] * 4500u + b[18] * 75u + b[19], CD_BLOCKS + 150);
    p[1] = 0;
    p[6] = 0xaa;
    ck_assert_uint_eq(run_in(&g, p, b, 100), 12);
    ck_assert_uint_eq(b[10] << 8 | b[11], CD_BLOCKS);
    p[6] = 0;
    p[9] = 0x40; /* the old place of the format: session information */
    ck_assert_uint_eq(run_in(&g, p, b, 100), 12);
    ck_assert_uint_eq(b[6], 1);
    p[9] = 0;
    p[2] = 2;
    ck_assert_uint_eq(run_in(&g, p, b, 100), 48);
    ck_assert_uint_eq(b[4 + 22 + 3], 0xa2);
    p[8] = 4; /* a short allocation */
    ck_assert_uint_eq(run_in(&g, p, b, 100), 4);
    p[2] = 5;
    ck_assert_uint_eq(packet(&g, p, 0, false), 0x51);
    ck_assert_uint_eq(sense(&g), 0x052400);
    ide_rig_free(&g);
}
END_TEST

START_TEST(mode_pages)
{
    uint8_t p[12] = {0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 200}, b[256];
    static const uint8_t select[12] = {0x55, 0x10, 0, 0, 0, 0, 0, 0, 16};
    static const uint8_t list[16] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 6, 0x20, 9};
    static const uint8_t wrong[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0x33, 6};
    struct ide_rig g;

    cd_rig_init(&g, true);
    clear_attention(&g);
    ck_assert_uint_eq(run_in(&g, p, b, 256), 28);
    ck_assert_uint_eq(b[1], 26);
    ck_assert_uint_eq(b[2], 1);
    ck_assert_uint_eq(b[8], 0x2a);
    ck_assert_uint_eq(b[9], 18);
    p[2] = 0x3f;
    ck_assert_uint_eq(run_in(&g, p, b, 256), 8 + 8 + 8 + 16 + 20);
    p[2] = 0xc1;
    ck_assert_uint_eq(packet(&g, p, 0, false), 0x51);
    ck_assert_uint_eq(sense(&g), 0x053900);
    p[2] = 0x05;
    ck_assert_uint_eq(packet(&g, p, 0, false), 0x51);
    ck_assert_uint_eq(sense(&g), 0x052400);
    ck_assert_uint_eq(packet(&g, select, 0xfffe, false), 0x58);
    ck_assert_uint_eq(in8(&g.r, 0x1f2), 0);
    ck_assert_uint_eq(in8(&g.r, 0x1f4), 16);
    write_data(&g, list, 16);
    ck_assert_uint_eq(wait_idle(&g), 0x50);
    p[2] = 0x01;
    ck_assert_uint_eq(run_in(&g, p, b, 256), 16);
    ck_assert_uint_eq(b[10], 0x20);
    ck_assert_uint_eq(b[11], 9);
    ck_assert_uint_eq(packet(&g, select, 0xfffe, false), 0x58);
    write_data(&g, wrong, 16);
    ck_assert_uint_eq(wait_idle(&g), 0x51);
    ck_assert_uint_eq(sense(&g), 0x052600);
    ide_rig_free(&g);
}
END_TEST

START_TEST(media_change)
{
    static const uint8_t tur[12] = {0}, lock[12] = {0x1e, 0, 0, 0, 1}, unlock[12] = {0x1e};
    static const uint8_t eject[12] = {0x1b, 0, 0, 0, 2}, load[12] = {0x1b, 0, 0, 0, 3};
    static const uint8_t events[12] = {0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8};
    struct ide_rig g;
    uint8_t b[8];

    cd_rig_init(&g, false);
    clear_attention(&g);
    ck_assert_uint_eq(packet(&g, tur, 0, false), 0x51);
    ck_assert_uint_eq(sense(&g), 0x023a01);
    ck_assert(ide_set_media(g.ide, 1, &g.disk.b));
    ck_assert(!ide_set_media(g.ide, 0, &g.disk.b));
    ck_assert_uint_eq(run_in(&g, events, b, 8), 8);
    ck_assert_uint_eq(b[4], 2);
    ck_assert_uint_eq(b[5], 2);
    ck_assert_uint_eq(run_in(&g, events, b, 8), 8);
    ck_assert_uint_eq(b[4], 0);
    ck_assert_uint_eq(packet(&g, tur, 0, false), 0x51);
    ck_assert_uint_eq(sense(&g), 0x062800);
    ck_assert_uint_eq(packet(&g, tur, 0, false), 0x50);
    ck_assert_uint_eq(packet(&g, lock, 0, false), 0x50);
    ck_assert(ide_media_locked(g.ide, 1));
    ck_assert_uint_eq(packet(&g, eject, 0, false), 0x51);
    ck_assert_uint_eq(sense(&g), 0x055302);
    ck_assert_uint_eq(packet(&g, unlock, 0, false), 0x50);
    ck_assert_uint_eq(packet(&g, eject, 0, false), 0x50);
    ck_assert_uint_eq(packet(&g, tur, 0, false), 0x51);
    ck_assert_uint_eq(sense(&g), 0x023a02);
    ck_assert_uint_eq(packet(&g, load, 0, false), 0x50);
    ck_assert_uint_eq(packet(&g, tur, 0, false), 0x51);
    ck_assert_uint_eq(packet(&g, tur, 0, false), 0x50);
    ck_assert(ide_set_media(g.ide, 1, NULL));
    ck_assert_uint_eq(packet(&g, tur, 0, false), 0x51);
    ck_assert_uint_eq(sense(&g), 0x023a01);
    ide_rig_free(&g);
}
END_TEST

START_TEST(information)
{
    static const uint8_t asks[][12] = {
        {0x46, 0, 0, 0, 0, 0, 0, 0, 100}, /* GET CONFIGURATION */
        {0x51, 0, 0, 0, 0, 0, 0, 0, 100}, /* READ DISC INFORMATION */
        {0x52, 1, 0, 0, 0, 1, 0, 0, 100}, /* READ TRACK INFORMATION */
        {0x42, 0, 0x40, 1, 0, 0, 0, 0, 100}, /* READ SUB-CHANNEL */
        {0x44, 0, 0, 0, 0, 5, 0, 0, 100}, /* READ HEADER */
        {0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 100}, /* MECHANISM STATUS */
    };
    static const unsigned lengths[] = {8 + 8 + 8 + 8 + 8 + 12 + 8 + 8, 34, 28, 16, 8, 8};
    static const uint8_t seek[12] = {0x2b, 0, 0, 0, 0, 9};
    static const uint8_t play[12] = {0x45};
    struct ide_rig g;
    uint8_t b[128];
    unsigned i;

    cd_rig_init(&g, true);
    clear_attention(&g);
    for (i = 0; i < ARRAY_LEN(asks); i++) {
        ck_assert_uint_eq(run_in(&g, asks[i], b, 128), lengths[i]);
        if (asks[i][0] == 0x46) {
            ck_assert_uint_eq(b[3], lengths[i] - 4);
            ck_assert_uint_eq(b[7], 8);
        }
    }
    ck_assert_uint_eq(packet(&g, seek, 0, false), 0x50);
    ck_assert_uint_eq(packet(&g, play, 0, false), 0x51);
    ck_assert_uint_eq(sense(&g), 0x056400);
    ide_rig_free(&g);
}
END_TEST

START_TEST(raw_sectors)
{
    uint8_t p[12] = {0xbe, 0, 0, 0, 0, 3, 0, 0, 40, 0xf8};
    static uint8_t b[40 * 2352];
    struct ide_rig g;
    unsigned i;

    cd_rig_init(&g, true);
    clear_attention(&g);
    ck_assert_uint_eq(run_in(&g, p, b, sizeof b), 40 * 2352);
    for (i = 0; i < 40; i++) {
        const uint8_t *s = b + i * 2352;

        ck_assert_uint_eq(s[0], 0);
        ck_assert_uint_eq(s[1], 0xff);
        ck_assert_uint_eq(s[11], 0);
        ck_assert_uint_eq(s[13], 2); /* 153 frames and on: second 2 */
        ck_assert_uint_eq(s[14] >> 4 & 15, (3 + i) / 10);
        ck_assert_uint_eq(s[15], 1);
        ck_assert_uint_eq(get32(s + 16), (3 + i) * 4);
    }
    p[9] = 0x10;
    ck_assert_uint_eq(run_in(&g, p, b, sizeof b), 40 * 2048);
    ck_assert_uint_eq(get32(b + 2048), 16);
    p[9] = 0x20; /* headers only: shrinks in place */
    ck_assert_uint_eq(run_in(&g, p, b, sizeof b), 40 * 4);
    ck_assert_uint_eq(b[39 * 4 + 2], 0x42);
    p[1] = 1 << 2; /* audio only */
    ck_assert_uint_eq(packet(&g, p, 0, false), 0x51);
    ck_assert_uint_eq(sense(&g), 0x056400);
    ide_rig_free(&g);
}
END_TEST

static uint8_t ata(struct ide_rig *g, uint8_t feature, uint8_t count, uint8_t code)
{
    out8(&g->r, 0x1f1, feature);
    out8(&g->r, 0x1f2, count);
    out8(&g->r, 0x1f7, code);
    return wait_idle(g);
}

/* ATA commands of a packet device; overlapped packets are refused. */
START_TEST(ata_commands)
{
    static const struct {
        uint8_t code, mode;
    } power[] = {{0xe0, 0}, {0xe1, 0x80}, {0xe2, 0}, {0xe3, 0x80}, {0xe6, 0}};
    uint8_t w[512];
    struct ide_rig g;

    cd_rig_init(&g, true);
    for (unsigned n = 0; n < ARRAY_LEN(power); n++) {
        ck_assert_uint_eq(ata(&g, 0, 5, power[n].code), 0x50);
        ck_assert_uint_eq(ata(&g, 0, 5, 0xe5), 0x50);
        ck_assert_uint_eq(in8(&g.r, 0x1f2), power[n].mode);
    }
    ck_assert_uint_eq(ata(&g, 3, 0x42, 0xef), 0x50);
    ck_assert_uint_eq(ata(&g, 0xa1, 0, 0xa1) & 8, 8);
    read_data(&g, w, 512);
    ck_assert_uint_eq(get16(w + 88 * 2), 0x043f);
    ck_assert_uint_eq(ata(&g, 3, 0x47, 0xef), 0x41);
    ck_assert_uint_eq(ata(&g, 0x66, 0, 0xef), 0x50);
    ck_assert_uint_eq(ata(&g, 0x02, 0, 0xef), 0x41);
    ck_assert_uint_eq(ata(&g, 0, 0, 0x00), 0x41);
    ck_assert_uint_eq(ata(&g, 2, 0, 0xa0), 0x41);
    ck_assert_uint_eq(in8(&g.r, 0x1f1), 4);
    ck_assert_uint_eq(ata(&g, 0, 1, 0x20), 0x41); /* this is no disk */
    ck_assert_uint_eq(in8(&g.r, 0x1f4), 0x14);
    ck_assert_uint_eq(in8(&g.r, 0x1f5), 0xeb);
    ide_rig_free(&g);
}
END_TEST

/* The attention waits for REQUEST SENSE as well as for any other command. */
START_TEST(attention_by_request_sense)
{
    struct ide_rig g;

    cd_rig_init(&g, true);
    ck_assert_uint_eq(sense(&g), 0x062900);
    ck_assert_uint_eq(sense(&g), 0);
    ide_rig_free(&g);
}
END_TEST

/* The audio page can be set whole, others in part; a page that is cut off is refused. */
START_TEST(mode_select_audio)
{
    static const uint8_t select[12] = {0x15, 0x10, 0, 0, 20};
    static const uint8_t ask[12] = {0x1a, 0, 0x0e, 0, 100};
    uint8_t list[20] = {0, 0, 0, 0, 0x0e, 14, 4, 0, 0, 0, 0, 75, 1, 0x40, 2, 0x80}, b[100];
    struct ide_rig g;

    cd_rig_init(&g, true);
    clear_attention(&g);
    ck_assert_uint_eq(packet(&g, select, 0xfffe, false), 0x58);
    write_data(&g, list, sizeof list);
    ck_assert_uint_eq(wait_idle(&g), 0x50);
    ck_assert_uint_eq(run_in(&g, ask, b, sizeof b), 4 + 16);
    ck_assert_uint_eq(b[4 + 9], 0x40);
    ck_assert_uint_eq(b[4 + 11], 0x80);
    list[5] = 15; /* longer than what was sent */
    ck_assert_uint_eq(packet(&g, select, 0xfffe, false), 0x58);
    write_data(&g, list, sizeof list);
    ck_assert_uint_eq(wait_idle(&g), 0x51);
    ck_assert_uint_eq(sense(&g), 0x052600);
    ide_rig_free(&g);
}
END_TEST

/* A long command of a disk leaves nothing behind that a CD could not have. */
START_TEST(saved_after_the_disk)
{
    struct ide_config k = {0};
    struct slow_disk disk;
    struct ide_rig g;

    slow_init(&disk, 2000);
    slow_init(&g.disk, CD_BLOCKS * 4);
    k.unit[0].kind = IDE_DISK;
    k.unit[0].block = &disk.b;
    k.unit[1].kind = IDE_CDROM;
    k.unit[1].block = &g.disk.b;
    ide_rig_init(&g, &k);
    for (unsigned how = 0; how < 3; how++) {
        lba28(&g, 0, 0, 0xc8); /* 256 sectors by DMA, and nobody takes them */
        rig_run(&g.r, 1000000);
        if (how == 1) {
            out8(&g.r, 0x3f6, 4); /* a reset ends it */
            rig_round_trip(&g.r);
            out8(&g.r, 0x3f6, 0);
            rig_run(&g.r, 1000000);
        }
        out8(&g.r, 0x1f6, 0xb0);
        if (how == 2) {
            out8(&g.r, 0x1f7, 0xa1);
            rig_run(&g.r, 1000);
        }
        rig_round_trip(&g.r);
        out8(&g.r, 0x1f6, 0xb0);
        ck_assert_uint_eq(ata(&g, 0, 0, 0xa1) & 8, 8);
        rig_round_trip(&g.r);
    }
    ide_rig_free(&g);
    free(disk.data);
}
END_TEST

/* More than the buffer holds, or another count than the disc can have: damaged. */
START_TEST(hostile_chunk)
{
    static const uint8_t p[12] = {0xbe, 0, 0, 0, 0, 10, 0, 0, 32, 0xf8};

    for (unsigned bad = 0; bad < 2; bad++) {
        struct snap_writer w;
        struct snap_reader in;
        struct err e = {""};
        struct ide_rig g;

        cd_rig_init(&g, true);
        clear_attention(&g);
        out8(&g.r, 0x1f7, 0xa0);
        wait_idle(&g);
        write_data(&g, p, 12);
        rig_run(&g.r, 5000); /* the host's request is under way */
        snap_writer_init(&w);
        snap_begin(&w, "ide0", g.ide->cls->state_version);
        size_t start = w.len;
        snap_put_fields(&w, g.ide->cls->state, g.ide);
        for (size_t at = start; bad && at + 16 < w.len; at++) {
            /* lba, left, chunk: ten, 32 and 32 */
            if (get32(w.buf + at) == 10 && get32(w.buf + at + 4) == 0 &&
                get32(w.buf + at + 8) == 32 && get32(w.buf + at + 12) == 32) {
                put32(w.buf + at + 8, 256);
                put32(w.buf + at + 12, 256);
                bad = 2;
            }
        }
        g.ide->cls->save(g.ide, &w);
        snap_end(&w);
        ck_assert(snap_reader_init(&in, w.buf, w.len, &e));
        ck_assert(snap_open(&in, "ide0", g.ide->cls->state_version, &e));
        ck_assert(snap_get_fields(&in, g.ide->cls->state, g.ide));
        ck_assert_uint_ne(bad, 1);
        ck_assert_int_eq(g.ide->cls->load(g.ide, &in, g.ide->cls->state_version), !bad);
        snap_writer_free(&w);
        if (!bad) {
            ide_rig_free(&g);
        }
    }
}
END_TEST

START_TEST(image_with_a_partial_block)
{
    uint8_t p[12] = {0x28, 0, 0, 0, 0, 2, 0, 0, 1}, b[2048];
    struct ide_rig g;

    cd_rig_init(&g, true);
    g.disk.b.sectors = 9;
    ide_set_media(g.ide, 1, &g.disk.b);
    packet(&g, p, 0, false);
    sense(&g);
    memset(b, 0xee, sizeof b);
    ck_assert_uint_eq(run_in(&g, p, b, sizeof b), 2048);
    ck_assert_uint_eq(get32(b), 8);
    ck_assert_uint_eq(get32(b + 512), 0);
    ck_assert_uint_eq(get32(b + 2044), 0);
    p[5] = 3;
    ck_assert_uint_eq(packet(&g, p, 0, false), 0x51);
    ide_rig_free(&g);
}
END_TEST

START_TEST(snapshots)
{
    static const uint8_t p[12] = {0x28, 0, 0, 0, 0, 10, 0, 0, 2};
    struct ide_rig g;
    uint8_t b[4096];

    cd_rig_init(&g, true);
    clear_attention(&g);
    out8(&g.r, 0x1f4, 0);
    out8(&g.r, 0x1f5, 8);
    out8(&g.r, 0x1f7, 0xa0);
    wait_idle(&g);
    write_data(&g, p, 6);
    rig_round_trip(&g.r);
    write_data(&g, p + 6, 6);
    rig_run(&g.r, 5000);
    rig_round_trip(&g.r);
    ck_assert_uint_eq(wait_idle(&g), 0x58);
    read_data(&g, b, 1000);
    rig_round_trip(&g.r);
    read_data(&g, b + 1000, 1048);
    rig_round_trip(&g.r);
    ck_assert_uint_eq(wait_idle(&g), 0x58);
    read_data(&g, b + 2048, 2048);
    ck_assert_uint_eq(wait_idle(&g), 0x50);
    ck_assert_uint_eq(get32(b), 40);
    ck_assert_uint_eq(get32(b + 1024), 42);
    ck_assert_uint_eq(get32(b + 3584), 47);
    ide_rig_free(&g);
}
END_TEST

/* Every packet command with every kind of nonsense behind it. */
START_TEST(packet_storm)
{
    struct ide_rig g;
    uint32_t x = 99;
    unsigned i, k;

    cd_rig_init(&g, true);
    for (i = 0; i < 6000; i++) {
        uint8_t p[12];

        for (k = 0; k < 12; k++) {
            x = x * 1664525u + 1013904223u;
            p[k] = (uint8_t)(x >> 24 & (x & 0x10000 ? 0xff : 0x03));
        }
        p[0] = (uint8_t)i;
        out8(&g.r, 0x1f6, 0xb0);
        out8(&g.r, 0x1f1, 0);
        out8(&g.r, 0x1f4, (uint8_t)x);
        out8(&g.r, 0x1f5, (uint8_t)(x >> 8));
        out8(&g.r, 0x1f7, 0xa0);
        wait_idle(&g);
        write_data(&g, p, 12);
        for (k = 0; k < 40 && wait_idle(&g) & DRQ; k++) {
            unsigned n;

            for (n = 0; n < 600; n++) {
                if (x & 1) {
                    bus_read(g.r.env.io, 0x1f0, 4);
                } else {
                    bus_write(g.r.env.io, 0x1f0, 2, x);
                    bus_read(g.r.env.io, 0x1f0, 2);
                }
            }
        }
    }
    out8(&g.r, 0x3f6, 4);
    out8(&g.r, 0x3f6, 0);
    rig_run(&g.r, 1000000);
    out8(&g.r, 0x1f6, 0xb0);
    ck_assert_uint_eq(wait_idle(&g), 0);
    ide_rig_free(&g);
}
END_TEST

static void add_tests(TCase *t)
{
    tcase_add_test(t, signature_and_identify);
    tcase_add_test(t, unit_attention_then_capacity);
    tcase_add_test(t, read_with_byte_count_limits);
    tcase_add_test(t, read_by_dma);
    tcase_add_test(t, range_and_host_errors);
    tcase_add_test(t, table_of_contents);
    tcase_add_test(t, mode_pages);
    tcase_add_test(t, media_change);
    tcase_add_test(t, information);
    tcase_add_test(t, raw_sectors);
    tcase_add_test(t, ata_commands);
    tcase_add_test(t, attention_by_request_sense);
    tcase_add_test(t, mode_select_audio);
    tcase_add_test(t, saved_after_the_disk);
    tcase_add_test(t, hostile_chunk);
    tcase_add_test(t, image_with_a_partial_block);
    tcase_add_test(t, snapshots);
    tcase_add_test(t, packet_storm);
}

int main(void)
{
    return rig_main("atapi", add_tests);
}
