/*
 * Display adapter: an IBM VGA with 256 KB in four planes, extended by the DISPI registers that
 * Bochs defined (large and deep modes with a linear frame buffer) on 16 MB of video memory.
 *
 * IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem" (registers, memory, timing);
 * Bochs "VBE Display API" (DISPI).  docs/vga.md says which section each part follows.
 */
#ifndef OXBOW_DEVICES_VGA_H
#define OXBOW_DEVICES_VGA_H

#include "devices/device.h"
#include "devices/irq.h"
#include "devices/surface.h"

struct vga_config {
    uint32_t vram_size;  /* bytes, a power of two of at least 256 KB; 0 means 16 MB */
    uint64_t lfb_base;   /* fixed linear frame buffer (ISA); 0: vga_pci.c moves it */
    struct irq_line irq; /* vertical interrupt; IRQ 9 (2) where it is wired at all */
};

#define VGA_LFB_ISA 0xe0000000u /* where DISPI says the frame buffer is without PCI */
#define VGA_VRAM_DEFAULT (16u << 20)

extern const struct device_class vga_class;

/* Redraws what changed and returns what a monitor shows now.  Changes no state of the guest. */
const struct surface *vga_update(struct device *d);
/* Characters on screen; cols = rows = 0 in graphics modes and on a blank screen. */
void vga_text(struct device *d, struct text_screen *t);

/* For the PCI shell: the frame buffer's window, and the registers behind the MMIO BAR. */
int vga_lfb_handle(const struct device *d);
uint32_t vga_vram_size(const struct device *d);
uint8_t vga_port_read(struct device *d, uint16_t port); /* 3B4h..3DFh; others are open bus */
void vga_port_write(struct device *d, uint16_t port, uint8_t val);
uint16_t vga_dispi_read(struct device *d, unsigned index);
void vga_dispi_write(struct device *d, unsigned index, uint16_t val);

#endif
