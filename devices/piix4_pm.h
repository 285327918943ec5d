/*
 * 82371AB (PIIX4) function 3: ACPI power management, as boards with a PIIX3 bridge present it.
 */
#ifndef OXBOW_DEVICES_PIIX4_PM_H
#define OXBOW_DEVICES_PIIX4_PM_H

#include "devices/device.h"
#include "devices/irq.h"

struct piix4_pm_config {
    struct device *pci;
    uint8_t slot;        /* 1; the function number is 3 */
    struct irq_line sci; /* IRQ 9, level */
    /* The guest wrote S5 (soft off) or S3 (suspend to RAM): to be done after the access. */
    void (*power_off)(void *to);
    void (*suspend)(void *to);
    void *power_off_to;
    /* A fixed second place of the GPE0 block (SeaBIOS's tables name AFE0h); 0: none. */
    uint16_t gpe0_port;
    /*
     * SMI#: an edge for each cause.  NULL: the processor has no system management mode, and the
     * firmware is told so (config 5Bh).
     */
    void (*smi)(void *to);
    void *smi_to;
};

extern const struct device_class piix4_pm_class;

/* The power button was pressed. */
void piix4_pm_power_button(struct device *d);
/* The clock's interrupt came up; true when it may wake the machine. */
bool piix4_pm_rtc_alarm(struct device *d);
/* What keeps power in suspend to RAM, and how it is put back after the reset that ends it. */
uint32_t piix4_pm_resume_well(const struct device *d);
void piix4_pm_woken(struct device *d, uint32_t well);

#endif
