/*
 * The verbs of test scripts.  docs/scripts.md describes them; script_verbs at the end is the list.
 */
#include <stdlib.h>
#include <string.h>

#include "gui/cp437.h"
#include "gui/keynames.h"
#include "gui/optvalue.h"
#include "gui/png.h"
#include "gui/scriptpic.h"
#include "gui/scriptrun.h"
#include "gui/statefile.h"

enum { PORT_SCREEN = 4, PORT_DEBUG = 5, KEY_GAP_US = 20000 };

static struct capture *capture_of(struct script_run *r, int port)
{
    return port == PORT_DEBUG ? &r->debug : &r->serial[port];
}

/* --- machine ------------------------------------------------------------------------------- */

static enum script_result do_boot(struct script_run *r, const struct script_line *l, struct err *e)
{
    script_stop(r);
    options_free(&r->o);
    options_init(&r->o);
    if (!options_parse(&r->o, l->argc, l->argv, r->dir, e)) {
        return SCRIPT_BAD;
    }
    return script_start(r, NULL, e);
}

static enum script_result do_timeout(struct script_run *r, const struct script_line *l,
                                     struct err *e UNUSED)
{
    script_seconds(l->argv[0], &r->timeout_us);
    return SCRIPT_PASSED;
}

static enum script_result do_reset(struct script_run *r, const struct script_line *l UNUSED,
                                   struct err *e UNUSED)
{
    oxbow_reset(r->vm.m);
    return SCRIPT_PASSED;
}

static enum script_result do_power_button(struct script_run *r, const struct script_line *l UNUSED,
                                          struct err *e UNUSED)
{
    oxbow_power_button(r->vm.m);
    return SCRIPT_PASSED;
}

static enum script_result do_media(struct script_run *r, const struct script_line *l,
                                   struct err *e)
{
    bool eject = strcmp(l->argv[1], "none") == 0;
    const char *path = eject ? NULL : opt_file(&r->o, r->dir, l->argv[1], e);

    return (eject || path) && vm_media(&r->vm, l->argv[0], path, e) ? SCRIPT_PASSED : SCRIPT_BAD;
}

static enum script_result do_savestate(struct script_run *r, const struct script_line *l,
                                       struct err *e)
{
    const char *path = opt_file(&r->o, r->dir, l->argv[0], e);

    return path && statefile_save(r->vm.m, path, e) ? SCRIPT_PASSED : SCRIPT_INTERNAL;
}

static enum script_result do_loadstate(struct script_run *r, const struct script_line *l,
                                       struct err *e)
{
    const char *path = opt_file(&r->o, r->dir, l->argv[0], e);

    return path ? script_start(r, path, e) : SCRIPT_BAD;
}

/* --- waiting and checking ------------------------------------------------------------------ */

struct goal {
    int port;
    const char *text;
};

static bool on_screen(struct script_run *r, const char *text)
{
    struct text_screen t;
    char row[132 * 3 + 1];

    oxbow_text(r->vm.m, &t);
    for (unsigned y = 0; y < t.rows; y++) {
        cp437_row(&t, y, row, sizeof row);
        if (strstr(row, text)) {
            return true;
        }
    }
    return false;
}

static bool goal_reached(struct script_run *r, void *ctx)
{
    const struct goal *g = ctx;

    return g->port == PORT_SCREEN ? on_screen(r, g->text)
                                  : capture_find(capture_of(r, g->port), g->text);
}

static enum script_result do_wait(struct script_run *r, const struct script_line *l, struct err *e)
{
    struct goal g = {script_port(l->argv[0]), l->argv[1]};

    if (scriptpic_is_goal(l->argv[0])) {
        return scriptpic_wait(r, l->argv[0], l->argv[1], e);
    }
    return script_until(r, goal_reached, &g, l->argv[1], e);
}

static bool has_stopped(struct script_run *r, void *ctx UNUSED)
{
    return r->stop != OXBOW_LIMIT;
}

static enum script_result expect_stop(struct script_run *r, const struct script_line *l,
                                      struct err *e)
{
    const char *what = l->argv[0];
    enum script_result result = script_until(r, has_stopped, NULL, what, e);
    uint64_t status = 0;
    bool ok;

    if (result != SCRIPT_PASSED) {
        return result;
    }
    if (strcmp(what, "exit") == 0) {
        optvalue_number(l->argv[1], &status);
        ok = vm_status(&r->vm, r->stop) == (int)status;
    } else {
        ok = r->stop == (strcmp(what, "poweroff") == 0 ? OXBOW_POWEROFF
                         : strcmp(what, "reset") == 0  ? OXBOW_RESET
                                                       : OXBOW_CRASH);
    }
    if (!ok) {
        err_set(e, "%s (status %d)", script_stop_name(r), vm_status(&r->vm, r->stop));
        return r->stop == OXBOW_CRASH ? SCRIPT_CRASHED : SCRIPT_FAILED;
    }
    return SCRIPT_PASSED;
}

