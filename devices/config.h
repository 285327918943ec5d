/*
 * What a configuration of a machine may hold.  Part of the board: it knows which ports are taken.
 */
#ifndef OXBOW_DEVICES_CONFIG_H
#define OXBOW_DEVICES_CONFIG_H

#include "oxbow.h"

/*
 * Looks at every field; false with one sentence that starts with the field's name and a colon.
 * Kernels and CPU models are looked at by those who know them, in the same words.
 */
bool config_check(const struct oxbow_config *cfg, struct err *e);

/* Where the Nth ISA network adapter and its interrupt are when the configuration says 0. */
uint16_t config_nic_port(unsigned n);
uint8_t config_nic_irq(unsigned n);

#endif
