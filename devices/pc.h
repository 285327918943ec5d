/*
 * The board: which chips exist, at which ports, and how they are wired.  Used by machine.c only.
 */
#ifndef OXBOW_DEVICES_PC_H
#define OXBOW_DEVICES_PC_H

#include "devices/audio.h"
#include "devices/block.h"
#include "devices/device.h"
#include "devices/input.h"

struct oxbow;
struct oxbow_config;
struct cpu_wiring;

/* Chips that somebody talks to after the wiring; NULL where there is none. */
struct pc {
    struct device *pic, *pit, *dma, *rtc, *kbd, *mouse, *speaker, *pci, *isa, *pm, *host;
    struct device *ide[2], *fdc, *vga, *fwcfg;
    struct device *lapic, *ioapic; /* with a CPU that has a local APIC */
    struct device *uart[4], *nic[4];
    struct device *audio, *sb16, *vmport;
    unsigned speaker_input; /* of the mixer */
    struct audio_input cd;  /* what a CD-ROM drive is wired to */
    uint8_t serial_irq[2]; /* which UART of a shared line asks */
    bool a20_kbc, a20_port92, nmi_masked;
    /* with an HPET: outputs of PIT and RTC, cut off from IRQ 0 and 8 */
    bool timer_level[2], hpet_legacy;
    bool rtc_level; /* interrupt of the clock */
    bool ignne; /* IGNNE#: written to port F0h since the last coprocessor error was cleared */
};

/* Our own firmware where the configuration names none. */
void pc_default_roms(struct oxbow_config *cfg);
void pc_cpu_wiring(struct oxbow *m, struct cpu_wiring *w);
bool pc_build(struct oxbow *m, struct err *e);
void pc_close_media(struct oxbow *m);
/* Suspend to RAM is over: everything starts again but memory, clock and display. */
void pc_wake(struct oxbow *m);
/* One input event has come due; false: the device has no room, try again later. */
bool pc_input(struct oxbow *m, const struct input_event *ev);
/* The run is over: what is still in the serial transmitters goes out. */
void pc_flush(struct oxbow *m);
bool pc_media(struct oxbow *m, const char *slot, struct block *media, struct err *e);

#endif
