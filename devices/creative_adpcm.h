/*
 * Creative's ADPCM of 4, 2.6 and 2 bits a sample: the decoder in the Sound Blaster's DSP.
 */
#ifndef OXBOW_DEVICES_CREATIVE_ADPCM_H
#define OXBOW_DEVICES_CREATIVE_ADPCM_H

#include "memory/base.h"

enum adpcm_kind { ADPCM_2 = 2, ADPCM_26 = 3, ADPCM_4 = 4 };

struct adpcm {
    uint8_t value; /* the sample before, unsigned */
    uint8_t step;  /* index of the step size */
};

/* Samples in a byte: 2, 3 or 4. */
unsigned adpcm_samples(enum adpcm_kind kind);
/* Decodes a byte into that many unsigned samples. */
void adpcm_decode(struct adpcm *a, enum adpcm_kind kind, uint8_t byte, uint8_t *out);

#endif
