/*
 * 16550A UART, one serial port of the PC.
 *
 * Sent bytes leave through a chardev when their last bit is out; received bytes come from the
 * machine's input queue, one at a time at line speed: uart16550_can_receive() tells when the next
 * one may start, and `room` is called whenever that turns true.
 */
#ifndef OXBOW_DEVICES_UART16550_H
#define OXBOW_DEVICES_UART16550_H

#include "devices/chardev.h"
#include "devices/device.h"
#include "devices/irq.h"

struct uart16550_config {
    uint16_t port; /* 0x3F8 */
    struct irq_line irq;
    struct chardev out;
    /*
     * Longest time of a character in ticks of the 1.8432 MHz clock; 0: as programmed.  A virtual
     * line need not be slow: a console at 9600 baud costs a millisecond per character.
     */
    uint16_t max_char_ticks;
    void (*room)(void *ctx); /* may be NULL */
    /* Modem outputs and the break condition changed; may be NULL. */
    void (*modem)(void *ctx, bool dtr, bool rts, bool brk);
    void *ctx;
};

/* Modem inputs for uart16550_modem(), and line errors for uart16550_receive_error(). */
enum { UART_CTS = 0x10, UART_DSR = 0x20, UART_RI = 0x40, UART_DCD = 0x80 };
enum { UART_PARITY_ERROR = 0x04, UART_FRAMING_ERROR = 0x08, UART_BREAK = 0x10 };

extern const struct device_class uart16550_class;

/* A byte starts on the line; it is in the receiver one character time later. */
void uart16550_receive(struct device *d, uint8_t byte);
void uart16550_receive_error(struct device *d, uint8_t byte, unsigned errors);
bool uart16550_can_receive(const struct device *d);
/* Levels of CTS, DSR, RI and DCD from outside; CTS, DSR and DCD are on until then. */
void uart16550_modem(struct device *d, unsigned lines);
/* Hands out what is still in the transmitter: the machine is about to end. */
void uart16550_flush(struct device *d);

#endif
