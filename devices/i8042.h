/*
 * 8042 keyboard controller of the PS/2, ports 60h and 64h.
 *
 * The keyboard and the mouse are created first and handed over as struct ps2_port.  Output port
 * bits 0 (system reset) and 1 (A20) reach the board as callbacks; the board ORs A20 with port 92h.
 */
#ifndef OXBOW_DEVICES_I8042_H
#define OXBOW_DEVICES_I8042_H

#include "devices/device.h"
#include "devices/irq.h"
#include "devices/ps2.h"

struct i8042_config {
    uint16_t data_port;    /* 0x60 */
    uint16_t command_port; /* 0x64 */
    struct irq_line irq_keyboard, irq_mouse; /* IRQ 1, IRQ 12 */
    struct ps2_port keyboard, mouse;
    void (*a20)(void *ctx, bool on); /* also called at reset (on) and after a load */
    void (*reset)(void *ctx);        /* the RESET line is pulsed; the board resets later */
    void *ctx;
};

extern const struct device_class i8042_class;

#endif
