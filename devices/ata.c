/*
 * ATA disk: the commands of the general feature set, LBA28 and LBA48, PIO and DMA (ATA/ATAPI-6, T13
 * 1410D, chapter 8), SMART with everything in order.
 *
 * Reads and writes go through the channel's buffer in chunks of at most 128 KiB.  A writing command
 * is complete when the back end has the data, so FLUSH CACHE only passes the request on.
 * Invariant: address and count registers show the next sector to move once a command fails, and the
 * last one moved and the sectors left when it ends.
 */
#include <string.h>

#include "devices/ide_core.h"
#include "memory/bytes.h"

enum {
    MAX_MULTIPLE = 16,
    SMART_KEY_LO = 0x4f,
    SMART_KEY_HI = 0xc2,
    POWER_ACTIVE = 0xff,
    POWER_IDLE = 0x80,
    POWER_STANDBY = 0x00
};

#define LBA28_END 0x10000000ull

bool ata_init(struct ide_unit *u, const struct ide_unit_config *config, struct err *e)
{
    uint64_t cylinders;

    if (!config->block) {
        return err_set(e, "a disk drive has no image");
    }
    u->block = config->block;
    u->sectors = config->block->sectors;
    u->def_heads = config->heads && config->heads <= 16 ? config->heads : 16;
    u->def_spt = config->sectors && config->sectors <= 63 ? config->sectors : 63;
    cylinders = u->sectors / ((unsigned)u->def_heads * u->def_spt);
    cylinders = MIN(MAX(cylinders, 1u), 16383u);
    u->def_cylinders = config->cylinders ? config->cylinders : (uint16_t)cylinders;
    return true;
}

static void default_translation(struct ide_unit *u)
{
    u->cylinders = u->def_cylinders;
    u->heads = u->def_heads;
    u->spt = u->def_spt;
}

void ata_reset(struct ide_unit *u)
{
    default_translation(u);
    u->multiple = MAX_MULTIPLE;
    u->power = POWER_ACTIVE;
    u->write_cache = u->look_ahead = true;
    u->smart = true;
}

/* Address and count registers. */

static bool uses_lba(const struct ide_channel *c)
{
    return (c->select & DEV_LBA) != 0;
}

/* Sector the registers name; false when there is no such place. */
static bool get_address(const struct ide_channel *c, uint64_t *lba)
{
    const struct ide_unit *u = &c->unit[c->active];
    uint32_t low = (uint32_t)u->cyl_hi << 16 | (uint32_t)u->cyl_lo << 8 | u->sector;
    unsigned head = c->select & 0x0f, cylinder = (unsigned)u->cyl_hi << 8 | u->cyl_lo;

    if (c->ext) {
        *lba = (uint64_t)u->hob_cyl_hi << 40 | (uint64_t)u->hob_cyl_lo << 32
               | (uint64_t)u->hob_sector << 24 | low;
        return uses_lba(c);
    }
    if (uses_lba(c)) {
        *lba = (uint64_t)head << 24 | low;
        return true;
    }
    *lba = ((uint64_t)cylinder * u->heads + head) * u->spt + u->sector - 1u;
    return u->heads && u->sector && u->sector <= u->spt && head < u->heads
           && cylinder < u->cylinders;
}

static void put_address(struct ide_channel *c, uint64_t lba)
{
    struct ide_unit *u = ide_active(c);

    if (!c->ext && !uses_lba(c)) {
        uint64_t track;
        unsigned per_cylinder = MAX((unsigned)u->heads * u->spt, 1u);

        track = lba % per_cylinder;
        u->sector = (uint8_t)(track % MAX(u->spt, 1u) + 1);
        c->select = (uint8_t)((c->select & 0xf0) | (track / MAX(u->spt, 1u) & 0x0f));
        lba /= per_cylinder;
        u->cyl_lo = (uint8_t)lba;
        u->cyl_hi = (uint8_t)(lba >> 8);
        return;
    }
    u->sector = (uint8_t)lba;
    u->cyl_lo = (uint8_t)(lba >> 8);
    u->cyl_hi = (uint8_t)(lba >> 16);
    if (c->ext) {
        u->hob_sector = (uint8_t)(lba >> 24);
        u->hob_cyl_lo = (uint8_t)(lba >> 32);
        u->hob_cyl_hi = (uint8_t)(lba >> 40);
    } else {
        c->select = (uint8_t)((c->select & 0xf0) | (lba >> 24 & 0x0f));
    }
}

