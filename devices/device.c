/*
 * Device life cycle: create, reset, save, load and free every chip in creation order.
 *
 * An init that fails has given back what it took; the instance itself is dropped here and never
 * enters the list.  A class without a field table is refused, so none can forget its snapshot (R6).
 */
#include "devices/device.h"

#include <stdlib.h>
#include <string.h>

const struct snap_field snap_no_state[] = {SNAP_END};

static bool id_taken(const struct device_env *env, const char *id)
{
    const struct device *d;

    for (d = env->first; d; d = d->next) {
        if (strcmp(d->id, id) == 0) {
            return true;
        }
    }
    return false;
}

static void power_on(struct device *d)
{
    if (d->cls->reset) {
        d->cls->reset(d, RESET_COLD);
    }
}

struct device *device_new(struct device_env *env, const struct device_class *cls, const char *id,
                          const void *config, struct err *e)
{
    struct device *d;

    if (!cls->state || strlen(id) >= sizeof d->id || id_taken(env, id)) {
        err_set(e, "device \"%s\" can't be added: its name is in use or too long, or it has no "
                "snapshot table; give it another id", id);
        return NULL;
    }
    d = calloc(1, cls->size);
    if (!d) {
        err_set(e, "no memory for device \"%s\"; close other programs", id);
        return NULL;
    }
    d->cls = cls;
    d->env = env;
    memcpy(d->id, id, strlen(id));
    if (cls->init && !cls->init(d, config, e)) {
        free(d);
        return NULL;
    }
    if (env->last) {
        env->last->next = d;
    } else {
        env->first = d;
    }
    env->last = d;
    power_on(d);
    return d;
}

void devices_reset(struct device_env *env, enum reset_kind kind)
{
    struct device *d;

    for (d = env->first; d; d = d->next) {
        if (d->cls->reset) {
            d->cls->reset(d, kind);
        }
    }
}

void devices_free(struct device_env *env)
{
    while (env->first) {
        struct device *d = env->first, *before = NULL;

        while (d->next) {
            before = d;
            d = d->next;
        }
        if (before) {
            before->next = NULL;
        } else {
            env->first = NULL;
        }
        if (d->cls->free) {
            d->cls->free(d);
        }
        free(d);
    }
    env->last = NULL;
}

void devices_save(const struct device_env *env, struct snap_writer *w)
{
    const struct device *d;

    for (d = env->first; d; d = d->next) {
        snap_begin(w, d->id, d->cls->state_version);
        snap_put_fields(w, d->cls->state, d);
        if (d->cls->save) {
            d->cls->save(d, w);
        }
        snap_end(w);
    }
}

static bool load_one(struct device *d, struct snap_reader *r, struct err *e)
{
    if (d->cls->newer_than_states && !snap_has(r, d->id)) {
        power_on(d);
        return true;
    }
    if (!snap_open(r, d->id, d->cls->state_version, e)) {
        return false;
    }
    if (r->version < d->cls->state_version) {
        power_on(d); /* what the section lacks has its first value, in a used machine, too */
    }
    snap_get_fields(r, d->cls->state, d);
    if (d->cls->load && !d->cls->load(d, r, r->version)) {
        r->failed = true;
    }
    if (r->failed) {
        return err_set(e, "the snapshot's part \"%s\" makes no sense; use another copy", d->id);
    }
    return snap_close(r, e) && (!d->cls->post_load || d->cls->post_load(d, r->version, e));
}

bool devices_load(struct device_env *env, struct snap_reader *r, struct err *e)
{
    struct device *d;

    for (d = env->first; d; d = d->next) {
        if (!load_one(d, r, e)) {
            return false;
        }
    }
    return true;
}
