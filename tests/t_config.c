/*
 * oxbow_new() against every field of its configuration: what is right at the edges makes a machine,
 * what is wrong gives one sentence that starts with the field's name and speaks of no option.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "oxbow.h"
#include "tests/suite.h"

static uint8_t zeros[0x100001];

static struct block *image(void)
{
    struct err e = {{0}};
    struct block *b = block_open_mem(zeros, 65536, true, &e);
    ck_assert_msg(b != NULL, "%s", e.text);
    return b;
}

#define C struct oxbow_config *c
/* A change of the configuration. */
#define SET(name, ...) static void name(C) { __VA_ARGS__; }

SET(ok_default, c->ram_mb = 1)
SET(ok_ram, c->ram_mb = 512)
SET(ok_ips, c->ips = 1000000)
SET(ok_ips_most, c->ips = 10000000000u)
SET(ok_boot, c->boot = "ndc")
SET(ok_rtc, c->rtc = (struct oxbow_rtc){2024, 2, 29, 23, 59, 59})
SET(ok_rtc_first, c->rtc = (struct oxbow_rtc){1980, 1, 1, 0, 0, 0})
SET(ok_rtc_last, c->rtc = (struct oxbow_rtc){2099, 12, 31, 0, 0, 0})
SET(ok_rtc_zero, c->rtc = (struct oxbow_rtc){0})
SET(ok_bios, c->bios = (struct oxbow_blob){zeros, 0x100000})
SET(ok_vgabios, c->vgabios = (struct oxbow_blob){zeros, 0x10000})
SET(ok_drives, c->drive[0] = (struct oxbow_drive){OXBOW_DRIVE_DISK, image()};
    c->drive[3].kind = OXBOW_DRIVE_CD)
SET(ok_nics, for (int n = 0; n < 4; n++) c->nic[n].model = OXBOW_NIC_NE2K_ISA)
SET(ok_nic_edges, c->nic[0].model = OXBOW_NIC_NE2K_ISA; c->nic[0].port = 0x280; c->nic[0].irq = 15;
    c->nic[1].model = OXBOW_NIC_NE2K_PCI; c->nic[1].rom = (struct oxbow_blob){zeros, 0x40000})
SET(ok_sb16, c->sb16 = (struct oxbow_sb16){true, 0x280, 10, 3, 3}; c->audio_rate = 4000)
SET(ok_adlib, c->adlib = true; c->audio_rate = 192000)
SET(ok_exit, c->debug_exit = true; c->debug_exit_port = 0xf4; c->debug_exit_size = 4)
SET(ok_exit_top, c->debug_exit = true; c->debug_exit_port = 0xfff8; c->debug_exit_size = 8)
SET(ok_con, c->debugcon_port = 0x402)
SET(ok_con_com2, c->debugcon_port = 0x2f8)
SET(ok_no_vga, c->no_vga = true; c->debugcon_port = 0x3c0)
SET(ok_rest, c->boot_menu = c->hpet = c->no_vmport = c->no_reboot = c->generic_only = true;
    c->serial_on[1] = c->serial_on[2] = c->serial_on[3] = true; c->floppy[1] = image())

SET(ram_none, c->ram_mb = 0)
SET(ram_much, c->ram_mb = 3073)
SET(cpu_name, c->cpu = "z80")
SET(cpu_feature, c->cpu = "pentium2,+wings")
SET(ips_low, c->ips = 999999)
SET(ips_high, c->ips = 10000000001u)
SET(boot_letter, c->boot = "zq")
SET(boot_empty, c->boot = "")
SET(boot_long, c->boot = "acda")
SET(bios_small, c->bios = (struct oxbow_blob){zeros, 0xffff})
SET(bios_odd, c->bios = (struct oxbow_blob){zeros, 0x18000})
SET(bios_large, c->bios = (struct oxbow_blob){zeros, 0x110000})
SET(vga_large, c->vgabios = (struct oxbow_blob){zeros, 0x10001})
SET(vga_none, c->vgabios = (struct oxbow_blob){zeros, 0})
SET(kernel_odd, c->kernel = (struct oxbow_blob){zeros, 4096})
SET(initrd_alone, c->initrd = (struct oxbow_blob){zeros, 4096})
SET(append_alone, c->append = "quiet")
SET(drive_kind, c->drive[2].kind = (enum oxbow_drive_kind)9)
SET(drive_empty, c->drive[1].kind = OXBOW_DRIVE_DISK)
SET(drive_none, c->drive[1].media = image())
SET(nic_model, c->nic[3].model = (enum oxbow_nic_model)77)
SET(nic_irq, c->nic[0].model = OXBOW_NIC_NE2K_ISA; c->nic[0].irq = 200)
SET(nic_irq_timer, c->nic[0].model = OXBOW_NIC_NE2K_ISA; c->nic[0].irq = 8)
SET(nic_port, c->nic[0].model = OXBOW_NIC_NE2K_ISA; c->nic[0].port = 0x1e0)
SET(nic_port_odd, c->nic[0].model = OXBOW_NIC_NE2K_ISA; c->nic[0].port = 0x301)
SET(nic_pci_port, c->nic[0].model = OXBOW_NIC_NE2K_PCI; c->nic[0].port = 0x300)
SET(nic_isa_rom, c->nic[0].model = OXBOW_NIC_NE2K_ISA;
    c->nic[0].rom = (struct oxbow_blob){zeros, 512})
