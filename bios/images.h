/*
 * The firmware and demo images that are built into the library (bios/ .bin files, made into C by
 * scripts/embed).
 */
#ifndef OXBOW_BIOS_IMAGES_H
#define OXBOW_BIOS_IMAGES_H

#include <stddef.h>
#include <stdint.h>

extern const uint8_t image_bios[];   /* system BIOS, ends at 1 MB and 4 GB */
extern const size_t image_bios_size;
extern const uint8_t image_vgabios[]; /* option ROM for C0000 */
extern const size_t image_vgabios_size;
extern const uint8_t image_loader[]; /* option ROM of -kernel */
extern const size_t image_loader_size;
extern const uint8_t image_demo[];   /* floppy of the demo PC; the rest of the 1.44 MB is zero */
extern const size_t image_demo_size;

#endif
