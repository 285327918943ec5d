/*
 * Device class and instance.
 *
 * A class is a const table; an instance starts with struct device and is created by the board with
 * a chip-specific const configuration (ports, lines, callbacks).  init maps windows and registers
 * events in the environment it is given, so a unit test can build a chip with buses and a scheduler
 * of its own and nothing else.  Creation order = reset order = snapshot order.
 */
#ifndef OXBOW_DEVICES_DEVICE_H
#define OXBOW_DEVICES_DEVICE_H

#include "devices/sched.h"
#include "memory/bus.h"
#include "memory/err.h"
#include "memory/log.h"
#include "memory/snap.h"

/* What every chip may use.  Owned by the machine (or the test). */
struct device_env {
    struct bus *mem, *io;
    struct sched *sched;
    struct log *log;
    struct device *first, *last; /* all devices in creation order */
};

enum reset_kind {
    RESET_COLD, /* power on: init has just run, or the whole machine starts again */
    RESET_WARM, /* RESET line: keeps what a chip keeps (RTC CMOS, memory) */
    RESET_WAKE  /* the end of suspend to RAM: as RESET, but the display adapter had power */
};

struct device;

struct device_class {
    const char *name; /* "i8254" */
    size_t size;      /* of the instance, which starts with struct device */
    /* config is the chip's own struct; copies what it keeps.  Maps windows, registers events. */
    bool (*init)(struct device *d, const void *config, struct err *e);
    void (*reset)(struct device *d, enum reset_kind kind);
    void (*free)(struct device *d);   /* NULL: nothing but the instance */
    const struct snap_field *state;   /* required; a class with no state points at snap_no_state */
    uint16_t state_version;
    /*
     * A class that came later and whose reset state is right for every machine saved before it: a
     * state without its section leaves it as after power-on.
     */
    bool newer_than_states;
    /* State that is no fixed field (buffers of variable size); both or none.  NULL: nothing. */
    void (*save)(const struct device *d, struct snap_writer *w);
    bool (*load)(struct device *d, struct snap_reader *r, unsigned version);
    /* After the fields are in: validate (R7: a hostile file must not crash) and derive. */
    bool (*post_load)(struct device *d, unsigned version, struct err *e);
};

struct device {
    const struct device_class *cls;
    char id[20]; /* unique in the machine, names the snapshot section: "i8254", "uart0" */
    struct device_env *env;
    struct device *next;
};

extern const struct snap_field snap_no_state[];

/*
 * Allocates (zeroed), links into env, calls init and reset(RESET_COLD).  NULL with e set on
 * failure.
 */
struct device *device_new(struct device_env *env, const struct device_class *cls, const char *id,
                          const void *config, struct err *e);
void devices_reset(struct device_env *env, enum reset_kind kind);
void devices_free(struct device_env *env); /* in reverse order of creation */
void devices_save(const struct device_env *env, struct snap_writer *w);
bool devices_load(struct device_env *env, struct snap_reader *r, struct err *e);

#endif
