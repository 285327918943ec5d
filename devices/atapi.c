/*
 * ATAPI CD-ROM drive: packet commands of MMC-3 (T10 1363D) and SFF-8020i, over the PACKET protocol
 * of ATA/ATAPI-6 chapter 9.  atapi_read.c has the commands that read, atapi_disc.c those that are
 * about tracks.
 *
 * A disc is one data track in sectors of 2048 bytes, whatever the image's file system, or what the
 * layout of its back end says.
 * A command either replies with bytes (offer), takes a parameter list, reads sectors, or ends.
 * Invariant: u->sectors is 0 exactly when there is no disc in the drive.
 */
#include "devices/atapi_core.h"

#include <string.h>

#include "memory/bytes.h"

enum { EVENT_NONE, EVENT_EJECT_REQUEST, EVENT_NEW_MEDIA, EVENT_REMOVAL };

enum { PROFILE_CDROM = 0x0008, SPEED = 706 /* 4x, kB/s */ };

static const uint8_t default_recovery[6] = {0, 5, 0, 0, 0, 0};
static const uint8_t default_audio[14] = {4, 0, 0, 0, 0, 75, 1, 255, 2, 255, 0, 0, 0, 0};

/* The drive's life. */

void atapi_set_block(struct ide_unit *u, struct block *block)
{
    bool had = u->sectors != 0;

    u->block = block;
    u->sectors = atapi_frames(block);
    u->cd.play = 0;
    u->cd.tray_open = false;
    u->cd.locked = false;
    if (u->sectors) {
        u->cd.attention = ASC_NEW_MEDIUM;
        u->cd.event = EVENT_NEW_MEDIA;
    } else if (had) {
        u->cd.event = EVENT_REMOVAL;
    }
}

void atapi_reset(struct ide_unit *u, bool power_on)
{
    u->cd.sense_key = u->cd.asc = u->cd.ascq = 0;
    u->cd.locked = false;
    u->cd.play = 0;
    u->power = 0xff;
    memcpy(u->cd.recovery, default_recovery, sizeof u->cd.recovery);
    memcpy(u->cd.audio, default_audio, sizeof u->cd.audio);
    if (power_on) {
        u->cd.attention = ASC_RESET;
    }
}

/* Ends of a command. */

void atapi_finish(struct ide_channel *c)
{
    ide_active(c)->count = 3; /* interrupt reason: command, to the host */
    ide_active(c)->error = 0;
    ide_end(c, ST_DRDY | ST_DSC, true);
}

static void sense(struct ide_unit *u, enum sense_key key, uint8_t asc, uint8_t ascq)
{
    u->cd.sense_key = (uint8_t)key;
    u->cd.asc = asc;
    u->cd.ascq = ascq;
}

void atapi_fail(struct ide_channel *c, enum sense_key key, uint8_t asc, uint8_t ascq)
{
    struct ide_unit *u = ide_active(c);

    sense(u, key, asc, ascq);
    u->count = 3;
    u->error = (uint8_t)((unsigned)key << 4 | ER_ABRT);
    ide_end(c, ST_DRDY | ST_DSC | ST_ERR, true);
}

void atapi_bad_field(struct ide_channel *c)
{
    atapi_fail(c, ILLEGAL_REQUEST, ASC_BAD_FIELD, 0);
}

void atapi_offer(struct ide_channel *c, uint32_t bytes, uint32_t allowed)
{
    c->len = MIN(bytes, allowed);
    c->left = c->chunk = 0;
    if (c->len == 0) {
        atapi_finish(c);
    } else {
        ide_offer(c);
    }
}

bool atapi_ready(struct ide_channel *c)
{
    struct ide_unit *u = ide_active(c);

    if (u->cd.tray_open || !u->sectors) {
        atapi_fail(c, NOT_READY, ASC_NO_MEDIUM, u->cd.tray_open ? 2 : 1);
        return false;
    }
    return true;
}

