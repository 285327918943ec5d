/*
 * ISA DMA as a peripheral sees it: DREQ towards the 8237, and a callback that moves the data.
 *
 * The peripheral raises DREQ; the controller then calls `transfer` as often as the channel is
 * unmasked, with the direction programmed by the guest.  The 8237 calls it from its own
 * scheduler event, never from inside dma_request().
 */
#ifndef OXBOW_DEVICES_DMA_PORT_H
#define OXBOW_DEVICES_DMA_PORT_H

#include "memory/base.h"

enum dma_dir {
    DMA_VERIFY,     /* no data moves */
    DMA_TO_MEMORY,  /* peripheral fills buf */
    DMA_FROM_MEMORY /* peripheral takes buf */
};

/* The peripheral's side, registered with the controller by the board. */
struct dma_peripheral {
    void *dev;
    /*
     * Move up to len bytes; returns the number moved (0: nothing ready, DREQ is dropped by the
     * device).  tc: these bytes reach the terminal count when all are taken.
     */
    uint32_t (*transfer)(void *dev, enum dma_dir dir, uint8_t *buf, uint32_t len, bool tc);
};

/* The controller's side, handed to the peripheral. */
struct dma_channel {
    void (*request)(void *ctl, unsigned n, bool level); /* DREQ; NULL: not connected */
    void *ctl;
    unsigned n;
};

ALWAYS_INLINE void dma_request(const struct dma_channel *c, bool level)
{
    if (c->request) {
        c->request(c->ctl, c->n, level);
    }
}

#endif
