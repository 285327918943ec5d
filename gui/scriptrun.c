/*
 * Runs test scripts: the machine, guest time and its limits, messages, results.  See script.h.
 *
 * Slices have a fixed number of instructions, and what the script does depends only on the guest,
 * so input enters at the same instruction on every host.
 */
#include "gui/scriptrun.h"

#include <stdlib.h>
#include <string.h>

#include "gui/cp437.h"
#include "gui/ending.h"
#include "gui/host.h"
#include "gui/hostfile.h"
#include "gui/scriptpic.h"

#define DEFAULT_TIMEOUT_US (UINT64_C(60) * 1000000)

enum { TAIL_LINES = 12, STDERR = 2 };

/* --- the machine --------------------------------------------------------------------------- */

enum script_result script_start(struct script_run *r, const char *state, struct err *e)
{
    struct options o = r->o;

    script_stop(r);
    o.loadstate = state ? state : o.loadstate;
    if (!vm_open(&r->vm, &o, true, e)) {
        return SCRIPT_BAD;
    }
    r->up = true;
    ending_watch(r->vm.m);
    r->stop = OXBOW_LIMIT;
    for (unsigned n = 0; n < 4; n++) {
        capture_free(&r->serial[n]);
        r->vm.ports.serial[n].capture = &r->serial[n];
    }
    capture_free(&r->debug);
    r->vm.ports.debugcon.capture = &r->debug;
    return SCRIPT_PASSED;
}

void script_stop(struct script_run *r)
{
    if (r->up) {
        ending_watch(NULL);
        vm_close(&r->vm);
        r->up = false;
    }
}

const char *script_stop_name(const struct script_run *r)
{
    switch (r->stop) {
    case OXBOW_POWEROFF:
        return "the machine switched itself off";
    case OXBOW_RESET:
        return "the machine was reset";
    case OXBOW_CRASH:
        return "the guest crashed (triple fault)";
    case OXBOW_DEBUG_EXIT:
        return "the guest ended the run by isa-debug-exit";
    default:
        return "the machine runs";
    }
}

/* --- time ---------------------------------------------------------------------------------- */

uint64_t script_instructions(const struct script_run *r, uint64_t us)
{
    uint64_t ips = oxbow_ips(r->vm.m);

    return us / 1000000u * ips + us % 1000000u * ips / 1000000u;
}

enum script_result script_slice(struct script_run *r, uint64_t end, struct err *e)
{
    struct oxbow *m = r->vm.m;
    uint64_t now = oxbow_icount(m), slice = oxbow_ips(m) / 100 + 1;

    r->stop = oxbow_run(m, MIN(slice, end > now ? end - now : 0));
    if (r->stop == OXBOW_HELD) {
        host_sleep_us(1000);
        r->stop = OXBOW_LIMIT;
    }
    if (!ports_flush(&r->vm.ports, e) || !nets_turn(&r->vm.nets, false, e) ||
        !sound_turn(&r->vm.sound, m, e)) {
        return SCRIPT_INTERNAL;
    }
    if (r->stop == OXBOW_INTERRUPTED) {
        r->stop = OXBOW_LIMIT;
    }
    if (ending_asked()) {
        err_set(e, "%s ended the run before this line was done", ending_name());
        return SCRIPT_ENDED;
    }
    return SCRIPT_PASSED;
}

static enum script_result stopped(const struct script_run *r, const char *what, struct err *e)
{
    err_set(e, "%s %s", script_stop_name(r), what);
    return r->stop == OXBOW_CRASH ? SCRIPT_CRASHED : SCRIPT_FAILED;
}

enum script_result script_advance(struct script_run *r, uint64_t end, struct err *e)
{
    while (r->stop == OXBOW_LIMIT && oxbow_icount(r->vm.m) < end) {
        enum script_result result = script_slice(r, end, e);

        if (result != SCRIPT_PASSED) {
            return result;
        }
    }
    return r->stop == OXBOW_LIMIT ? SCRIPT_PASSED : stopped(r, "before this line was done", e);
}

enum script_result script_keys(struct script_run *r, uint64_t end, struct err *e)
{
    enum script_result result = script_advance(r, end, e);
    bool asked = r->next && strcmp(r->next->verb->name, "expect") == 0 &&
                 script_is_event(r->next->argv[0]);

    return asked && r->stop != OXBOW_LIMIT ? SCRIPT_PASSED : result;
}

enum script_result script_until(struct script_run *r, bool (*done)(struct script_run *r, void *ctx),
                                void *ctx, const char *what, struct err *e)
{
    uint64_t end = oxbow_icount(r->vm.m) + script_instructions(r, r->timeout_us);

    while (!done(r, ctx)) {
        enum script_result result;

        if (r->stop != OXBOW_LIMIT) {
            return stopped(r, "while the script waited", e);
        }
        if (oxbow_icount(r->vm.m) >= end) {
            err_set(e, "%s did not come within %llu.%03llu seconds of guest time", what,
                    (unsigned long long)(r->timeout_us / 1000000u),
                    (unsigned long long)(r->timeout_us / 1000u % 1000u));
            return SCRIPT_TIMEOUT;
        }
        result = script_slice(r, end, e);
        if (result != SCRIPT_PASSED) {
            return result;
        }
    }
    return SCRIPT_PASSED;
}

