/*
 * 82077AA floppy disk controller in AT mode (Intel 290166).
 *
 * Main status, digital output, tape drive, data rate, configuration control and digital input
 * registers, and the whole command set of section 5.0, with DMA or byte by byte.
 * The disk's format follows from the image's size; sectors have 512 bytes, and marks of deleted
 * data are not kept.  Sectors and steps are several times quicker than the mechanics of the time.
 * Invariants: one command at a time (enum exec), seeks of the four drives run beside it; whatever
 * is under way is resumed by an event, which holds virtual time when the host's file is late.
 */
#include "devices/fdc82077.h"

#include <stdio.h>
#include <string.h>

enum { REG_DOR = 2, REG_TDR = 3, REG_MSR = 4, REG_FIFO = 5, REG_DIR = 7, REGISTERS = 8 };

enum { DOR_NRESET = 0x04, DOR_GATE = 0x08, DOR_MOTOR0 = 0x10 };
enum { MSR_RQM = 0x80, MSR_DIO = 0x40, MSR_NDMA = 0x20, MSR_CB = 0x10 };
enum { ST0_ABNORMAL = 0x40, ST0_INVALID = 0x80, ST0_POLLING = 0xc0, ST0_SE = 0x20, ST0_EC = 0x10 };
enum { ST1_MA = 0x01, ST1_NW = 0x02, ST1_ND = 0x04, ST1_DE = 0x20, ST1_EN = 0x80 };
enum { ST2_BC = 0x02, ST2_SN = 0x04, ST2_SH = 0x08, ST2_WC = 0x10, ST2_DD = 0x20, ST2_CM = 0x40 };
enum { ST3_WP = 0x40, ST3_RDY = 0x20, ST3_T0 = 0x10, ST3_TS = 0x08 };

enum command { /* low five bits of the first byte */
    CMD_READ_TRACK = 0x02,
    CMD_SPECIFY = 0x03,
    CMD_SENSE_DRIVE = 0x04,
    CMD_WRITE = 0x05,
    CMD_READ = 0x06,
    CMD_RECALIBRATE = 0x07,
    CMD_SENSE_INT = 0x08,
    CMD_WRITE_DELETED = 0x09,
    CMD_READ_ID = 0x0a,
    CMD_READ_DELETED = 0x0c,
    CMD_FORMAT = 0x0d,
    CMD_DUMPREG = 0x0e,
    CMD_SEEK = 0x0f,
    CMD_VERSION = 0x10,
    CMD_SCAN_EQUAL = 0x11,
    CMD_PERPENDICULAR = 0x12,
    CMD_CONFIGURE = 0x13,
    CMD_LOCK = 0x14,
    CMD_VERIFY = 0x16,
    CMD_SCAN_LOW = 0x19,
    CMD_SCAN_HIGH = 0x1d
};

enum { OPT_MT = 0x80, OPT_MFM = 0x40, OPT_SK = 0x20 };

enum phase { PH_COMMAND, PH_EXECUTE, PH_RESULT };

enum exec {
    EX_NONE,
    EX_RESET,      /* the event raises the interrupt of a reset */
    EX_READ,       /* the sector comes from the image; the event offers it */
    EX_TO_HOST,    /* the host takes the buffer */
    EX_FROM_HOST,  /* the host fills the buffer */
    EX_COMPARE,    /* the host sends what SCAN compares the buffer with */
    EX_WRITE,      /* the sector goes to the image */
    EX_ID,         /* READ ID: the event finds the next header */
    EX_FAIL,       /* the event ends the command with the status found */
    EX_SEEK_FIRST, /* an implied seek */
    EX_COUNT
};

enum {
    SECTOR = 512,
    MAX_SECTORS = 5760,
    DRIVES = 4, /* as far as the commands go; two have a connector */
    UNITS = 2,
    MAX_TRACK = 83,
    RECALIBRATE_STEPS = 79,
    SIZE_CODE = 2, /* N of 512-byte sectors */
    TRANSFER_RESULT = 7,

    NS_RESET = 30000,
    NS_SECTOR = 400000,
    NS_FAIL = 2000000, /* two turns without the sector */
    NS_ID = 200000,
    NS_STEP = 100000,
    NS_SETTLE = 500000
};

enum rate { RATE_500K, RATE_300K, RATE_250K, RATE_1M };

struct format {
    uint16_t sectors;
    uint8_t tracks, sides, spt;
    uint8_t rate;  /* enum rate; DD disks answer at 300K as well, as in a 1.2M drive */
    uint8_t drive; /* smallest enum floppy_type that takes it */
};

static const struct format formats[] = {
    {320, 40, 1, 8, RATE_250K, FLOPPY_360K},    {360, 40, 1, 9, RATE_250K, FLOPPY_360K},
    {640, 40, 2, 8, RATE_250K, FLOPPY_360K},    {720, 40, 2, 9, RATE_250K, FLOPPY_360K},
    {1440, 80, 2, 9, RATE_250K, FLOPPY_1440K},  {1600, 80, 2, 10, RATE_250K, FLOPPY_1440K},
    {2400, 80, 2, 15, RATE_500K, FLOPPY_1200K}, {2880, 80, 2, 18, RATE_500K, FLOPPY_1440K},
    {3360, 80, 2, 21, RATE_500K, FLOPPY_1440K}, {3444, 82, 2, 21, RATE_500K, FLOPPY_1440K},
    {5760, 80, 2, 36, RATE_1M, FLOPPY_2880K},
};

struct unit {
    struct block *block;
    const struct format *format; /* NULL: no disk */
    uint8_t type;                /* enum floppy_type */
    bool changed;                /* change line: a disk was swapped and the head not yet stepped */
};

struct seek_slot {
    struct fdc82077 *owner;
    struct event event;
    char name[32];
};

