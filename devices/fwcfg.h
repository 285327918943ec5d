/*
 * Firmware configuration device, as QEMU documents it (docs/specs/fw_cfg): numbered items and
 * named files that firmware reads through ports 510h/511h or by DMA.
 *
 * Items are added by the board after creation and before the machine runs; they are configuration,
 * not state, so a snapshot does not hold them.  Items are read-only for the guest.
 */
#ifndef OXBOW_DEVICES_FWCFG_H
#define OXBOW_DEVICES_FWCFG_H

#include "devices/device.h"

enum fwcfg_key {
    FWCFG_SIGNATURE = 0x00, /* added by the device itself, as are FWCFG_ID and FWCFG_FILE_DIR */
    FWCFG_ID = 0x01,
    FWCFG_UUID = 0x02,
    FWCFG_RAM_SIZE = 0x03,  /* u64 */
    FWCFG_NOGRAPHIC = 0x04, /* u16 */
    FWCFG_NB_CPUS = 0x05,   /* u16 */
    FWCFG_MACHINE_ID = 0x06,
    FWCFG_KERNEL_ADDR = 0x07, /* u32, as all addresses and sizes of the loader */
    FWCFG_KERNEL_SIZE = 0x08,
    FWCFG_KERNEL_CMDLINE = 0x09,
    FWCFG_INITRD_ADDR = 0x0a,
    FWCFG_INITRD_SIZE = 0x0b,
    FWCFG_BOOT_DEVICE = 0x0c, /* u16 */
    FWCFG_NUMA = 0x0d,
    FWCFG_BOOT_MENU = 0x0e, /* u16 */
    FWCFG_MAX_CPUS = 0x0f,  /* u16 */
    FWCFG_KERNEL_ENTRY = 0x10,
    FWCFG_KERNEL_DATA = 0x11,
    FWCFG_INITRD_DATA = 0x12,
    FWCFG_CMDLINE_ADDR = 0x13,
    FWCFG_CMDLINE_SIZE = 0x14,
    FWCFG_CMDLINE_DATA = 0x15,
    FWCFG_SETUP_ADDR = 0x16,
    FWCFG_SETUP_SIZE = 0x17,
    FWCFG_SETUP_DATA = 0x18,
    FWCFG_FILE_DIR = 0x19,
    FWCFG_FILE_FIRST = 0x20,
    FWCFG_ACPI_TABLES = 0x8000, /* from here on: of the architecture */
    FWCFG_SMBIOS_ENTRIES = 0x8001,
    FWCFG_IRQ0_OVERRIDE = 0x8002,
    FWCFG_E820_TABLE = 0x8003,
    FWCFG_HPET = 0x8004
};

struct fwcfg_config {
    uint16_t port;     /* 0x510 */
    uint16_t dma_port; /* 0x514 */
};

extern const struct device_class fwcfg_class;

/* All return false when memory is short or a name is too long, has been used or is too many. */
bool fwcfg_add(struct device *d, unsigned key, const void *data, uint32_t len); /* copies */
bool fwcfg_add_ref(struct device *d, unsigned key, const void *data, uint32_t len); /* keeps */
bool fwcfg_add_u16(struct device *d, unsigned key, uint16_t v);
bool fwcfg_add_u32(struct device *d, unsigned key, uint32_t v);
bool fwcfg_add_u64(struct device *d, unsigned key, uint64_t v);
/* A named file, at most 55 characters, "etc/..." or "bootorder"; copies. */
bool fwcfg_add_file(struct device *d, const char *name, const void *data, uint32_t len);

#endif
