/*
 * PCI shell that makes an NE2000 the Realtek RTL8029: function 10EC:8029, BAR 0 with the 32 ports,
 * INTA, and an option ROM where one is given.
 */
#ifndef OXBOW_DEVICES_NE2000_PCI_H
#define OXBOW_DEVICES_NE2000_PCI_H

#include "devices/device.h"

struct ne2000_pci_config {
    struct device *nic; /* created before, with rtl8029 set and port = 0 */
    struct device *pci;
    uint8_t devfn;
    const void *rom; /* copied; NULL: no ROM BAR */
    size_t rom_size; /* up to 256 KB */
};

extern const struct device_class ne2000_pci_class;

#endif
