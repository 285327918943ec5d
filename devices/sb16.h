/*
 * Creative Sound Blaster 16 (CT2230): DSP 4.05, mixer CT1745, MPU-401 UART.
 *
 * The FM synthesizer on the card is a chip of its own (opl3.h); the card only sets its volume.
 * The board connects the interrupt and DMA lines that the card can be told to use.
 */
#ifndef OXBOW_DEVICES_SB16_H
#define OXBOW_DEVICES_SB16_H

#include "devices/audio.h"
#include "devices/chardev.h"
#include "devices/device.h"
#include "devices/dma_port.h"
#include "devices/irq.h"

struct sb16_config {
    uint16_t port;     /* 0x220 */
    uint16_t mpu_port; /* 0x330 */
    uint8_t irq_select, dma_select; /* mixer registers 80h and 81h at power-on */
    struct irq_line irq[16];        /* 5, 7, 9 and 10 are used */
    struct dma_channel dma[8];      /* 0, 1, 3, 5, 6 and 7 are used */
    struct audio_input voice[2];    /* digital sound of 8 and of 16 bits */
    struct audio_input fm;          /* of the synthesizer: the mixer sets its volume */
    struct audio_input cd;          /* of a CD-ROM drive's audio cable, the same */
    struct chardev midi;            /* what leaves by the MIDI connector */
};

extern const struct device_class sb16_class;

/* The card as the peripheral of a DMA channel. */
struct dma_peripheral sb16_dma(struct device *d, unsigned channel);

#endif