/* The registers after `moved` sectors more are done, with `left` to go. */
static void put_progress(struct ide_channel *c, uint64_t lba, uint32_t left)
{
    struct ide_unit *u = ide_active(c);

    put_address(c, lba);
    u->count = (uint8_t)left;
    if (c->ext) {
        u->hob_count = (uint8_t)(left >> 8);
    }
}

static uint32_t get_count(const struct ide_channel *c)
{
    const struct ide_unit *u = &c->unit[c->active];
    uint32_t n = c->ext ? (uint32_t)u->hob_count << 8 | u->count : u->count;

    return n ? n : (c->ext ? 65536u : 256u);
}

/* Address and count of a transfer; on failure the command has ended. */
static bool begin(struct ide_channel *c, bool ext)
{
    const struct ide_unit *u = ide_active(c);

    c->ext = ext;
    c->left = get_count(c);
    if (!get_address(c, &c->lba) || c->lba >= u->sectors || c->left > u->sectors - c->lba) {
        ide_fail(c, ER_IDNF);
        return false;
    }
    ide_active(c)->power = POWER_ACTIVE;
    return true;
}

/* Reading and writing. */

static void read_chunk(struct ide_channel *c)
{
    c->chunk = MIN(c->left, (uint32_t)CHUNK_SECTORS);
    ide_host(c, IDE_HOST_READ, c->lba, c->chunk, ide_latency(ide_active(c), c->lba, c->chunk));
}

void ata_read_done(struct ide_channel *c)
{
    c->len = c->chunk * IDE_SECTOR;
    ide_offer(c);
}

static void chunk_passed(struct ide_channel *c)
{
    c->lba += c->chunk;
    c->left -= c->chunk;
    if (c->chunk) {
        put_progress(c, c->lba - 1, c->left);
    }
}

void ata_moved(struct ide_channel *c)
{
    chunk_passed(c);
    if (c->left) {
        read_chunk(c);
    } else {
        /* The last block of a PIO command was announced by its own interrupt. */
        ide_end(c, ST_DRDY | ST_DSC, c->dma);
    }
}

static void want_chunk(struct ide_channel *c, bool interrupt)
{
    c->chunk = MIN(c->left, (uint32_t)CHUNK_SECTORS);
    c->len = c->chunk * IDE_SECTOR;
    ide_want(c, interrupt);
}

void ata_filled(struct ide_channel *c)
{
    ide_host(c, IDE_HOST_WRITE, c->lba, c->chunk,
             ide_latency(ide_active(c), c->lba, c->chunk));
}

void ata_written(struct ide_channel *c)
{
    chunk_passed(c);
    if (c->left) {
        want_chunk(c, true);
    } else {
        ide_end(c, ST_DRDY | ST_DSC, true);
    }
}

void ata_host_failed(struct ide_channel *c)
{
    enum ide_phase phase = (enum ide_phase)c->phase;

    if (phase != IDE_FLUSH) {
        put_progress(c, c->lba, c->left);
    }
    if (phase == IDE_HOST_READ) {
        ide_fail(c, ER_UNC);
    } else if (c->req_error == BLOCK_EROFS) {
        ide_fail(c, ER_ABRT);
    } else {
        ide_active(c)->error = ER_ABRT;
        ide_end(c, ST_DRDY | ST_DSC | ST_DF | ST_ERR, true);
    }
}

enum { XFER_EXT = 1, XFER_MULTIPLE = 2, XFER_DMA = 4, XFER_WRITE = 8 };

static void transfer(struct ide_channel *c, unsigned how)
{
    struct ide_unit *u = ide_active(c);

    if ((how & XFER_MULTIPLE) && !u->multiple) {
        ide_fail(c, ER_ABRT);
        return;
    }
    if (!begin(c, (how & XFER_EXT) != 0)) {
        return;
    }
    if ((how & XFER_WRITE) && u->block->read_only) {
        ide_fail(c, ER_ABRT);
        return;
    }
    c->dma = (how & XFER_DMA) != 0;
    c->block_bytes = (how & XFER_MULTIPLE ? u->multiple : 1u) * IDE_SECTOR;
    if (how & XFER_WRITE) {
        want_chunk(c, false);
    } else {
        read_chunk(c);
    }
}

/* A reply of one sector that lies in the buffer. */
static void reply(struct ide_channel *c)
{
    c->len = IDE_SECTOR;
    c->block_bytes = IDE_SECTOR;
    ide_offer(c);
}

