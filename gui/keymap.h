/*
 * Keys of the host as keys of a PC: USB usage codes (HID Usage Tables, page 07h), which SDL's scan
 * codes and most other sources are, to the codes that oxbow_key() takes.
 */
#ifndef OXBOW_GUI_KEYMAP_H
#define OXBOW_GUI_KEYMAP_H

#include "memory/base.h"

#define KEYMAP_E0 0x100u    /* the key has an E0 prefix */
#define KEYMAP_PAUSE 0x200u /* the key with a sequence of its own */

/* Set-1 make code, with KEYMAP_E0, or KEYMAP_PAUSE; 0: a PC has no such key. */
unsigned keymap_from_usb(unsigned usage);

#endif
