/*
 * Frames to and from a tap interface of the host (Linux), which whoever may do so has made:
 * `ip tuntap add dev tap0 mode tap user NAME`.  No script is run to set it up.
 */
#include "gui/net.h"

#ifdef __linux__
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Frames taken in one turn: nobody outside can keep the machine from running. */
enum { TURN_FRAMES = 128 };

struct net_tap {
    struct netback back;
    int fd, index;
};

static void tap_send(struct netback *b, const uint8_t *frame, size_t len)
{
    /* As on a wire, nobody says whether it arrived. */
    if (write(CONTAINER_OF(b, struct net_tap, back)->fd, frame, len) < 0) {
        return;
    }
}

static void tap_watch(struct netback *b, struct netpoll *p)
{
    struct net_tap *t = CONTAINER_OF(b, struct net_tap, back);

    t->index = netpoll_add(p, t->fd, POLLIN);
}

static void tap_turn(struct netback *b, const struct netpoll *p)
{
    struct net_tap *t = CONTAINER_OF(b, struct net_tap, back);
    uint8_t frame[NET_FRAME_MAX + 1];

    for (unsigned n = 0; n < TURN_FRAMES && netpoll_result(p, t->index); n++) {
        ssize_t got = read(t->fd, frame, sizeof frame);

        if (got <= 0) {
            return;
        }
        if (got <= NET_FRAME_MAX) {
            netport_deliver(t->back.port, frame, (size_t)got);
        }
    }
}

static void tap_close(struct netback *b)
{
    struct net_tap *t = CONTAINER_OF(b, struct net_tap, back);

    if (t->fd >= 0) {
        close(t->fd);
    }
    free(t);
}

static const struct netback_ops tap_ops = {tap_send, tap_watch, tap_turn, tap_close};

struct netback *net_tap_open(struct netport *p, const struct net_option *o, struct err *e)
{
    struct net_tap *t = calloc(1, sizeof *t);
    struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI};

    if (!t) {
        err_set(e, "%s: not enough memory for the network", o->option);
        return NULL;
    }
    t->back = (struct netback){&tap_ops, p};
    strncpy(r.ifr_name, o->local, sizeof r.ifr_name - 1);
    t->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    if (t->fd < 0 || ioctl(t->fd, TUNSETIFF, &r) != 0) {
        err_set(e, "%s ifname=%s: this tap interface can't be used (%s); make it with ip tuntap "
                   "add dev %s mode tap user NAME", o->option, o->local, strerror(errno), o->local);
        tap_close(&t->back);
        return NULL;
    }
    return &t->back;
}

#else

struct netback *net_tap_open(struct netport *p UNUSED, const struct net_option *o, struct err *e)
{
    err_set(e, "%s tap: there are no tap interfaces on this system; use %s user", o->option,
            o->option);
    return NULL;
}

#endif
