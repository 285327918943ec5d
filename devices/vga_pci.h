/*
 * PCI side of the display adapter: function 1234:1111, as the "standard VGA" of other emulators, so
 * that drivers written for those find it.
 *
 * BAR 0: linear frame buffer (prefetchable).  BAR 2: 4 KB of registers, with ports 3C0h-3DFh at
 * 400h and the DISPI registers at 500h.  ROM BAR: the video BIOS, where one is given.
 */
#ifndef OXBOW_DEVICES_VGA_PCI_H
#define OXBOW_DEVICES_VGA_PCI_H

#include "devices/device.h"

struct vga_pci_config {
    struct device *vga; /* created before, with lfb_base = 0 */
    struct device *pci;
    uint8_t devfn;
    const void *rom; /* copied; NULL: no ROM BAR */
    size_t rom_size; /* up to 256 KB */
};

extern const struct device_class vga_pci_class;

#endif
