/*
 * ATAPI CD-ROM drive: reading sectors, and the parts of sectors that READ CD gives (MMC-3 section
 * 5.1.17, tables of main channel selection).
 *
 * A back end with a layout holds whole frames, others only the user data of mode 1, from which the
 * rest is made; EDC and ECC are zero then.  The chunk in the buffer is cut to what the host wants,
 * in place.
 */
#include "devices/atapi_core.h"

#include <string.h>

/* Parts of a frame, as byte 9 of READ CD names them, in their order on the disc. */
enum { PARTS = 5, PART_USER = 0x10, ALL_PARTS = 0xf8 };
static const uint8_t part_bit[PARTS] = {0x80, 0x20, 0x40, PART_USER, 0x08};

/* Sector types of READ CD; they share a byte with the parts. */
enum { TYPE_ANY, TYPE_AUDIO, TYPE_MODE1, TYPE_FORMLESS, TYPE_FORM1, TYPE_FORM2, TYPE_MASK = 7 };

uint64_t atapi_frames(const struct block *block)
{
    unsigned sectors = block && block->cd ? CD_RAW_SECTORS : CD_SECTOR / IDE_SECTOR;

    return block ? (block->sectors + sectors - 1) / sectors : 0;
}

/* Sectors of the back end that hold a frame. */
static unsigned frame_sectors(const struct ide_unit *u)
{
    return u->block && u->block->cd ? CD_RAW_SECTORS : CD_SECTOR / IDE_SECTOR;
}

/* Lengths of synchronisation, header, sub-header, user data, EDC and ECC. */
static const uint16_t *part_lengths(enum cd_mode mode, unsigned type)
{
    static const uint16_t audio[PARTS] = {0, 0, 0, CD_RAW, 0}, mode1[PARTS] = {12, 4, 0, 2048, 288},
                          formless[PARTS] = {12, 4, 0, 2336, 0},
                          form1[PARTS] = {12, 4, 8, 2048, 280}, form2[PARTS] = {12, 4, 8, 2324, 4};

    if (mode != CD_MODE2) {
        return mode == CD_AUDIO ? audio : mode1;
    }
    return type == TYPE_FORMLESS ? formless : type == TYPE_FORM2 ? form2 : form1;
}

/* Copies the wanted parts of a frame, which may lie over them; returns how many bytes they are. */
static uint32_t cut(const uint8_t *frame, enum cd_mode mode, uint8_t wanted, uint8_t *to)
{
    const uint16_t *len = part_lengths(mode, wanted & TYPE_MASK);
    uint32_t n = 0;

    for (unsigned k = 0; k < PARTS; frame += len[k++]) {
        if (wanted & part_bit[k]) {
            if (to) {
                memmove(to + n, frame, len[k]);
            }
            n += len[k];
        }
    }
    return n;
}

static uint8_t bcd(uint32_t v)
{
    return (uint8_t)(v / 10 << 4 | v % 10);
}

/* A whole frame around user data of mode 1. */
static void make_frame(uint8_t *frame, const uint8_t *user, uint64_t lba)
{
    uint32_t n = (uint32_t)lba + CD_LEAD_IN;

    memset(frame, 0, CD_RAW);
    memset(frame + 1, 0xff, 10);
    frame[12] = bcd(n / CD_FRAMES / 60 % 100);
    frame[13] = bcd(n / CD_FRAMES % 60);
    frame[14] = bcd(n % CD_FRAMES);
    frame[15] = 1;
    memcpy(frame + 16, user, CD_SECTOR);
}

/* Of the chunk's frames, what is wanted of each; returns the bytes there are then. */
static uint32_t cut_frames(struct ide_channel *c)
{
    const struct ide_unit *u = ide_active(c);
    uint8_t wanted = c->raw ? c->raw_parts : PART_USER;
    uint32_t at = 0;

    for (uint32_t n = 0; n < c->chunk; n++) {
        enum cd_mode mode = cd_track_mode(u, cd_track_of(u, (uint32_t)c->lba + n));

        at += cut(c->buf + (size_t)n * CD_RAW_SECTORS * IDE_SECTOR, mode, wanted, c->buf + at);
    }
    return at;
}

/* The same where the buffer holds user data only; from the last one down, as they grow. */
static uint32_t cut_made_frames(struct ide_channel *c)
{
    uint8_t frame[CD_RAW];
    uint32_t size = cut(c->buf, CD_MODE1, c->raw_parts, NULL);

    for (uint32_t n = 0; n < c->chunk; n++) {
        uint32_t i = size > CD_SECTOR ? c->chunk - 1 - n : n;

        make_frame(frame, c->buf + (size_t)i * CD_SECTOR, c->lba + i);
        cut(frame, CD_MODE1, c->raw_parts, c->buf + (size_t)i * size);
    }
    return c->chunk * size;
}