void atapi_host_failed(struct ide_channel *c)
{
    atapi_fail(c, MEDIUM_ERROR, ASC_READ_ERROR, 0);
}

/* Information about the drive and the disc. */

static void inquiry(struct ide_channel *c, const uint8_t *p)
{
    uint8_t *b = c->buf;

    if ((p[1] & 1) || p[2]) {
        atapi_bad_field(c);
        return;
    }
    memset(b, 0, 36);
    b[0] = 0x05; /* CD-ROM */
    b[1] = 0x80; /* removable */
    b[3] = 0x21; /* ATAPI, response format 1 */
    b[4] = 36 - 5;
    memcpy(b + 8, "OXBOW   ", 8);
    memcpy(b + 16, "CD-ROM          ", 16);
    memcpy(b + 32, "1.0 ", 4);
    atapi_offer(c, 36, p[4]);
}

static void request_sense(struct ide_channel *c, const uint8_t *p)
{
    struct ide_unit *u = ide_active(c);
    uint8_t *b = c->buf;

    if (u->cd.sense_key == 0 && u->cd.attention) {
        sense(u, UNIT_ATTENTION, u->cd.attention, 0);
        u->cd.attention = 0;
    }
    memset(b, 0, 18);
    b[0] = 0x70;
    b[2] = u->cd.sense_key;
    b[7] = 10;
    b[12] = u->cd.asc;
    b[13] = u->cd.ascq;
    u->cd.sense_key = u->cd.asc = u->cd.ascq = 0;
    atapi_offer(c, 18, p[4]);
}

static void read_capacity(struct ide_channel *c)
{
    if (atapi_ready(c)) {
        put_be32(c->buf, (uint32_t)ide_active(c)->sectors - 1);
        put_be32(c->buf + 4, CD_SECTOR);
        atapi_offer(c, 8, 8);
    }
}

static void mechanism_status(struct ide_channel *c, const uint8_t *p)
{
    memset(c->buf, 0, 8);
    c->buf[1] = ide_active(c)->cd.tray_open ? 0x10 : 0;
    c->buf[5] = 0; /* no changer: no slot table */
    atapi_offer(c, 8, be16(p + 8));
}

/* A feature descriptor at p; returns what follows it.  flags: version, persistent, current. */
static uint8_t *feature(uint8_t *p, unsigned code, uint8_t flags, const uint8_t *data, uint8_t len)
{
    put_be16(p, code);
    p[2] = flags;
    p[3] = len;
    memcpy(p + 4, data, len);
    return p + 4 + len;
}

static void get_configuration(struct ide_channel *c, const uint8_t *p)
{
    static const uint8_t core[4] = {0, 0, 0, 2};     /* ATAPI */
    static const uint8_t morphing[4] = {2, 0, 0, 0}; /* reports operational changes */
    static const uint8_t removable[4] = {0x29, 0, 0, 0}; /* tray, ejects, locks */
    static const uint8_t readable[8] = {0, 0, 8, 0, 0, 1, 0, 0};
    static const uint8_t cd_read[4] = {0, 0, 0, 0};
    static const uint8_t audio[4] = {3, 0, 1, 0}; /* volumes and muting by channel, 256 levels */
    const struct ide_unit *u = ide_active(c);
    bool disc = u->sectors && !u->cd.tray_open;
    const uint8_t profile[4] = {0, PROFILE_CDROM, disc, 0};
    unsigned from = be16(p + 2), type = p[1] & 3, i;
    uint8_t *to = c->buf + 8;
    const struct {
        uint16_t code;
        uint8_t flags, len;
        const uint8_t *data;
    } all[] = {
        {0x0000, 0x03, 4, profile},  {0x0001, 0x03, 4, core},     {0x0002, 0x03, 4, morphing},
        {0x0003, 0x03, 4, removable}, {0x0010, disc, 8, readable}, {0x001e, disc, 4, cd_read},
        {0x0103, disc, 4, audio},
    };

    if (type == 3) {
        atapi_bad_field(c);
        return;
    }
    memset(c->buf, 0, 8);
    put_be16(c->buf + 6, disc ? PROFILE_CDROM : 0);
    for (i = 0; i < ARRAY_LEN(all); i++) {
        bool wanted = type == 2 ? all[i].code == from : all[i].code >= from;

        if (wanted && (type != 1 || (all[i].flags & 1))) {
            to = feature(to, all[i].code, all[i].flags, all[i].data, all[i].len);
        }
    }
    put_be32(c->buf, (uint32_t)(to - c->buf) - 4);
    atapi_offer(c, (uint32_t)(to - c->buf), be16(p + 7));
}

