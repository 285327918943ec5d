/*
 * IDE channel: registers, data port, interrupt and the course of a command (ATA/ATAPI-6, T13 1410D,
 * chapters 5 to 9); what the commands do is in ata.c and atapi.c.
 *
 * Both units see every register write; results go to the addressed unit only, and reads show the
 * selected one.  With no unit 1, unit 0 answers for it with zeros; an empty channel floats with the
 * pull-down on DD7.
 * Nothing happens inside a register write: a command sets BSY and is carried out by the channel's
 * event, so that the guest sees the same course at every speed of the host.  When the host is late
 * with a block request, the event holds virtual time.
 */
#include "devices/ide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/cd_layout.h"
#include "devices/ide_core.h"
#include "memory/bytes.h"

enum { FLOATING = 0x7f, CTL_NIEN = 0x02, CTL_SRST = 0x04, CTL_HOB = 0x80 };

#define UNIT_FIELDS(n)                                                                         \
    SNAP_F(struct ide_channel, unit[n].error, SNAP_U8),                                        \
        SNAP_F(struct ide_channel, unit[n].feature, SNAP_U8),                                  \
        SNAP_F(struct ide_channel, unit[n].count, SNAP_U8),                                    \
        SNAP_F(struct ide_channel, unit[n].sector, SNAP_U8),                                   \
        SNAP_F(struct ide_channel, unit[n].cyl_lo, SNAP_U8),                                   \
        SNAP_F(struct ide_channel, unit[n].cyl_hi, SNAP_U8),                                   \
        SNAP_F(struct ide_channel, unit[n].hob_count, SNAP_U8),                                \
        SNAP_F(struct ide_channel, unit[n].hob_sector, SNAP_U8),                               \
        SNAP_F(struct ide_channel, unit[n].hob_cyl_lo, SNAP_U8),                               \
        SNAP_F(struct ide_channel, unit[n].hob_cyl_hi, SNAP_U8),                               \
        SNAP_F(struct ide_channel, unit[n].status, SNAP_U8),                                   \
        SNAP_F(struct ide_channel, unit[n].intrq, SNAP_BOOL),                                  \
        SNAP_F(struct ide_channel, unit[n].sectors, SNAP_U64),                                 \
        SNAP_F(struct ide_channel, unit[n].cylinders, SNAP_U16),                               \
        SNAP_F(struct ide_channel, unit[n].heads, SNAP_U16),                                   \
        SNAP_F(struct ide_channel, unit[n].spt, SNAP_U16),                                     \
        SNAP_F(struct ide_channel, unit[n].multiple, SNAP_U8),                                 \
        SNAP_F(struct ide_channel, unit[n].mode_mwdma, SNAP_U8),                               \
        SNAP_F(struct ide_channel, unit[n].mode_udma, SNAP_U8),                                \
        SNAP_F(struct ide_channel, unit[n].power, SNAP_U8),                                    \
        SNAP_F(struct ide_channel, unit[n].write_cache, SNAP_BOOL),                            \
        SNAP_F(struct ide_channel, unit[n].look_ahead, SNAP_BOOL),                             \
        SNAP_F(struct ide_channel, unit[n].smart, SNAP_BOOL),                                  \
        SNAP_F(struct ide_channel, unit[n].next_lba, SNAP_U64),                                \
        SNAP_F(struct ide_channel, unit[n].cd.sense_key, SNAP_U8),                             \
        SNAP_F(struct ide_channel, unit[n].cd.asc, SNAP_U8),                                   \
        SNAP_F(struct ide_channel, unit[n].cd.ascq, SNAP_U8),                                  \
        SNAP_F(struct ide_channel, unit[n].cd.attention, SNAP_U8),                             \
        SNAP_F(struct ide_channel, unit[n].cd.tray_open, SNAP_BOOL),                           \
        SNAP_F(struct ide_channel, unit[n].cd.locked, SNAP_BOOL),                              \
        SNAP_F(struct ide_channel, unit[n].cd.event, SNAP_U8),                                 \
        SNAP_ARRAY(struct ide_channel, unit[n].cd.recovery, SNAP_BYTES),                       \
        SNAP_ARRAY(struct ide_channel, unit[n].cd.audio, SNAP_BYTES),                          \
        SNAP_ARRAY(struct ide_channel, unit[n].cd.packet, SNAP_BYTES)

