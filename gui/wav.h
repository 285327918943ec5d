/*
 * A WAV file of 16-bit stereo that grows while the machine runs.
 *
 * Its sizes are brought up to date every second of sound, after the sound itself is written, so a
 * program that is killed leaves a file that plays.  On a pipe they stay at their maximum.
 */
#ifndef OXBOW_GUI_WAV_H
#define OXBOW_GUI_WAV_H

#include "memory/base.h"
#include "memory/err.h"

struct wav {
    const char *path; /* the caller's */
    int fd;           /* -1: none */
    bool fixed;       /* sizes can't be changed any more */
    uint32_t rate;
    uint64_t frames, sized; /* written, and as the header says */
    size_t used;
    uint8_t buf[16384];
};

/* Opens without touching what is in the file; wav_start() empties it and begins. */
bool wav_open(struct wav *w, const char *path, uint32_t rate, struct err *e);
bool wav_start(struct wav *w, struct err *e);
/* False: can't be written any more. */
bool wav_put(struct wav *w, const int16_t *frames, size_t n, struct err *e);
/* Writes what is left and closes. */
bool wav_close(struct wav *w, struct err *e);

#endif
