/*
 * PS/2 keyboard with 101/102 keys (and the Windows and multimedia keys), scan sets 1, 2 and 3.
 *
 * Keys are named by their set 1 make code: 0x01..0x7F, plus 0x100 for keys with an E0 prefix (0x11C
 * is Enter of the keypad, 0x148 the up arrow, 0x137 Print Screen); KEY_PAUSE is the Pause key.
 */
#ifndef OXBOW_DEVICES_PS2KBD_H
#define OXBOW_DEVICES_PS2KBD_H

#include "devices/device.h"
#include "devices/ps2.h"

enum { KEY_EXTENDED = 0x100, KEY_PAUSE = 0x200 };
enum { PS2KBD_LED_SCROLL = 1, PS2KBD_LED_NUM = 2, PS2KBD_LED_CAPS = 4 };

struct ps2kbd_config {
    void (*leds)(void *ctx, unsigned mask); /* may be NULL */
    void *ctx;
};

extern const struct device_class ps2kbd_class;

struct ps2_port ps2kbd_port(struct device *d);
/* A key goes down or up.  Repeating "down" (the host's auto-repeat) is ignored. */
void ps2kbd_key(struct device *d, unsigned key, bool down);
/* Bytes that wait for the host: a front end that types text keeps this small. */
unsigned ps2kbd_queued(const struct device *d);
unsigned ps2kbd_leds(const struct device *d);

#endif