static void read_chunk(struct ide_channel *c)
{
    struct ide_unit *u = ide_active(c);
    uint64_t sector = c->lba * frame_sectors(u), there = u->block ? u->block->sectors : 0;
    uint32_t count;

    c->chunk = MIN(c->left, (uint32_t)CHUNK_CD);
    there = there > sector ? there - sector : 0;
    count = (uint32_t)MIN((uint64_t)c->chunk * frame_sectors(u), there);
    ide_host(c, IDE_HOST_READ, sector, count, ide_latency(u, c->lba, c->chunk * 4));
}

void atapi_read_done(struct ide_channel *c)
{
    const struct ide_unit *u = ide_active(c);
    uint32_t bytes = c->host_count * IDE_SECTOR;
    uint32_t want = c->chunk * frame_sectors(u) * IDE_SECTOR;

    /* The image may end inside of its last sector; the rest of that reads as zeros. */
    if (bytes < want) {
        memset(c->buf + bytes, 0, want - bytes);
    }
    c->len = u->block && u->block->cd ? cut_frames(c)
             : c->raw                 ? cut_made_frames(c)
                                      : want;
    ide_offer(c);
}

void atapi_moved(struct ide_channel *c)
{
    c->lba += c->chunk;
    c->left -= c->chunk;
    if (c->left) {
        read_chunk(c);
    } else if (c->command != CMD_PACKET) {
        ide_end(c, ST_DRDY | ST_DSC, false);
    } else {
        ide_after(c, IDE_FINISH, NS_GAP);
    }
}

/* `modes`: bits of the enum cd_mode that will do. */
static void read_range(struct ide_channel *c, uint32_t lba, uint32_t count, unsigned modes)
{
    struct ide_unit *u = ide_active(c);
    int mode;

    if (!atapi_ready(c)) {
        return;
    }
    if (lba > u->sectors || count > u->sectors - lba) {
        atapi_fail(c, ILLEGAL_REQUEST, ASC_BAD_LBA, 0);
        return;
    }
    mode = cd_range_mode(u, lba, count);
    if (mode < 0 || !(modes >> mode & 1)) {
        atapi_fail(c, ILLEGAL_REQUEST, ASC_BAD_TRACK_MODE, 0);
        return;
    }
    if (c->raw_parts) {
        c->raw = cut(c->buf, (enum cd_mode)mode, c->raw_parts, NULL);
        count = c->raw ? count : 0;
    }
    atapi_stop_play(c, u);
    if (count == 0) {
        atapi_finish(c);
        return;
    }
    c->lba = lba;
    c->left = count;
    read_chunk(c);
}

void atapi_read_sectors(struct ide_channel *c, uint32_t lba, uint32_t count)
{
    c->raw_parts = 0;
    read_range(c, lba, count, 1u << CD_MODE1 | 1u << CD_MODE2);
}

void atapi_read_cd(struct ide_channel *c, const uint8_t *p, uint32_t lba, uint32_t count)
{
    static const uint8_t modes[8] = {
        [TYPE_ANY] = 7, [TYPE_AUDIO] = 1u << CD_AUDIO, [TYPE_MODE1] = 1u << CD_MODE1,
        [TYPE_FORMLESS] = 1u << CD_MODE2, [TYPE_FORM1] = 1u << CD_MODE2,
        [TYPE_FORM2] = 1u << CD_MODE2};
    unsigned type = p[1] >> 2 & TYPE_MASK;

    if (p[9] & 0x06 || p[10] & 0x07 || type > TYPE_FORM2) {
        atapi_bad_field(c); /* C2 errors and sub-channels are not kept in an image */
        return;
    }
    c->raw_parts = (uint8_t)((p[9] & ALL_PARTS) | type);
    read_range(c, lba, p[9] & ALL_PARTS ? count : 0, modes[type]);
}

static uint32_t msf_lba(const uint8_t *p)
{
    uint32_t frame = (p[0] * 60u + p[1]) * CD_FRAMES + p[2];

    return frame < CD_LEAD_IN ? 0 : frame - CD_LEAD_IN;
}

void atapi_read_cd_msf(struct ide_channel *c, const uint8_t *p)
{
    uint32_t from = msf_lba(p + 3), to = msf_lba(p + 6);

    if (to < from) {
        atapi_bad_field(c);
        return;
    }
    atapi_read_cd(c, p, from, to - from);
}
