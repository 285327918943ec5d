/*
 * A script while it runs: shared by scriptrun.c, which moves time, and scriptdo.c, which has the
 * verbs.
 */
#ifndef OXBOW_GUI_SCRIPTRUN_H
#define OXBOW_GUI_SCRIPTRUN_H

#include "gui/script.h"
#include "gui/vm.h"

struct script_part;

/* A state hash that `hash NAME` remembers. */
struct script_hash {
    struct script_hash *next;
    uint64_t value;
    char name[];
};

struct script_run {
    const char *path, *dir;
    struct vm vm;
    struct options o; /* of the last boot line */
    bool up;          /* vm is open */
    enum oxbow_stop stop;
    uint64_t timeout_us;
    struct capture serial[4], debug;
    struct script_hash *hashes;
    struct script_part *parts; /* of pictures: scriptpic.c */
    unsigned line;
    const struct script_line *next; /* the line behind the present one, or NULL */
    bool progress; /* somebody looks on */
};

/* Starts a machine with r->o, which also goes on from `state` when that is not NULL. */
enum script_result script_start(struct script_run *r, const char *state, struct err *e);
void script_stop(struct script_run *r);
/* Instructions in so many microseconds of guest time. */
uint64_t script_instructions(const struct script_run *r, uint64_t us);
/*
 * Runs up to the instruction count `end`; the result is SCRIPT_PASSED unless the machine stopped.
 */
enum script_result script_advance(struct script_run *r, uint64_t end, struct err *e);
/* The same while keys are pressed; the machine may stop when the next line asks how it did. */
enum script_result script_keys(struct script_run *r, uint64_t end, struct err *e);
/* Runs until done(ctx) or the time-out; `what` is for the message. */
enum script_result script_until(struct script_run *r, bool (*done)(struct script_run *r, void *ctx),
                                void *ctx, const char *what, struct err *e);
/* One slice, but not past `end`. */
enum script_result script_slice(struct script_run *r, uint64_t end, struct err *e);
/* What the machine stopped for, as a sentence's end. */
const char *script_stop_name(const struct script_run *r);
void script_show_screen(struct script_run *r, FILE *f);
/* The last lines of what a port has sent. */
void script_show_tail(const struct capture *c, FILE *f);

#endif