/* IDENTIFY DEVICE. */

static void identify_geometry(const struct ide_unit *u, uint8_t *w)
{
    uint32_t capacity = (uint32_t)u->cylinders * u->heads * u->spt;

    put16(w + 1 * 2, u->def_cylinders);
    put16(w + 3 * 2, u->def_heads);
    put16(w + 6 * 2, u->def_spt);
    put16(w + 53 * 2, 0x0007); /* words 54-58, 64-70 and 88 hold something */
    put16(w + 54 * 2, u->cylinders);
    put16(w + 55 * 2, u->heads);
    put16(w + 56 * 2, u->spt);
    put32(w + 57 * 2, capacity);
    put32(w + 60 * 2, (uint32_t)MIN(u->sectors, LBA28_END - 1));
    put64(w + 100 * 2, u->sectors);
}

static void identify_features(const struct ide_unit *u, uint8_t *w)
{
    unsigned enabled = (unsigned)u->smart | 1u << 3 | (unsigned)u->write_cache << 5
                       | (unsigned)u->look_ahead << 6 | 1u << 14;

    put16(w + 47 * 2, 0x8000 | MAX_MULTIPLE);
    put16(w + 48 * 2, 0x0001); /* 32-bit transfers, as drives of the time said */
    put16(w + 49 * 2, 0x0f00); /* DMA, LBA, IORDY */
    put16(w + 50 * 2, 0x4000);
    put16(w + 51 * 2, 0x0200);
    put16(w + 52 * 2, 0x0200);
    put16(w + 59 * 2, u->multiple ? 0x0100 | u->multiple : 0);
    ide_put_modes(u, w);
    put16(w + 64 * 2, 0x0003); /* PIO 3 and 4 */
    put16(w + 65 * 2, 120);
    put16(w + 66 * 2, 120);
    put16(w + 67 * 2, 120);
    put16(w + 68 * 2, 120);
    put16(w + 80 * 2, 0x007e); /* ATA-1 to ATA/ATAPI-6 */
    put16(w + 82 * 2, 0x4069); /* NOP, look-ahead, write cache, power management, SMART */
    put16(w + 83 * 2, 0x7400); /* FLUSH CACHE (EXT), 48-bit addresses */
    put16(w + 84 * 2, 0x4000);
    put16(w + 85 * 2, (uint16_t)enabled);
    put16(w + 86 * 2, 0x3400);
    put16(w + 87 * 2, 0x4000);
}

static void identify(struct ide_channel *c)
{
    const struct ide_unit *u = ide_active(c);
    uint8_t *w = c->buf, sum = 0;
    unsigned i;

    memset(w, 0, IDE_SECTOR);
    put16(w + 0, 0x0040); /* fixed drive */
    ide_text(w + 10 * 2, u->serial, 20);
    put16(w + 20 * 2, 3);
    put16(w + 21 * 2, CHUNK_SECTORS);
    put16(w + 22 * 2, 4);
    ide_text(w + 23 * 2, "1.0", 8);
    ide_text(w + 27 * 2, "OXBOW HARDDISK", 40);
    identify_geometry(u, w);
    identify_features(u, w);
    /* Hardware reset result: 80-conductor cable, and the number by jumper. */
    put16(w + 93 * 2, c->active ? 0x6b00 : 0x600b);
    w[510] = 0xa5;
    for (i = 0; i < 511; i++) {
        sum = (uint8_t)(sum + w[i]);
    }
    w[511] = (uint8_t)-sum;
    reply(c);
}

/* SMART: a healthy drive. */

static void smart_sum(uint8_t *page)
{
    uint8_t sum = 0;
    unsigned i;

    for (i = 0; i < 511; i++) {
        sum = (uint8_t)(sum + page[i]);
    }
    page[511] = (uint8_t)-sum;
}

static const struct {
    uint8_t id, flags, value, threshold;
} smart_attributes[] = {
    {1, 0x0b, 100, 16}, /* raw read error rate */
    {3, 0x07, 100, 24}, /* spin-up time */
    {4, 0x12, 100, 0},  /* start/stop count */
    {5, 0x33, 100, 5},  /* reallocated sectors */
    {9, 0x12, 100, 0},  /* power-on hours */
    {12, 0x32, 100, 0}, /* power cycles */
};

