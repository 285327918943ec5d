/*
 * Capture files; see pcap.h.  Format: libpcap 2.4, microseconds, little-endian, Ethernet.
 */
#include "gui/pcap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gui/host.h"
#include "gui/hostfile.h"
#include "memory/bytes.h"

enum { FILE_HEADER = 24, FRAME_HEADER = 16, SNAP_LEN = 65535, ETHERNET = 1 };

struct pcap {
    int fd, error;
    bool begun; /* until then the file stays as it is */
    char *path;
    size_t used;
    uint8_t buf[65536];
};

static void flush(struct pcap *p)
{
    if (!p->begun) {
        hostfile_truncate(p->fd);
        p->begun = true;
    }
    if (p->used && !p->error && !host_write(p->fd, p->buf, p->used)) {
        p->error = errno ? errno : EIO;
    }
    p->used = 0;
}

static uint8_t *room(struct pcap *p, size_t n)
{
    if (n > sizeof p->buf - p->used) {
        flush(p);
    }
    p->used += n;
    return p->buf + p->used - n;
}

struct pcap *pcap_open(const char *path, bool (*is_input)(void *ctx, int fd), void *ctx,
                       struct err *e)
{
    struct pcap *p = calloc(1, sizeof *p);
    uint8_t *h;

    if (!p || !(p->path = hostfile_join(NULL, path))) {
        free(p);
        err_set(e, "%s: not enough memory for a capture file", path);
        return NULL;
    }
    p->fd = hostfile_output(path, e);
    if (p->fd >= 0 && is_input(ctx, p->fd)) {
        err_set(e, "%s: this file is read by the same run; name another one for dump=", path);
        hostfile_close(p->fd);
        p->fd = -1;
    }
    if (p->fd < 0) {
        free(p->path);
        free(p);
        return NULL;
    }
    h = room(p, FILE_HEADER);
    put32(h, 0xa1b2c3d4);
    put16(h + 4, 2);
    put16(h + 6, 4);
    put32(h + 8, 0);
    put32(h + 12, 0);
    put32(h + 16, SNAP_LEN);
    put32(h + 20, ETHERNET);
    return p;
}

void pcap_frame(struct pcap *p, uint64_t ns, const uint8_t *frame, size_t len)
{
    uint8_t *h = room(p, FRAME_HEADER + len);

    put32(h, (uint32_t)(ns / 1000000000u));
    put32(h + 4, (uint32_t)(ns % 1000000000u / 1000u));
    put32(h + 8, (uint32_t)len);
    put32(h + 12, (uint32_t)len);
    memcpy(h + FRAME_HEADER, frame, len);
}

bool pcap_flush(struct pcap *p, struct err *e)
{
    flush(p);
    return !p->error || err_set(e, "%s: can't be written any more (%s)", p->path,
                                strerror(p->error));
}

void pcap_close(struct pcap *p)
{
    if (p) {
        if (p->begun) {
            flush(p);
        }
        hostfile_close(p->fd);
        free(p->path);
        free(p);
    }
}
