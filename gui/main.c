/*
 * The program: finds out what to do, does it, and ends with the exit status that docs/oxbow.1
 * lists.
 */
#include <stdio.h>
#include <string.h>

#include "gui/ending.h"
#include "gui/headless.h"
#include "gui/host.h"
#include "gui/img.h"
#include "gui/options.h"
#include "gui/script.h"
#include "gui/statefile.h"
#include "gui/terminal.h"
#include "gui/vm.h"
#ifdef HAVE_SDL
#include "gui/sdl.h"
#endif

enum { OK = 0, BAD = 4, INTERNAL = 5 };

static int fail(const struct err *e, int status)
{
    fprintf(stderr, "oxbow: %s\n", e->text);
    return status;
}

static int list_cpus(void)
{
    const char *line;

    for (unsigned n = 0; (line = oxbow_cpu_help(n)) != NULL; n++) {
        puts(line);
    }
    return OK;
}

static bool finish(struct vm *vm, struct err *e)
{
    if (vm->o.stats) {
        vm_stats(vm, stderr);
    }
    if (vm->o.hash) {
        printf("%sstate-hash: %016llx\n", ports_within_line(&vm->ports) ? "\n" : "",
               (unsigned long long)oxbow_hash(vm->m));
        fflush(stdout);
    }
    return !vm->o.savestate || statefile_save(vm->m, vm->o.savestate, e);
}

/*
 * What a run leaves behind.  A port that can't be written any more does not cost the state, and a
 * signal shows in the status, unless the guest had ended the run itself.
 */
static int end_run(struct vm *vm, enum oxbow_stop stop, bool ok, struct err *e)
{
    int status = ok ? vm_status(vm, stop) : fail(e, INTERNAL);

    if (ok && !ports_flush(&vm->ports, e)) {
        status = fail(e, INTERNAL);
    }
    if (ending_asked() && (stop == OXBOW_LIMIT || stop == OXBOW_HELD)) {
        status = ending_status();
    }
    if (!finish(vm, e)) {
        status = fail(e, INTERNAL);
    }
    if (stop == OXBOW_CRASH) {
        fputs("oxbow: the guest crashed (triple fault)\n", stderr);
    }
    ending_watch(NULL);
    vm_close(vm);
    return status;
}

#ifdef HAVE_SDL
static bool can_open_window(void)
{
    return host_has_display();
}

static bool look_after_ports(void *ctx)
{
    struct terminal *t = ctx;
    struct err e;

    return ports_flush(&t->vm->ports, &e) && nets_turn(&t->vm->nets, true, &e) &&
           sound_turn(&t->vm->sound, t->vm->m, &e) && terminal_poll(t, 0);
}

/* The display's server has gone, and its library ends the process: as for a hang-up. */
static int window_lost(void *ctx)
{
    struct terminal *t = ctx;
    struct err e = {{0}};
    int status;

    fputs("oxbow: the display has gone\n", stderr);
    terminal_close(t);
    status = end_run(t->vm, OXBOW_LIMIT, true, &e);
    return status ? status : ENDING_HANGUP;
}

static bool run_window(struct vm *vm, enum oxbow_stop *stop, struct err *e)
{
    struct terminal t;
    struct sdl_config c = {
        .name = vm->o.name, .full_screen = vm->o.full_screen,
        .unlimited = vm->o.sleep == SLEEP_OFF,
        .stop_at = vm->o.has_stop_at ? vm->o.stop_at : UINT64_MAX,
        .audio_rate = vm->o.audio.kind == AUDIO_SDL ? vm->o.audio.rate : 0,
        .poll = look_after_ports, .ctx = &t,
    };
    bool ok;

    terminal_open(&t, vm);
    ending_on_exit(window_lost, &t);
    ok = sdl_run(vm->m, &c, stop, e);
    ending_on_exit(NULL, NULL);
    while (ok && *stop == OXBOW_POWEROFF && vm->o.no_shutdown && terminal_poll(&t, 50000)) {
        continue;
    }
    terminal_close(&t);
    return ok;
}
#else
static bool can_open_window(void)
{
    return false;
}

static bool run_window(struct vm *vm, enum oxbow_stop *stop, struct err *e)
{
    (void)vm;
    (void)stop;
    return err_set(e, "-display sdl: this program was built without SDL2; use -display none");
}
#endif

/* Picks window or terminal where the options leave it open; true: the terminal stands in. */
static bool choose_display(struct options *o)
{
    if (o->nographic) {
        o->display = DISPLAY_NONE;
    }
    if (o->display != DISPLAY_AUTO) {
        return false;
    }
    o->display = can_open_window() ? DISPLAY_SDL : DISPLAY_NONE;
    if (o->display == DISPLAY_SDL || o->serials > 0) {
        return false;
    }
    o->nographic = true;
    return true;
}

static int run(struct options *o)
{
    struct err e = {{0}};
    struct vm vm;
    enum oxbow_stop stop = OXBOW_LIMIT;
    bool ok = true, instead = choose_display(o);

    if (!vm_open(&vm, o, false, &e)) {
        return fail(&e, BAD);
    }
    if (instead) {
        fputs("oxbow: no window can be opened here; the first serial port is this terminal "
              "(Ctrl-A x quits)\n", stderr);
    }
    if (vm_is_demo(o)) {
        fputs("oxbow: no image was named; starting the built-in demo\n", stderr);
    }
    if (o->stats) {
        host_hold_stats_signal();
    }
    ending_catch();
    ending_watch(vm.m);
    if (o->display != DISPLAY_SDL) {
        ok = headless_run(&vm, &stop, &e);
    } else if (!run_window(&vm, &stop, &e)) {
        ending_watch(NULL);
        vm_close(&vm);
        return fail(&e, BAD);
    }
    return end_run(&vm, stop, ok, &e);
}

static int run_main(int argc, char *argv[])
{
    struct options o;
    struct err e = {{0}};
    int status = OK;

    options_init(&o);
    if (!options_parse(&o, argc, argv, NULL, &e)) {
        status = fail(&e, BAD);
    } else if (o.action == ACTION_HELP) {
        options_help(stdout);
    } else if (o.action == ACTION_VERSION) {
        puts("Oxbow " OXBOW_VERSION);
    } else if (o.action == ACTION_CPU_HELP) {
        status = list_cpus();
    } else {
        status = run(&o);
    }
    options_free(&o);
    return status;
}

int main(int argc, char *argv[])
{
    const char *verb = argc > 1 ? argv[1] : "";

    host_ignore_closed_pipes();
    if (strcmp(verb, "test") == 0) {
        return script_main(argc - 2, argv + 2);
    }
    if (strcmp(verb, "img") == 0) {
        return img_main(argc - 2, argv + 2);
    }
    return strcmp(verb, "run") == 0 ? run_main(argc - 2, argv + 2) : run_main(argc - 1, argv + 1);
}