#define PLAY_FIELDS(n)                                                                         \
    SNAP_SINCE(struct ide_channel, unit[n].cd.play, SNAP_U8, 2),                               \
        SNAP_SINCE(struct ide_channel, unit[n].cd.play_from, SNAP_U32, 2),                     \
        SNAP_SINCE(struct ide_channel, unit[n].cd.play_to, SNAP_U32, 2),                       \
        SNAP_SINCE(struct ide_channel, unit[n].cd.play_since, SNAP_U64, 2)

static const struct snap_field ide_fields[] = {
    UNIT_FIELDS(0),
    UNIT_FIELDS(1),
    SNAP_F(struct ide_channel, select, SNAP_U8),
    SNAP_F(struct ide_channel, control, SNAP_U8),
    SNAP_F(struct ide_channel, irq_level, SNAP_BOOL),
    SNAP_F(struct ide_channel, phase, SNAP_U8),
    SNAP_F(struct ide_channel, active, SNAP_U8),
    SNAP_F(struct ide_channel, command, SNAP_U8),
    SNAP_F(struct ide_channel, dma, SNAP_BOOL),
    SNAP_F(struct ide_channel, ext, SNAP_BOOL),
    SNAP_F(struct ide_channel, lba, SNAP_U64),
    SNAP_F(struct ide_channel, left, SNAP_U32),
    SNAP_F(struct ide_channel, chunk, SNAP_U32),
    SNAP_F(struct ide_channel, block_bytes, SNAP_U32),
    SNAP_F(struct ide_channel, pos, SNAP_U32),
    SNAP_F(struct ide_channel, block_end, SNAP_U32),
    SNAP_F(struct ide_channel, len, SNAP_U32),
    SNAP_F(struct ide_channel, raw, SNAP_U32),
    SNAP_F(struct ide_channel, raw_parts, SNAP_U8),
    SNAP_F(struct ide_channel, host_sector, SNAP_U64),
    SNAP_F(struct ide_channel, host_count, SNAP_U32),
    PLAY_FIELDS(0),
    PLAY_FIELDS(1),
    SNAP_END,
};

/* Small things the drives share. */

void ide_text(uint8_t *words, const char *text, unsigned len)
{
    unsigned i;

    for (i = 0; i < len; i++) {
        words[i ^ 1] = (uint8_t)(*text ? *text++ : ' ');
    }
}

void ide_signature(struct ide_unit *u)
{
    u->count = u->sector = 1;
    u->cyl_lo = u->kind == IDE_CDROM ? 0x14 : 0;
    u->cyl_hi = u->kind == IDE_CDROM ? 0xeb : 0;
}

bool ide_set_mode(struct ide_unit *u, uint8_t value)
{
    static const uint8_t highest[32] = {[0] = 1, [1] = 4, [4] = 2, [8] = 5};
    unsigned type = value >> 3, mode = value & 7;

    if (mode > highest[type]) {
        return false;
    }
    switch (type) {
    case 0: /* PIO, default mode */
    case 1: /* PIO with flow control */
        return true;
    case 4:
        u->mode_mwdma = (uint8_t)(mode + 1);
        u->mode_udma = 0;
        return true;
    case 8:
        u->mode_udma = (uint8_t)(mode + 1);
        u->mode_mwdma = 0;
        return true;
    default:
        return false;
    }
}

void ide_put_modes(const struct ide_unit *u, uint8_t *words)
{
    put16(words + 63 * 2, (uint16_t)(0x07 | (u->mode_mwdma ? 0x80u << u->mode_mwdma : 0)));
    put16(words + 88 * 2, (uint16_t)(0x3f | (u->mode_udma ? 0x80u << u->mode_udma : 0)));
}

