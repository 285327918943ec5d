/*
 * Creative ADPCM.  A code is a sign and a magnitude n; the sample moves by (n + 1/2) steps, rounded
 * down.  The largest magnitudes make the step grow, zero makes it shrink.
 */
#include "devices/creative_adpcm.h"

struct adpcm_form {
    uint8_t bits, sizes, grow; /* of a code; number of step sizes; magnitude from which it grows */
    uint8_t size[6];
};

static const struct adpcm_form *form_of(enum adpcm_kind kind)
{
    static const struct adpcm_form two = {2, 6, 1, {1, 2, 4, 8, 16, 32}};
    static const struct adpcm_form three = {3, 5, 3, {1, 2, 4, 8, 10, 0}};
    static const struct adpcm_form four = {4, 4, 5, {1, 2, 4, 8, 0, 0}};

    return kind == ADPCM_2 ? &two : kind == ADPCM_26 ? &three : &four;
}

unsigned adpcm_samples(enum adpcm_kind kind)
{
    return kind == ADPCM_2 ? 4 : kind == ADPCM_26 ? 3 : 2;
}

static uint8_t decode_one(struct adpcm *a, const struct adpcm_form *f, unsigned code)
{
    unsigned sign = 1u << (f->bits - 1), n = code & (sign - 1), size = f->size[a->step];
    int move = (int)(size * n + size / 2), v = a->value + (code & sign ? -move : move);

    a->value = (uint8_t)MIN(MAX(v, 0), 255);
    if (n >= f->grow && a->step + 1u < f->sizes) {
        a->step++;
    } else if (n == 0 && a->step) {
        a->step--;
    }
    return a->value;
}

void adpcm_decode(struct adpcm *a, enum adpcm_kind kind, uint8_t byte, uint8_t *out)
{
    const struct adpcm_form *f = form_of(kind);
    unsigned n, shift = 8;

    a->step = (uint8_t)MIN(a->step, f->sizes - 1u);
    for (n = 0; n < adpcm_samples(kind); n++) {
        if (shift >= f->bits) {
            shift -= f->bits;
            out[n] = decode_one(a, f, byte >> shift & ((1u << f->bits) - 1));
        } else {
            /* The third code of 2.6-bit samples lacks its lowest bit. */
            out[n] = decode_one(a, f, (unsigned)byte << 1 & 6);
            shift = 0;
        }
    }
}
