/*
 * Creative CT1745 mixer of the Sound Blaster 16: volumes, tone, and the choice of interrupt and
 * DMA lines.  A part of the card, without ports or time of its own.
 */
#ifndef OXBOW_DEVICES_CT1745_H
#define OXBOW_DEVICES_CT1745_H

#include "memory/base.h"

struct ct1745 {
    uint8_t index;
    uint8_t reg[256]; /* of the SB16's own registers; older ones are views of them */
};

enum ct1745_source { CT1745_VOICE = 0x32, CT1745_MIDI = 0x34, CT1745_CD = 0x36 };

/* Volumes as after a write to register 0; the lines stay as they are. */
void ct1745_reset(struct ct1745 *m);
/* Full volume: how the set-up program of the card leaves it. */
void ct1745_power_on(struct ct1745 *m, uint8_t irq_select, uint8_t dma_select);
/* pending: interrupts that register 82h shows. */
uint8_t ct1745_read(const struct ct1745 *m, uint8_t pending);
void ct1745_write(struct ct1745 *m, uint8_t val);

/* Gain of a source at the output, times 65536; ch: 0 left, 1 right. */
uint32_t ct1745_gain(const struct ct1745 *m, enum ct1745_source source, unsigned ch);
/* In dB. */
int ct1745_bass(const struct ct1745 *m, unsigned ch);
int ct1745_treble(const struct ct1745 *m, unsigned ch);

/* Lines that were chosen: ISA interrupt; DMA channel, -1: none (16-bit: use the 8-bit one). */
int ct1745_irq(const struct ct1745 *m);
int ct1745_dma8(const struct ct1745 *m);
int ct1745_dma16(const struct ct1745 *m);
/* Contents of registers 80h and 81h for lines, 0 where a line can't be chosen. */
uint8_t ct1745_irq_select(unsigned irq);
uint8_t ct1745_dma_select(unsigned dma8, unsigned dma16);

#endif