struct fdc82077 {
    struct device d;
    struct irq_line irq;
    struct dma_channel dma;
    struct unit unit[UNITS];
    struct event event;
    char event_name[32];
    struct seek_slot seek[DRIVES];

    uint8_t dor, tdr, rate;
    uint8_t phase, exec; /* enum phase, enum exec */
    bool irq_pending, irq_level, drq;
    uint8_t fifo[16]; /* command bytes, then result bytes */
    uint8_t fifo_len, fifo_pos;

    /* Set by SPECIFY, CONFIGURE, PERPENDICULAR, LOCK. */
    uint8_t specify[2], configure, pretrk, perpendicular;
    bool lock;

    uint8_t pcn[DRIVES];     /* where the controller believes the head is */
    uint8_t track[DRIVES];   /* where it is */
    uint8_t seek_to[DRIVES];
    uint8_t seek_st0[DRIVES]; /* result for SENSE INTERRUPT */
    bool seeking[DRIVES], seek_done[DRIVES];
    uint8_t polling; /* SENSE INTERRUPT answers left after a reset */

    /* The command under way. */
    uint8_t command, options, drive, side;
    uint8_t c, h, r, n, eot, dtl;
    uint8_t st0, st1, st2;
    bool tc;
    bool format_id; /* FORMAT: the buffer takes an ID and no data */
    bool scan_miss;
    uint8_t sectors_left; /* FORMAT and VERIFY with a count */
    uint16_t pos, len;
    uint8_t buf[SECTOR];

    struct block_req req;
    bool req_busy, holding;
    uint8_t req_error;
    uint8_t arriving[SECTOR]; /* a read's data until its event; read again after a load */
};

static const struct snap_field fdc_fields[] = {
    SNAP_F(struct fdc82077, unit[0].changed, SNAP_BOOL),
    SNAP_F(struct fdc82077, unit[1].changed, SNAP_BOOL),
    SNAP_F(struct fdc82077, dor, SNAP_U8),
    SNAP_F(struct fdc82077, tdr, SNAP_U8),
    SNAP_F(struct fdc82077, rate, SNAP_U8),
    SNAP_F(struct fdc82077, phase, SNAP_U8),
    SNAP_F(struct fdc82077, exec, SNAP_U8),
    SNAP_F(struct fdc82077, irq_pending, SNAP_BOOL),
    SNAP_F(struct fdc82077, irq_level, SNAP_BOOL),
    SNAP_F(struct fdc82077, drq, SNAP_BOOL),
    SNAP_ARRAY(struct fdc82077, fifo, SNAP_BYTES),
    SNAP_F(struct fdc82077, fifo_len, SNAP_U8),
    SNAP_F(struct fdc82077, fifo_pos, SNAP_U8),
    SNAP_ARRAY(struct fdc82077, specify, SNAP_BYTES),
    SNAP_F(struct fdc82077, configure, SNAP_U8),
    SNAP_F(struct fdc82077, pretrk, SNAP_U8),
    SNAP_F(struct fdc82077, perpendicular, SNAP_U8),
    SNAP_F(struct fdc82077, lock, SNAP_BOOL),
    SNAP_ARRAY(struct fdc82077, pcn, SNAP_BYTES),
    SNAP_ARRAY(struct fdc82077, track, SNAP_BYTES),
    SNAP_ARRAY(struct fdc82077, seek_to, SNAP_BYTES),
    SNAP_ARRAY(struct fdc82077, seek_st0, SNAP_BYTES),
    SNAP_ARRAY(struct fdc82077, seeking, SNAP_BOOL),
    SNAP_ARRAY(struct fdc82077, seek_done, SNAP_BOOL),
    SNAP_F(struct fdc82077, polling, SNAP_U8),
    SNAP_F(struct fdc82077, command, SNAP_U8),
    SNAP_F(struct fdc82077, options, SNAP_U8),
    SNAP_F(struct fdc82077, drive, SNAP_U8),
    SNAP_F(struct fdc82077, side, SNAP_U8),
    SNAP_F(struct fdc82077, c, SNAP_U8),
    SNAP_F(struct fdc82077, h, SNAP_U8),
    SNAP_F(struct fdc82077, r, SNAP_U8),
    SNAP_F(struct fdc82077, n, SNAP_U8),
    SNAP_F(struct fdc82077, eot, SNAP_U8),
    SNAP_F(struct fdc82077, dtl, SNAP_U8),
    SNAP_F(struct fdc82077, st0, SNAP_U8),
    SNAP_F(struct fdc82077, st1, SNAP_U8),
    SNAP_F(struct fdc82077, st2, SNAP_U8),
    SNAP_F(struct fdc82077, tc, SNAP_BOOL),
    SNAP_F(struct fdc82077, format_id, SNAP_BOOL),
    SNAP_F(struct fdc82077, scan_miss, SNAP_BOOL),
    SNAP_F(struct fdc82077, sectors_left, SNAP_U8),
    SNAP_F(struct fdc82077, pos, SNAP_U16),
    SNAP_F(struct fdc82077, len, SNAP_U16),
    SNAP_ARRAY(struct fdc82077, buf, SNAP_BYTES),
    SNAP_END,
};

/* Lines. */

static void update_irq(struct fdc82077 *f)
{
    bool level = f->irq_pending && (f->dor & DOR_GATE);

    if (level != f->irq_level) {
        f->irq_level = level;
        irq_set(&f->irq, level);
    }
}

static void set_irq(struct fdc82077 *f, bool level)
{
    f->irq_pending = level;
    update_irq(f);
}

static void set_drq(struct fdc82077 *f, bool level)
{
    f->drq = level;
    dma_request(&f->dma, level && (f->dor & DOR_GATE));
}

static bool pio(const struct fdc82077 *f)
{
    return f->specify[1] & 1;
}

