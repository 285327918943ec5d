/*
 * A surface in an SDL2 window.
 *
 * Pixels stay crisp: the picture is enlarged by the largest whole number that fits.  Where the
 * wanted size is no whole multiple (4:3 shape, or a window smaller than the picture), it is first
 * enlarged beyond that size without smoothing, and then reduced with it.  Nothing is painted while
 * nothing changes.
 */
#include "gui/sdl_view.h"

enum { FIRST_W = 720, FIRST_H = 400, MAX_FACTOR = 8 };

/* Twice the size where there is room for it. */
static unsigned window_factor(const struct sdl_view *v, unsigned w, unsigned h)
{
    SDL_Rect room;
    int display = v->window ? SDL_GetWindowDisplayIndex(v->window) : 0;

    if (SDL_GetDisplayUsableBounds(display < 0 ? 0 : display, &room) != 0) {
        return 1;
    }
    return w * 2 <= (unsigned)room.w && h * 2 + 40 <= (unsigned)room.h ? 2 : 1;
}

static void drop_textures(struct sdl_view *v)
{
    if (v->picture) {
        SDL_DestroyTexture(v->picture);
    }
    if (v->larger) {
        SDL_DestroyTexture(v->larger);
    }
    v->picture = v->larger = NULL;
    v->factor = 0;
}

static bool make_picture(struct sdl_view *v, unsigned w, unsigned h)
{
    drop_textures(v);
    v->w = w;
    v->h = h;
    v->picture = SDL_CreateTexture(v->renderer, SDL_PIXELFORMAT_RGB888,
                                   SDL_TEXTUREACCESS_STREAMING, (int)w, (int)h);
    v->whole = true;
    return v->picture != NULL;
}

void sdl_view_lost(struct sdl_view *v)
{
    drop_textures(v);
    v->stale = true;
}

bool sdl_view_open(struct sdl_view *v, const char *title, bool full_screen, struct err *e)
{
    unsigned k = window_factor(v, FIRST_W, FIRST_H);

    v->asked_w = (int)(FIRST_W * k);
    v->asked_h = (int)(FIRST_H * k);
    v->window = SDL_CreateWindow(title, SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED,
                                 v->asked_w, v->asked_h, SDL_WINDOW_RESIZABLE);
    if (v->window) {
        v->renderer = SDL_CreateRenderer(v->window, -1, 0);
    }
    if (!v->renderer) {
        err_set(e, "no window can be opened (%s); use -display none", SDL_GetError());
        sdl_view_close(v);
        return false;
    }
    v->stale = true;
    if (full_screen) {
        sdl_view_set_full_screen(v, true);
    }
    return true;
}

void sdl_view_close(struct sdl_view *v)
{
    if (v->renderer) {
        SDL_DestroyRenderer(v->renderer); /* and its textures */
    }
    if (v->window) {
        SDL_DestroyWindow(v->window);
    }
    v->renderer = NULL;
    v->window = NULL;
}

void sdl_view_set_full_screen(struct sdl_view *v, bool on)
{
    if (SDL_SetWindowFullscreen(v->window, on ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0) == 0) {
        v->full_screen = on;
    }
    if (!v->full_screen && !v->sized_by_user) {
        SDL_SetWindowSize(v->window, v->asked_w, v->asked_h);
    }
    v->stale = true;
}

/* A size that we did not ask for is the user's (or the window manager's) wish. */
void sdl_view_resized(struct sdl_view *v, int w, int h)
{
    if (!v->full_screen && (w != v->asked_w || h != v->asked_h)) {
        v->sized_by_user = true;
    }
    v->stale = true;
}

/* Where in the window the picture goes. */
static SDL_Rect target(const struct sdl_view *v, int ww, int wh)
{
    int w = (int)v->w, h = (int)v->h, k = SDL_min(ww / w, wh / h);
    SDL_Rect r;

    if (v->monitor_shape) {
        r.w = SDL_min(ww, wh * 4 / 3);
        r.h = SDL_min(wh, ww * 3 / 4);
    } else if (k >= 1) {
        r.w = w * k;
        r.h = h * k;
    } else {
        r.w = SDL_min(ww, (int)((int64_t)wh * w / h));
        r.h = SDL_min(wh, (int)((int64_t)ww * h / w));
    }
    r.w = SDL_max(r.w, 1);
    r.h = SDL_max(r.h, 1);
    r.x = (ww - r.w) / 2;
    r.y = (wh - r.h) / 2;
    return r;
}

static unsigned part_of(int at, int start, int size)
{
    int n = SDL_min(SDL_max(at - start, 0), size - 1);

    return (unsigned)((int64_t)n * 0xffff / SDL_max(size - 1, 1));
}

