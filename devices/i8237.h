/*
 * The two 8237A DMA controllers of the AT with their page registers: channels 0-3 move bytes,
 * 5-7 words, 4 is the cascade.
 *
 * As in the machine, channels 0-3 are served only while channel 4 is unmasked in cascade mode and
 * the second controller is enabled; firmware programs that once.
 */
#ifndef OXBOW_DEVICES_I8237_H
#define OXBOW_DEVICES_I8237_H

#include "devices/device.h"
#include "devices/dma_port.h"

struct i8237_config {
    uint16_t low_port;  /* 0x00: channels 0-3 */
    uint16_t high_port; /* 0xC0: channels 4-7, registers two apart */
    uint16_t page_port; /* 0x80: sixteen page registers */
    /* A write to the first page register, which AT firmware uses for POST codes; may be NULL. */
    void (*post)(void *ctx, uint8_t code);
    void *post_ctx;
};

extern const struct device_class i8237_class;

/* Registers the peripheral of a channel (NULL: none). */
void i8237_connect(struct device *d, unsigned n, const struct dma_peripheral *p);
/* What the peripheral is given. */
struct dma_channel i8237_channel(struct device *d, unsigned n);

#endif