static void after(struct fdc82077 *f, enum exec exec, uint32_t ns)
{
    f->phase = PH_EXECUTE;
    f->exec = (uint8_t)exec;
    event_at(f->d.env->sched, &f->event, sched_after_ns(f->d.env->sched, ns));
}

/* Disks. */

static const struct format *format_of(const struct block *b)
{
    unsigned i;

    if (!b) {
        return NULL;
    }
    for (i = 0; i + 1 < ARRAY_LEN(formats) && formats[i].sectors < b->sectors; i++) {
    }
    return &formats[i];
}

static void insert(struct unit *u, struct block *block)
{
    u->block = block;
    u->format = format_of(block);
    u->changed = true;
}

/* The disk a command works on; NULL: no drive, no disk, or its motor stands still. */
static const struct format *disk(const struct fdc82077 *f)
{
    if (f->drive >= UNITS || f->unit[f->drive].type == FLOPPY_NONE
        || !(f->dor & DOR_MOTOR0 << f->drive)) {
        return NULL;
    }
    return f->unit[f->drive].format;
}

static bool rate_fits(const struct fdc82077 *f, const struct format *fmt)
{
    return f->rate == fmt->rate || (fmt->rate == RATE_250K && f->rate == RATE_300K);
}

/* Results. */

static void result(struct fdc82077 *f, unsigned len)
{
    f->phase = PH_RESULT;
    f->exec = EX_NONE;
    f->fifo_len = (uint8_t)len;
    f->fifo_pos = 0;
}

static void command_over(struct fdc82077 *f)
{
    f->phase = PH_COMMAND;
    f->exec = EX_NONE;
    f->fifo_len = f->fifo_pos = 0;
}

/* End of a command with the seven result bytes. */
static void finish(struct fdc82077 *f, uint8_t code)
{
    set_drq(f, false);
    f->fifo[0] = (uint8_t)(code | f->st0 | f->side << 2 | f->drive);
    f->fifo[1] = f->st1;
    f->fifo[2] = f->st2;
    f->fifo[3] = f->c;
    f->fifo[4] = f->h;
    f->fifo[5] = f->r;
    f->fifo[6] = f->n;
    result(f, TRANSFER_RESULT);
    f->polling = 0;
    set_irq(f, true);
}

static void fail_later(struct fdc82077 *f, uint8_t st1, uint8_t st2)
{
    f->st1 |= st1;
    f->st2 |= st2;
    after(f, EX_FAIL, NS_FAIL);
}

/* Sectors. */

/* Finds the sector C/H/R under the head; false with the status bits set. */
static bool locate(struct fdc82077 *f, uint32_t *sector)
{
    const struct format *fmt = disk(f);
    unsigned track = f->track[f->drive];

    if (!fmt || !rate_fits(f, fmt) || !(f->options & OPT_MFM) || f->side >= fmt->sides
        || track >= fmt->tracks) {
        f->st1 |= ST1_MA;
        return false;
    }
    if (f->c != track) {
        f->st1 |= ST1_ND;
        f->st2 |= f->c == 0xff ? ST2_BC : ST2_WC;
        return false;
    }
    if (f->h != f->side || f->r == 0 || f->r > fmt->spt || f->n != SIZE_CODE) {
        f->st1 |= ST1_ND;
        return false;
    }
    *sector = (track * fmt->sides + f->side) * fmt->spt + f->r - 1u;
    return true;
}

static void host_done(struct block_req *req, enum block_error error)
{
    struct fdc82077 *f = req->arg;

    f->req_busy = false;
    f->req_error = (uint8_t)error;
    if (f->holding) {
        f->holding = false;
        sched_hold(f->d.env->sched, false);
    }
}

static void host_submit(struct fdc82077 *f, enum block_cmd cmd, uint32_t sector)
{
    struct block *b = f->unit[f->drive].block;

    f->req_error = BLOCK_OK;
    if (cmd == BLOCK_READ && sector >= b->sectors) {
        memset(f->arriving, 0, sizeof f->arriving); /* a file cut short reads as zeros */
        return;
    }
    f->req.cmd = cmd;
    f->req.sector = sector;
    f->req.count = 1;
    f->req.buf = cmd == BLOCK_READ ? f->arriving : f->buf;
    f->req.done = host_done;
    f->req.arg = f;
    f->req_busy = true;
    block_submit(b, &f->req);
}

static bool is_scan(const struct fdc82077 *f)
{
    return f->command == CMD_SCAN_EQUAL || f->command == CMD_SCAN_LOW
           || f->command == CMD_SCAN_HIGH;
}

static bool is_write(const struct fdc82077 *f)
{
    return f->command == CMD_WRITE || f->command == CMD_WRITE_DELETED || f->command == CMD_FORMAT;
}

/* Lets the host move [0, len) of the buffer. */
static void exchange(struct fdc82077 *f, enum exec exec, uint16_t len)
{
    f->phase = PH_EXECUTE;
    f->exec = (uint8_t)exec;
    f->pos = 0;
    f->len = len;
    if (pio(f)) {
        set_irq(f, true);
    } else {
        set_drq(f, true);
    }
}

/* Starts on the sector that C/H/R name. */
static void next_sector(struct fdc82077 *f)
{
    uint32_t sector;

    if (!locate(f, &sector)) {
        after(f, EX_FAIL, NS_FAIL);
    } else if (is_write(f)) {
        exchange(f, EX_FROM_HOST, SECTOR);
    } else {
        after(f, EX_READ, NS_SECTOR);
        host_submit(f, BLOCK_READ, sector);
    }
}

static void next_format_id(struct fdc82077 *f)
{
    if (f->sectors_left == 0) {
        finish(f, 0);
        return;
    }
    f->format_id = true;
    exchange(f, EX_FROM_HOST, 4);
}

