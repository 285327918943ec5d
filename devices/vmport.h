/*
 * The VMware backdoor port with its pointer: a mouse that tells where on the screen it is.
 *
 * A command is IN EAX from the port with operands in the other registers, so the board lends the
 * device the CPU's registers.  Documentation: VMware's and the Linux kernel's description of the
 * "vmmouse" protocol (commands, packets).
 */
#ifndef OXBOW_DEVICES_VMPORT_H
#define OXBOW_DEVICES_VMPORT_H

#include "devices/device.h"

enum vmport_reg { VMPORT_EAX, VMPORT_EBX, VMPORT_ECX, VMPORT_EDX, VMPORT_ESI, VMPORT_EDI,
                  VMPORT_REGS };

struct vmport_config {
    uint16_t port; /* 5658h: four ports */
    uint32_t (*get)(void *ctx, enum vmport_reg r);
    void (*set)(void *ctx, enum vmport_reg r, uint32_t v);
    void (*news)(void *ctx); /* a packet waits; the PS/2 mouse has to interrupt */
    void *ctx;
};

extern const struct device_class vmport_class;

/* The guest's driver listens here and not to the PS/2 mouse's packets. */
bool vmport_enabled(const struct device *d);
/* ... and wants to know places instead of motion. */
bool vmport_absolute(const struct device *d);
/*
 * A place, 0..65535 from left to right and from top to bottom, or motion (right and down
 * positive); clicks of the wheel (down positive); buttons: 1 left, 2 right, 4 middle.  Without a
 * driver nothing happens.
 */
void vmport_place(struct device *d, unsigned x, unsigned y, int dz, unsigned buttons);
void vmport_move(struct device *d, int dx, int dy, int dz, unsigned buttons);

#endif
