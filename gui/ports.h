/*
 * Where the bytes of the guest's serial, parallel and debug ports go on the host.
 *
 * Ports are wired before the machine exists and opened only when everything else is known to be
 * good, so that a run that never starts leaves no file behind and cuts none.
 */
#ifndef OXBOW_GUI_PORTS_H
#define OXBOW_GUI_PORTS_H

#include "gui/capture.h"
#include "gui/options.h"

struct port {
    struct target target;
    int fd;                  /* -1: nowhere */
    int error;               /* errno of the first write that failed */
    struct capture *capture; /* NULL: not looked at */
    uint8_t last;            /* byte that was sent last */
    size_t used;
    uint8_t buf[2048];
    char pty[64]; /* the path of a pseudo terminal */
};

struct ports {
    struct port serial[4], parallel, debugcon, post;
};

/* Fills the port settings of cfg; p must outlive the machine. */
void ports_wire(struct ports *p, const struct options *o, struct oxbow_config *cfg);
/* Opens what the options name.  `is_input` says whether a file is one that the run reads from. */
bool ports_open(struct ports *p, bool (*is_input)(void *ctx, int fd), void *ctx, struct err *e);
/* Hands on what is buffered; false: a port can't be written any more, and e says which. */
bool ports_flush(struct ports *p, struct err *e);
void ports_close(struct ports *p);
/* True when what went to standard output ended within a line. */
bool ports_within_line(const struct ports *p);
/* The serial port on the terminal; -1: none is. */
int ports_on_stdio(const struct ports *p);

#endif
