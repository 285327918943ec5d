/*
 * Network back ends of the host: what the guest's adapters are connected to.
 *
 * A back end never waits.  It is given the frames that the guest sends, while the machine runs, and
 * a turn between slices, when its sockets have something; it hands frames over with
 * netport_deliver().  Its timers follow guest time.
 */
#ifndef OXBOW_GUI_NET_H
#define OXBOW_GUI_NET_H

#include "gui/optnet.h"
#include "gui/throttle.h"

struct pcap;
struct netport;
struct netpoll;
struct netback;

struct netback_ops {
    void (*send)(struct netback *b, const uint8_t *frame, size_t len);
    void (*watch)(struct netback *b, struct netpoll *p); /* adds its sockets */
    void (*turn)(struct netback *b, const struct netpoll *p);
    void (*close)(struct netback *b);
};

struct netback {
    const struct netback_ops *ops;
    struct netport *port;
};

/* One adapter's cable. */
struct netport {
    struct net net; /* the machine's end */
    struct oxbow *m;
    unsigned nic;
    struct netback *back; /* NULL: nothing at the other end */
    struct pcap *dump;
};

struct nets {
    struct netport port[OXBOW_NICS];
    struct netpoll *poll;
    struct throttle throttle;
    uint64_t icount, idle; /* at the last turn */
    bool any, paced;
};

/* Fills the adapters of cfg but for their ROMs; n must outlive the machine. */
void nets_wire(struct nets *n, const struct options *o, struct oxbow_config *cfg);
/*
 * Connects them, files and sockets last.  `is_input` says whether a file is one that the run reads
 * from.
 */
bool nets_open(struct nets *n, const struct options *o, struct oxbow *m,
               bool (*is_input)(void *ctx, int fd), void *ctx, struct err *e);
void nets_close(struct nets *n);
/*
 * Between slices: frames come in, timers run.  While the guest is idle and somebody outside may
 * answer it, guest time must not run ahead of the host's; unless the caller sees to that itself
 * (`live`), this waits.  False: a dump can't be written.
 */
bool nets_turn(struct nets *n, bool live, struct err *e);

/* For the back ends: a frame for the guest; dropped when too many wait. */
void netport_deliver(struct netport *p, const uint8_t *frame, size_t len);
/* Guest time in nanoseconds. */
uint64_t netport_now_ns(const struct netport *p);
/* Sockets to look at; events are those of poll(). */
int netpoll_add(struct netpoll *p, int fd, short events);
short netpoll_result(const struct netpoll *p, int index);

/* The back ends.  NULL: failed, see e. */
struct netback *net_user_open(struct netport *p, const struct net_option *o, struct err *e);
struct netback *net_socket_open(struct netport *p, const struct net_option *o, struct err *e);
struct netback *net_tap_open(struct netport *p, const struct net_option *o, struct err *e);

#endif
