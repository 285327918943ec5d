/*
 * The part of the SDL front end that shows a surface: window, scaling, full screen.
 */
#ifndef OXBOW_GUI_SDL_VIEW_H
#define OXBOW_GUI_SDL_VIEW_H

#define SDL_MAIN_HANDLED
#include <SDL.h>

#include "devices/surface.h"
#include "memory/err.h"

struct sdl_view {
    SDL_Window *window;
    SDL_Renderer *renderer;
    SDL_Texture *picture; /* the surface, 1:1 */
    SDL_Texture *larger;  /* the surface enlarged by a whole number, where the window needs it */
    unsigned w, h;        /* of the picture */
    unsigned factor;      /* of the larger one, 0: there is none */
    uint64_t seq;         /* of the surface in the picture */
    bool full_screen;
    bool monitor_shape;   /* 4:3 whatever the surface is, instead of square pixels */
    bool sized_by_user;   /* the window keeps its size when the guest changes modes */
    int asked_w, asked_h; /* what we made the window's size */
    bool whole;           /* all of the surface has to go into the picture */
    bool stale;           /* the window has to be painted again */
};

bool sdl_view_open(struct sdl_view *v, const char *title, bool full_screen, struct err *e);
void sdl_view_close(struct sdl_view *v);
/* Takes over what changed; s may be NULL or empty (no adapter). */
void sdl_view_show(struct sdl_view *v, const struct surface *s);
/* The window got a new size, or the renderer lost its textures. */
void sdl_view_resized(struct sdl_view *v, int w, int h);
void sdl_view_lost(struct sdl_view *v);
/*
 * The place of a point of the window in the picture, 0..65535 each way; false: it is outside, and
 * the place is the nearest.
 */
bool sdl_view_place(const struct sdl_view *v, int x, int y, unsigned *px, unsigned *py);
void sdl_view_set_full_screen(struct sdl_view *v, bool on);

#endif
