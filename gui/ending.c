/*
 * Ends that come from outside the program; see ending.h.
 */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700
#endif

#include "gui/ending.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    PATIENCE = 2, /* signals that are only noted */
    PULSE_US = 100000
};

static struct {
    atomic_int count, number;
    _Atomic(struct oxbow *) machine;
    bool at_exit; /* on_exit_of_library() is registered */
    int (*fn)(void *ctx);
    void *ctx;
} ending;

static const struct {
    int number;
    const char *name;
} ends[] = {{SIGINT, "SIGINT"}, {SIGTERM, "SIGTERM"}, {SIGHUP, "SIGHUP"}, {SIGQUIT, "SIGQUIT"}};

static void on_signal(int number)
{
    struct oxbow *m = atomic_load(&ending.machine);
    int none = 0;

    atomic_compare_exchange_strong(&ending.number, &none, number);
    if (atomic_fetch_add(&ending.count, 1) >= PATIENCE) {
        signal(number, SIG_DFL);
        raise(number);
    }
    if (m) {
        oxbow_interrupt(m);
    }
}

static void on_pulse(int number UNUSED)
{
    struct oxbow *m = atomic_load(&ending.machine);

    if (m) {
        oxbow_interrupt(m);
    }
}

void ending_pulse(bool on)
{
    struct sigaction action = {.sa_handler = on_pulse, .sa_flags = SA_RESTART};
    struct itimerval every = {{0, on ? PULSE_US : 0}, {0, on ? PULSE_US : 0}};

    sigemptyset(&action.sa_mask);
    if (on) {
        sigaction(SIGALRM, &action, NULL);
    }
    setitimer(ITIMER_REAL, &every, NULL);
}

void ending_catch(void)
{
    for (unsigned n = 0; n < ARRAY_LEN(ends); n++) {
        struct sigaction was, now = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

        sigemptyset(&now.sa_mask);
        if (sigaction(ends[n].number, NULL, &was) == 0 && was.sa_handler == SIG_DFL) {
            sigaction(ends[n].number, &now, NULL);
        }
    }
}

void ending_watch(struct oxbow *m)
{
    atomic_store(&ending.machine, m);
    if (m && ending_asked()) {
        oxbow_interrupt(m);
    }
}

bool ending_asked(void)
{
    return atomic_load(&ending.number) != 0;
}

int ending_status(void)
{
    int number = atomic_load(&ending.number);

    return number ? 128 + number : 0;
}

const char *ending_name(void)
{
    int number = atomic_load(&ending.number);

    for (unsigned n = 0; n < ARRAY_LEN(ends); n++) {
        if (ends[n].number == number) {
            return ends[n].name;
        }
    }
    return "no signal";
}

static void on_exit_of_library(void)
{
    int (*fn)(void *ctx) = ending.fn;

    if (fn) {
        int status;

        ending.fn = NULL;
        status = fn(ending.ctx);
        fflush(NULL);
        _exit(status);
    }
}

void ending_on_exit(int (*fn)(void *ctx), void *ctx)
{
    ending.fn = fn;
    ending.ctx = ctx;
    if (fn && !ending.at_exit) {
        ending.at_exit = atexit(on_exit_of_library) == 0;
    }
}
