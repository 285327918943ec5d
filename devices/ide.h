/*
 * One IDE channel with up to two drives: what the board and the bus master see of it.
 */
#ifndef OXBOW_DEVICES_IDE_H
#define OXBOW_DEVICES_IDE_H

#include "devices/audio.h"
#include "devices/block.h"
#include "devices/device.h"
#include "devices/irq.h"

enum ide_kind { IDE_NONE, IDE_DISK, IDE_CDROM };

struct ide_unit_config {
    enum ide_kind kind;
    /* Disk: required.  CD-ROM: NULL is an empty drive.  The board owns it, past the channel. */
    struct block *block;
    /* Default geometry of a disk; 0: 16 heads and 63 sectors. */
    uint16_t cylinders, heads, sectors;
    struct audio_input audio; /* CD-ROM: where audio tracks are heard */
    const char *serial; /* NULL: made from the device id; at most 20 characters */
};

struct ide_config {
    uint16_t command_port; /* 1F0h, 170h: eight ports */
    uint16_t control_port; /* 3F6h, 376h: one port */
    struct irq_line irq;   /* 14, 15 */
    struct ide_unit_config unit[2];
};

extern const struct device_class ide_class;

/*
 * CD-ROM: another disc (NULL: the drive is empty).  The old block is the caller's again.  While a
 * command of the drive is under way nothing changes and false comes back: try again later.
 */
bool ide_set_media(struct device *d, unsigned unit, struct block *block);
/* The guest locked the door of a CD-ROM drive. */
bool ide_media_locked(const struct device *d, unsigned unit);
/* Switches the channel's ports on and off (chipset decode). */
void ide_set_decode(struct device *d, bool on);

/* The bus master's side. */
struct ide_busmaster {
    void *ctx;
    /*
     * Moves up to len bytes between buf and memory; returns how many fitted the descriptors, 0 when
     * the engine is stopped or runs in the other direction.
     */
    uint32_t (*transfer)(void *ctx, bool to_memory, uint8_t *buf, uint32_t len);
    /* The drive's interrupt line changed. */
    void (*irq)(void *ctx, bool level);
};

void ide_set_busmaster(struct device *d, const struct ide_busmaster *bm);
/* The engine was started: data that waits may move (it does so from an event, not in this call). */
void ide_dma_kick(struct device *d);

#endif
