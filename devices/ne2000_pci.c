/*
 * PCI configuration of the RTL8029 (PCI Local Bus Specification 2.1, chapter 6); see ne2000_pci.h.
 *
 * The adapter is a target only: it has no bus master, and memory only for its ROM.
 */
#include "devices/ne2000_pci.h"

#include <stdlib.h>
#include <string.h>

#include "devices/ne2000.h"
#include "devices/pci.h"
#include "memory/bytes.h"

enum { ROM_MAX = 256 * 1024, VENDOR_ID = 0x10ec, DEVICE_ID = 0x8029 };
/* Offsets in an option ROM and in its PCI data structure (6.3.1). */
enum { ROM_SUM = 6, ROM_PCIR = 0x18, ROM_HEADER = 0x1a, PCIR_VENDOR = 4, PCIR_LEN = 24 };

struct ne2000_pci {
    struct device dev;
    struct pci_function fn;
    uint8_t *rom;
};

static struct ne2000_pci *ne2000_pci_of(struct device *d)
{
    return CONTAINER_OF(d, struct ne2000_pci, dev);
}

static void set_intx(void *to, unsigned n UNUSED, bool level)
{
    pci_set_irq(to, level);
}

/*
 * One ROM image that serves many adapters leaves the numbers of its PCI data structure zero;
 * firmware wants to see this adapter's.  An unused byte of the header keeps the sum right.
 */
static void name_adapter(uint8_t *rom, size_t size)
{
    unsigned at = size >= ROM_HEADER ? get16(rom + ROM_PCIR) : 0;

    if (at == 0 || at + PCIR_LEN > size || memcmp(rom + at, "PCIR\0\0\0\0", 8) != 0) {
        return;
    }
    put16(rom + at + PCIR_VENDOR, VENDOR_ID);
    put16(rom + at + PCIR_VENDOR + 2, DEVICE_ID);
    for (unsigned k = 0; k < 4; k++) {
        rom[ROM_SUM] = (uint8_t)(rom[ROM_SUM] - rom[at + PCIR_VENDOR + k]);
    }
}

static bool ne2000_pci_init(struct device *d, const void *config, struct err *e)
{
    static const struct pci_id id = {VENDOR_ID, DEVICE_ID, 0x020000, 0x00};
    const struct ne2000_pci_config *c = config;
    struct ne2000_pci *p = ne2000_pci_of(d);

    if (c->rom && (c->rom_size == 0 || c->rom_size > ROM_MAX)) {
        return err_set(e, "a network boot ROM of %zu bytes can't be used; give one of up to 256 KB",
                       c->rom_size);
    }
    pci_function_init(&p->fn, p, c->devfn, &id);
    pci_define(&p->fn, PCI_COMMAND, 2, 0, PCI_CMD_IO | (c->rom ? PCI_CMD_MEM : 0), 0);
    pci_define(&p->fn, PCI_STATUS, 2, 0x0200, 0, 0xf900);
    pci_define(&p->fn, PCI_SUBVENDOR, 2, VENDOR_ID, 0, 0);
    pci_define(&p->fn, PCI_SUBDEVICE, 2, DEVICE_ID, 0, 0);
    pci_set_pin(&p->fn, 1);
    pci_add_bar(&p->fn, 0, PCI_BAR_IO, NE2000_PORTS, ne2000_window(c->nic));
    if (c->rom) {
        p->rom = pci_add_rom(&p->fn, d->env->mem, c->rom, c->rom_size);
        if (!p->rom) {
            return err_set(e, "no memory for the network boot ROM; close other programs");
        }
        name_adapter(p->rom, c->rom_size);
    }
    if (!pci_plug(c->pci, &p->fn, e)) {
        free(p->rom);
        return false;
    }
    ne2000_set_irq(c->nic, (struct irq_line){set_intx, &p->fn, 0});
    return true;
}

static void ne2000_pci_reset(struct device *d, enum reset_kind kind UNUSED)
{
    pci_function_reset(&ne2000_pci_of(d)->fn);
}

static void ne2000_pci_free(struct device *d)
{
    free(ne2000_pci_of(d)->rom);
}

static bool ne2000_pci_post_load(struct device *d, unsigned version UNUSED, struct err *e UNUSED)
{
    pci_function_loaded(&ne2000_pci_of(d)->fn);
    return true;
}

static const struct snap_field ne2000_pci_state[] = {
    PCI_SNAP_FIELDS(struct ne2000_pci, fn),
    SNAP_END,
};

const struct device_class ne2000_pci_class = {
    .name = "ne2000-pci",
    .size = sizeof(struct ne2000_pci),
    .init = ne2000_pci_init,
    .reset = ne2000_pci_reset,
    .free = ne2000_pci_free,
    .state = ne2000_pci_state,
    .state_version = 1,
    .post_load = ne2000_pci_post_load,
};