static enum script_result expect_hash(struct script_run *r, const char *want, struct err *e)
{
    char now[17];

    snprintf(now, sizeof now, "%016llx", (unsigned long long)oxbow_hash(r->vm.m));
    if (strcmp(now, want) != 0) {
        err_set(e, "the state hash is %s", now);
        return SCRIPT_FAILED;
    }
    return SCRIPT_PASSED;
}

static enum script_result do_expect(struct script_run *r, const struct script_line *l,
                                    struct err *e)
{
    int port = script_port(l->argv[0]);
    bool there;

    if (strcmp(l->argv[0], "hash") == 0) {
        return expect_hash(r, l->argv[1], e);
    }
    if (scriptpic_is_goal(l->argv[0])) {
        return scriptpic_expect(r, l->argv[0], l->argv[1], e);
    }
    if (port < 0) {
        return expect_stop(r, l, e);
    }
    there = port == PORT_SCREEN ? on_screen(r, l->argv[1])
                                : capture_has(capture_of(r, port), l->argv[1]);
    if (!there) {
        err_set(e, "%s is not on %s", l->argv[1], l->argv[0]);
        return SCRIPT_FAILED;
    }
    return SCRIPT_PASSED;
}

/* Remembers the hash under a name the first time, and wants the same one again later. */
static enum script_result do_hash(struct script_run *r, const struct script_line *l, struct err *e)
{
    uint64_t value = oxbow_hash(r->vm.m);
    const char *name = l->argc ? l->argv[0] : "";
    struct script_hash *h = r->hashes;

    printf("state-hash: %016llx%s%s\n", (unsigned long long)value, *name ? " " : "", name);
    while (h && strcmp(h->name, name) != 0) {
        h = h->next;
    }
    if (!*name || (h && h->value == value)) {
        return SCRIPT_PASSED;
    }
    if (h) {
        err_set(e, "the state hash differs: %s was %016llx and is %016llx", name,
                (unsigned long long)h->value, (unsigned long long)value);
        return SCRIPT_FAILED;
    }
    h = malloc(sizeof *h + strlen(name) + 1);
    if (!h) {
        err_set(e, "not enough memory for a hash");
        return SCRIPT_INTERNAL;
    }
    strcpy(h->name, name);
    h->value = value;
    h->next = r->hashes;
    r->hashes = h;
    return SCRIPT_PASSED;
}

/* --- input and time ------------------------------------------------------------------------ */

static enum script_result pass_time(struct script_run *r, uint64_t us, struct err *e)
{
    return script_advance(r, oxbow_icount(r->vm.m) + script_instructions(r, us), e);
}

static enum script_result do_sleep(struct script_run *r, const struct script_line *l,
                                   struct err *e)
{
    uint64_t us = 0;

    script_seconds(l->argv[0], &us);
    return pass_time(r, us, e);
}

static enum script_result do_stop_at(struct script_run *r, const struct script_line *l,
                                     struct err *e)
{
    uint64_t end = 0;

    optvalue_scaled(l->argv[0], 1000, 1, &end);
    return script_advance(r, end, e);
}

/* The guest does not take what it was sent before. */
static enum script_result no_room(const char *what, struct err *e)
{
    err_set(e, "%s: the guest has left so much input lying there that no more fits", what);
    return SCRIPT_FAILED;
}

static enum script_result do_type(struct script_run *r, const struct script_line *l, struct err *e)
{
    uint64_t end;

    if (!oxbow_type(r->vm.m, l->argv[0], oxbow_icount(r->vm.m), &end)) {
        return no_room("type", e);
    }
    return script_keys(r, end, e);
}

static enum script_result do_send(struct script_run *r, const struct script_line *l,
                                  struct err *e)
{
    unsigned port = (unsigned)script_port(l->argv[0]);

    for (const char *p = l->argv[1]; *p; p++) {
        if (!oxbow_serial_input(r->vm.m, port, (uint8_t)*p)) {
            return no_room("send", e);
        }
    }
    return SCRIPT_PASSED;
}

static enum script_result press(struct script_run *r, const char *chord, struct err *e)
{
    unsigned codes[KEYNAMES_MAX], count = keynames_chord(chord, codes);
    uint64_t gap = script_instructions(r, KEY_GAP_US), at = oxbow_icount(r->vm.m);

    bool room = true;

    for (unsigned n = 0; n < count; n++, at += gap) {
        room = oxbow_key(r->vm.m, codes[n], true, at) && room;
    }
    for (unsigned n = count; n-- > 0; at += gap) {
        room = oxbow_key(r->vm.m, codes[n], false, at) && room;
    }
    return room ? script_keys(r, at, e) : no_room("key", e);
}

static enum script_result do_key(struct script_run *r, const struct script_line *l, struct err *e)
{
    enum script_result result = SCRIPT_PASSED;