uint32_t ide_latency(struct ide_unit *u, uint64_t lba, uint32_t sectors)
{
    uint32_t ns = lba == u->next_lba ? NS_SEQUENTIAL : NS_ACCESS;

    u->next_lba = lba + sectors;
    return ns + sectors * NS_PER_SECTOR;
}

/* Units and the interrupt. */

static struct ide_unit *selected(struct ide_channel *c)
{
    return &c->unit[(c->select & DEV_UNIT) != 0];
}

static bool empty(const struct ide_channel *c)
{
    return c->unit[0].kind == IDE_NONE && c->unit[1].kind == IDE_NONE;
}

static void update_irq(struct ide_channel *c)
{
    const struct ide_unit *u = selected(c);
    bool level = u->intrq && u->kind != IDE_NONE && !(c->control & CTL_NIEN);

    if (level != c->irq_level) {
        c->irq_level = level;
        if (c->bm.irq) {
            c->bm.irq(c->bm.ctx, level);
        }
        irq_set(&c->irq, level);
    }
}

void ide_raise(struct ide_channel *c)
{
    ide_active(c)->intrq = true;
    update_irq(c);
}

void ide_after(struct ide_channel *c, enum ide_phase phase, uint32_t ns)
{
    struct sched *s = c->d.env->sched;

    c->phase = (uint8_t)phase;
    ide_active(c)->status &= (uint8_t)~(ST_DRQ | ST_ERR | ST_DF);
    ide_active(c)->status |= ST_BSY;
    event_at(s, &c->event, sched_after_ns(s, ns));
}

void ide_end(struct ide_channel *c, uint8_t status, bool interrupt)
{
    event_cancel(c->d.env->sched, &c->event);
    c->phase = IDE_IDLE;
    c->pos = c->block_end = c->len = 0;
    c->left = c->chunk = 0;
    ide_active(c)->status = status;
    if (interrupt) {
        ide_raise(c);
    }
}

void ide_fail(struct ide_channel *c, uint8_t error)
{
    ide_active(c)->error = error;
    ide_end(c, ST_DRDY | ST_DSC | ST_ERR, true);
}

/* Host requests. */

static void host_done(struct block_req *req, enum block_error error)
{
    struct ide_channel *c = req->arg;

    c->req_busy = false;
    c->req_error = (uint8_t)error;
    if (c->holding) {
        c->holding = false;
        sched_hold(c->d.env->sched, false);
    }
}

static void host_submit(struct ide_channel *c)
{
    c->req.cmd = c->phase == IDE_HOST_READ    ? BLOCK_READ
                 : c->phase == IDE_HOST_WRITE ? BLOCK_WRITE
                                              : BLOCK_FLUSH;
    c->req.sector = c->host_sector;
    c->req.count = c->host_count;
    c->req.buf = c->buf;
    c->req.done = host_done;
    c->req.arg = c;
    if (!ide_active(c)->block) {
        c->req_error = BLOCK_EIO;
        return;
    }
    c->req_busy = true;
    block_submit(ide_active(c)->block, &c->req);
}

void ide_host(struct ide_channel *c, enum ide_phase phase, uint64_t sector, uint32_t count,
              uint32_t ns)
{
    ide_after(c, phase, ns);
    c->host_sector = sector;
    c->host_count = count;
    host_submit(c);
}

/* Data. */

static void drq(struct ide_channel *c, enum ide_phase phase, bool interrupt)
{
    struct ide_unit *u = ide_active(c);

    c->phase = (uint8_t)phase;
    c->block_end = MIN(c->len, c->pos + c->block_bytes);
    u->status = ST_DRDY | ST_DSC | ST_DRQ;
    if (c->command == CMD_PACKET) {
        uint32_t bytes = c->block_end - c->pos;

        u->cyl_lo = (uint8_t)bytes;
        u->cyl_hi = (uint8_t)(bytes >> 8);
        u->count = phase == IDE_PIO_IN ? 2 : 0; /* interrupt reason: I/O direction, data */
    }
    if (interrupt) {
        ide_raise(c);
    }
}

