/*
 * PS/2 mouse: standard, with wheel (IntelliMouse, ID 3) and with five buttons (Explorer, ID 4).
 */
#ifndef OXBOW_DEVICES_PS2MOUSE_H
#define OXBOW_DEVICES_PS2MOUSE_H

#include "devices/device.h"
#include "devices/ps2.h"

enum {
    PS2MOUSE_LEFT = 1,
    PS2MOUSE_RIGHT = 2,
    PS2MOUSE_MIDDLE = 4,
    PS2MOUSE_SIDE = 8,
    PS2MOUSE_EXTRA = 16
};

extern const struct device_class ps2mouse_class; /* takes no configuration (NULL) */

struct ps2_port ps2mouse_port(struct device *d);
/*
 * Movement since the last call, screen sense: dx > 0 right, dy > 0 down, dz > 0 wheel towards the
 * user (scroll down); buttons is the mask of those that are down now.
 */
void ps2mouse_move(struct device *d, int dx, int dy, int dz, unsigned buttons);
/* A report is due, though nothing moved: another device has news for this one's driver. */
void ps2mouse_nudge(struct device *d);

#endif
