/*
 * The sound of the machine: inputs, each a level that changes at instruction counts, are summed
 * into frames of 16-bit stereo at a fixed rate of guest time.
 *
 * A chip gets a struct audio_input from the board and reports levels; the front end reads frames.
 * Reading never changes what the guest or the next frame sees: it makes the chips hand over what
 * was due before now, and nothing else.  Without a rate nobody listens and nothing is kept.
 */
#ifndef OXBOW_DEVICES_AUDIO_H
#define OXBOW_DEVICES_AUDIO_H

#include "devices/device.h"

struct audio_config {
    uint32_t rate; /* frames per guest second, 0: silent; 4000 .. 192000 */
};

extern const struct device_class audio_class;

/* Inputs of the board go straight out, those of the sound card through its tone control. */
enum audio_bus { AUDIO_BOARD, AUDIO_CARD, AUDIO_BUSES };

#define AUDIO_UNITY 65536u

/* A value handed to a chip by the board; all zero: not connected. */
struct audio_input {
    struct device *audio;
    unsigned n;
};

/* A new input; at most 8. */
struct audio_input audio_connect(struct device *audio, enum audio_bus bus);
/*
 * Called before frames up to now are handed out and before the volume changes; reports the levels
 * up to now that were not reported yet.  For chips whose levels are computed rather than set.
 */
void audio_set_render(struct audio_input in, void (*render)(void *ctx, uint64_t now), void *ctx);
/* False: nobody listens, levels need not be reported. */
bool audio_listens(struct audio_input in);
/* The level from icount on, -32768 .. 32767; icount never goes back. */
void audio_level(struct audio_input in, uint64_t icount, int left, int right);
/* The gain of an input from now on; AUDIO_UNITY is 1. */
void audio_volume(struct audio_input in, uint32_t left, uint32_t right);
/* Bass and treble of the card from now on, in dB: left and right, -14 .. 14, even. */
void audio_tone(struct audio_input in, const int bass[2], const int treble[2]);

/* Up to max frames (left, right) that are complete; returns how many. */
size_t audio_read(struct device *audio, int16_t *frames, size_t max);

#endif