static void buffer_done(struct ide_channel *c, bool in)
{
    bool cd = ide_active(c)->kind == IDE_CDROM;

    if (in && cd) {
        atapi_moved(c);
    } else if (in) {
        ata_moved(c);
    } else if (cd) {
        atapi_filled(c);
    } else {
        ata_filled(c);
    }
}

static void try_dma(struct ide_channel *c)
{
    bool in = c->phase == IDE_DMA_IN;

    ide_active(c)->status = ST_DRDY | ST_DSC | ST_DRQ;
    if (c->bm.transfer) {
        uint32_t n = c->bm.transfer(c->bm.ctx, in, c->buf + c->pos, c->len - c->pos);

        c->pos += MIN(n, c->len - c->pos);
    }
    if (c->pos == c->len) {
        buffer_done(c, in);
    }
}

void ide_dma_kick(struct device *d)
{
    struct ide_channel *c = (struct ide_channel *)(void *)d;
    struct sched *s = d->env->sched;

    if ((c->phase == IDE_DMA_IN || c->phase == IDE_DMA_OUT) && !event_pending(&c->event)) {
        event_at(s, &c->event, sched_after_ns(s, NS_KICK));
    }
}

void ide_offer(struct ide_channel *c)
{
    c->pos = 0;
    c->block_end = c->len;
    if (c->dma) {
        c->phase = IDE_DMA_IN;
        try_dma(c);
    } else {
        drq(c, IDE_PIO_IN, true);
    }
}

void ide_want(struct ide_channel *c, bool interrupt)
{
    c->pos = 0;
    c->block_end = c->len;
    if (c->dma) {
        c->phase = IDE_DMA_OUT;
        try_dma(c);
    } else {
        drq(c, IDE_PIO_OUT, interrupt);
    }
}

/* The last byte of a DRQ block has moved. */
static void block_moved(struct ide_channel *c, bool in)
{
    if (c->phase == IDE_PACKET) {
        memcpy(ide_active(c)->cd.packet, c->buf, sizeof ide_active(c)->cd.packet);
        ide_after(c, IDE_EXEC_PACKET, NS_COMMAND);
    } else if (c->pos < c->len) {
        ide_after(c, in ? IDE_GAP_IN : IDE_GAP_OUT, NS_GAP);
    } else {
        buffer_done(c, in);
    }
}

static uint32_t data_read(struct ide_channel *c, unsigned size)
{
    uint32_t val = 0;
    unsigned n;

    if (c->phase != IDE_PIO_IN || selected(c) != ide_active(c)) {
        return 0xffffffffu;
    }
    /* The port is 16 bits wide at least: reading a byte takes a word off the drive. */
    n = MIN(MAX(size, 2u), c->block_end - c->pos);
    if (LIKELY(n == 2)) {
        val = get16(c->buf + c->pos);
    } else {
        unsigned i;

        for (i = 0; i < n; i++) {
            val |= (uint32_t)c->buf[c->pos + i] << i * 8;
        }
    }
    c->pos += n;
    if (c->pos == c->block_end) {
        block_moved(c, true);
    }
    return val;
}

static void data_write(struct ide_channel *c, unsigned size, uint32_t val)
{
    unsigned n, i;

    if ((c->phase != IDE_PIO_OUT && c->phase != IDE_PACKET) || selected(c) != ide_active(c)) {
        return;
    }
    n = MIN(MAX(size, 2u), c->block_end - c->pos);
    for (i = 0; i < n; i++) {
        c->buf[c->pos + i] = (uint8_t)(val >> i * 8);
    }
    c->pos += n;
    if (c->pos == c->block_end) {
        block_moved(c, false);
    }
}

/* Resets. */

static void reset_begin(struct ide_channel *c)
{
    unsigned i;

    event_cancel(c->d.env->sched, &c->event);
    c->phase = IDE_RESET;
    c->left = c->chunk = c->host_count = 0; /* of the other unit's kind, perhaps */
    c->select = 0;
    for (i = 0; i < 2; i++) {
        c->unit[i].status = ST_BSY;
        c->unit[i].intrq = false;
    }
    update_irq(c);
}

