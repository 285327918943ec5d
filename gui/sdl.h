/*
 * The window: runs a machine with its screen, keyboard and mouse in an SDL2 window.
 *
 * A client of oxbow.h like every front end.  The guest runs at most at its own speed (oxbow_ips);
 * what it does not need of the host's time is slept.
 */
#ifndef OXBOW_GUI_SDL_H
#define OXBOW_GUI_SDL_H

#include "oxbow.h"

struct sdl_config {
    const char *name;        /* of the machine, for the title; NULL: none */
    bool full_screen;
    bool unlimited;          /* as fast as the host can, not at the guest's own speed */
    uint64_t stop_at;        /* instruction count that ends the run; UINT64_MAX: none */
    uint32_t audio_rate;     /* frames a second of the machine's sound; 0: not played */
    bool (*poll)(void *ctx); /* called many times a second for other input; false ends the run */
    void *ctx;
};

/*
 * Runs until the guest stops, stop_at is reached, poll (which may be NULL) says so, or the user
 * closes the window; all but the first give OXBOW_LIMIT in *stop.  false: there is no window to
 * be had, and nothing was run.
 */
bool sdl_run(struct oxbow *m, const struct sdl_config *c, enum oxbow_stop *stop, struct err *e);

#endif
