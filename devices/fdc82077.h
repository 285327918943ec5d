/*
 * 82077AA floppy disk controller in AT mode with up to two drives.
 */
#ifndef OXBOW_DEVICES_FDC82077_H
#define OXBOW_DEVICES_FDC82077_H

#include "devices/block.h"
#include "devices/device.h"
#include "devices/dma_port.h"
#include "devices/irq.h"

/* Drive types as the CMOS names them (register 10h). */
enum floppy_type {
    FLOPPY_NONE = 0,
    FLOPPY_360K = 1,
    FLOPPY_1200K = 2,
    FLOPPY_720K = 3,
    FLOPPY_1440K = 4,
    FLOPPY_2880K = 5
};

struct fdc82077_config {
    uint16_t port;   /* 3F0h */
    struct irq_line irq; /* 6 */
    struct dma_channel dma; /* 2 */
    struct {
        bool present;
        struct block *block; /* NULL: no disk in the drive; owned by the board */
    } drive[2]; /* its type is the smallest one that takes the disk; 1.44M without */
};

extern const struct device_class fdc82077_class;

/* The peripheral for the DMA channel. */
struct dma_peripheral fdc82077_dma(struct device *d);
/* Type of a drive (enum floppy_type), for the CMOS. */
unsigned fdc82077_cmos_type(const struct device *d, unsigned unit);
/*
 * Another disk (NULL: none); a command that is using the drive fails.  Then the old block is the
 * caller's again.  False, and nothing has changed, while the host still works on a request.
 */
bool fdc82077_set_media(struct device *d, unsigned unit, struct block *block);

#endif