static void get_event_status(struct ide_channel *c, const uint8_t *p)
{
    struct ide_unit *u = ide_active(c);
    uint8_t *b = c->buf;

    if (!(p[1] & 1)) {
        atapi_bad_field(c); /* only polling */
        return;
    }
    memset(b, 0, 8);
    b[3] = 0x10; /* the media class is there */
    if (!(p[4] & 0x10)) {
        b[1] = 2;
        b[2] = 0x80;
        atapi_offer(c, 4, be16(p + 7));
        return;
    }
    b[1] = 6;
    b[2] = 4;
    b[4] = u->cd.event;
    b[5] = (uint8_t)(u->cd.tray_open | (u->sectors && !u->cd.tray_open) << 1);
    u->cd.event = EVENT_NONE;
    atapi_offer(c, 8, be16(p + 7));
}

/* Mode pages. */

static const uint8_t changeable_recovery[6] = {0xff, 0xff, 0, 0, 0, 0};
static const uint8_t changeable_audio[14] = {6, 0, 0, 0, 0, 0, 0x0f, 0xff, 0x0f, 0xff};

static uint8_t *mode_page(uint8_t *to, uint8_t code, const uint8_t *data, uint8_t len)
{
    to[0] = code;
    to[1] = len;
    memcpy(to + 2, data, len);
    return to + 2 + len;
}

static uint8_t *capabilities(uint8_t *to, const struct ide_unit *u, bool changeable)
{
    uint8_t d[18] = {0};

    if (!changeable) {
        d[2] = 0x71; /* multi-session, mode 2 form 1 and 2, plays audio */
        d[3] = 0x03; /* reads audio tracks, and from the right place */
        d[4] = (uint8_t)(0x29 | u->cd.locked << 1); /* tray, ejects, locks */
        d[5] = 0x03; /* each channel has a volume, and can be off */
        put_be16(d + 6, SPEED);
        put_be16(d + 8, 256); /* volume levels */
        put_be16(d + 10, 128);
        put_be16(d + 12, SPEED);
    }
    return mode_page(to, 0x2a, d, sizeof d);
}

/* Writes the pages asked for; NULL when there is no such page. */
static uint8_t *mode_pages(const struct ide_unit *u, uint8_t *to, unsigned page, unsigned control)
{
    static const uint8_t params[6] = {0, 5, 0, 60, 0, 75};
    static const uint8_t nothing[6];
    const uint8_t *start = to;
    const uint8_t *recovery = control == 1   ? changeable_recovery
                              : control == 2 ? default_recovery
                                             : u->cd.recovery;
    const uint8_t *audio = control == 1   ? changeable_audio
                           : control == 2 ? default_audio
                                          : u->cd.audio;

    if (page == 0x01 || page == 0x3f) {
        to = mode_page(to, 0x01, recovery, 6);
    }
    if (page == 0x0d || page == 0x3f) {
        to = mode_page(to, 0x0d, control == 1 ? nothing : params, 6);
    }
    if (page == 0x0e || page == 0x3f) {
        to = mode_page(to, 0x0e, audio, 14);
    }
    if (page == 0x2a || page == 0x3f) {
        to = capabilities(to, u, control == 1);
    }
    return to == start ? NULL : to;
}

