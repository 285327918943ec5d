/*
 * Yamaha YMF262 (OPL3) and YM3812 (OPL2) FM synthesizers.
 *
 * The sound is a function of register writes and virtual time alone; what the chip has computed
 * is machine state, so a saved note goes on where it was.
 */
#ifndef OXBOW_DEVICES_OPL3_H
#define OXBOW_DEVICES_OPL3_H

#include "devices/audio.h"
#include "devices/device.h"

/* An address and a data port for each register array: four ports; two: the first array only. */
struct opl3_window {
    uint16_t port; /* 0: unused */
    uint16_t len;  /* 2 or 4 */
};

struct opl3_config {
    bool ym3812; /* the older chip: two operators, one array, composite sine mode */
    struct opl3_window window[3];
    struct audio_input out;
};

extern const struct device_class opl3_class;

#endif
