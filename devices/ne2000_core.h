/*
 * Inside the NE2000: what ne2000.c (ports, registers, remote DMA), ne2000_wire.c (transmit,
 * receive, loopback) and ne2000_rtl.c (page 3 of the RTL8029) share.
 */
#ifndef OXBOW_DEVICES_NE2000_CORE_H
#define OXBOW_DEVICES_NE2000_CORE_H

#include "devices/ne2000.h"

enum { CR_STP = 0x01, CR_STA = 0x02, CR_TXP = 0x04, CR_RD = 0x38, CR_PS = 0xc0 };
enum {
    ISR_PRX = 0x01, ISR_PTX = 0x02, ISR_RXE = 0x04, ISR_TXE = 0x08, ISR_OVW = 0x10, ISR_CNT = 0x20,
    ISR_RDC = 0x40, ISR_RST = 0x80
};
enum {
    DCR_WTS = 0x01, DCR_BOS = 0x02, DCR_LAS = 0x04, DCR_LS = 0x08, DCR_ARM = 0x10
};
enum { TCR_CRC = 0x01, TCR_LB = 0x06, TCR_ATD = 0x08 };
enum { LB_NIC = 0x02, LB_SNI = 0x04, LB_COAX = 0x06 };
enum {
    TSR_PTX = 0x01, TSR_NOT_DEFERRED = 0x02, TSR_CRS = 0x10, TSR_CDH = 0x40
};
enum {
    RCR_SEP = 0x01, RCR_AR = 0x02, RCR_AB = 0x04, RCR_AM = 0x08, RCR_PRO = 0x10, RCR_MON = 0x20
};
enum {
    RSR_PRX = 0x01, RSR_CRC = 0x02, RSR_FAE = 0x04, RSR_MPA = 0x10, RSR_PHY = 0x20, RSR_DIS = 0x40
};
enum { TALLY_ALIGN, TALLY_CRC, TALLY_MISSED, TALLIES };

enum {
    NE_RAM_BASE = 0x4000, /* in the controller's local address space; the PROM is below */
    NE_RAM_ISA = 0x4000,
    NE_RAM_RTL = 0x8000,
    NE_PROM = 32,
    NE_FIFO = 8
};

struct ne2000 {
    struct device dev;
    struct irq_line irq;
    struct net *net;
    bool rtl8029;
    int window;
    uint8_t prom[NE_PROM];
    struct event tx_event;
    char tx_name[32];

    uint8_t cr, isr, imr, dcr, tcr, rcr, tsr, rsr;
    uint8_t pstart, pstop, bnry, curr, tpsr;
    uint16_t tbcr, rsar, rbcr; /* RSAR and RBCR are the counters of the remote DMA themselves */
    uint16_t clda, counter;    /* local DMA address; address of whichever channel moved last */
    uint8_t remote_next, local_next;
    uint8_t par[NET_MAC], mar[8], tally[TALLIES];
    uint8_t fifo[NE_FIFO], fifo_at;
    uint8_t tx_page;      /* of the frame on its way out: TPSR and TBCR may be set for the next */
    uint16_t tx_count;
    bool tx_disabled;     /* by a multicast frame, see TCR.ATD */
    bool overflowed;      /* until the guest makes room in the ring */
    bool link, irq_level;
    uint8_t eecr, config2, config3; /* RTL8029 */
    bool halted;
    uint8_t ram[NE_RAM_RTL];
};

/* ne2000.c */
uint8_t ne2000_mem_read(const struct ne2000 *n, uint16_t addr);
void ne2000_mem_write(struct ne2000 *n, uint16_t addr, uint8_t val);
void ne2000_raise(struct ne2000 *n, uint8_t isr);
/* True when frames are received and sent. */
bool ne2000_runs(const struct ne2000 *n);
/* The page after one in the receive ring. */
uint8_t ne2000_next_page(const struct ne2000 *n, uint8_t page);

/* ne2000_wire.c */
void ne2000_start_tx(struct ne2000 *n);
/* Ends what TCR.ATD holds back. */
void ne2000_enable_tx(struct ne2000 *n);
void ne2000_tx_done(void *arg, uint64_t now);
void ne2000_count(struct ne2000 *n, unsigned tally);

/* ne2000_rtl.c */
void ne2000_rtl_reset(struct ne2000 *n);
uint8_t ne2000_rtl_read(const struct ne2000 *n, unsigned reg);
void ne2000_rtl_write(struct ne2000 *n, unsigned reg, uint8_t val);
bool ne2000_rtl_asleep(const struct ne2000 *n);
/* True when a transmission without a cable shows as a lost carrier. */
bool ne2000_rtl_tests_link(const struct ne2000 *n);

#endif
