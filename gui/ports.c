/*
 * Ports of the guest to files, terminals and pseudo terminals of the host; see ports.h.
 */
#include "gui/ports.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gui/host.h"
#include "gui/hostfile.h"

enum { PORTS = 7, STDOUT = 1 };

static struct port *nth(struct ports *p, unsigned n)
{
    return n < 4 ? &p->serial[n] : n == 4 ? &p->parallel : n == 5 ? &p->debugcon : &p->post;
}

static void flush_port(struct port *p)
{
    if (p->used && p->fd >= 0) {
        if (p->target.kind == TARGET_PTY) {
            host_write_some(p->fd, p->buf, p->used);
        } else if (!p->error && !host_write(p->fd, p->buf, p->used)) {
            p->error = errno ? errno : EIO;
        }
    }
    if (p->used) {
        p->last = p->buf[p->used - 1];
    }
    p->used = 0;
}

static void port_write(void *ctx, const uint8_t *data, size_t n)
{
    struct port *p = ctx;

    if (p->capture) {
        capture_add(p->capture, data, n);
    }
    for (size_t k = 0; k < n; k++) {
        p->buf[p->used++] = data[k];
        /* Lines for a reader at the other end leave at once. */
        if (p->used == sizeof p->buf || (data[k] == '\n' && p->target.kind == TARGET_STDIO)) {
            flush_port(p);
        }
    }
}

static void post_write(void *ctx, uint16_t port, uint32_t value)
{
    char line[32];
    int n = port == 0x80 ? snprintf(line, sizeof line, "80 %02x\n", (unsigned)value & 0xff)
                         : snprintf(line, sizeof line, "%x %08x\n", port, (unsigned)value);

    port_write(ctx, (const uint8_t *)line, (size_t)n);
}

static void wire(struct port *p, struct target t, struct chardev *to)
{
    *p = (struct port){.target = t, .fd = -1};
    if (to) {
        *to = (struct chardev){port_write, p};
    }
}

void ports_wire(struct ports *p, const struct options *o, struct oxbow_config *cfg)
{
    for (unsigned n = 0; n < 4; n++) {
        wire(&p->serial[n], o->serial[n], &cfg->serial[n]);
        cfg->serial_on[n] = n < o->serials && o->serial[n].kind != TARGET_NONE;
    }
    wire(&p->parallel, o->parallel, &cfg->parallel);
    wire(&p->debugcon, o->debugcon, &cfg->debugcon);
    wire(&p->post, (struct target){o->postlog ? TARGET_FILE : TARGET_NONE, o->postlog}, NULL);
    if (o->postlog) {
        cfg->post = post_write;
        cfg->post_ctx = &p->post;
    }
}

static bool open_file(struct ports *all, struct port *p, bool (*is_input)(void *ctx, int fd),
                      void *ctx, struct err *e)
{
    p->fd = hostfile_output(p->target.path, e);
    if (p->fd < 0) {
        return false;
    }
    if (is_input(ctx, p->fd)) {
        return err_set(e, "%s: this file is read by the same run; name another one for the output",
                       p->target.path);
    }
    for (unsigned n = 0; nth(all, n) != p; n++) {
        if (nth(all, n)->target.kind == TARGET_FILE &&
            hostfile_same(p->fd, nth(all, n)->target.path)) {
            return err_set(e, "%s: two ports can't write to one file; name another one",
                           p->target.path);
        }
    }
    return true;
}

bool ports_open(struct ports *p, bool (*is_input)(void *ctx, int fd), void *ctx, struct err *e)
{
    for (unsigned n = 0; n < PORTS; n++) {
        struct port *q = nth(p, n);

        if (q->target.kind == TARGET_STDIO) {
            q->fd = STDOUT;
        } else if (q->target.kind == TARGET_FILE && !open_file(p, q, is_input, ctx, e)) {
            return false;
        } else if (q->target.kind == TARGET_PTY) {
            q->fd = host_pty(q->pty, sizeof q->pty, e);
            if (q->fd < 0) {
                return false;
            }
        }
    }
    for (unsigned n = 0; n < PORTS; n++) {
        if (nth(p, n)->target.kind == TARGET_FILE) {
            hostfile_truncate(nth(p, n)->fd);
        }
    }
    return true;
}

bool ports_flush(struct ports *p, struct err *e)
{
    bool ok = true;

    for (unsigned n = 0; n < PORTS; n++) {
        struct port *q = nth(p, n);

        flush_port(q);
        if (q->error) {
            ok = err_set(e, "%s: can't be written any more (%s)",
                         q->target.kind == TARGET_FILE ? q->target.path : "standard output",
                         strerror(q->error));
        }
    }
    return ok;
}

void ports_close(struct ports *p)
{
    for (unsigned n = 0; n < PORTS; n++) {
        struct port *q = nth(p, n);

        flush_port(q);
        if (q->fd > STDOUT) {
            hostfile_close(q->fd);
        }
        q->fd = -1;
    }
}

bool ports_within_line(const struct ports *p)
{
    int n = ports_on_stdio(p);

    return n >= 0 && p->serial[n].last && p->serial[n].last != '\n';
}

int ports_on_stdio(const struct ports *p)
{
    for (int n = 0; n < 4; n++) {
        if (p->serial[n].target.kind == TARGET_STDIO) {
            return n;
        }
    }
    return -1;
}