bool sdl_view_place(const struct sdl_view *v, int x, int y, unsigned *px, unsigned *py)
{
    int ww, wh, ow, oh;
    SDL_Rect r;

    SDL_GetWindowSize(v->window, &ww, &wh);
    SDL_GetRendererOutputSize(v->renderer, &ow, &oh);
    if (!v->w || !v->h || ww < 1 || wh < 1) {
        return false;
    }
    /* Events count in points of the desktop, the renderer in pixels. */
    x = (int)((int64_t)x * ow / ww);
    y = (int)((int64_t)y * oh / wh);
    r = target(v, ow, oh);
    *px = part_of(x, r.x, r.w);
    *py = part_of(y, r.y, r.h);
    return x >= r.x && x < r.x + r.w && y >= r.y && y < r.y + r.h;
}

/* The picture times `factor`, for a smooth reduction afterwards. */
static SDL_Texture *enlarged(struct sdl_view *v, unsigned factor)
{
    if (v->factor != factor) {
        if (v->larger) {
            SDL_DestroyTexture(v->larger);
        }
        v->larger = SDL_CreateTexture(v->renderer, SDL_PIXELFORMAT_RGB888,
                                      SDL_TEXTUREACCESS_TARGET, (int)(v->w * factor),
                                      (int)(v->h * factor));
        v->factor = v->larger ? factor : 0;
    }
    if (!v->larger || SDL_SetRenderTarget(v->renderer, v->larger) != 0) {
        return v->picture;
    }
    SDL_RenderCopy(v->renderer, v->picture, NULL, NULL);
    SDL_SetRenderTarget(v->renderer, NULL);
    return v->larger;
}

static void paint(struct sdl_view *v)
{
    SDL_Texture *from = v->picture;
    SDL_Rect to;
    int ww, wh;

    SDL_GetRendererOutputSize(v->renderer, &ww, &wh);
    to = target(v, ww, wh);
    SDL_SetTextureScaleMode(v->picture, SDL_ScaleModeNearest);
    if (to.w % (int)v->w || to.h % (int)v->h) {
        unsigned factor = (unsigned)SDL_max(to.w / (int)v->w, to.h / (int)v->h) + 1;

        from = enlarged(v, SDL_min(factor, (unsigned)MAX_FACTOR));
        SDL_SetTextureScaleMode(from, SDL_ScaleModeLinear);
    }
    SDL_SetRenderDrawColor(v->renderer, 0, 0, 0, 255);
    SDL_RenderClear(v->renderer);
    SDL_RenderCopy(v->renderer, from, NULL, &to);
    SDL_RenderPresent(v->renderer);
    v->stale = false;
}

/* Sets the window's size, and its place where it would hang over the edge of the desktop. */
static void size_window(struct sdl_view *v)
{
    SDL_Rect room;
    int x, y, display = SDL_GetWindowDisplayIndex(v->window);

    SDL_SetWindowSize(v->window, v->asked_w, v->asked_h);
    SDL_GetWindowPosition(v->window, &x, &y);
    if (SDL_GetDisplayUsableBounds(display < 0 ? 0 : display, &room) == 0
        && (x + v->asked_w > room.x + room.w || y + v->asked_h > room.y + room.h)) {
        SDL_SetWindowPosition(v->window, SDL_WINDOWPOS_CENTERED, SDL_WINDOWPOS_CENTERED);
    }
}

/* A new size of the guest's screen: the window follows, unless its size is the user's. */
static bool resize(struct sdl_view *v, unsigned w, unsigned h)
{
    unsigned k = window_factor(v, w, h);

    v->asked_w = (int)(w * k);
    v->asked_h = (int)(h * k);
    if (!v->full_screen && !v->sized_by_user) {
        size_window(v);
    }
    return make_picture(v, w, h);
}

void sdl_view_show(struct sdl_view *v, const struct surface *s)
{
    bool usable = s && s->w && s->h;

    if (usable && (!v->picture || s->w != v->w || s->h != v->h) && !resize(v, s->w, s->h)) {
        return;
    }
    if (usable && (v->whole || s->seq != v->seq)) {
        /* The dirty rows are those of the last update only; after a missed one take everything. */
        bool part = !v->whole && s->seq == v->seq + 1 && s->dirty_y1 > s->dirty_y0;
        unsigned y0 = part ? s->dirty_y0 : 0, y1 = part ? s->dirty_y1 : s->h;
        SDL_Rect rows = {0, (int)y0, (int)s->w, (int)(y1 - y0)};

        SDL_UpdateTexture(v->picture, &rows, s->px + (size_t)y0 * s->stride, (int)s->stride * 4);
        v->seq = s->seq;
        v->whole = false;
        v->stale = true;
    }
    if (v->stale && v->picture) {
        paint(v);
    } else if (v->stale) {
        SDL_SetRenderDrawColor(v->renderer, 0, 0, 0, 255);
        SDL_RenderClear(v->renderer);
        SDL_RenderPresent(v->renderer);
        v->stale = false;
    }
}
