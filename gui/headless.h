/*
 * A run without a window.
 */
#ifndef OXBOW_GUI_HEADLESS_H
#define OXBOW_GUI_HEADLESS_H

#include "gui/vm.h"

/*
 * Runs until the guest stops, -stop-at is reached, or the user or a signal ends it (OXBOW_LIMIT
 * then). False: a port can't be written any more.
 */
bool headless_run(struct vm *vm, enum oxbow_stop *stop, struct err *e);

#endif
