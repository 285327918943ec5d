/*
 * What an image file is, by looking at it, and whether it is all there.
 */
#ifndef OXBOW_GUI_IMAGE_H
#define OXBOW_GUI_IMAGE_H

#include "memory/base.h"
#include "memory/err.h"

enum image_kind { IMAGE_UNKNOWN, IMAGE_FLOPPY, IMAGE_DISK, IMAGE_CD, IMAGE_KERNEL };

struct image_info {
    enum image_kind kind;
    uint64_t bytes;
    const char *format; /* what else it is, in words: "a QCOW2 disk image", NULL for raw contents */
    const char *detail; /* of the kind: "Linux bzImage", "ISO 9660", ... */
    uint64_t need;      /* bytes that its own tables speak of; 0: no such table */
};

/* Whether a file is a cue sheet, the text that describes a CD with several tracks. */
bool image_is_cue(const char *path);
/* False when the file can't be read or is empty. */
bool image_look(const char *path, struct image_info *info, struct err *e);
const char *image_kind_name(enum image_kind kind);
/* Refuses foreign formats (unless `raw`) and images that are shorter than they say. */
bool image_check(const char *path, bool raw, struct err *e);
/* Sectors of the floppy format that holds this many; 0: none is so large. */
uint64_t image_floppy_sectors(uint64_t sectors);
bool image_is_kernel(const uint8_t *data, size_t len);

#endif
