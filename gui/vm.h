/*
 * A machine and what the command line connects it to: the step from options to oxbow_new().
 */
#ifndef OXBOW_GUI_VM_H
#define OXBOW_GUI_VM_H

#include <stdio.h>

#include "gui/net.h"
#include "gui/options.h"
#include "gui/ports.h"
#include "gui/sound.h"

struct vm {
    struct options o; /* as given, with the image in its drive; strings are the caller's */
    struct oxbow *m;
    struct ports ports;
    struct nets nets;
    struct sound sound;
};

/* True when the options name nothing to start from; the demo does then. */
bool vm_is_demo(const struct options *o);
/*
 * Opens and checks everything, output files last.  `fixed_date`: without -rtc the clock starts at
 * a fixed date.  On failure v needs no vm_close.
 */
bool vm_open(struct vm *v, const struct options *o, bool fixed_date, struct err *e);
void vm_close(struct vm *v);
/* An image for a drive that is already there: floppies read-write, CDs read-only. */
bool vm_media(struct vm *v, const char *slot, const char *path, struct err *e);
/* Counters (oxbow_stats) as text; the second form with -stats and a SIGUSR1, to standard error. */
void vm_stats(const struct vm *v, FILE *to);
void vm_stats_if_asked(const struct vm *v);
/* The exit status that a stop means, as docs/oxbow.1 lists them. */
int vm_status(const struct vm *v, enum oxbow_stop stop);

#endif