/* --- messages ------------------------------------------------------------------------------ */

void script_show_screen(struct script_run *r, FILE *f)
{
    struct text_screen t;
    char row[132 * 3 + 1];
    unsigned rows;

    oxbow_text(r->vm.m, &t);
    if (t.cols == 0) {
        fputs("(the screen shows graphics)\n", f);
        scriptpic_show(r, f);
        return;
    }
    rows = t.rows;
    while (rows && cp437_row(&t, rows - 1, row, sizeof row) == 0) {
        rows--;
    }
    for (unsigned y = 0; y < rows; y++) {
        cp437_row(&t, y, row, sizeof row);
        fprintf(f, "%s\n", row);
    }
}

void script_show_tail(const struct capture *c, FILE *f)
{
    const char *p = c->text ? c->text + c->n : "";
    unsigned lines = 0;

    while (c->text && p > c->text && (lines += p[-1] == '\n') <= TAIL_LINES) {
        p--;
    }
    /* The guest's escape sequences are not for this terminal. */
    for (; *p; p++) {
        if (*p == '\n' || *p == '\t' || (*p >= ' ' && *p != 0x7f) || (*p & 0x80)) {
            fputc(*p, f);
        }
    }
    if (c->n && c->text[c->n - 1] != '\n') {
        fputc('\n', f);
    }
}

static double guest_seconds(const struct script_run *r)
{
    return r->up ? (double)oxbow_icount(r->vm.m) / (double)oxbow_ips(r->vm.m) : 0;
}

static void report(struct script_run *r, enum script_result result, const struct err *e)
{
    static const char *const name[] = {"PASS", "FAIL", "TIMEOUT", "CRASH", "BAD", "INTERNAL ERROR",
                                       "ENDED"};

    if (result == SCRIPT_PASSED) {
        printf("PASS %s (%.1f s of guest time)\n", r->path, guest_seconds(r));
        return;
    }
    fprintf(stderr, "%s %s:%u: %s\n", name[result], r->path, r->line, e->text);
    if (r->up && result != SCRIPT_BAD) {
        fputs("--- screen:\n", stderr);
        script_show_screen(r, stderr);
        fputs("--- serial:\n", stderr);
        script_show_tail(&r->serial[0], stderr);
        fprintf(stderr, "--- after %.1f s of guest time\n", guest_seconds(r));
    }
}

static void show_line(const struct script_run *r, const struct script_line *l)
{
    if (r->progress) {
        fprintf(stderr, "%s:%u: [%.1f s] %s", r->path, l->number, guest_seconds(r), l->verb->name);
        for (int n = 0; n < l->argc; n++) {
            fprintf(stderr, " %s", l->argv[n]);
        }
        fputc('\n', stderr);
    }
}

/* --- scripts ------------------------------------------------------------------------------- */

static void free_run(struct script_run *r)
{
    script_stop(r);
    options_free(&r->o);
    for (unsigned n = 0; n < 4; n++) {
        capture_free(&r->serial[n]);
    }
    capture_free(&r->debug);
    scriptpic_free(r);
    while (r->hashes) {
        struct script_hash *h = r->hashes;

        r->hashes = h->next;
        free(h);
    }
}

enum script_result script_run(const struct script *s, const char *path, const char *dir)
{
    struct script_run r = {.path = path, .dir = dir, .timeout_us = DEFAULT_TIMEOUT_US,
                           .progress = host_is_terminal(STDERR)};
    enum script_result result = SCRIPT_PASSED;
    struct err e = {{0}};

    options_init(&r.o);
    for (size_t n = 0; n < s->count && result == SCRIPT_PASSED; n++) {
        r.line = s->lines[n].number;
        r.next = n + 1 < s->count ? &s->lines[n + 1] : NULL;
        show_line(&r, &s->lines[n]);
        result = s->lines[n].verb->run(&r, &s->lines[n], &e);
    }
    fflush(stdout);
    report(&r, result, &e);
    free_run(&r);
    return result;
}

static enum script_result run_file(const char *path)
{
    struct err e = {{0}};
    size_t len;
    char *text = (char *)hostfile_read(path, &len, &e), *dir = text ? hostfile_dir(path) : NULL;
    struct script s;
    enum script_result result = SCRIPT_BAD;

    if (!text || !dir) {
        fprintf(stderr, "oxbow: %s\n", e.text);
    } else if (!script_parse(&s, text, dir, &e)) {
        fprintf(stderr, "oxbow: %s: %s\n", path, e.text);
    } else {
        result = script_run(&s, path, dir);
        script_free(&s);
    }
    free(dir);
    free(text);
    return result;
}

int script_main(int argc, char *const argv[])
{
    enum script_result worst = SCRIPT_PASSED;

    if (argc == 0) {
        fputs("oxbow: test: name a script; oxbow --help says more\n", stderr);
        return SCRIPT_BAD;
    }
    ending_catch();
    for (int n = 0; n < argc && !ending_asked(); n++) {
        enum script_result result = run_file(argv[n]);

        worst = MAX(worst, result);
    }
    return ending_asked() ? ending_status() : (int)worst;
}