SET(nic_rom, c->nic[0].model = OXBOW_NIC_NE2K_PCI;
    c->nic[0].rom = (struct oxbow_blob){zeros, 0x40001})
SET(nic_mac, c->nic[0].model = OXBOW_NIC_NE2K_PCI; c->nic[0].mac[0] = 1)
SET(nics_one_place, c->nic[0].model = c->nic[2].model = OXBOW_NIC_NE2K_ISA;
    c->nic[2].port = 0x300)
SET(nic_vga, c->nic[0].model = OXBOW_NIC_NE2K_ISA; c->nic[0].port = 0x3c0)
SET(nic_floppy, c->nic[0].model = OXBOW_NIC_NE2K_ISA; c->nic[0].port = 0x3e0)
SET(nic_com4, c->nic[0].model = OXBOW_NIC_NE2K_ISA; c->nic[0].port = 0x2e0; c->serial_on[3] = true)
SET(nic_sb16, c->nic[0].model = OXBOW_NIC_NE2K_ISA; c->nic[0].port = 0x220; c->sb16.on = true)
SET(nic_adlib, c->nic[0].model = OXBOW_NIC_NE2K_ISA; c->nic[0].port = 0x380; c->adlib = true)
SET(sb16_port, c->sb16.on = true; c->sb16.port = 0x230)
SET(sb16_irq, c->sb16.on = true; c->sb16.irq = 3)
SET(sb16_dma, c->sb16.on = true; c->sb16.dma = 2)
SET(sb16_dma16, c->sb16.on = true; c->sb16.dma16 = 4)
SET(sb16_adlib, c->sb16.on = c->adlib = true)
SET(rate_low, c->audio_rate = 3999)
SET(rate_high, c->audio_rate = 192001)
SET(exit_size, c->debug_exit = true; c->debug_exit_size = 9)
SET(exit_end, c->debug_exit = true; c->debug_exit_port = 0xffff)
SET(exit_timer, c->debug_exit = true; c->debug_exit_port = 0x3f; c->debug_exit_size = 2)
SET(exit_con, c->debug_exit = true; c->debug_exit_port = 0xe8)
SET(exit_nic, c->debug_exit = true; c->debug_exit_port = 0x31f;
    c->nic[0].model = OXBOW_NIC_NE2K_ISA)
SET(con_com1, c->debugcon_port = 0x3f8)
SET(con_com2, c->debugcon_port = 0x2f8; c->serial_on[1] = true)
SET(con_sb16, c->debugcon_port = 0x22f; c->sb16.on = true)
SET(rtc_early, c->rtc.year = 1700)
SET(rtc_late, c->rtc.year = 2100)
SET(rtc_month, c->rtc.month = 99)
SET(rtc_february, c->rtc.month = 2; c->rtc.day = 31)
SET(rtc_no_leap, c->rtc.year = 2023; c->rtc.month = 2; c->rtc.day = 29)
SET(rtc_day, c->rtc.day = 0)
SET(rtc_hour, c->rtc.hour = 24)
SET(rtc_minute, c->rtc.minute = 60)
SET(rtc_second, c->rtc.second = -1)
SET(log_level, c->log.level = (enum log_level)7)

static struct oxbow *make(void (*set)(C), struct err *e)
{
    struct oxbow_config cfg;
    oxbow_config_init(&cfg);
    cfg.ram_mb = 2;
    set(&cfg);
    return oxbow_new(&cfg, e);
}

START_TEST(right)
{
    static void (*const set[])(C) = {
        ok_default, ok_ram, ok_ips, ok_ips_most, ok_boot, ok_rtc, ok_rtc_first, ok_rtc_last,
        ok_rtc_zero, ok_bios, ok_vgabios, ok_drives, ok_nics, ok_nic_edges, ok_sb16, ok_adlib,
        ok_exit, ok_exit_top, ok_con, ok_con_com2, ok_no_vga, ok_rest};
    for (unsigned n = 0; n < ARRAY_LEN(set); n++) {
        struct err e = {{0}};
        struct oxbow *m = make(set[n], &e);
        ck_assert_msg(m != NULL, "row %u: %s", n, e.text);
        oxbow_run(m, 1000);
        oxbow_free(m);
    }
}
END_TEST

