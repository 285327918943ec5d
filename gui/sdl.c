/*
 * The SDL2 front end: events in, slices of the machine's time, pictures out.
 *
 * Keys go by place (scan code), not by what is printed on them.  The mouse belongs to the guest
 * after a click into the window, and to the host again after Ctrl+Alt (alone, or with G); while
 * the guest has a driver that wants places, it is told where the host's pointer is, without that.
 * Ctrl+Alt+F is full screen, Ctrl+Alt+A the shape of a 4:3 monitor. Host time decides only how
 * much is run between two looks at the events, never what the guest sees: input enters through
 * oxbow_key() and oxbow_mouse().
 */
#include "gui/sdl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gui/keymap.h"
#include "gui/sdl_audio.h"
#include "gui/sdl_view.h"
#include "gui/throttle.h"

enum { FRAME_MS = 16, SLICE_MS = 100, USAGES = 256 };

struct front {
    struct oxbow *m;
    const struct sdl_config *cfg;
    struct sdl_view view;
    struct sdl_audio audio;
    bool closed, grabbed;
    bool down[USAGES]; /* keys the guest has seen going down */
    bool lost;         /* the user knows that the guest takes no more input */
    bool chord;        /* Ctrl and Alt are down, and no other key since */
    int dx, dy, dz;    /* motion not handed over yet */
    unsigned buttons;
    bool absolute;     /* the guest wants places; px and py are the last one */
    unsigned px, py;
    struct throttle throttle;
    /* Host and guest time when the speed was last measured, what was idle then, and the result. */
    uint64_t host1, guest1, idle1, mips, percent;
    char title[160];
};

/* What the library has no more room for is said once. */
static bool taken(struct front *f, bool room)
{
    if (!room && !f->lost) {
        f->lost = true;
        fputs("oxbow: the guest takes no more input; some of it is lost\n", stderr);
    }
    return room;
}

/* Mouse */

static void flush_mouse(struct front *f)
{
    if (f->absolute && f->dz) {
        taken(f, oxbow_mouse_place(f->m, f->px, f->py, f->dz, f->buttons, 0));
        f->dz = 0;
    } else if (f->dx || f->dy || f->dz) {
        taken(f, oxbow_mouse(f->m, f->dx, f->dy, f->dz, f->buttons, 0));
        f->dx = f->dy = f->dz = 0;
    }
}

static void set_buttons(struct front *f, unsigned buttons)
{
    if (buttons != f->buttons) {
        flush_mouse(f);
        f->buttons = buttons;
        if (f->absolute) {
            taken(f, oxbow_mouse_place(f->m, f->px, f->py, 0, buttons, 0));
        } else {
            taken(f, oxbow_mouse(f->m, 0, 0, 0, buttons, 0));
        }
    }
}

static void set_title(struct front *f)
{
    char title[sizeof f->title];

    snprintf(title, sizeof title, "Oxbow%s%.60s - %" PRIu64 " MIPS, %" PRIu64 " %% - %s",
             f->cfg->name ? ": " : "", f->cfg->name ? f->cfg->name : "", f->mips, f->percent,
             f->absolute  ? "mouse integrated"
             : f->grabbed ? "Ctrl+Alt releases the mouse"
                          : "click to use the mouse");
    if (strcmp(title, f->title) != 0) {
        memcpy(f->title, title, sizeof title);
        SDL_SetWindowTitle(f->view.window, title);
    }
}

/* Speed of the last second: instructions that were executed, and guest time against host time. */
static void measure(struct front *f)
{
    uint64_t now = SDL_GetTicks64(), ms = now - f->host1;
    uint64_t guest = oxbow_icount(f->m), idle = oxbow_idle(f->m), done = guest - f->guest1;

    if (ms < 1000) {
        return;
    }
    f->mips = (done - (idle - f->idle1)) / ms / 1000;
    f->percent = done / (oxbow_ips(f->m) / 1000) * 100 / ms;
    f->host1 = now;
    f->guest1 = guest;
    f->idle1 = idle;
    set_title(f);
}

static void set_grab(struct front *f, bool on)
{
    if (on == f->grabbed) {
        return;
    }
    f->grabbed = on;
    SDL_SetRelativeMouseMode(on ? SDL_TRUE : SDL_FALSE);
    SDL_SetWindowGrab(f->view.window, on ? SDL_TRUE : SDL_FALSE);
    if (!on) {
        flush_mouse(f);
        set_buttons(f, 0);
    }
    set_title(f);
}

/* Follows the guest's driver: it draws a pointer of its own in the place of the host's. */
static void follow_driver(struct front *f)
{
    bool absolute = oxbow_mouse_absolute(f->m);

    if (absolute == f->absolute) {
        return;
    }
    set_grab(f, false);
    set_buttons(f, 0);
    f->absolute = absolute;
    SDL_ShowCursor(absolute ? SDL_DISABLE : SDL_ENABLE);
    set_title(f);
}

