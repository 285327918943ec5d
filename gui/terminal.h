/*
 * The host's terminal and pseudo terminals as the far ends of serial ports: their input goes to
 * the guest.
 *
 * On a terminal, and always with -nographic, Ctrl-A is an escape as in QEMU: Ctrl-A x quits,
 * Ctrl-A h helps, Ctrl-A Ctrl-A is Ctrl-A.
 */
#ifndef OXBOW_GUI_TERMINAL_H
#define OXBOW_GUI_TERMINAL_H

#include "gui/host.h"
#include "gui/vm.h"

struct terminal {
    struct vm *vm;
    struct host_tty *tty; /* raw while the run lasts; NULL: standard input is no terminal */
    int port;             /* the serial port of standard input; -1: none */
    bool escapes, escaped, ended;
    bool lost; /* the user knows that the guest takes no more */
};

void terminal_open(struct terminal *t, struct vm *vm);
void terminal_close(struct terminal *t);
/* Takes input, waiting up to wait_us for the first; false: the user wants to quit. */
bool terminal_poll(struct terminal *t, uint64_t wait_us);
/* True when somebody types: guest time must not run away while they think. */
bool terminal_interactive(const struct terminal *t);

#endif
