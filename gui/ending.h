/*
 * Ends that come from outside the program: signals, and libraries that call exit() (Xlib, when its
 * server has gone).  Both belong to the process, and so does what is remembered here: the one
 * mutable static data of the front ends.
 *
 * SIGINT, SIGTERM, SIGHUP and SIGQUIT ask for an orderly end, with the state saved and the report
 * written.  They make the machine return from its slice, and whoever waits for something of the
 * host look here.  The second does no more than the first, so it does not cost the state that is
 * being written; the third ends the process as if nobody had caught it.
 */
#ifndef OXBOW_GUI_ENDING_H
#define OXBOW_GUI_ENDING_H

#include "oxbow.h"

enum { ENDING_HANGUP = 129 }; /* the status after SIGHUP */

/* From here on the signals ask, but for those that the process was told to ignore (nohup). */
void ending_catch(void);
/* The machine they interrupt; NULL: none, and required before it is freed. */
void ending_watch(struct oxbow *m);
/* While on, the machine leaves its slice ten times a second, to have its terminal looked at. */
void ending_pulse(bool on);
bool ending_asked(void);
/* 128 + the number of the first signal, 0: none came. */
int ending_status(void);
/* The name of that signal. */
const char *ending_name(void);
/* Called when something else calls exit(); returns the status instead.  NULL: nothing is called. */
void ending_on_exit(int (*fn)(void *ctx), void *ctx);

#endif
