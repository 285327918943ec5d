/*
 * A machine's settings in a file: `name = value` lines, the names being those of the options.
 */
#ifndef OXBOW_GUI_INIFILE_H
#define OXBOW_GUI_INIFILE_H

#include "gui/options.h"

/* File names in it are relative to its folder. */
bool inifile_read(struct options *o, const char *path, struct err *e);

#endif
