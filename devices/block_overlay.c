/*
 * Copy-on-write overlay in memory: writes stay here, reads see them over the base image.
 *
 * Two levels: a directory of tables, tables of leaves; a leaf holds eight sectors and a mask of
 * those that were written.  Memory grows with what the guest writes, never past the disk's size.
 * A read that touches written sectors takes the rest from the base first and is patched when the
 * base is done, so a base that answers late is fine.
 */
#include "devices/block.h"

#include <stdlib.h>
#include <string.h>

#include "memory/snap.h"

enum { SECTOR = 512, LEAF_SECTORS = 8, TABLE_LEAVES = 512 };

struct leaf {
    uint8_t written; /* bit per sector */
    uint8_t data[LEAF_SECTORS * SECTOR];
};

struct table {
    struct leaf *leaves[TABLE_LEAVES];
};

struct overlay {
    struct block b;
    struct block *base;
    struct table **tables;
    uint64_t table_count;
};

/* A read under way in the base. */
struct patch {
    struct block_req req;
    struct overlay *o;
    struct block_req *user;
};

static struct leaf *find_leaf(const struct overlay *o, uint64_t sector)
{
    uint64_t n = sector / LEAF_SECTORS;
    const struct table *t = o->tables[n / TABLE_LEAVES];

    return t ? t->leaves[n % TABLE_LEAVES] : NULL;
}

static struct leaf *make_leaf(struct overlay *o, uint64_t sector)
{
    uint64_t n = sector / LEAF_SECTORS;
    struct table **t = &o->tables[n / TABLE_LEAVES];
    struct leaf **l;

    if (!*t) {
        *t = calloc(1, sizeof **t);
        if (!*t) {
            return NULL;
        }
    }
    l = &(*t)->leaves[n % TABLE_LEAVES];
    if (!*l) {
        *l = calloc(1, sizeof **l);
    }
    return *l;
}

static bool is_written(const struct overlay *o, uint64_t sector)
{
    const struct leaf *l = find_leaf(o, sector);

    return l && (l->written >> sector % LEAF_SECTORS & 1);
}

/* Copies the written sectors of a read; returns how many there are (buf NULL: counts only). */
static uint32_t apply(const struct overlay *o, uint64_t sector, uint32_t count, uint8_t *buf)
{
    uint32_t i, n = 0;

    for (i = 0; i < count; i++) {
        if (is_written(o, sector + i)) {
            n++;
            if (buf) {
                memcpy(buf + (size_t)i * SECTOR,
                       find_leaf(o, sector + i)->data + (sector + i) % LEAF_SECTORS * SECTOR,
                       SECTOR);
            }
        }
    }
    return n;
}

static void base_done(struct block_req *req, enum block_error error)
{
    struct patch *p = CONTAINER_OF(req, struct patch, req);
    struct block_req *user = p->user;

    if (error == BLOCK_OK) {
        apply(p->o, user->sector, user->count, user->buf);
    }
    free(p);
    user->done(user, error);
}

static void overlay_read(struct overlay *o, struct block_req *req)
{
    uint32_t written = apply(o, req->sector, req->count, NULL);
    struct patch *p;

    if (written == 0) {
        block_submit(o->base, req);
        return;
    }
    if (written == req->count) {
        apply(o, req->sector, req->count, req->buf);
        req->done(req, BLOCK_OK);
        return;
    }
    p = calloc(1, sizeof *p);
    if (!p) {
        req->done(req, BLOCK_EIO);
        return;
    }
    p->req.cmd = BLOCK_READ;
    p->req.sector = req->sector;
    p->req.count = req->count;
    p->req.buf = req->buf;
    p->req.done = base_done;
    p->o = o;
    p->user = req;
    block_submit(o->base, &p->req);
}

static void overlay_write(struct overlay *o, struct block_req *req)
{
    uint32_t i;

    for (i = 0; i < req->count; i++) {
        uint64_t sector = req->sector + i;
        struct leaf *l = make_leaf(o, sector);

        if (!l) {
            req->done(req, BLOCK_EIO);
            return;
        }
        memcpy(l->data + sector % LEAF_SECTORS * SECTOR, req->buf + (size_t)i * SECTOR, SECTOR);
        l->written |= (uint8_t)(1u << sector % LEAF_SECTORS);
    }
    req->done(req, BLOCK_OK);
}

static void overlay_submit(struct block *b, struct block_req *req)
{
    struct overlay *o = CONTAINER_OF(b, struct overlay, b);

    switch (req->cmd) {
    case BLOCK_READ:
        overlay_read(o, req);
        break;
    case BLOCK_WRITE:
        overlay_write(o, req);
        break;
    case BLOCK_FLUSH:
        req->done(req, BLOCK_OK);
        break;
    }
}

static void drop_leaves(struct overlay *o)
{
    for (uint64_t t = 0; t < o->table_count; t++) {
        for (unsigned k = 0; o->tables[t] && k < TABLE_LEAVES; k++) {
            free(o->tables[t]->leaves[k]);
        }
        free(o->tables[t]);
        o->tables[t] = NULL;
    }
}

static void overlay_close(struct block *b)
{
    struct overlay *o = CONTAINER_OF(b, struct overlay, b);

    drop_leaves(o);
    free(o->tables);
    block_close(o->base);
    free(o);
}

/* u64 leaf number + 1, u8 mask, data of each leaf; 0 ends. */
static void overlay_save(const struct block *b, struct snap_writer *w)
{
    const struct overlay *o = CONTAINER_OF(b, struct overlay, b);

    for (uint64_t t = 0; t < o->table_count; t++) {
        for (unsigned k = 0; o->tables[t] && k < TABLE_LEAVES; k++) {
            const struct leaf *l = o->tables[t]->leaves[k];
            if (l) {
                snap_put_u64(w, t * TABLE_LEAVES + k + 1);
                snap_put(w, &l->written, 1);
                snap_put(w, l->data, sizeof l->data);
            }
        }
    }
    snap_put_u64(w, 0);
}

static bool overlay_load(struct block *b, struct snap_reader *r)
{
    struct overlay *o = CONTAINER_OF(b, struct overlay, b);
    uint64_t n;

    drop_leaves(o);
    while ((n = snap_get_u64(r)) != 0) {
        if (n > o->table_count * TABLE_LEAVES) {
            return false;
        }
        struct leaf *l = make_leaf(o, (n - 1) * LEAF_SECTORS);
        if (!l || !snap_get(r, &l->written, 1) || !snap_get(r, l->data, sizeof l->data)) {
            return false;
        }
    }
    return !r->failed;
}

static const struct block_ops overlay_ops = {"overlay", overlay_submit, overlay_close,
                                             overlay_save, overlay_load};

struct block *block_open_overlay(struct block *base, struct err *e)
{
    struct overlay *o = calloc(1, sizeof *o);

    if (o) {
        o->base = base;
        o->table_count = base->sectors / (LEAF_SECTORS * TABLE_LEAVES) + 1;
        if (o->table_count <= SIZE_MAX / sizeof *o->tables) {
            o->tables = calloc((size_t)o->table_count, sizeof *o->tables);
        }
    }
    if (!o || !o->tables) {
        free(o);
        err_set(e, "%s: no memory for its overlay; close other programs", base->label);
        block_close(base);
        return NULL;
    }
    o->b.ops = &overlay_ops;
    o->b.sectors = base->sectors;
    o->b.label = base->label;
    return &o->b;
}
