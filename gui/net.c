/*
 * The adapters' cables and their turns between slices; see net.h.
 */
#include "gui/net.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "gui/host.h"
#include "gui/options.h"
#include "gui/pcap.h"

/* The longest wait in one turn, so that keys and signals are seen. */
#define MAX_WAIT_US 20000u

struct netpoll {
    struct pollfd *fd;
    size_t n, cap;
};

/* --- sockets to look at -------------------------------------------------------------------- */

int netpoll_add(struct netpoll *p, int fd, short events)
{
    if (p->n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 16;
        struct pollfd *more = realloc(p->fd, cap * sizeof *more);

        if (!more) {
            return -1; /* this one is not looked at in this turn */
        }
        p->fd = more;
        p->cap = cap;
    }
    p->fd[p->n] = (struct pollfd){fd, events, 0};
    return (int)p->n++;
}

short netpoll_result(const struct netpoll *p, int index)
{
    return index >= 0 && (size_t)index < p->n ? p->fd[index].revents : 0;
}

/* --- cables -------------------------------------------------------------------------------- */

uint64_t netport_now_ns(const struct netport *p)
{
    uint64_t t = oxbow_icount(p->m), ips = oxbow_ips(p->m);

    return t / ips * 1000000000u + t % ips * 1000000000u / ips;
}

void netport_deliver(struct netport *p, const uint8_t *frame, size_t len)
{
    if (oxbow_net_input(p->m, p->nic, frame, len) && p->dump) {
        pcap_frame(p->dump, netport_now_ns(p), frame, len);
    }
}

static void port_send(struct net *net, const uint8_t *frame, size_t len)
{
    struct netport *p = CONTAINER_OF(net, struct netport, net);

    if (p->dump) {
        pcap_frame(p->dump, netport_now_ns(p), frame, len);
    }
    if (p->back) {
        p->back->ops->send(p->back, frame, len);
    }
}

static const struct net_ops port_ops = {port_send};

void nets_wire(struct nets *n, const struct options *o, struct oxbow_config *cfg)
{
    *n = (struct nets){0};
    for (unsigned k = 0; k < o->nics; k++) {
        const struct nic_option *from = &o->nic[k];
        struct oxbow_nic *to = &cfg->nic[k];

        n->port[k] = (struct netport){.net = {&port_ops}, .nic = k};
        to->model = from->model;
        to->port = from->iobase;
        to->irq = from->irq;
        for (unsigned b = 0; b < NET_MAC; b++) {
            to->mac[b] = from->mac[b];
        }
        to->net = from->net >= 0 ? &n->port[k].net : NULL;
    }
}

static bool open_port(struct netport *p, const struct net_option *o,
                      bool (*is_input)(void *ctx, int fd), void *ctx, struct err *e)
{
    p->back = o->kind == NET_USER  ? net_user_open(p, o, e)
              : o->kind == NET_TAP ? net_tap_open(p, o, e)
                                   : net_socket_open(p, o, e);
    if (p->back && o->dump) {
        p->dump = pcap_open(o->dump, is_input, ctx, e);
    }
    return p->back && (!o->dump || p->dump);
}

bool nets_open(struct nets *n, const struct options *o, struct oxbow *m,
               bool (*is_input)(void *ctx, int fd), void *ctx, struct err *e)
{
    n->poll = calloc(1, sizeof *n->poll);
    if (!n->poll) {
        return err_set(e, "not enough memory for the network");
    }
    n->icount = oxbow_icount(m);
    n->idle = oxbow_idle(m);
    for (unsigned k = 0; k < o->nics; k++) {
        struct netport *p = &n->port[k];

        p->m = m;
        if (o->nic[k].link_off && !o->loadstate) {
            oxbow_net_link(m, k, false); /* a saved state knows better */
        }
        if (o->nic[k].net >= 0) {
            n->any = true;
            if (!open_port(p, &o->netdev[o->nic[k].net], is_input, ctx, e)) {
                return false;
            }
        }
    }
    return true;
}

void nets_close(struct nets *n)
{
    for (unsigned k = 0; k < OXBOW_NICS; k++) {
        struct netport *p = &n->port[k];

        if (p->back) {
            p->back->ops->close(p->back);
        }
        pcap_close(p->dump);
        p->back = NULL;
        p->dump = NULL;
    }
    if (n->poll) {
        free(n->poll->fd);
        free(n->poll);
    }
    n->poll = NULL;
    n->any = false;
}

/* --- turns --------------------------------------------------------------------------------- */

/*
 * How long to wait for the outside.  An idle guest skips time, so that its time-outs would be over
 * before any answer could be here; but what is under way to it already need not be waited for.
 */
static uint64_t wait_for(struct nets *n, struct oxbow *m)
{
    uint64_t icount = oxbow_icount(m), idle = oxbow_idle(m);
    bool pace = idle != n->idle && n->poll->n && !oxbow_input_pending(m);

    n->icount = icount;
    n->idle = idle;
    if (!pace || !n->paced) {
        throttle_start(&n->throttle, oxbow_ips(m), icount, host_now_us());
    }
    n->paced = pace;
    return pace ? MIN(throttle_ahead(&n->throttle, icount, host_now_us()), MAX_WAIT_US) : 0;
}

static bool look(struct netpoll *p, uint64_t wait_us)
{
    return p->n == 0 || poll(p->fd, (nfds_t)p->n, (int)((wait_us + 999) / 1000)) >= 0 ||
           errno == EINTR;
}

bool nets_turn(struct nets *n, bool live, struct err *e)
{
    bool ok = true;

    if (!n->any) {
        return true;
    }
    n->poll->n = 0;
    for (unsigned k = 0; k < OXBOW_NICS; k++) {
        if (n->port[k].back) {
            n->port[k].back->ops->watch(n->port[k].back, n->poll);
        }
    }
    if (!look(n->poll, live ? 0 : wait_for(n, n->port[0].m))) {
        n->poll->n = 0;
    }
    for (unsigned k = 0; k < OXBOW_NICS; k++) {
        struct netport *p = &n->port[k];

        if (p->back) {
            p->back->ops->turn(p->back, n->poll);
        }
        ok = (!p->dump || pcap_flush(p->dump, e)) && ok;
    }
    return ok;
}