/* C/H/R of the sector that follows; false when this was the last of the cylinder. */
static bool advance(struct fdc82077 *f)
{
    if (f->r != f->eot) {
        f->r++;
        return true;
    }
    f->r = 1;
    if (!(f->options & OPT_MT)) {
        f->c++;
        return false;
    }
    f->h ^= 1;
    f->side ^= 1;
    if (f->side == 0) {
        f->c++;
        return false;
    }
    return true;
}

static void sector_done(struct fdc82077 *f)
{
    bool counted = f->command == CMD_VERIFY && f->sectors_left;
    bool more, tc = f->tc;

    if (f->command == CMD_FORMAT) {
        f->sectors_left--;
        next_format_id(f);
        return;
    }
    more = advance(f);
    if (counted && --f->sectors_left == 0) {
        tc = true;
    }
    /* A mark that doesn't belong to the command ends it after the sector it was found on. */
    if (tc || (f->st2 & ST2_CM)) {
        finish(f, 0);
    } else if (more) {
        next_sector(f);
    } else if ((f->command == CMD_VERIFY && !counted) || f->command == CMD_READ_TRACK) {
        finish(f, 0);
    } else {
        f->st1 |= ST1_EN;
        finish(f, ST0_ABNORMAL);
    }
}

/* SCAN: the sector is compared; it ends at the first one that satisfies. */
static void scan_done(struct fdc82077 *f)
{
    unsigned step = f->dtl == 2 ? 2 : 1;
    bool more;

    if (!f->scan_miss) {
        finish(f, 0);
        return;
    }
    f->st2 = (uint8_t)((f->st2 & ~ST2_SH) | ST2_SN);
    more = advance(f);
    if (more && step == 2) {
        more = advance(f);
    }
    if (f->tc || !more) {
        finish(f, 0);
        return;
    }
    f->st2 &= (uint8_t)~ST2_SN;
    next_sector(f);
}

static void scan_byte(struct fdc82077 *f, uint8_t host)
{
    uint8_t disk_byte = f->buf[f->pos];

    if (host == disk_byte || host == 0xff || disk_byte == 0xff) {
        return;
    }
    f->st2 &= (uint8_t)~ST2_SH;
    if (f->command == CMD_SCAN_EQUAL || (f->command == CMD_SCAN_LOW && disk_byte > host)
        || (f->command == CMD_SCAN_HIGH && disk_byte < host)) {
        f->scan_miss = true;
    }
}

/* FORMAT has an ID field: writes that sector with the filler, when the disk has such a place. */
static void format_sector(struct fdc82077 *f)
{
    const struct format *fmt = disk(f);
    uint8_t id[4];

    memcpy(id, f->buf, sizeof id);
    f->format_id = false;
    memset(f->buf, f->dtl, sizeof f->buf);
    f->c = id[0];
    f->h = id[1];
    f->r = id[2];
    if (id[3] != SIZE_CODE || !fmt || f->r == 0 || f->r > fmt->spt
        || f->c != f->track[f->drive] || f->h != f->side) {
        log_guest(f->d.env->log, "fdc82077", "format of sector %u/%u/%u size %u left out", id[0],
                  id[1], id[2], id[3]);
        sector_done(f);
        return;
    }
    after(f, EX_WRITE, NS_SECTOR);
    host_submit(f, BLOCK_WRITE,
                (f->c * (uint32_t)fmt->sides + f->side) * fmt->spt + f->r - 1u);
}

/* The host has moved the whole buffer, or the terminal count cut it short. */
static void exchanged(struct fdc82077 *f)
{
    uint32_t sector;

    set_drq(f, false);
    if (pio(f)) {
        set_irq(f, false);
    }
    if (f->exec == EX_TO_HOST) {
        sector_done(f);
    } else if (f->exec == EX_COMPARE) {
        scan_done(f);
    } else if (f->format_id) {
        if (f->pos == f->len) {
            format_sector(f);
        } else {
            finish(f, 0);
        }
    } else if (locate(f, &sector)) {
        memset(f->buf + f->pos, 0, (size_t)(f->len - f->pos));
        after(f, EX_WRITE, NS_SECTOR);
        host_submit(f, BLOCK_WRITE, sector);
    } else {
        after(f, EX_FAIL, NS_FAIL);
    }
}

static uint32_t dma_transfer(void *dev, enum dma_dir dir, uint8_t *buf, uint32_t len, bool tc)
{
    struct fdc82077 *f = dev;
    uint32_t n, i;

    if (!f->drq || (f->exec != EX_TO_HOST && f->exec != EX_FROM_HOST && f->exec != EX_COMPARE)) {
        return 0;
    }
    n = MIN(len, (uint32_t)(f->len - f->pos));
    for (i = 0; i < n; i++) {
        if (f->exec == EX_TO_HOST) {
            if (dir == DMA_TO_MEMORY) {
                buf[i] = f->buf[f->pos];
            }
        } else if (dir == DMA_FROM_MEMORY) {
            if (f->exec == EX_COMPARE) {
                scan_byte(f, buf[i]);
            } else {
                f->buf[f->pos] = buf[i];
            }
        }
        f->pos++;
    }
    if (tc && n == len) {
        f->tc = true;
    }
    if (f->pos == f->len || f->tc) {
        exchanged(f);
    }
    return n;
}

struct dma_peripheral fdc82077_dma(struct device *d)
{
    struct dma_peripheral p = {d, dma_transfer};

    return p;
}

/* Seeks. */

static void seek_start(struct fdc82077 *f, unsigned drive, unsigned to)
{
    struct sched *s = f->d.env->sched;
    unsigned from = f->track[drive], steps = to > from ? to - from : from - to;

    f->seek_to[drive] = (uint8_t)to;
    f->seeking[drive] = true;
    event_at(s, &f->seek[drive].event, sched_after_ns(s, NS_SETTLE + steps * NS_STEP));
}