static void mode_sense(struct ide_channel *c, const uint8_t *p, bool ten)
{
    const struct ide_unit *u = ide_active(c);
    unsigned header = ten ? 8 : 4;
    uint8_t medium = u->cd.tray_open ? 0x71 : u->sectors ? 0x01 : 0x70, *end;

    if (p[2] >> 6 == 3) {
        atapi_fail(c, ILLEGAL_REQUEST, ASC_NO_SAVED_PAGES, 0);
        return;
    }
    memset(c->buf, 0, header);
    end = mode_pages(u, c->buf + header, p[2] & 0x3f, p[2] >> 6);
    if (!end) {
        atapi_bad_field(c);
        return;
    }
    if (ten) {
        put_be16(c->buf, (unsigned)(end - c->buf) - 2);
        c->buf[2] = medium;
    } else {
        c->buf[0] = (uint8_t)(end - c->buf - 1);
        c->buf[1] = medium;
    }
    atapi_offer(c, (uint32_t)(end - c->buf), ten ? be16(p + 7) : p[4]);
}

static void mode_select(struct ide_channel *c, uint32_t len)
{
    if (len == 0) {
        atapi_finish(c);
        return;
    }
    c->len = len;
    c->left = c->chunk = 0;
    c->pos = 0;
    ide_want(c, true);
}

/* The parameter list of MODE SELECT has arrived. */
void atapi_filled(struct ide_channel *c)
{
    struct ide_unit *u = ide_active(c);
    uint32_t at = u->cd.packet[0] == 0x55 ? 8 : 4, len = c->len;

    at += u->cd.packet[0] == 0x55 ? be16(c->buf + 6) : c->buf[3]; /* block descriptors */
    while (at + 2 <= len) {
        const uint8_t *page = c->buf + at;
        unsigned code = page[0] & 0x3f, n = page[1];

        if (at + 2 + n > len) {
            atapi_fail(c, ILLEGAL_REQUEST, ASC_BAD_PARAMETER, 0);
            return;
        }
        if (code == 0x01 && n == sizeof u->cd.recovery) {
            memcpy(u->cd.recovery, page + 2, 2);
        } else if (code == 0x0e && n == sizeof u->cd.audio) {
            atapi_render(&c->sound[c->active], sched_now(c->d.env->sched));
            memcpy(u->cd.audio, page + 2, sizeof u->cd.audio);
        } else if (code != 0x0d && code != 0x2a) {
            atapi_fail(c, ILLEGAL_REQUEST, ASC_BAD_PARAMETER, 0);
            return;
        }
        at += 2 + n;
    }
    atapi_finish(c);
}

/* Mechanics. */

static void start_stop(struct ide_channel *c, const uint8_t *p)
{
    struct ide_unit *u = ide_active(c);
    bool start = p[4] & 1, load_eject = (p[4] & 2) != 0;

    if (!start) {
        atapi_stop_play(c, u);
    }
    if (load_eject && !start) {
        if (u->cd.locked) {
            atapi_fail(c, u->sectors ? ILLEGAL_REQUEST : NOT_READY, ASC_LOCKED, 2);
            return;
        }
        if (!u->cd.tray_open) {
            u->cd.tray_open = true;
            u->cd.event = EVENT_REMOVAL;
        }
    } else if (load_eject && u->cd.tray_open) {
        u->cd.tray_open = false;
        if (u->sectors) {
            u->cd.attention = ASC_NEW_MEDIUM;
            u->cd.event = EVENT_NEW_MEDIA;
        }
    }
    atapi_finish(c);
}

