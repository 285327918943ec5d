/*
 * Register page 3 of the Realtek RTL8029(AS): configuration.
 *
 * 9346CR (01h) selects what may be written: with EEM = 11 CONFIG2 and CONFIG3 can be.  No serial
 * EEPROM is fitted; CONFIG2 and CONFIG3 load as zero: medium found by the link test, half duplex.
 * Sleep, power-down and the stopped clock (HLTCLK) take the controller off the wire.
 */
#include "devices/ne2000_core.h"

enum {
    R_9346CR = 0x01, R_CONFIG0 = 0x03, R_CONFIG2 = 0x05, R_CONFIG3 = 0x06, R_HLTCLK = 0x09,
    R_ASID0 = 0x0e, R_ASID1 = 0x0f
};
enum { EEM = 0xc0, EEM_LOAD = 0x40, EEM_CONFIG = 0xc0, EEDO = 0x01 };
enum { CONFIG0_BNC = 0x04, PL = 0xc0, PL_AUTO = 0x00, PL_BNC = 0xc0, CONFIG2_SET = 0xf0 };
enum { CONFIG3_SLEEP = 0x04, CONFIG3_PWRDN = 0x02, CONFIG3_SET = 0x76 };

void ne2000_rtl_reset(struct ne2000 *n)
{
    n->eecr = n->config2 = n->config3 = 0;
    n->halted = false;
}

bool ne2000_rtl_asleep(const struct ne2000 *n)
{
    return n->halted || (n->config3 & (CONFIG3_SLEEP | CONFIG3_PWRDN));
}

bool ne2000_rtl_tests_link(const struct ne2000 *n)
{
    return (n->config2 & PL) == PL_AUTO || (n->config2 & PL) == PL_BNC;
}

/* The thin-wire connector is in use when it is chosen, or when the link test fails. */
static uint8_t config0(const struct ne2000 *n)
{
    unsigned medium = n->config2 & PL;

    return medium == PL_BNC || (medium == PL_AUTO && !n->link) ? CONFIG0_BNC : 0;
}

uint8_t ne2000_rtl_read(const struct ne2000 *n, unsigned reg)
{
    switch (reg) {
    case R_9346CR:
        return n->eecr | EEDO; /* pulled up */
    case R_CONFIG0:
        return config0(n);
    case R_CONFIG2:
        return n->config2;
    case R_CONFIG3:
        return n->config3;
    case R_ASID0:
        return 0x29;
    case R_ASID1:
        return 0x80;
    default:
        return 0xff;
    }
}

void ne2000_rtl_write(struct ne2000 *n, unsigned reg, uint8_t val)
{
    bool open = (n->eecr & EEM) == EEM_CONFIG;

    switch (reg) {
    case R_9346CR:
        if ((val & EEM) == EEM_LOAD) {
            ne2000_rtl_reset(n);
        } else {
            n->eecr = val & 0xce;
        }
        break;
    case R_CONFIG2:
        n->config2 = open ? val & CONFIG2_SET : n->config2;
        break;
    case R_CONFIG3:
        n->config3 = open ? val & CONFIG3_SET : n->config3;
        break;
    case R_HLTCLK:
        n->halted = val == 'H' || (n->halted && val != 'R');
        break;
    default:
        break;
    }
}
