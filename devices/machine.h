/*
 * One PC: everything hangs off this (R1).  Internal to the library; front ends see oxbow.h.
 *
 * machine.c runs it, feeds it and saves it; pc.c is the board.
 */
#ifndef OXBOW_DEVICES_MACHINE_H
#define OXBOW_DEVICES_MACHINE_H

#include "cpu/cpu.h"
#include "devices/device.h"
#include "devices/input.h"
#include "devices/loader.h"
#include "devices/pc.h"
#include "oxbow.h"

struct oxbow {
    struct oxbow_config cfg; /* pointers of the caller are gone after oxbow_new; media are ours */
    struct log log;
    struct cpu *cpu;
    struct bus *mem, *io;
    struct sched *sched;
    struct device_env env;
    struct pc pc;
    struct input_queue input;
    struct loader loader;
    uint8_t *ram;
    uint64_t ram_size;
    uint8_t *bios;
    uint64_t bios_size;
    uint64_t idle;                /* instructions skipped in HLT */
    uint64_t run_ns, event_ns;    /* with cfg.host_ns: in oxbow_run, and in its events and input */
    uint64_t input_retry[INPUT_KINDS]; /* what found no room is not tried before this icount */
    uint32_t exit_value;
    uint8_t stop;                 /* enum oxbow_stop; OXBOW_LIMIT while the machine lives */
    bool reset_asked, reset_hard;
    bool asleep;                  /* suspended to RAM; a reset that is asked for is the end of it */
};

/* Called by the board's wiring; both take effect at the next trace boundary. */
void machine_stop(struct oxbow *m, enum oxbow_stop why, uint32_t value);
void machine_ask_reset(struct oxbow *m, bool hard);
/* Suspend to RAM: only devices' time goes on.  machine_wake does nothing to a machine awake. */
void machine_sleep(struct oxbow *m);
void machine_wake(struct oxbow *m);

#endif