static bool has_drive(const struct fdc82077 *f, unsigned drive)
{
    return drive < UNITS && f->unit[drive].type != FLOPPY_NONE;
}

static void seek_due(void *arg, uint64_t now)
{
    struct seek_slot *slot = arg;
    struct fdc82077 *f = slot->owner;
    unsigned drive = (unsigned)(slot - f->seek);
    uint8_t to = f->seek_to[drive];

    (void)now;
    f->seeking[drive] = false;
    if (has_drive(f, drive)) {
        to = MIN(to, (uint8_t)MAX_TRACK);
        if (to != f->track[drive] && f->unit[drive].format) {
            f->unit[drive].changed = false; /* a step with a disk in resets the change line */
        }
        f->track[drive] = to;
    }
    if (f->phase == PH_EXECUTE && f->exec == EX_SEEK_FIRST && f->drive == drive) {
        f->pcn[drive] = f->c;
        next_sector(f);
        return;
    }
    f->seek_done[drive] = true;
    f->polling = 0;
    set_irq(f, true);
}

static void recalibrate(struct fdc82077 *f)
{
    unsigned drive = f->fifo[1] & 3, from = f->track[drive];
    bool reaches = has_drive(f, drive) && from <= RECALIBRATE_STEPS;

    /* Without track 0 after 79 steps it gives up with "equipment check". */
    f->seek_st0[drive] =
        (uint8_t)(drive | ST0_SE | (reaches ? 0 : ST0_ABNORMAL | ST0_EC));
    f->pcn[drive] = 0;
    seek_start(f, drive, reaches || !has_drive(f, drive) ? 0 : from - RECALIBRATE_STEPS);
    command_over(f);
}

static void seek(struct fdc82077 *f)
{
    unsigned drive = f->fifo[1] & 3, head = f->fifo[1] >> 2 & 1, amount = f->fifo[2];
    bool relative = f->fifo[0] & OPT_MT;
    unsigned to;

    if (relative && f->fifo[0] & OPT_MFM) {
        to = MIN(f->track[drive] + amount, 255u);
        f->pcn[drive] = (uint8_t)(f->pcn[drive] + amount);
    } else if (relative) {
        to = f->track[drive] > amount ? f->track[drive] - amount : 0;
        f->pcn[drive] = (uint8_t)(f->pcn[drive] - amount);
    } else {
        /* The controller counts steps from where it believes the head is. */
        int target = (int)f->track[drive] + (int)amount - (int)f->pcn[drive];

        to = target < 0 ? 0 : (unsigned)MIN(target, 255);
        f->pcn[drive] = (uint8_t)amount;
    }
    f->seek_st0[drive] = (uint8_t)(drive | head << 2 | ST0_SE);
    seek_start(f, drive, to);
    command_over(f);
}

static void sense_interrupt(struct fdc82077 *f)
{
    unsigned drive;
    bool more = false;

    set_irq(f, false);
    if (f->polling) {
        drive = DRIVES - f->polling--;
        f->fifo[0] = (uint8_t)(ST0_POLLING | drive);
        f->fifo[1] = f->pcn[drive];
        result(f, 2);
        return;
    }
    for (drive = 0; drive < DRIVES && !f->seek_done[drive]; drive++) {
    }
    if (drive == DRIVES) {
        f->fifo[0] = ST0_INVALID;
        result(f, 1);
        return;
    }
    f->seek_done[drive] = false;
    f->fifo[0] = f->seek_st0[drive];
    f->fifo[1] = f->pcn[drive];
    result(f, 2);
    for (drive = 0; drive < DRIVES; drive++) {
        more = more || f->seek_done[drive];
    }
    if (more) {
        set_irq(f, true);
    }
}

/* Commands without execution phase. */

static void sense_drive(struct fdc82077 *f)
{
    unsigned drive = f->fifo[1] & 3;
    uint8_t st3 = (uint8_t)(ST3_RDY | ST3_TS | (f->fifo[1] & 7));

    if (has_drive(f, drive)) {
        const struct unit *u = &f->unit[drive];

        st3 |= f->track[drive] == 0 ? ST3_T0 : 0;
        st3 |= u->block && u->block->read_only ? ST3_WP : 0;
    }
    f->fifo[0] = st3;
    result(f, 1);
}

static void dumpreg(struct fdc82077 *f)
{
    memcpy(f->fifo, f->pcn, DRIVES);
    f->fifo[4] = f->specify[0];
    f->fifo[5] = f->specify[1];
    f->fifo[6] = f->eot;
    f->fifo[7] = (uint8_t)(f->lock << 7 | (f->perpendicular & 0x3f));
    f->fifo[8] = f->configure;
    f->fifo[9] = f->pretrk;
    result(f, 10);
}

static void invalid(struct fdc82077 *f)
{
    f->fifo[0] = ST0_INVALID;
    result(f, 1);
}

/* Commands with execution phase. */

static void take_parameters(struct fdc82077 *f)
{
    f->command = f->fifo[0] & 0x1f;
    f->options = f->fifo[0] & (OPT_MT | OPT_MFM | OPT_SK);
    f->drive = f->fifo[1] & 3;
    f->side = f->fifo[1] >> 2 & 1;
    f->st0 = f->st1 = f->st2 = 0;
    f->tc = false;
    f->format_id = false;
    f->scan_miss = false;
    f->sectors_left = 0;
}

