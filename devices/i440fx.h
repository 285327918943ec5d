/*
 * 82441FX host bridge: the memory map of the PC's DRAM.
 *
 * It maps all of RAM itself, so the board maps none: conventional memory, the PAM segments between
 * C0000h and FFFFFh, and extended memory (above 3.5 GiB the rest goes above 4 GiB).  The
 * board maps the BIOS ROM at PRIO_ROM with BUS_READ below FFFFFh; video at PRIO_DEVICE or PRIO_PCI.
 */
#ifndef OXBOW_DEVICES_I440FX_H
#define OXBOW_DEVICES_I440FX_H

#include "devices/device.h"

struct i440fx_config {
    struct device *pci;
    uint8_t *ram; /* host memory, guest-physical order without holes; owned by the board */
    uint64_t ram_size; /* multiple of 4096, at least 1 MiB */
    /* Turbo/reset control register (93h): resets the processor, or everything when hard. */
    void (*reset)(void *to, bool hard);
    void *reset_to;
};

extern const struct device_class i440fx_class;

/*
 * SMIACT# of the processor: the SMRAM at A0000h is there while it is asserted, when the register
 * allows.  D_CLS, which sends only its data accesses to the video memory, is not obeyed then.
 */
void i440fx_smiact(struct device *d, bool active);

/* Bytes of RAM that lie below 4 GiB, and those that were moved above it. */
uint64_t i440fx_ram_below_4g(uint64_t ram_size);
uint64_t i440fx_ram_above_4g(uint64_t ram_size);

#endif
