/*
 * Rig for the IDE tests: one channel at 1F0h/3F6h with a PCI bus master, polled helpers, and a
 * block back end that can be told to answer late.
 */
#ifndef OXBOW_TESTS_IDE_RIG_H
#define OXBOW_TESTS_IDE_RIG_H

#include "devices/ide.h"
#include "devices/ide_pci.h"
#include "devices/pci.h"
#include "memory/bytes.h"
#include "tests/chip_rig.h"

enum { BSY = 0x80, DRDY = 0x40, DRQ = 0x08, ERR = 0x01, BM = 0xc000, DISK_SECTORS = 20000 };

/* A disk in memory that keeps its requests while `late`. */
struct slow_disk {
    struct block b;
    uint8_t *data;
    bool late;
    enum block_error error;
    struct block_req *waiting;
    unsigned requests, flushes;
};

static inline void slow_answer(struct slow_disk *s)
{
    struct block_req *req = s->waiting;

    s->waiting = NULL;
    if (s->error == BLOCK_OK && req->cmd == BLOCK_READ) {
        memcpy(req->buf, s->data + req->sector * 512, (size_t)req->count * 512);
    } else if (s->error == BLOCK_OK && req->cmd == BLOCK_WRITE) {
        memcpy(s->data + req->sector * 512, req->buf, (size_t)req->count * 512);
    }
    req->done(req, s->error);
}

static inline void slow_submit(struct block *b, struct block_req *req)
{
    struct slow_disk *s = CONTAINER_OF(b, struct slow_disk, b);

    s->requests++;
    s->flushes += req->cmd == BLOCK_FLUSH;
    s->waiting = req;
    if (!s->late) {
        slow_answer(s);
    }
}

static inline void slow_close(struct block *b)
{
    (void)b;
}

static const struct block_ops slow_ops = {"slow", slow_submit, slow_close, NULL, NULL};

struct ide_rig {
    struct rig r;
    struct slow_disk disk;
    struct pin irq;
    struct device *ide;
};

static inline void slow_init(struct slow_disk *s, uint64_t sectors)
{
    uint64_t i;

    memset(s, 0, sizeof *s);
    s->data = calloc((size_t)sectors, 512);
    ck_assert_ptr_nonnull(s->data);
    for (i = 0; i < sectors; i++) {
        put32(s->data + i * 512, (uint32_t)i);
        put32(s->data + i * 512 + 508, (uint32_t)~i);
    }
    s->b.ops = &slow_ops;
    s->b.sectors = sectors;
    s->b.label = "slow";
}

static inline void ide_rig_init(struct ide_rig *g, const struct ide_config *units)
{
    struct ide_config k = *units;
    struct ide_pci_config p = {0};

    rig_init(&g->r);
    memset(&g->irq, 0, sizeof g->irq);
    k.command_port = 0x1f0;
    k.control_port = 0x3f6;
    k.irq = pin_line(&g->irq, &g->r);
    p.pci = rig_add(&g->r, &pci_class, "pci", NULL);
    p.slot = 1;
    p.channel[0] = g->ide = rig_add(&g->r, &ide_class, "ide0", &k);
    rig_add(&g->r, &ide_pci_class, "ide_pci", &p);
    bus_write(g->r.env.io, 0xcf8, 4, 0x80000920);
    bus_write(g->r.env.io, 0xcfc, 4, BM);
    bus_write(g->r.env.io, 0xcf8, 4, 0x80000904);
    bus_write(g->r.env.io, 0xcfc, 2, 5);
    rig_run(&g->r, 1000000); /* power-on reset */
}

static inline void disk_rig_init(struct ide_rig *g)
{
    struct ide_config k = {0};

    slow_init(&g->disk, DISK_SECTORS);
    k.unit[0].kind = IDE_DISK;
    k.unit[0].block = &g->disk.b;
    ide_rig_init(g, &k);
}

static inline void ide_rig_free(struct ide_rig *g)
{
    rig_free(&g->r);
    free(g->disk.data);
}

static inline uint8_t alt_status(struct ide_rig *g)
{
    return in8(&g->r, 0x3f6);
}

/* Waits (bounded) until BSY goes; returns the status, which also takes the interrupt away. */
static inline uint8_t wait_idle(struct ide_rig *g)
{
    unsigned i;

    for (i = 0; i < 100000 && (alt_status(g) & BSY); i++) {
        rig_run(&g->r, 1000);
    }
    ck_assert_uint_lt(i, 100000);
    return in8(&g->r, 0x1f7);
}

static inline void lba28(struct ide_rig *g, uint32_t lba, unsigned count, uint8_t command)
{
    out8(&g->r, 0x1f6, (uint8_t)(0xe0 | (lba >> 24 & 15)));
    out8(&g->r, 0x1f2, (uint8_t)count);
    out8(&g->r, 0x1f3, (uint8_t)lba);
    out8(&g->r, 0x1f4, (uint8_t)(lba >> 8));
    out8(&g->r, 0x1f5, (uint8_t)(lba >> 16));
    out8(&g->r, 0x1f7, command);
}

static inline void read_data(struct ide_rig *g, uint8_t *to, unsigned bytes)
{
    unsigned i;

    for (i = 0; i < bytes; i += 2) {
        put16(to + i, (uint16_t)bus_read(g->r.env.io, 0x1f0, 2));
    }
}

static inline void write_data(struct ide_rig *g, const uint8_t *from, unsigned bytes)
{
    unsigned i;

    for (i = 0; i < bytes; i += 2) {
        bus_write(g->r.env.io, 0x1f0, 2, get16(from + i));
    }
}

/* Starts the bus master with one descriptor. */
static inline void start_dma(struct ide_rig *g, bool to_memory, uint32_t addr, unsigned bytes)
{
    put32(g->r.ram + 0x1000, addr);
    put32(g->r.ram + 0x1004, 0x80000000u | (bytes & 0xffff));
    out8(&g->r, BM + 2, 6);
    bus_write(g->r.env.io, BM + 4, 4, 0x1000);
    out8(&g->r, BM, to_memory ? 8 : 0);
    out8(&g->r, BM, to_memory ? 9 : 1);
}

#endif