    for (int n = 0; n < l->argc && result == SCRIPT_PASSED; n++) {
        result = press(r, l->argv[n], e);
    }
    return result;
}

static enum script_result do_mouse(struct script_run *r, const struct script_line *l,
                                   struct err *e)
{
    unsigned buttons = l->argc > 2 ? (unsigned)strtol(l->argv[2], NULL, 0) & 7 : 0;

    return oxbow_mouse(r->vm.m, (int)strtol(l->argv[0], NULL, 0),
                       (int)strtol(l->argv[1], NULL, 0), 0, buttons, 0)
               ? pass_time(r, KEY_GAP_US, e)
               : no_room("mouse", e);
}

/* A place on the guest's screen, in its pixels. */
static enum script_result do_point(struct script_run *r, const struct script_line *l,
                                   struct err *e)
{
    const struct surface *s = oxbow_surface(r->vm.m);
    unsigned buttons = l->argc > 2 ? (unsigned)strtol(l->argv[2], NULL, 0) & 7 : 0;
    uint64_t x = 0, y = 0;

    optvalue_scaled(l->argv[0], 1000, 1, &x);
    optvalue_scaled(l->argv[1], 1000, 1, &y);
    if (!s || x >= s->w || y >= s->h) {
        err_set(e, "point: this is not on the screen");
        return SCRIPT_FAILED;
    }
    if (!oxbow_mouse_absolute(r->vm.m)) {
        err_set(e, "point: the guest has no driver for a pointer that knows its place");
        return SCRIPT_FAILED;
    }
    return oxbow_mouse_place(r->vm.m, (unsigned)(x * 0xffff / MAX(s->w - 1, 1u)),
                             (unsigned)(y * 0xffff / MAX(s->h - 1, 1u)), 0, buttons, 0)
               ? pass_time(r, KEY_GAP_US, e)
               : no_room("point", e);
}

static enum script_result do_link(struct script_run *r, const struct script_line *l, struct err *e)
{
    uint64_t nic = 0;
    bool on = false;

    optvalue_scaled(l->argv[0], 1000, 1, &nic);
    optvalue_switch(l->argv[1], &on);
    if (nic < 1 || nic > r->vm.o.nics) {
        err_set(e, "link %s: the machine has %u network adapters", l->argv[0], r->vm.o.nics);
        return SCRIPT_BAD;
    }
    return oxbow_net_link(r->vm.m, (unsigned)nic - 1, on) ? SCRIPT_PASSED : no_room("link", e);
}

/* --- output -------------------------------------------------------------------------------- */

static enum script_result do_screenshot(struct script_run *r, const struct script_line *l,
                                        struct err *e)
{
    const struct surface *s = oxbow_surface(r->vm.m);
    const char *path = opt_file(&r->o, r->dir, l->argv[0], e);

    if (!s) {
        err_set(e, "screenshot: the machine has no display adapter");
        return SCRIPT_BAD;
    }
    return path && png_write(path, s, e) ? SCRIPT_PASSED : SCRIPT_INTERNAL;
}

static enum script_result do_show(struct script_run *r, const struct script_line *l,
                                  struct err *e UNUSED)
{
    int port = script_port(l->argv[0]);

    if (strcmp(l->argv[0], "picture") == 0) {
        scriptpic_show(r, stdout);
    } else if (port == PORT_SCREEN) {
        script_show_screen(r, stdout);
    } else {
        script_show_tail(capture_of(r, port), stdout);
    }
    return SCRIPT_PASSED;
}

static enum script_result do_stats(struct script_run *r, const struct script_line *l UNUSED,
                                   struct err *e UNUSED)
{
    vm_stats(&r->vm, stdout);
    return SCRIPT_PASSED;
}

static enum script_result do_print(struct script_run *r UNUSED, const struct script_line *l,
                                   struct err *e UNUSED)
{
    puts(l->argv[0]);
    return SCRIPT_PASSED;
}

const struct script_verb script_verbs[] = {
    {"boot", "*", do_boot}, {"timeout", "s", do_timeout}, {"wait", "gt", do_wait},
    {"expect", "x|t", do_expect}, {"type", "t", do_type}, {"key", "k*", do_key},
    {"send", "ot", do_send}, {"mouse", "ii|i", do_mouse},
    {"point", "nn|i", do_point}, {"link", "nw", do_link}, {"sleep", "s", do_sleep},
    {"stop-at", "n", do_stop_at}, {"screenshot", "f", do_screenshot}, {"show", "v", do_show},
    {"print", "t", do_print}, {"keep", "t|nnnn", scriptpic_keep},
    {"media", "df", do_media}, {"savestate", "f", do_savestate},
    {"loadstate", "f", do_loadstate}, {"hash", "|t", do_hash}, {"reset", "", do_reset},
    {"power-button", "", do_power_button}, {"stats", "", do_stats},
};

const size_t script_verb_count = ARRAY_LEN(script_verbs);