static void reset_unit(struct ide_channel *c, struct ide_unit *u)
{
    u->error = 1; /* diagnostic code: passed */
    ide_signature(u);
    u->intrq = false;
    if (u->kind == IDE_CDROM) {
        atapi_stop_play(c, u);
        atapi_reset(u, false);
        u->status = 0;
    } else {
        u->status = ST_DRDY | ST_DSC;
    }
}

static void reset_end(struct ide_channel *c)
{
    c->active = 0;
    reset_unit(c, &c->unit[0]);
    reset_unit(c, &c->unit[1]);
    c->phase = IDE_IDLE;
    c->pos = c->block_end = c->len = 0;
}

/* The event. */

static void execute(struct ide_channel *c)
{
    if (c->command == CMD_DIAGNOSE) {
        reset_end(c);
        c->active = c->unit[0].kind == IDE_NONE;
        ide_raise(c);
    } else if (c->command == CMD_DEVICE_RESET && ide_active(c)->kind == IDE_CDROM) {
        reset_unit(c, ide_active(c));
        c->phase = IDE_IDLE;
    } else if (ide_active(c)->kind == IDE_CDROM) {
        atapi_command(c);
    } else {
        ata_command(c);
    }
}

static void host_finished(struct ide_channel *c)
{
    bool cd = ide_active(c)->kind == IDE_CDROM;

    if (c->req_error != BLOCK_OK && cd) {
        atapi_host_failed(c);
    } else if (c->req_error != BLOCK_OK) {
        ata_host_failed(c);
    } else if (c->phase == IDE_FLUSH) {
        ide_end(c, ST_DRDY | ST_DSC, true);
    } else if (c->phase == IDE_HOST_WRITE) {
        ata_written(c);
    } else if (cd) {
        atapi_read_done(c);
    } else {
        ata_read_done(c);
    }
}

static void event_fired(void *arg, uint64_t now)
{
    struct ide_channel *c = arg;

    (void)now;
    if (c->req_busy) {
        c->holding = true;
        sched_hold(c->d.env->sched, true);
        return;
    }
    switch (c->phase) {
    case IDE_RESET:
        reset_end(c);
        break;
    case IDE_EXECUTE:
        execute(c);
        break;
    case IDE_EXEC_PACKET:
        atapi_packet(c);
        break;
    case IDE_FINISH:
        if (c->command == CMD_PACKET) {
            atapi_finish(c);
        } else {
            ide_end(c, ST_DRDY | ST_DSC, true);
        }
        break;
    case IDE_HOST_READ:
    case IDE_HOST_WRITE:
    case IDE_FLUSH:
        host_finished(c);
        break;
    case IDE_GAP_IN:
        drq(c, IDE_PIO_IN, true);
        break;
    case IDE_GAP_OUT:
        drq(c, IDE_PIO_OUT, true);
        break;
    case IDE_DMA_IN:
    case IDE_DMA_OUT:
        try_dma(c);
        break;
    default:
        break;
    }
}

/* Registers. */

static uint8_t status_read(struct ide_channel *c, bool acknowledge)
{
    struct ide_unit *u = selected(c);

    if (empty(c)) {
        return FLOATING;
    }
    if (u->kind == IDE_NONE) {
        return 0;
    }
    if (acknowledge && u->intrq) {
        u->intrq = false;
        update_irq(c);
    }
    return u->status;
}

static uint8_t register_read(struct ide_channel *c, unsigned off)
{
    struct ide_unit *u = selected(c);
    bool hob = (c->control & CTL_HOB) != 0;

    if (off == 7) {
        return status_read(c, true);
    }
    if (empty(c)) {
        return FLOATING;
    }
    if (u->kind == IDE_NONE) {
        return 0;
    }
    switch (off) {
    case 1:
        return u->error;
    case 2:
        return hob ? u->hob_count : u->count;
    case 3:
        return hob ? u->hob_sector : u->sector;
    case 4:
        return hob ? u->hob_cyl_lo : u->cyl_lo;
    case 5:
        return hob ? u->hob_cyl_hi : u->cyl_hi;
    default:
        return c->select | 0xa0;
    }
}

