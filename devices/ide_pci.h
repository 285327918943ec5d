/*
 * 82371SB (PIIX3) function 1: bus master for two IDE channels.
 */
#ifndef OXBOW_DEVICES_IDE_PCI_H
#define OXBOW_DEVICES_IDE_PCI_H

#include "devices/device.h"

struct ide_pci_config {
    struct device *pci;
    uint8_t slot;              /* 1; the function number is 1 */
    struct device *channel[2]; /* of ide_class; NULL: absent */
};

extern const struct device_class ide_pci_class;

#endif
