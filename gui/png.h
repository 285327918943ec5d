/*
 * Screenshots: a surface as a PNG file (RFC 2083; 8 bits RGB, one IDAT compressed by zlib).
 */
#ifndef OXBOW_GUI_PNG_H
#define OXBOW_GUI_PNG_H

#include "devices/surface.h"
#include "memory/err.h"

/* Replaces the file.  On failure nothing but a possibly incomplete file at path is left. */
bool png_write(const char *path, const struct surface *s, struct err *e);

#endif