static void seek(struct ide_channel *c, const uint8_t *p)
{
    struct ide_unit *u = ide_active(c);
    uint32_t lba = be32(p + 2);

    if (!atapi_ready(c)) {
        return;
    }
    if (lba >= u->sectors) {
        atapi_fail(c, ILLEGAL_REQUEST, ASC_BAD_LBA, 0);
        return;
    }
    atapi_stop_play(c, u);
    u->next_lba = lba;
    atapi_finish(c);
}

/* Commands that are carried out although a UNIT ATTENTION waits. */
static bool ignores_attention(uint8_t op)
{
    return op == 0x12 || op == 0x03 || op == 0x46 || op == 0x4a;
}

void atapi_packet(struct ide_channel *c)
{
    struct ide_unit *u = ide_active(c);
    const uint8_t *p = u->cd.packet;

    c->raw = 0;
    if (u->cd.attention && !ignores_attention(p[0])) {
        uint8_t asc = u->cd.attention;

        u->cd.attention = 0;
        atapi_fail(c, UNIT_ATTENTION, asc, 0);
        return;
    }
    if (p[0] != 0x03) {
        sense(u, (enum sense_key)0, 0, 0);
    }
    switch (p[0]) {
    case 0x00: /* TEST UNIT READY */
        if (atapi_ready(c)) {
            atapi_finish(c);
        }
        break;
    case 0x03:
        request_sense(c, p);
        break;
    case 0x12:
        inquiry(c, p);
        break;
    case 0x15: /* MODE SELECT (6) */
        mode_select(c, p[4]);
        break;
    case 0x1a:
        mode_sense(c, p, false);
        break;
    case 0x1b:
        start_stop(c, p);
        break;
    case 0x1e: /* PREVENT/ALLOW MEDIUM REMOVAL */
        u->cd.locked = p[4] & 1;
        atapi_finish(c);
        break;
    case 0x25:
        read_capacity(c);
        break;
    case 0x28:
        atapi_read_sectors(c, be32(p + 2), be16(p + 7));
        break;
    case 0x2b:
        seek(c, p);
        break;
    case 0x42:
        atapi_read_subchannel(c, p);
        break;
    case 0x43:
        atapi_read_toc(c, p);
        break;
    case 0x44:
        atapi_read_header(c, p);
        break;
    case 0x45: /* PLAY AUDIO (10) */
        atapi_play(c, be32(p + 2), be16(p + 7));
        break;
    case 0x46:
        get_configuration(c, p);
        break;
    case 0x47:
        atapi_play_msf(c, p);
        break;
    case 0x4a:
        get_event_status(c, p);
        break;
    case 0x4b:
        atapi_pause(c, p[8] & 1);
        break;
    case 0x4e: /* STOP PLAY/SCAN */
        atapi_stop_play(c, u);
        atapi_finish(c);
        break;
    case 0x51:
        atapi_disc_information(c, p);
        break;
    case 0x52:
        atapi_track_information(c, p);
        break;
    case 0x55: /* MODE SELECT (10) */
        mode_select(c, be16(p + 7));
        break;
    case 0x5a:
        mode_sense(c, p, true);
        break;
    case 0xa5: /* PLAY AUDIO (12) */
        atapi_play(c, be32(p + 2), be32(p + 6));
        break;
    case 0xa8:
        atapi_read_sectors(c, be32(p + 2), be32(p + 6));
        break;
    case 0xb9:
        atapi_read_cd_msf(c, p);
        break;
    case 0xbb: /* SET CD SPEED: the one speed there is */
        atapi_finish(c);
        break;
    case 0xbd:
        mechanism_status(c, p);
        break;
    case 0xbe:
        atapi_read_cd(c, p, be32(p + 2), (uint32_t)p[6] << 16 | be16(p + 7));
        break;
    default:
        atapi_fail(c, ILLEGAL_REQUEST, ASC_BAD_COMMAND, 0);
        break;
    }
}

/* ATA commands that a packet device knows. */