static void start_transfer(struct fdc82077 *f)
{
    take_parameters(f);
    f->c = f->fifo[2];
    f->h = f->fifo[3];
    f->r = f->fifo[4];
    f->n = f->fifo[5];
    f->eot = f->fifo[6];
    f->dtl = f->fifo[8];
    if (f->command == CMD_VERIFY && f->fifo[1] & 0x80) {
        f->sectors_left = f->dtl; /* EC: the last byte counts sectors */
    }
    if (f->command == CMD_READ_TRACK) {
        f->r = 1; /* from the index hole on, whatever the host thinks */
        f->options &= (uint8_t)~OPT_MT;
    }
    if (is_write(f) && disk(f) && f->unit[f->drive].block->read_only) {
        f->st1 |= ST1_NW;
        after(f, EX_FAIL, NS_SECTOR);
        return;
    }
    if (f->configure & 0x40 && f->c != f->pcn[f->drive]) {
        f->phase = PH_EXECUTE;
        f->exec = EX_SEEK_FIRST;
        seek_start(f, f->drive, f->c);
        return;
    }
    next_sector(f);
}

static void start_read_id(struct fdc82077 *f)
{
    const struct format *fmt;

    take_parameters(f);
    fmt = disk(f);
    f->n = SIZE_CODE;
    if (!fmt || !rate_fits(f, fmt) || !(f->options & OPT_MFM) || f->side >= fmt->sides
        || f->track[f->drive] >= fmt->tracks) {
        f->c = f->h = f->r = 0;
        fail_later(f, ST1_MA, 0);
        return;
    }
    after(f, EX_ID, NS_ID);
}

/* The header that comes by: which one follows from the time, as the disk turns. */
static void read_id(struct fdc82077 *f)
{
    const struct format *fmt = disk(f);
    struct sched *s = f->d.env->sched;

    if (!fmt) {
        f->st1 |= ST1_MA;
        finish(f, ST0_ABNORMAL);
        return;
    }
    f->c = f->track[f->drive];
    f->h = f->side;
    f->r = (uint8_t)(clock_ticks(s, CLOCK_US, sched_now(s)) / (NS_SECTOR / 1000) % fmt->spt + 1);
    finish(f, 0);
}

static void start_format(struct fdc82077 *f)
{
    const struct format *fmt;

    take_parameters(f);
    f->n = f->fifo[2];
    f->sectors_left = f->fifo[3];
    f->eot = f->fifo[3];
    f->dtl = f->fifo[5]; /* filler */
    f->c = f->track[f->drive];
    f->h = f->side;
    f->r = 1;
    fmt = disk(f);
    if (!fmt || !rate_fits(f, fmt) || f->side >= fmt->sides || f->c >= fmt->tracks) {
        fail_later(f, ST1_MA, 0);
    } else if (f->unit[f->drive].block->read_only) {
        f->st1 |= ST1_NW;
        after(f, EX_FAIL, NS_SECTOR);
    } else {
        next_format_id(f);
    }
}

/* Bytes of a command with its first one; 1 for those that are invalid. */
static unsigned command_length(uint8_t first)
{
    switch (first & 0x1f) {
    case CMD_READ_TRACK:
    case CMD_WRITE:
    case CMD_READ:
    case CMD_WRITE_DELETED:
    case CMD_READ_DELETED:
    case CMD_VERIFY:
    case CMD_SCAN_EQUAL:
    case CMD_SCAN_LOW:
    case CMD_SCAN_HIGH:
        return 9;
    case CMD_FORMAT:
        return 6;
    case CMD_CONFIGURE:
        return 4;
    case CMD_SPECIFY:
    case CMD_SEEK:
        return 3;
    case CMD_SENSE_DRIVE:
    case CMD_RECALIBRATE:
    case CMD_READ_ID:
    case CMD_PERPENDICULAR:
        return 2;
    default:
        return 1;
    }
}

static void set_perpendicular(struct fdc82077 *f)
{
    uint8_t val = f->fifo[1];

    /* The drive bits change only when OW says so. */
    f->perpendicular = (uint8_t)(val & 0x80 ? val & 0x3f : (f->perpendicular & 0x3c) | (val & 3));
    command_over(f);
}

static void execute(struct fdc82077 *f)
{
    switch (f->fifo[0] & 0x1f) {
    case CMD_READ_TRACK:
    case CMD_WRITE:
    case CMD_READ:
    case CMD_WRITE_DELETED:
    case CMD_READ_DELETED:
    case CMD_VERIFY:
    case CMD_SCAN_EQUAL:
    case CMD_SCAN_LOW:
    case CMD_SCAN_HIGH:
        start_transfer(f);
        break;
    case CMD_FORMAT:
        start_format(f);
        break;
    case CMD_READ_ID:
        start_read_id(f);
        break;
    case CMD_SPECIFY:
        f->specify[0] = f->fifo[1];
        f->specify[1] = f->fifo[2];
        command_over(f);
        break;
    case CMD_CONFIGURE:
        f->configure = f->fifo[2] & 0x7f;
        f->pretrk = f->fifo[3];
        command_over(f);
        break;
    case CMD_SENSE_DRIVE:
        sense_drive(f);
        break;
    case CMD_RECALIBRATE:
        recalibrate(f);
        break;
    case CMD_SENSE_INT:
        sense_interrupt(f);
        break;
    case CMD_DUMPREG:
        dumpreg(f);
        break;
    case CMD_SEEK:
        seek(f);
        break;
    case CMD_VERSION:
        f->fifo[0] = 0x90; /* enhanced controller */
        result(f, 1);
        break;
    case CMD_PERPENDICULAR:
        set_perpendicular(f);
        break;
    case CMD_LOCK:
        f->lock = f->fifo[0] & OPT_MT;
        f->fifo[0] = (uint8_t)(f->lock << 4);
        result(f, 1);
        break;
    default:
        invalid(f);
        break;
    }
}

/* The event. */

