/*
 * Network back end as the machine sees it: frames leave here.
 *
 * A frame is what is on an Ethernet wire between preamble and check sequence: destination, source,
 * type, data.  send() must not wait; it may hand replies to the machine at once with
 * oxbow_net_input().  Frames that come in enter through the machine's input queue (R4), never
 * through this.
 */
#ifndef OXBOW_DEVICES_NET_H
#define OXBOW_DEVICES_NET_H

#include "../memory/base.h"

enum {
    NET_FRAME_MIN = 60,   /* shorter ones are padded by whoever puts them on a wire */
    NET_FRAME_MAX = 1522, /* with two VLAN tags */
    NET_MAC = 6
};

struct net;

struct net_ops {
    void (*send)(struct net *n, const uint8_t *frame, size_t len);
};

struct net {
    const struct net_ops *ops;
};

ALWAYS_INLINE void net_send(struct net *n, const uint8_t *frame, size_t len)
{
    if (n) {
        n->ops->send(n, frame, len);
    }
}

#endif
