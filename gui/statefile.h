/*
 * Saved states as files: a header, then the stream of oxbow_save() compressed by zlib.
 *
 *   0  "OXBOWST\n"    8  version, 1    12  CRC-32 of the stream    16  length of the stream    24
 *  zlib data
 *
 * Numbers are little-endian.  docs/scripts.md and the manual page say how they are used.
 */
#ifndef OXBOW_GUI_STATEFILE_H
#define OXBOW_GUI_STATEFILE_H

#include "oxbow.h"

/* Replaces the file only when the new one is complete. */
bool statefile_save(struct oxbow *m, const char *path, struct err *e);
bool statefile_load(struct oxbow *m, const char *path, struct err *e);

#endif
