/*
 * The machine's sound to the host's loudspeakers through SDL's queue.
 */
#ifndef OXBOW_GUI_SDL_AUDIO_H
#define OXBOW_GUI_SDL_AUDIO_H

#include <SDL.h>

#include "memory/err.h"
#include "oxbow.h"

struct sdl_audio {
    SDL_AudioDeviceID device; /* 0: none */
    uint32_t limit;           /* bytes that may wait */
    bool playing;
};

/* rate 0: none is wanted.  False: there is no device to be had. */
bool sdl_audio_open(struct sdl_audio *a, uint32_t rate, struct err *e);
/* Queues the frames that are complete; never waits. */
void sdl_audio_turn(struct sdl_audio *a, struct oxbow *m);
void sdl_audio_close(struct sdl_audio *a);

#endif