static const struct {
    void (*set)(C);
    const char *field, *why;
} wrong_rows[] = {
    {ram_none, "ram_mb", "1 and 3072"}, {ram_much, "ram_mb", "this is 3073"},
    {cpu_name, "cpu", "z80"}, {cpu_feature, "cpu", "wings"},
    {ips_low, "ips", "10000 million"}, {ips_high, "ips", "10000 million"},
    {boot_letter, "boot", "\"zq\""}, {boot_empty, "boot", "\"\""}, {boot_long, "boot", "three"},
    {bios_small, "bios", "65535"}, {bios_odd, "bios", "steps of 64 KB"},
    {bios_large, "bios", "64 KB to 1 MB"}, {vga_large, "vgabios", "65537"},
    {vga_none, "vgabios", "0 bytes"}, {kernel_odd, "kernel", "neither"},
    {initrd_alone, "initrd", "needs a kernel"}, {append_alone, "append", "needs a kernel"},
    {drive_kind, "drive[2]", "kind 9"}, {drive_empty, "drive[1]", "no image"},
    {drive_none, "drive[1]", "no drive"}, {nic_model, "nic[3]", "model 77"},
    {nic_irq, "nic[0]", "200"}, {nic_irq_timer, "nic[0]", "this is 8"},
    {nic_port, "nic[0]", "0x1e0"}, {nic_port_odd, "nic[0]", "0x301"},
    {nic_pci_port, "nic[0]", "BIOS"}, {nic_isa_rom, "nic[0]", "no place"},
    {nic_rom, "nic[0]", "262145"}, {nic_mac, "nic[0]", "group"},
    {nics_one_place, "nic[2]", "taken by nic[0]"}, {nic_vga, "nic[0]", "taken by VGA"},
    {nic_floppy, "nic[0]", "taken by COM1"}, {nic_com4, "nic[0]", "taken by COM4"},
    {nic_sb16, "sb16", "taken by nic[0]"}, {nic_adlib, "adlib", "taken by nic[0]"},
    {sb16_port, "sb16", "0x230"}, {sb16_irq, "sb16", "not 3"}, {sb16_dma, "sb16", "not 2"},
    {sb16_dma16, "sb16", "and 4"}, {sb16_adlib, "adlib", "one of the two"},
    {rate_low, "audio_rate", "3999"}, {rate_high, "audio_rate", "192001"},
    {exit_size, "debug_exit_size", "not 9"}, {exit_end, "debug_exit_port", "do not exist"},
    {exit_timer, "debug_exit_port", "timer"}, {exit_con, "debug_exit_port", "debugcon_port"},
    {exit_nic, "debug_exit_port", "nic[0]"}, {con_com1, "debugcon_port", "COM1"},
    {con_com2, "debugcon_port", "COM2"}, {con_sb16, "debugcon_port", "sb16"},
    {rtc_early, "rtc", "1700-01-01"}, {rtc_late, "rtc", "2100"}, {rtc_month, "rtc", "2000-99-01"},
    {rtc_february, "rtc", "02-31"}, {rtc_no_leap, "rtc", "2023-02-29"}, {rtc_day, "rtc", "01-00"},
    {rtc_hour, "rtc", "24:00"}, {rtc_minute, "rtc", "00:60"}, {rtc_second, "rtc", "no time"},
    {log_level, "log", "level 7"},
};

START_TEST(wrong)
{
    struct err e = {{0}};
    struct oxbow *m = make(wrong_rows[_i].set, &e);
    size_t n = strlen(wrong_rows[_i].field);
    ck_assert_msg(m == NULL, "row %d was taken", _i);
    ck_assert_msg(strncmp(e.text, wrong_rows[_i].field, n) == 0 && e.text[n] == ':' &&
                  strstr(e.text, wrong_rows[_i].why) != NULL, "row %d: %s", _i, e.text);
    ck_assert_msg(strstr(e.text, " -") == NULL, "an option: %s", e.text);
    ck_assert_ptr_null(make(wrong_rows[_i].set, NULL));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("config");
    TCase *t = tcase_create("config");

    tcase_add_test(t, right);
    tcase_add_loop_test(t, wrong, 0, (int)ARRAY_LEN(wrong_rows));
    suite_add_tcase(s, t);
    return suite_run(s);
}
