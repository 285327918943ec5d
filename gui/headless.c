/*
 * A run without a window.  A busy guest runs as fast as the host can; an idle one waits in real
 * time, unless the run ends by itself and nobody types: there the time that a guest sleeps through
 * is skipped, and one that is dead does not keep the host busy.
 */
#include "gui/headless.h"

#include "gui/ending.h"
#include "gui/terminal.h"
#include "gui/throttle.h"

/* A processor that executed nothing for this many guest seconds only waits for input. */
#define DEAD_SECONDS 60u
#define NAP_US 10000u

struct headless {
    struct vm *vm;
    struct terminal terminal;
    struct throttle throttle;
    uint64_t still; /* instructions skipped since one was last executed */
};

/* Whether time that the guest sleeps through passes on the host, too. */
static bool sleeps(const struct headless *h)
{
    const struct options *o = &h->vm->o;
    bool ends = o->has_stop_at || o->hash || o->debug_exit;

    return o->sleep == SLEEP_ON ||
           (o->sleep == SLEEP_AUTO && (!ends || terminal_interactive(&h->terminal)));
}

/* How long to wait for input before the next slice. */
static uint64_t wait_for(struct headless *h, uint64_t ran, uint64_t idle)
{
    struct oxbow *m = h->vm->m;

    h->still = idle < ran ? 0 : h->still + ran;
    if (idle && sleeps(h)) {
        return MIN(throttle_ahead(&h->throttle, oxbow_icount(m), host_now_us()), NAP_US * 2);
    }
    return h->still / oxbow_ips(m) >= DEAD_SECONDS && !h->vm->o.has_stop_at ? NAP_US : 0;
}

/* One slice and what follows it; false: the run is over. */
static bool step(struct headless *h, enum oxbow_stop *stop, struct err *e)
{
    struct oxbow *m = h->vm->m;
    uint64_t start = oxbow_icount(m), idle = oxbow_idle(m), slice = oxbow_ips(m) / 100 + 1, wait;

    if (h->vm->o.has_stop_at) {
        slice = start < h->vm->o.stop_at ? MIN(slice, h->vm->o.stop_at - start) : 0;
    }
    if (slice == 0) {
        return false;
    }
    *stop = oxbow_run(m, slice);
    if (!ports_flush(&h->vm->ports, e) || !nets_turn(&h->vm->nets, false, e) ||
        !sound_turn(&h->vm->sound, m, e)) {
        return false;
    }
    if (*stop == OXBOW_INTERRUPTED) {
        *stop = OXBOW_LIMIT;
    }
    if (*stop != OXBOW_LIMIT && *stop != OXBOW_HELD) {
        return false;
    }
    wait = *stop == OXBOW_HELD ? 1000 : wait_for(h, oxbow_icount(m) - start, oxbow_idle(m) - idle);
    return terminal_poll(&h->terminal, wait);
}

bool headless_run(struct vm *vm, enum oxbow_stop *stop, struct err *e)
{
    struct headless h = {.vm = vm};

    *stop = OXBOW_LIMIT;
    e->text[0] = 0;
    ending_pulse(true);
    terminal_open(&h.terminal, vm);
    throttle_start(&h.throttle, oxbow_ips(vm->m), oxbow_icount(vm->m), host_now_us());
    while (step(&h, stop, e)) {
        continue;
    }
    if (*stop == OXBOW_POWEROFF && vm->o.no_shutdown && !e->text[0]) {
        while (terminal_poll(&h.terminal, NAP_US * 5)) {
            continue;
        }
    }
    terminal_close(&h.terminal);
    ending_pulse(false);
    return e->text[0] == 0;
}