static void command_write(struct ide_channel *c, uint8_t command)
{
    struct ide_unit *u = selected(c);
    bool device_reset = command == CMD_DEVICE_RESET && u->kind == IDE_CDROM && u == ide_active(c);

    if (empty(c) || (u->kind == IDE_NONE && command != CMD_DIAGNOSE) || c->phase == IDE_RESET
        || ((ide_active(c)->status & ST_BSY) && !device_reset)) {
        return;
    }
    /* A new command drops one that was left waiting for data. */
    event_cancel(c->d.env->sched, &c->event);
    ide_active(c)->status &= (uint8_t)~ST_DRQ;
    c->command = command;
    c->active = u == &c->unit[1];
    c->pos = c->block_end = c->len = 0;
    c->left = c->chunk = c->host_count = 0;
    c->dma = c->ext = false;
    u->intrq = false;
    u->error = 0;
    update_irq(c);
    if (command == CMD_DIAGNOSE) {
        reset_begin(c);
    }
    ide_after(c, IDE_EXECUTE, NS_COMMAND);
}

static void unit_write(struct ide_unit *u, unsigned off, uint8_t val)
{
    switch (off) {
    case 1:
        u->feature = val;
        break;
    case 2:
        u->hob_count = u->count;
        u->count = val;
        break;
    case 3:
        u->hob_sector = u->sector;
        u->sector = val;
        break;
    case 4:
        u->hob_cyl_lo = u->cyl_lo;
        u->cyl_lo = val;
        break;
    default:
        u->hob_cyl_hi = u->cyl_hi;
        u->cyl_hi = val;
        break;
    }
}

static void register_write(struct ide_channel *c, unsigned off, uint8_t val)
{
    c->control &= (uint8_t)~CTL_HOB;
    switch (off) {
    case 6:
        if (c->phase != IDE_RESET) {
            c->select = val & (0x0f | DEV_UNIT | DEV_LBA);
            update_irq(c);
        }
        break;
    case 7:
        command_write(c, val);
        break;
    default:
        if (!(ide_active(c)->status & ST_BSY)) {
            unit_write(&c->unit[0], off, val);
            unit_write(&c->unit[1], off, val);
        }
        break;
    }
}

static uint64_t command_window_read(void *dev, uint64_t off, unsigned size)
{
    struct ide_channel *c = dev;
    uint64_t val = 0;
    unsigned i;

    if (LIKELY(off == 0)) {
        return empty(c) ? 0xff7f : data_read(c, size);
    }
    for (i = 0; i < size && off + i < 8; i++) {
        val |= (uint64_t)register_read(c, (unsigned)off + i) << i * 8;
    }
    return val;
}

static void command_window_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct ide_channel *c = dev;
    unsigned i;

    if (LIKELY(off == 0)) {
        data_write(c, size, (uint32_t)val);
        return;
    }
    for (i = 0; i < size && off + i < 8; i++) {
        register_write(c, (unsigned)off + i, (uint8_t)(val >> i * 8));
    }
}

static uint64_t control_window_read(void *dev, uint64_t off, unsigned size)
{
    (void)off;
    (void)size;
    return status_read(dev, false);
}

static void control_window_write(void *dev, uint64_t off, unsigned size, uint64_t val)
{
    struct ide_channel *c = dev;
    uint8_t old = c->control;
    struct sched *s = c->d.env->sched;

    (void)off;
    (void)size;
    c->control = (uint8_t)(val & (CTL_HOB | CTL_SRST | CTL_NIEN));
    if ((c->control & CTL_SRST) && !(old & CTL_SRST)) {
        reset_begin(c);
    } else if (!(c->control & CTL_SRST) && (old & CTL_SRST)) {
        event_at(s, &c->event, sched_after_ns(s, NS_RESET));
    }
    update_irq(c);
}