static void smart_page(struct ide_channel *c, bool thresholds)
{
    uint8_t *p = c->buf;
    unsigned i;

    memset(p, 0, IDE_SECTOR);
    put16(p, 1);
    for (i = 0; i < ARRAY_LEN(smart_attributes); i++) {
        uint8_t *a = p + 2 + i * 12;

        a[0] = smart_attributes[i].id;
        if (thresholds) {
            a[1] = smart_attributes[i].threshold;
        } else {
            a[1] = smart_attributes[i].flags;
            a[3] = a[4] = smart_attributes[i].value;
        }
    }
    if (!thresholds) {
        put16(p + 364, 2);  /* seconds an off-line collection takes */
        p[367] = 0x19;      /* self-test and immediate off-line collection */
        put16(p + 368, 3);  /* saves attributes by itself */
        p[370] = 1;         /* keeps an error log */
        p[372] = p[373] = 1; /* minutes of the self-tests */
    }
    smart_sum(p);
    reply(c);
}

/* Error and self-test logs are empty; log 0 is the directory that says how long they are. */
static void smart_log(struct ide_channel *c, uint8_t log)
{
    uint8_t *p = c->buf;

    memset(p, 0, IDE_SECTOR);
    switch (log) {
    case 0:
        p[0] = 1;
        p[2] = 1;  /* log 1: one sector */
        p[12] = 1; /* log 6: one sector */
        break;
    case 1:
    case 6:
        p[0] = 1;
        smart_sum(p);
        break;
    default:
        ide_fail(c, ER_ABRT);
        return;
    }
    reply(c);
}

static void smart(struct ide_channel *c)
{
    struct ide_unit *u = ide_active(c);
    uint8_t feature = u->feature;

    if (u->cyl_lo != SMART_KEY_LO || u->cyl_hi != SMART_KEY_HI
        || (!u->smart && feature != 0xd8)) {
        ide_fail(c, ER_ABRT);
        return;
    }
    switch (feature) {
    case 0xd0:
    case 0xd1:
        smart_page(c, feature == 0xd1);
        return;
    case 0xd5:
        smart_log(c, u->sector);
        return;
    case 0xd2: /* autosave of attributes on or off */
    case 0xd3: /* save attributes: they never change */
    case 0xd4: /* off-line test: passed at once */
    case 0xdb:
        break;
    case 0xd8:
    case 0xd9:
        u->smart = feature == 0xd8;
        break;
    case 0xda: /* status: no threshold exceeded, the key stays as it is */
        break;
    default:
        ide_fail(c, ER_ABRT);
        return;
    }
    ide_end(c, ST_DRDY | ST_DSC, true);
}

/* Commands without data. */

static void done(struct ide_channel *c)
{
    ide_end(c, ST_DRDY | ST_DSC, true);
}

static void set_features(struct ide_channel *c)
{
    struct ide_unit *u = ide_active(c);

    switch (u->feature) {
    case 0x02:
    case 0x82:
        u->write_cache = u->feature == 0x02;
        break;
    case 0x55:
    case 0xaa:
        u->look_ahead = u->feature == 0xaa;
        break;
    case 0x03:
        if (!ide_set_mode(u, u->count)) {
            ide_fail(c, ER_ABRT);
            return;
        }
        break;
    case 0x66: /* settings survive a software reset, or not: here they always do */
    case 0xcc:
        break;
    default:
        ide_fail(c, ER_ABRT);
        return;
    }
    done(c);
}

static void set_multiple(struct ide_channel *c)
{
    struct ide_unit *u = ide_active(c);

    if (u->count > MAX_MULTIPLE || (u->count & (u->count - 1))) {
        u->multiple = 0;
        ide_fail(c, ER_ABRT);
        return;
    }
    u->multiple = u->count;
    done(c);
}

static void set_translation(struct ide_channel *c)
{
    struct ide_unit *u = ide_active(c);
    unsigned heads = (c->select & 0x0fu) + 1, spt = u->count;

    if (!spt) {
        u->heads = u->spt = u->cylinders = 0;
        ide_fail(c, ER_ABRT);
        return;
    }
    u->heads = (uint16_t)heads;
    u->spt = (uint16_t)spt;
    u->cylinders = (uint16_t)MIN(MAX(u->sectors / (heads * spt), 1u), 65535u);
    done(c);
}

