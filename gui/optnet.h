/*
 * Network on the command line: adapters and what they are connected to, as data.
 *
 * `-nic TYPE,...` makes both at once; `-netdev TYPE,id=N,...` and `-device ne2k_pci,netdev=N` make
 * them one by one.  Words are QEMU's, and `dump=FILE` comes with every type.
 */
#ifndef OXBOW_GUI_OPTNET_H
#define OXBOW_GUI_OPTNET_H

#include "memory/base.h"
#include "memory/err.h"
#include "oxbow.h"

enum net_kind { NET_USER, NET_UDP, NET_MCAST, NET_UNIX, NET_TAP };
enum { NET_FORWARDS = 16, NETDEVS = OXBOW_NICS };

struct net_option {
    const char *option; /* what named it, for messages */
    const char *id;     /* NULL: made by -nic, which needs none */
    enum net_kind kind;
    const char *hostfwd[NET_FORWARDS], *guestfwd[NET_FORWARDS];
    unsigned hostfwds, guestfwds;
    bool restricted, no_ipv6;
    const char *hostname, *tftp, *bootfile;
    const char *local, *remote; /* HOST:PORT; paths of NET_UNIX; local: interface of NET_TAP */
    const char *dump;           /* file for frames; NULL: none */
    bool used;
};

struct nic_option {
    enum oxbow_nic_model model;
    uint8_t mac[NET_MAC];
    uint16_t iobase;
    uint8_t irq;
    const char *romfile;
    bool link_off;      /* the cable is pulled at power-on */
    const char *netdev; /* of -device; NULL: net says it */
    int net;            /* index of its net_option; -1: no cable */
};

struct options;

bool opt_nic(struct options *o, const char *value, const char *dir, struct err *e);
bool opt_netdev(struct options *o, const char *value, const char *dir, struct err *e);
bool opt_object(struct options *o, const char *value, const char *dir, struct err *e);
/* The devices that opt_nic_device() makes. */
bool opt_is_nic(const char *driver);
bool opt_nic_device(struct options *o, const char *driver, const char *words, const char *dir,
                    struct err *e);
/* Finds what each adapter is connected to, once all options are there. */
bool opt_net_check(struct options *o, struct err *e);

#endif