static void on_motion(struct front *f, const SDL_MouseMotionEvent *e)
{
    if (f->absolute) {
        bool inside = sdl_view_place(&f->view, e->x, e->y, &f->px, &f->py);

        SDL_ShowCursor(inside ? SDL_DISABLE : SDL_ENABLE);
        taken(f, oxbow_mouse_place(f->m, f->px, f->py, 0, f->buttons, 0));
    } else if (f->grabbed) {
        f->dx += e->xrel;
        f->dy += e->yrel;
    }
}

static unsigned button_bit(unsigned sdl_button)
{
    return sdl_button == SDL_BUTTON_LEFT     ? 1
           : sdl_button == SDL_BUTTON_RIGHT  ? 2
           : sdl_button == SDL_BUTTON_MIDDLE ? 4
                                             : 0;
}

static void on_button(struct front *f, const SDL_MouseButtonEvent *e)
{
    unsigned bit = button_bit(e->button);

    if (f->grabbed || f->absolute) {
        set_buttons(f, e->state == SDL_PRESSED ? f->buttons | bit : f->buttons & ~bit);
    } else if (e->state == SDL_PRESSED) {
        set_grab(f, true); /* this click is not the guest's */
    }
}

/* Keyboard */

static void send_key(struct front *f, unsigned usage, bool down)
{
    unsigned key = keymap_from_usb(usage);

    if (key && f->down[usage] != down && taken(f, oxbow_key(f->m, key, down, 0))) {
        f->down[usage] = down;
    }
}

/* A key that goes up while another window has the keyboard would stay down for the guest. */
static void release_keys(struct front *f)
{
    unsigned usage;

    for (usage = 0; usage < USAGES; usage++) {
        send_key(f, usage, false);
    }
    f->chord = false;
}

static bool ctrl_and_alt(const struct front *f)
{
    return (f->down[SDL_SCANCODE_LCTRL] || f->down[SDL_SCANCODE_RCTRL])
           && (f->down[SDL_SCANCODE_LALT] || f->down[SDL_SCANCODE_RALT]);
}

/* Keys of ours, with Ctrl+Alt; the guest sees Ctrl and Alt, but not the third. */
static bool command_key(struct front *f, unsigned usage)
{
    if (!ctrl_and_alt(f)) {
        return false;
    }
    switch (usage) {
    case SDL_SCANCODE_G:
        set_grab(f, !f->grabbed && !f->absolute);
        return true;
    case SDL_SCANCODE_F:
        sdl_view_set_full_screen(&f->view, !f->view.full_screen);
        return true;
    case SDL_SCANCODE_A:
        f->view.monitor_shape = !f->view.monitor_shape;
        f->view.stale = true;
        return true;
    default:
        return false;
    }
}

static void on_key(struct front *f, const SDL_KeyboardEvent *e)
{
    unsigned usage = (unsigned)e->keysym.scancode;
    bool modifier = usage >= SDL_SCANCODE_LCTRL && usage <= SDL_SCANCODE_RGUI;

    if (usage >= USAGES || e->repeat) {
        return; /* the guest's keyboard repeats by itself */
    }
    if (e->state == SDL_PRESSED) {
        f->chord = false;
        if (command_key(f, usage)) {
            return;
        }
        send_key(f, usage, true);
        f->chord = modifier && ctrl_and_alt(f);
    } else {
        if (f->chord && modifier && f->grabbed) {
            set_grab(f, false);
        }
        f->chord = false;
        send_key(f, usage, false);
    }
}

/* Events */

static void on_window(struct front *f, const SDL_WindowEvent *e)
{
    switch (e->event) {
    case SDL_WINDOWEVENT_CLOSE:
        f->closed = true;
        break;
    case SDL_WINDOWEVENT_FOCUS_LOST:
        release_keys(f);
        set_grab(f, false);
        break;
    case SDL_WINDOWEVENT_RESIZED:
        sdl_view_resized(&f->view, e->data1, e->data2);
        break;
    case SDL_WINDOWEVENT_EXPOSED:
    case SDL_WINDOWEVENT_SIZE_CHANGED:
        f->view.stale = true;
        break;
    default:
        break;
    }
}