static void sector_read(struct fdc82077 *f)
{
    if (f->req_error != BLOCK_OK) {
        f->st1 |= ST1_DE;
        f->st2 |= ST2_DD;
        finish(f, ST0_ABNORMAL);
        return;
    }
    memcpy(f->buf, f->arriving, sizeof f->buf);
    if (f->command == CMD_READ_DELETED) {
        /* Every mark is that of normal data: skipped with SK, else it ends the command. */
        if (f->options & OPT_SK) {
            sector_done(f);
            return;
        }
        f->st2 |= ST2_CM;
    }
    if (f->command == CMD_VERIFY) {
        sector_done(f);
    } else if (is_scan(f)) {
        f->scan_miss = false;
        f->st2 |= ST2_SH;
        exchange(f, EX_COMPARE, SECTOR);
    } else {
        exchange(f, EX_TO_HOST, SECTOR);
    }
}

static void sector_written(struct fdc82077 *f)
{
    if (f->req_error != BLOCK_OK) {
        f->st1 |= f->req_error == BLOCK_EROFS ? ST1_NW : ST1_ND;
        finish(f, ST0_ABNORMAL);
        return;
    }
    sector_done(f);
}

static void event_due(void *arg, uint64_t now)
{
    struct fdc82077 *f = arg;

    (void)now;
    if (f->req_busy) {
        f->holding = true;
        sched_hold(f->d.env->sched, true);
        return;
    }
    switch (f->exec) {
    case EX_RESET:
        command_over(f);
        if (!(f->configure & 0x10)) {
            f->polling = DRIVES;
            set_irq(f, true);
        }
        break;
    case EX_READ:
        sector_read(f);
        break;
    case EX_WRITE:
        sector_written(f);
        break;
    case EX_ID:
        read_id(f);
        break;
    case EX_FAIL:
        finish(f, ST0_ABNORMAL);
        break;
    default:
        break;
    }
}

/* Resets. */

static void enter_reset(struct fdc82077 *f)
{
    unsigned i;

    event_cancel(f->d.env->sched, &f->event);
    for (i = 0; i < DRIVES; i++) {
        event_cancel(f->d.env->sched, &f->seek[i].event);
        f->seeking[i] = f->seek_done[i] = false;
        f->pcn[i] = 0;
    }
    command_over(f);
    f->polling = 0;
    set_drq(f, false);
    set_irq(f, false);
    f->perpendicular &= 0x3c;
    if (!f->lock) {
        f->configure = 0x20; /* no FIFO, threshold of one byte */
        f->pretrk = 0;
    }
}

static void leave_reset(struct fdc82077 *f)
{
    after(f, EX_RESET, NS_RESET);
}

/* Registers. */

static uint8_t main_status(const struct fdc82077 *f)
{
    uint8_t msr = 0;
    unsigned i;

    if (!(f->dor & DOR_NRESET) || f->exec == EX_RESET) {
        return 0;
    }
    for (i = 0; i < DRIVES; i++) {
        msr |= (uint8_t)(f->seeking[i] << i);
    }
    switch (f->phase) {
    case PH_COMMAND:
        return (uint8_t)(msr | MSR_RQM | (f->fifo_len ? MSR_CB : 0));
    case PH_RESULT:
        return msr | MSR_RQM | MSR_DIO | MSR_CB;
    default:
        break;
    }
    msr |= MSR_CB;
    if (pio(f)) {
        msr |= MSR_NDMA;
        if (f->exec == EX_TO_HOST) {
            msr |= MSR_RQM | MSR_DIO;
        } else if (f->exec == EX_FROM_HOST || f->exec == EX_COMPARE) {
            msr |= MSR_RQM;
        }
    }
    return msr;
}

/* After a byte by hand: every byte asks for the next one with an edge of its own. */
static void byte_moved(struct fdc82077 *f)
{
    f->pos++;
    set_irq(f, false);
    if (f->pos == f->len) {
        exchanged(f);
    } else {
        set_irq(f, true);
    }
}

static uint8_t fifo_read(struct fdc82077 *f)
{
    uint8_t val;

    if (f->phase == PH_RESULT) {
        if (f->fifo_len == TRANSFER_RESULT) {
            set_irq(f, false);
        }
        val = f->fifo[f->fifo_pos++];
        if (f->fifo_pos >= f->fifo_len) {
            command_over(f);
        }
        return val;
    }
    if (f->phase == PH_EXECUTE && f->exec == EX_TO_HOST && pio(f)) {
        val = f->buf[f->pos];
        byte_moved(f);
        return val;
    }
    return 0;
}

static void fifo_write(struct fdc82077 *f, uint8_t val)
{
    if (!(f->dor & DOR_NRESET)) {
        return;
    }
    if (f->phase == PH_EXECUTE && pio(f)) {
        if (f->exec == EX_FROM_HOST) {
            f->buf[f->pos] = val;
            byte_moved(f);
        } else if (f->exec == EX_COMPARE) {
            scan_byte(f, val);
            byte_moved(f);
        }
        return;
    }
    if (f->phase != PH_COMMAND) {
        return;
    }
    f->fifo[f->fifo_len++] = val;
    if (f->fifo_len >= command_length(f->fifo[0])) {
        execute(f);
    }
}

static void dor_write(struct fdc82077 *f, uint8_t val)
{
    uint8_t old = f->dor;

    f->dor = val;
    if (!(val & DOR_NRESET)) {
        enter_reset(f);
    } else if (!(old & DOR_NRESET)) {
        leave_reset(f);
    }
    update_irq(f);
    if ((old ^ val) & DOR_GATE) {
        set_drq(f, f->drq);
    }
}

static uint8_t digital_input(const struct fdc82077 *f)
{
    unsigned drive = f->dor & 3;

    if (!has_drive(f, drive) || !(f->dor & DOR_MOTOR0 << drive)) {
        return 0;
    }
    return f->unit[drive].changed || !f->unit[drive].format ? 0x80 : 0;
}

static uint64_t fdc_read(void *dev, uint64_t off, unsigned size)
{
    struct fdc82077 *f = dev;

    (void)size;
    switch (off) {
    case REG_DOR:
        return f->dor;
    case REG_TDR:
        return f->tdr | 0xfc;
    case REG_MSR:
        return main_status(f);
    case REG_FIFO:
        return fifo_read(f);
    default: /* the PS/2 status registers are not driven in AT mode */
        return 0xff;
    }
}

