/*
 * NE2000: DP8390D network interface controller behind the adapter's data port, packet RAM and
 * address PROM.
 *
 * 32 ports: 00h-0Fh controller, 10h-17h data port, 18h-1Fh reset port.  The ISA card is this alone;
 * ne2000_pci.c is the PCI shell that turns it into an RTL8029.
 */
#ifndef OXBOW_DEVICES_NE2000_H
#define OXBOW_DEVICES_NE2000_H

#include "devices/device.h"
#include "devices/irq.h"
#include "devices/net.h"

struct ne2000_config {
    uint16_t port;        /* 0: the window stays off until somebody moves it */
    struct irq_line irq;
    uint8_t mac[NET_MAC]; /* in the PROM */
    struct net *net;      /* NULL: no cable; must outlive the device */
    bool rtl8029;         /* 32 KB of RAM instead of 16, and the registers of page 3 */
};

extern const struct device_class ne2000_class;

/* What a frame may have suffered on its way. */
enum ne2000_damage { NE2000_BAD_CRC = 1, NE2000_MISALIGNED = 2 };

/* A frame that has arrived completely.  Nobody has to wait: it is taken or dropped. */
void ne2000_receive(struct device *d, const uint8_t *frame, size_t len);
/* The same for one that arrives damaged. */
void ne2000_receive_damaged(struct device *d, const uint8_t *frame, size_t len, unsigned damage);
void ne2000_set_link(struct device *d, bool up);

/* For the PCI shell: the window on the I/O bus, and another interrupt line. */
enum { NE2000_PORTS = 32 };
int ne2000_window(const struct device *d);
void ne2000_set_irq(struct device *d, struct irq_line irq);

#endif