static const struct io_ops command_ops = {command_window_read, command_window_write, 1, 4,
                                          "ide-command"};
static const struct io_ops control_ops = {control_window_read, control_window_write, 1, 1,
                                          "ide-control"};

/* The board's calls. */

void ide_set_decode(struct device *d, bool on)
{
    struct ide_channel *c = (struct ide_channel *)(void *)d;

    bus_begin(d->env->io);
    bus_set_flags(d->env->io, c->command_window, on ? BUS_RW : 0);
    bus_set_flags(d->env->io, c->control_window, on ? BUS_RW : 0);
    bus_commit(d->env->io);
}

void ide_set_busmaster(struct device *d, const struct ide_busmaster *bm)
{
    ((struct ide_channel *)(void *)d)->bm = *bm;
}

bool ide_set_media(struct device *d, unsigned unit, struct block *block)
{
    struct ide_channel *c = (struct ide_channel *)(void *)d;

    if (unit > 1 || c->unit[unit].kind != IDE_CDROM
        || c->sound[unit].busy || (c->active == unit && (c->phase != IDE_IDLE || c->req_busy))) {
        return false;
    }
    atapi_stop_play(c, &c->unit[unit]);
    c->sound[unit].held = false;
    atapi_set_block(&c->unit[unit], block);
    return true;
}

bool ide_media_locked(const struct device *d, unsigned unit)
{
    return unit <= 1 && ((const struct ide_channel *)(const void *)d)->unit[unit].cd.locked;
}

/* Life cycle. */

static bool unit_init(struct ide_channel *c, unsigned n, const struct ide_unit_config *config,
                      struct err *e)
{
    struct ide_unit *u = &c->unit[n];

    u->kind = (uint8_t)config->kind;
    if (config->serial) {
        (void)snprintf(u->serial, sizeof u->serial, "%s", config->serial);
    } else {
        (void)snprintf(u->serial, sizeof u->serial, "OX%.14s-%u", c->d.id, n);
    }
    if (config->kind == IDE_DISK) {
        return ata_init(u, config, e);
    }
    if (config->kind == IDE_CDROM) {
        atapi_set_block(u, config->block);
        c->sound[n].channel = c;
        c->sound[n].out = config->audio;
        audio_set_render(config->audio, atapi_render, &c->sound[n]);
    }
    return true;
}

static bool ide_init(struct device *d, const void *config, struct err *e)
{
    struct ide_channel *c = (struct ide_channel *)(void *)d;
    const struct ide_config *k = config;
    struct bus *io = d->env->io;

    if (!unit_init(c, 0, &k->unit[0], e) || !unit_init(c, 1, &k->unit[1], e)) {
        return false;
    }
    c->irq = k->irq;
    c->buf = calloc(1, BUFFER_BYTES);
    c->command_window = bus_map(io, k->command_port, 8, &command_ops, c, PRIO_DEVICE);
    c->control_window = bus_map(io, k->control_port, 1, &control_ops, c, PRIO_DEVICE);
    if (!c->buf || c->command_window < 0 || c->control_window < 0) {
        free(c->buf);
        return err_set(e, "no memory for a disk controller; close other programs");
    }
    (void)snprintf(c->event_name, sizeof c->event_name, "%s/event", d->id);
    event_init(d->env->sched, &c->event, c->event_name, event_fired, c);
    return true;
}

static void ide_reset(struct device *d, enum reset_kind kind)
{
    struct ide_channel *c = (struct ide_channel *)(void *)d;
    struct sched *s = d->env->sched;
    unsigned i;

    for (i = 0; i < 2; i++) {
        struct ide_unit *u = &c->unit[i];

        u->feature = 0;
        u->hob_count = u->hob_sector = u->hob_cyl_lo = u->hob_cyl_hi = 0;
        u->mode_mwdma = u->mode_udma = 0;
        u->next_lba = 0;
        if (u->kind == IDE_DISK) {
            ata_reset(u);
        } else if (u->kind == IDE_CDROM) {
            atapi_stop_play(c, u);
            atapi_reset(u, kind == RESET_COLD);
        }
    }
    c->control = 0;
    c->active = 0;
    reset_begin(c);
    event_at(s, &c->event, sched_after_ns(s, NS_RESET));
}