static void fdc_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct fdc82077 *f = dev;

    (void)size;
    switch (off) {
    case REG_DOR:
        dor_write(f, (uint8_t)val);
        break;
    case REG_TDR:
        f->tdr = val & 3;
        break;
    case REG_MSR: /* data rate select */
        f->rate = val & 3;
        if (val & 0x80 && f->dor & DOR_NRESET) {
            enter_reset(f);
            leave_reset(f);
        }
        break;
    case REG_FIFO:
        fifo_write(f, (uint8_t)val);
        break;
    default:
        break;
    }
}

static uint64_t dir_read(void *dev, uint64_t off, unsigned size)
{
    (void)off;
    (void)size;
    return digital_input(dev);
}

static void ccr_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    (void)off;
    (void)size;
    ((struct fdc82077 *)dev)->rate = val & 3;
}

static const struct io_ops fdc_ops = {fdc_read, fdc_write, 1, 1, "fdc"};
static const struct io_ops dir_ops = {dir_read, ccr_write, 1, 1, "fdc-dir"};

/* The board's calls. */

unsigned fdc82077_cmos_type(const struct device *d, unsigned unit)
{
    return unit < UNITS ? ((const struct fdc82077 *)(const void *)d)->unit[unit].type : FLOPPY_NONE;
}

bool fdc82077_set_media(struct device *d, unsigned unit, struct block *block)
{
    struct fdc82077 *f = (struct fdc82077 *)(void *)d;

    if (!has_drive(f, unit) || f->req_busy) {
        return false;
    }
    if (f->phase == PH_EXECUTE && f->exec != EX_RESET && f->drive == unit) {
        event_cancel(d->env->sched, &f->event);
        f->st1 |= ST1_ND;
        finish(f, ST0_ABNORMAL);
    }
    insert(&f->unit[unit], block);
    return true;
}

/* Life cycle. */

static bool fdc_init(struct device *d, const void *config, struct err *e)
{
    struct fdc82077 *f = (struct fdc82077 *)(void *)d;
    const struct fdc82077_config *k = config;
    struct bus *io = d->env->io;
    unsigned i;

    f->irq = k->irq;
    f->dma = k->dma;
    for (i = 0; i < UNITS; i++) {
        struct block *b = k->drive[i].block;

        if (b && b->sectors > MAX_SECTORS) {
            return err_set(e, "%s: this is too large for a floppy disk",
                           b->label);
        }
        insert(&f->unit[i], b);
        f->unit[i].type = !k->drive[i].present ? FLOPPY_NONE
                          : b                  ? f->unit[i].format->drive
                                               : FLOPPY_1440K;
    }
    if (bus_map(io, k->port, 6, &fdc_ops, f, PRIO_DEVICE) < 0
        || bus_map(io, k->port + REG_DIR, 1, &dir_ops, f, PRIO_DEVICE) < 0) {
        return err_set(e, "no memory for the floppy controller; close other programs");
    }
    (void)snprintf(f->event_name, sizeof f->event_name, "%s/command", d->id);
    event_init(d->env->sched, &f->event, f->event_name, event_due, f);
    for (i = 0; i < DRIVES; i++) {
        struct seek_slot *slot = &f->seek[i];

        slot->owner = f;
        (void)snprintf(slot->name, sizeof slot->name, "%s/seek%u", d->id, i);
        event_init(d->env->sched, &slot->event, slot->name, seek_due, slot);
    }
    return true;
}

static void fdc_reset(struct device *d, enum reset_kind kind)
{
    struct fdc82077 *f = (struct fdc82077 *)(void *)d;

    (void)kind;
    f->dor = f->tdr = 0;
    f->rate = RATE_250K;
    f->lock = false;
    f->perpendicular = 0;
    memset(f->specify, 0, sizeof f->specify);
    enter_reset(f);
}

/* Snapshots. */

static bool fdc_post_load(struct device *d, unsigned version, struct err *e)
{
    struct fdc82077 *f = (struct fdc82077 *)(void *)d;
    const struct format *fmt;
    bool host = f->exec == EX_READ || f->exec == EX_WRITE;
    uint32_t sector;

    (void)version;
    if (f->phase > PH_RESULT || f->exec >= EX_COUNT || f->fifo_len > sizeof f->fifo - 1
        || f->fifo_pos > f->fifo_len || f->len > SECTOR || f->pos > f->len || f->drive >= DRIVES
        || f->side > 1 || f->rate > 3 || f->polling > DRIVES
        || (f->phase == PH_RESULT && f->fifo_pos == f->fifo_len)
        || (f->phase == PH_EXECUTE && f->exec >= EX_TO_HOST && f->exec <= EX_COMPARE
            && f->pos == f->len)) {
        return err_set(e, "the snapshot's part \"%s\" makes no sense; use another copy", d->id);
    }
    if (!host) {
        return true;
    }
    fmt = f->drive < UNITS ? f->unit[f->drive].format : NULL;
    if (!fmt) {
        return err_set(e, "the snapshot was taken with a disk in floppy drive %u; "
                       "start with the images it was saved with", f->drive);
    }
    sector = (f->track[f->drive] * (uint32_t)fmt->sides + f->side) * fmt->spt + f->r - 1u;
    host_submit(f, f->exec == EX_READ ? BLOCK_READ : BLOCK_WRITE, sector);
    return true;
}

const struct device_class fdc82077_class = {
    .name = "fdc82077",
    .size = sizeof(struct fdc82077),
    .init = fdc_init,
    .reset = fdc_reset,
    .state = fdc_fields,
    .state_version = 1,
    .post_load = fdc_post_load,
};