static void seek(struct ide_channel *c)
{
    struct ide_unit *u = ide_active(c);
    uint64_t lba;

    c->ext = false;
    if (!get_address(c, &lba) || lba >= u->sectors) {
        ide_fail(c, ER_IDNF);
        return;
    }
    u->power = POWER_ACTIVE;
    ide_after(c, IDE_FINISH, ide_latency(u, lba, 0));
}

static void verify(struct ide_channel *c, bool ext)
{
    struct ide_unit *u = ide_active(c);

    if (begin(c, ext)) {
        uint32_t n = c->left, ns = ide_latency(u, c->lba, n);

        c->left = 0;
        put_progress(c, c->lba + n - 1, 0);
        ide_after(c, IDE_FINISH, ns);
    }
}

static void native_max(struct ide_channel *c, bool ext)
{
    c->ext = ext;
    c->select |= DEV_LBA;
    put_address(c, (ext ? ide_active(c)->sectors : MIN(ide_active(c)->sectors, LBA28_END)) - 1);
    done(c);
}

static void set_power(struct ide_channel *c, uint8_t power)
{
    ide_active(c)->power = power;
    done(c);
}

static void check_power(struct ide_channel *c)
{
    ide_active(c)->count = ide_active(c)->power;
    done(c);
}

static void flush(struct ide_channel *c)
{
    ide_host(c, IDE_FLUSH, 0, 0, NS_ACCESS);
}

void ata_command(struct ide_channel *c)
{
    switch (c->command) {
    case 0x10: case 0x11: case 0x12: case 0x13: case 0x14: case 0x15: case 0x16: case 0x17:
    case 0x18: case 0x19: case 0x1a: case 0x1b: case 0x1c: case 0x1d: case 0x1e: case 0x1f:
        ide_after(c, IDE_FINISH, NS_ACCESS); /* RECALIBRATE */
        break;
    case 0x20:
    case 0x21:
        transfer(c, 0);
        break;
    case 0x24:
        transfer(c, XFER_EXT);
        break;
    case 0x25:
        transfer(c, XFER_EXT | XFER_DMA);
        break;
    case 0x27:
        native_max(c, true);
        break;
    case 0x29:
        transfer(c, XFER_EXT | XFER_MULTIPLE);
        break;
    case 0x30:
    case 0x31:
    case 0x3c: /* WRITE VERIFY */
        transfer(c, XFER_WRITE);
        break;
    case 0x34:
        transfer(c, XFER_WRITE | XFER_EXT);
        break;
    case 0x35:
        transfer(c, XFER_WRITE | XFER_EXT | XFER_DMA);
        break;
    case 0x39:
        transfer(c, XFER_WRITE | XFER_EXT | XFER_MULTIPLE);
        break;
    case 0x40:
    case 0x41:
        verify(c, false);
        break;
    case 0x42:
        verify(c, true);
        break;
    case 0x70: case 0x71: case 0x72: case 0x73: case 0x74: case 0x75: case 0x76: case 0x77:
    case 0x78: case 0x79: case 0x7a: case 0x7b: case 0x7c: case 0x7d: case 0x7e: case 0x7f:
        seek(c);
        break;
    case 0x91:
        set_translation(c);
        break;
    case 0x94: case 0xe0: /* STANDBY IMMEDIATE */
    case 0x96: case 0xe2: /* STANDBY */
    case 0x99: case 0xe6: /* SLEEP */
        set_power(c, POWER_STANDBY);
        break;
    case 0x95: case 0xe1: /* IDLE IMMEDIATE */
    case 0x97: case 0xe3: /* IDLE */
        set_power(c, POWER_IDLE);
        break;
    case 0x98: case 0xe5:
        check_power(c);
        break;
    case 0xb0:
        smart(c);
        break;
    case 0xc4:
        transfer(c, XFER_MULTIPLE);
        break;
    case 0xc5:
        transfer(c, XFER_WRITE | XFER_MULTIPLE);
        break;
    case 0xc6:
        set_multiple(c);
        break;
    case 0xc8:
    case 0xc9:
        transfer(c, XFER_DMA);
        break;
    case 0xca:
    case 0xcb:
        transfer(c, XFER_WRITE | XFER_DMA);
        break;
    case 0xe7:
    case 0xea:
        flush(c);
        break;
    case 0xec:
        identify(c);
        break;
    case 0xef:
        set_features(c);
        break;
    case 0xf8:
        native_max(c, false);
        break;
    default: /* NOP among them: it is defined to end like this */
        ide_fail(c, ER_ABRT);
        break;
    }
}