static void ide_free(struct device *d)
{
    free(((struct ide_channel *)(void *)d)->buf);
}

/* Snapshots. */

/*
 * Bytes of the buffer that mean something: all that is on its way in, what has come on its way out.
 */
static uint32_t held_bytes(const struct ide_channel *c)
{
    switch (c->phase) {
    case IDE_HOST_WRITE:
    case IDE_GAP_IN:
    case IDE_PIO_IN:
    case IDE_DMA_IN:
        return c->len;
    case IDE_GAP_OUT:
    case IDE_PIO_OUT:
    case IDE_PACKET:
    case IDE_DMA_OUT:
        return c->pos;
    default:
        return 0;
    }
}

static void ide_save(const struct device *d, struct snap_writer *w)
{
    const struct ide_channel *c = (const struct ide_channel *)(const void *)d;

    snap_put(w, c->buf, held_bytes(c));
}

static bool unit_sane(const struct ide_unit *u)
{
    return (u->multiple & (u->multiple - 1)) == 0 && u->multiple <= 16 && u->heads <= 16
           && u->spt <= 255 && u->mode_mwdma <= 3 && u->mode_udma <= 6 && atapi_play_sane(u);
}

static bool transfer_sane(const struct ide_channel *c)
{
    bool cd = c->unit[c->active & 1].kind == IDE_CDROM;

    if (c->phase >= IDE_PHASES || c->active > 1 || c->select & 0xa0) {
        return false;
    }
    if (c->phase > IDE_RESET && c->unit[c->active].kind == IDE_NONE && c->command != CMD_DIAGNOSE) {
        return false;
    }
    return c->len <= BUFFER_BYTES && c->block_end <= c->len && c->pos <= c->block_end
           && c->chunk <= (cd ? (uint32_t)CHUNK_CD : (uint32_t)CHUNK_SECTORS) && c->chunk <= c->left
           && c->host_count <= (cd ? (uint32_t)CHUNK_CD * CD_RAW_SECTORS : (uint32_t)CHUNK_SECTORS)
           && c->raw <= CD_RAW && (c->phase < IDE_GAP_IN || c->block_bytes);
}

static bool ide_load(struct device *d, struct snap_reader *r, unsigned version)
{
    struct ide_channel *c = (struct ide_channel *)(void *)d;

    (void)version;
    if (!transfer_sane(c) || !unit_sane(&c->unit[0]) || !unit_sane(&c->unit[1])) {
        return false;
    }
    return snap_get(r, c->buf, held_bytes(c));
}

static uint64_t medium_size(const struct ide_unit *u)
{
    return u->kind == IDE_CDROM ? atapi_frames(u->block) : u->block ? u->block->sectors : 0;
}

static bool ide_post_load(struct device *d, unsigned version, struct err *e)
{
    struct ide_channel *c = (struct ide_channel *)(void *)d;
    unsigned i;

    (void)version;
    for (i = 0; i < 2; i++) {
        if (c->unit[i].sectors != medium_size(&c->unit[i])) {
            return err_set(e, "the snapshot was taken with another image in drive %u of \"%s\"; "
                           "start with the images it was saved with", i, d->id);
        }
    }
    atapi_sound_loaded(c);
    if (c->phase >= IDE_HOST_READ && c->phase <= IDE_FLUSH) {
        host_submit(c);
    }
    return true;
}

const struct device_class ide_class = {
    .name = "ide",
    .size = sizeof(struct ide_channel),
    .init = ide_init,
    .reset = ide_reset,
    .free = ide_free,
    .state = ide_fields,
    .state_version = 2,
    .save = ide_save,
    .load = ide_load,
    .post_load = ide_post_load,
};