static void identify(struct ide_channel *c)
{
    const struct ide_unit *u = ide_active(c);
    uint8_t *w = c->buf;

    memset(w, 0, IDE_SECTOR);
    put16(w, 0x85c0); /* ATAPI, CD-ROM, removable, DRQ within 50 us, packets of 12 bytes */
    ide_text(w + 10 * 2, u->serial, 20);
    ide_text(w + 23 * 2, "1.0", 8);
    ide_text(w + 27 * 2, "OXBOW CD-ROM", 40);
    put16(w + 48 * 2, 0x0001);
    put16(w + 49 * 2, 0x0f00); /* DMA, LBA, IORDY */
    put16(w + 51 * 2, 0x0200);
    put16(w + 53 * 2, 0x0006);
    ide_put_modes(u, w);
    put16(w + 64 * 2, 0x0003);
    put16(w + 65 * 2, 120);
    put16(w + 66 * 2, 120);
    put16(w + 67 * 2, 120);
    put16(w + 68 * 2, 120);
    put16(w + 71 * 2, 30);
    put16(w + 72 * 2, 30);
    put16(w + 80 * 2, 0x007e);
    put16(w + 82 * 2, 0x4218); /* NOP, DEVICE RESET, PACKET, power management */
    put16(w + 83 * 2, 0x4000);
    put16(w + 84 * 2, 0x4000);
    put16(w + 85 * 2, 0x4218);
    put16(w + 87 * 2, 0x4000);
    put16(w + 93 * 2, c->active ? 0x6b00 : 0x600b);
    c->len = IDE_SECTOR;
    c->block_bytes = IDE_SECTOR;
    ide_offer(c);
}

static void abort_command(struct ide_channel *c)
{
    ide_active(c)->error = ER_ABRT;
    ide_end(c, ST_DRDY | ST_ERR, true);
}

/* PACKET: the device asks for the command packet, without an interrupt. */
static void begin_packet(struct ide_channel *c)
{
    struct ide_unit *u = ide_active(c);
    uint32_t limit = (uint32_t)u->cyl_hi << 8 | u->cyl_lo;

    if (u->feature & ~1u) {
        abort_command(c); /* overlapped commands */
        return;
    }
    c->dma = u->feature & 1;
    if (limit == 0 || limit == 0xffff) {
        limit = 0xfffe;
    }
    /* Only the last block of a transfer may be odd. */
    c->block_bytes = limit > 1 ? limit & ~1u : 2;
    c->phase = IDE_PACKET;
    c->pos = 0;
    c->len = c->block_end = sizeof u->cd.packet;
    u->count = 1; /* interrupt reason: command, from the host */
    u->status = ST_DRDY | ST_DSC | ST_DRQ;
}

void atapi_command(struct ide_channel *c)
{
    struct ide_unit *u = ide_active(c);

    switch (c->command) {
    case CMD_PACKET:
        begin_packet(c);
        break;
    case 0xa1:
        identify(c);
        break;
    case 0xe0: /* power management: STANDBY, IDLE and their like */
    case 0xe2:
    case 0xe6:
        u->power = 0x00;
        ide_end(c, ST_DRDY | ST_DSC, true);
        break;
    case 0xe1:
    case 0xe3:
        u->power = 0x80;
        ide_end(c, ST_DRDY | ST_DSC, true);
        break;
    case 0xe5:
        u->count = u->power;
        ide_end(c, ST_DRDY | ST_DSC, true);
        break;
    case 0xef:
        if ((u->feature == 0x03 && ide_set_mode(u, u->count)) || u->feature == 0x66
            || u->feature == 0xcc) {
            ide_end(c, ST_DRDY | ST_DSC, true);
        } else {
            abort_command(c);
        }
        break;
    case 0x20: /* READ SECTORS, IDENTIFY DEVICE: here the host learns that this is no disk */
    case 0x21:
    case 0xec:
        ide_signature(u);
        abort_command(c);
        break;
    default:
        abort_command(c);
        break;
    }
}
