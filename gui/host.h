/*
 * What the front ends ask of the host apart from plain files: clocks, terminals, pseudo
 * terminals, signals (R11).
 *
 * Nothing here keeps state of its own: the signal that asks for counters is held by the kernel and
 * looked for between slices, so no handler and no variable is needed.  Signals that ask for an end
 * are in ending.h.
 */
#ifndef OXBOW_GUI_HOST_H
#define OXBOW_GUI_HOST_H

#include <stdio.h>

#include "memory/base.h"
#include "memory/err.h"
#include "oxbow.h"

/* A clock that only goes forward, in microseconds. */
uint64_t host_now_us(void);
uint64_t host_now_ns(void); /* the same in nanoseconds */
void host_sleep_us(uint64_t us);
/* The date and time now. */
struct oxbow_rtc host_date(bool local);

/* True when a window can be expected to open. */
bool host_has_display(void);
bool host_is_terminal(int fd);

/*
 * Character-wise input without echo; keys: Ctrl-C and its like are input, too.  NULL: not a
 * terminal.
 */
struct host_tty;
struct host_tty *host_tty_raw(int fd, bool keys);
void host_tty_restore(struct host_tty *t); /* NULL is fine */

/* Up to n bytes that are there, or arrive within wait_us; 0: none; -1: end of input. */
int host_read(int fd, uint8_t *buf, size_t n, uint64_t wait_us);
/*
 * Writes all of it, waiting for the reader but not past a signal that asks to end; false: an
 * error, see errno.
 */
bool host_write(int fd, const uint8_t *data, size_t n);
/* Writes what fits without waiting; what a pseudo terminal has no reader for is lost. */
void host_write_some(int fd, const uint8_t *data, size_t n);

/* Master side of a new pseudo terminal in raw mode, its path in `name`; -1: failed, see e. */
int host_pty(char *name, size_t len, struct err *e);

/* From here on SIGUSR1 waits for host_asked_for_stats(), which takes it. */
void host_hold_stats_signal(void);
bool host_asked_for_stats(void);
/* A reader that went away is an error of the next write, and no signal. */
void host_ignore_closed_pipes(void);

#endif