static void on_event(struct front *f, const SDL_Event *e)
{
    switch (e->type) {
    case SDL_QUIT:
        f->closed = true;
        break;
    case SDL_WINDOWEVENT:
        on_window(f, &e->window);
        break;
    case SDL_KEYDOWN:
    case SDL_KEYUP:
        on_key(f, &e->key);
        break;
    case SDL_MOUSEBUTTONDOWN:
    case SDL_MOUSEBUTTONUP:
        on_button(f, &e->button);
        break;
    case SDL_MOUSEMOTION:
        on_motion(f, &e->motion);
        break;
    case SDL_MOUSEWHEEL:
        if (f->grabbed || f->absolute) {
            f->dz -= e->wheel.direction == SDL_MOUSEWHEEL_FLIPPED ? -e->wheel.y : e->wheel.y;
        }
        break;
    case SDL_RENDER_TARGETS_RESET:
    case SDL_RENDER_DEVICE_RESET:
        sdl_view_lost(&f->view);
        break;
    default:
        break;
    }
}

/* Takes all events there are; sleeps up to `ms` for the first. */
static void take_events(struct front *f, int ms)
{
    SDL_Event e;
    bool any = ms > 0 ? SDL_WaitEventTimeout(&e, ms) : SDL_PollEvent(&e);

    while (any) {
        on_event(f, &e);
        any = SDL_PollEvent(&e);
    }
    flush_mouse(f);
}

/* Time */

static uint64_t now_us(void)
{
    return SDL_GetTicks64() * 1000;
}

/* Whether the guest has had all the time that passed on the host. */
static bool is_ahead(struct front *f)
{
    return !f->cfg->unlimited && throttle_ahead(&f->throttle, oxbow_icount(f->m), now_us()) > 0;
}

static bool at_end(const struct front *f)
{
    return f->closed || oxbow_icount(f->m) >= f->cfg->stop_at;
}

/* A frame's worth of running.  Returns the host milliseconds to sleep. */
static int run_frame(struct front *f, enum oxbow_stop *stop)
{
    uint64_t start = SDL_GetTicks64(), slice = oxbow_ips(f->m) / 1000 + 1, spent = 0;

    while (spent < FRAME_MS && !is_ahead(f) && !at_end(f)) {
        *stop = oxbow_run(f->m, MIN(slice, f->cfg->stop_at - oxbow_icount(f->m)));
        if (*stop == OXBOW_HELD) {
            return 1;
        }
        if (*stop == OXBOW_INTERRUPTED) {
            *stop = OXBOW_LIMIT;
            return 0;
        }
        if (*stop != OXBOW_LIMIT) {
            return 0;
        }
        spent = SDL_GetTicks64() - start;
    }
    return spent < FRAME_MS && !at_end(f) ? (int)(FRAME_MS - spent) : 0;
}

/* From a thread of SDL's: a slice may take the host long, the window must be looked after. */
static Uint32 end_slice(Uint32 ms, void *m)
{
    oxbow_interrupt(m);
    return ms;
}

static enum oxbow_stop run_loop(struct front *f)
{
    enum oxbow_stop stop = OXBOW_LIMIT;
    SDL_TimerID timer = SDL_AddTimer(SLICE_MS, end_slice, f->m);

    throttle_start(&f->throttle, oxbow_ips(f->m), oxbow_icount(f->m), now_us());
    f->host1 = SDL_GetTicks64();
    f->guest1 = oxbow_icount(f->m);
    f->idle1 = oxbow_idle(f->m);
    while (!at_end(f) && (stop == OXBOW_LIMIT || stop == OXBOW_HELD)) {
        int sleep = run_frame(f, &stop);

        sdl_audio_turn(&f->audio, f->m);
        sdl_view_show(&f->view, oxbow_surface(f->m));
        measure(f);
        follow_driver(f);
        take_events(f, sleep);
        if (f->cfg->poll && !f->cfg->poll(f->cfg->ctx)) {
            f->closed = true;
        }
    }
    SDL_RemoveTimer(timer);
    return stop == OXBOW_HELD ? OXBOW_LIMIT : stop;
}

bool sdl_run(struct oxbow *m, const struct sdl_config *c, enum oxbow_stop *stop, struct err *e)
{
    struct front f = {.m = m, .cfg = c};

    SDL_SetMainReady();
    SDL_SetHint(SDL_HINT_VIDEO_ALLOW_SCREENSAVER, "1");
    SDL_SetHint(SDL_HINT_GRAB_KEYBOARD, "1");
    SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1"); /* poll tells */
    if (SDL_Init(SDL_INIT_VIDEO) != 0) {
        return err_set(e, "no window can be opened (%s); use -display none", SDL_GetError());
    }
    if (!sdl_audio_open(&f.audio, c->audio_rate, e) ||
        !sdl_view_open(&f.view, "Oxbow", c->full_screen, e)) {
        sdl_audio_close(&f.audio);
        SDL_Quit();
        return false;
    }
    set_title(&f);
    *stop = run_loop(&f);
    set_grab(&f, false);
    sdl_audio_close(&f.audio);
    sdl_view_close(&f.view);
    SDL_Quit();
    return true;
}
