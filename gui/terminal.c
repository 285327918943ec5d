/*
 * Input for serial ports from the terminal; see terminal.h.
 */
#include "gui/terminal.h"

#include <stdio.h>
#include <string.h>

#include "gui/ending.h"

enum { STDIN = 0, ESCAPE = 1 };

void terminal_open(struct terminal *t, struct vm *vm)
{
    *t = (struct terminal){.vm = vm, .port = ports_on_stdio(&vm->ports)};
    for (unsigned n = 0; n < 4; n++) {
        if (vm->ports.serial[n].target.kind == TARGET_PTY) {
            fprintf(stderr, "oxbow: serial port %u is on %s\n", n + 1, vm->ports.serial[n].pty);
        }
    }
    if (t->port >= 0) {
        /* With -nographic the terminal is the whole PC, so Ctrl-C is the guest's. */
        t->tty = host_tty_raw(STDIN, vm->o.nographic);
        t->escapes = t->tty || vm->o.nographic;
    }
}

void terminal_close(struct terminal *t)
{
    host_tty_restore(t->tty);
    t->tty = NULL;
}

bool terminal_interactive(const struct terminal *t)
{
    bool pty = false;

    for (unsigned n = 0; n < 4; n++) {
        pty |= t->vm->ports.serial[n].target.kind == TARGET_PTY;
    }
    return pty || (t->tty && !t->ended);
}

static void send(struct terminal *t, unsigned port, uint8_t byte)
{
    if (!oxbow_serial_input(t->vm->m, port, byte) && !t->lost) {
        t->lost = true;
        fprintf(stderr, "oxbow: serial port %u takes no more input; some is lost\n", port + 1);
    }
}

/* The key after Ctrl-A; false: quit. */
static bool command(struct terminal *t, uint8_t key)
{
    t->escaped = false;
    switch (key) {
    case 'x':
        fputs("\noxbow: ended\n", stderr);
        return false;
    case ESCAPE:
        send(t, (unsigned)t->port, ESCAPE);
        return true;
    default:
        fputs("\nCtrl-A h  this help\n"
              "Ctrl-A x  end the run\n"
              "Ctrl-A Ctrl-A  send Ctrl-A\n", stderr);
        return true;
    }
}

static bool take(struct terminal *t, const uint8_t *data, int n)
{
    for (int k = 0; k < n; k++) {
        if (t->escaped) {
            if (!command(t, data[k])) {
                return false;
            }
        } else if (t->escapes && data[k] == ESCAPE) {
            t->escaped = true;
        } else {
            send(t, (unsigned)t->port, data[k]);
        }
    }
    return true;
}

static void take_pty(struct terminal *t, unsigned port, uint64_t wait_us)
{
    uint8_t data[64];
    int n = host_read(t->vm->ports.serial[port].fd, data, sizeof data, wait_us);

    if (n < 0) {
        host_sleep_us(wait_us); /* nobody has opened the other side */
    }
    for (int k = 0; k < n; k++) {
        send(t, port, data[k]);
    }
}

bool terminal_poll(struct terminal *t, uint64_t wait_us)
{
    uint8_t data[64];
    bool full = oxbow_input_pending(t->vm->m);

    if (ending_asked()) {
        return false;
    }

    /* What the guest has not taken yet stays with the host, so that the queue can't grow. */
    if (!full && t->port >= 0 && !t->ended) {
        int n = host_read(STDIN, data, sizeof data, wait_us);

        wait_us = 0;
        if (n < 0) {
            t->ended = true;
        } else if (!take(t, data, n)) {
            return false;
        }
    }
    for (unsigned n = 0; n < 4 && !full; n++) {
        if (t->vm->ports.serial[n].target.kind == TARGET_PTY) {
            take_pty(t, n, wait_us);
            wait_us = 0;
        }
    }
    if (wait_us) {
        host_sleep_us(wait_us);
    }
    vm_stats_if_asked(t->vm);
    return !ending_asked();
}
