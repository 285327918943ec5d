/*
 * Frames written to a file in the format of tcpdump and wireshark, stamped with guest time.
 */
#ifndef OXBOW_GUI_PCAP_H
#define OXBOW_GUI_PCAP_H

#include "memory/base.h"
#include "memory/err.h"

struct pcap;

/* Nothing that is in the file goes before the first pcap_flush(). */
struct pcap *pcap_open(const char *path, bool (*is_input)(void *ctx, int fd), void *ctx,
                       struct err *e);
void pcap_frame(struct pcap *p, uint64_t ns, const uint8_t *frame, size_t len);
/* False: the file can't be written any more. */
bool pcap_flush(struct pcap *p, struct err *e);
void pcap_close(struct pcap *p); /* NULL is fine */

#endif
