/*
 * Block back ends, the common part: range checks, and the image in memory.
 *
 * Every request is answered exactly once; a request that can't be served is answered with an error
 * and never reaches the back end.
 */
#include "devices/block.h"

#include <stdlib.h>
#include <string.h>

enum { SECTOR = 512 };

struct mem_block {
    struct block b;
    const uint8_t *data;
    uint8_t *own; /* the copy, or NULL */
    uint64_t bytes;
};

void block_submit(struct block *b, struct block_req *req)
{
    if (req->cmd == BLOCK_FLUSH) {
        b->ops->submit(b, req);
    } else if (req->sector > b->sectors || req->count > b->sectors - req->sector) {
        req->done(req, BLOCK_ERANGE);
    } else if (req->cmd == BLOCK_WRITE && b->read_only) {
        req->done(req, BLOCK_EROFS);
    } else if (req->count == 0) {
        req->done(req, BLOCK_OK);
    } else {
        b->ops->submit(b, req);
    }
}

void block_close(struct block *b)
{
    if (b) {
        b->ops->close(b);
    }
}

static void mem_submit(struct block *b, struct block_req *req)
{
    struct mem_block *m = CONTAINER_OF(b, struct mem_block, b);
    uint64_t at = req->sector * SECTOR, len = (uint64_t)req->count * SECTOR;

    if (req->cmd == BLOCK_WRITE) {
        memcpy(m->own + at, req->buf, len);
    } else if (req->cmd == BLOCK_READ) {
        uint64_t there = MIN(len, m->bytes - at);

        memcpy(req->buf, m->data + at, there);
        memset(req->buf + there, 0, len - there);
    }
    req->done(req, BLOCK_OK);
}

static void mem_close(struct block *b)
{
    struct mem_block *m = CONTAINER_OF(b, struct mem_block, b);

    free(m->own);
    free(m);
}

static const struct block_ops mem_ops = {"memory", mem_submit, mem_close, NULL, NULL};

struct block *block_open_mem(const void *data, uint64_t bytes, bool copy, struct err *e)
{
    uint64_t sectors = bytes / SECTOR + (bytes % SECTOR != 0);
    struct mem_block *m;

    if (bytes == 0) {
        err_set(e, "an image in memory is empty; give it at least one byte");
        return NULL;
    }
    m = calloc(1, sizeof *m);
    if (m && copy && sectors <= SIZE_MAX / SECTOR) {
        m->own = calloc((size_t)sectors, SECTOR);
    }
    if (!m || (copy && !m->own)) {
        free(m);
        err_set(e, "no memory for an image of %llu bytes; close other programs",
                (unsigned long long)bytes);
        return NULL;
    }
    m->data = data;
    m->bytes = bytes;
    if (copy) {
        memcpy(m->own, data, (size_t)bytes);
        m->data = m->own;
        m->bytes = sectors * SECTOR;
    }
    m->b.ops = &mem_ops;
    m->b.sectors = sectors;
    m->b.read_only = !copy;
    m->b.label = "memory image";
    return &m->b;
}
