/*
 * The network around the adapters: options, frames into a machine at wire speed, capture files,
 * back ends.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gui/host.h"
#include "gui/hostfile.h"
#include "gui/net.h"
#include "gui/options.h"
#include "gui/pcap.h"
#include "memory/bytes.h"
#include "tests/suite.h"

static struct options o;
static struct err e;

static void setup(void)
{
    options_init(&o);
    e.text[0] = 0;
}

static void teardown(void)
{
    options_free(&o);
}

static bool parse(const char *line)
{
    char text[512], *argv[24];
    int argc = 0;

    snprintf(text, sizeof text, "%s", line);
    for (char *w = strtok(text, " "); w; w = strtok(NULL, " ")) {
        argv[argc++] = w;
    }
    return options_parse(&o, argc, argv, "dir", &e) && options_check(&o, &e) &&
           opt_net_check(&o, &e);
}

static void good(const char *line)
{
    teardown();
    setup();
    ck_assert_msg(parse(line), "%s: %s", line, e.text);
}

static void bad(const char *line, const char *part)
{
    teardown();
    setup();
    ck_assert_msg(!parse(line), "%s was accepted", line);
    ck_assert_msg(strstr(e.text, part) != NULL, "%s: %s", line, e.text);
}

/* --- options ---------------------------------------------------------------------------------- */

START_TEST(nic_option)
{
    good("-nic none");
    ck_assert_uint_eq(o.nics, 0);
    good("-nic user");
    ck_assert_uint_eq(o.nics, 1);
    ck_assert_int_eq(o.nic[0].model, OXBOW_NIC_NE2K_PCI);
    ck_assert_int_eq(o.nic[0].net, 0);
    good("-nic user,model=ne2k_isa,mac=02:00:5E:aa:Bb:0c,iobase=0x320,irq=5,hostfwd=tcp::1-:2,"
         "hostfwd=udp::3-:4,guestfwd=tcp:10.0.2.9:7-cmd:cat,restrict=on,ipv6=off,tftp=t,"
         "bootfile=/b,hostname=h,dump=f.pcap,id=x");
    ck_assert_int_eq(o.nic[0].model, OXBOW_NIC_NE2K_ISA);
    ck_assert_int_eq(memcmp(o.nic[0].mac, "\x02\x00\x5e\xaa\xbb\x0c", 6), 0);
    ck_assert_uint_eq(o.nic[0].iobase, 0x320);
    ck_assert_uint_eq(o.nic[0].irq, 5);
    ck_assert_uint_eq(o.netdev[0].hostfwds, 2);
    ck_assert_str_eq(o.netdev[0].hostfwd[1], "udp::3-:4");
    ck_assert_str_eq(o.netdev[0].guestfwd[0], "tcp:10.0.2.9:7-cmd:cat");
    ck_assert(o.netdev[0].restricted && o.netdev[0].no_ipv6);
    ck_assert_str_eq(o.netdev[0].tftp, "dir/t");
    ck_assert_str_eq(o.netdev[0].bootfile, "/b");
    ck_assert_str_eq(o.netdev[0].hostname, "h");
    ck_assert_str_eq(o.netdev[0].dump, "dir/f.pcap");
    good("-nic user,romfile=r -nic socket,mcast=230.0.0.1:5 -nic user -nic user,romfile=");
    ck_assert_uint_eq(o.nics, 4);
    ck_assert_str_eq(o.nic[0].romfile, "dir/r");
    ck_assert_ptr_null(o.nic[3].romfile);
    ck_assert_int_eq(o.netdev[1].kind, NET_MCAST);
    bad("-nic user -nic user -nic user -nic user -nic user", "at most 4");
    bad("-nic model=ne2k_pci", "type first");
    bad("-nic bridge", "bridge");
    bad("-nic user,model=e1000", "e1000");
    bad("-nic user,mac=52:54:00:12:34", "mac=");
    bad("-nic user,mac=52:54:00:12:34:5g", "mac=");
    bad("-nic user,mac=01:54:00:12:34:56", "group");
    bad("-nic user,iobase=0x300", "leave iobase");
    bad("-nic user,model=ne2k_isa,iobase=0x301", "iobase");
    bad("-nic user,model=ne2k_isa,irq=8", "irq");
    good("-nic user,link=off -netdev user,id=a -device ne2k_pci,netdev=a,link=off,link=on");
    ck_assert(o.nic[0].link_off && !o.nic[1].link_off);
    bad("-nic user,link=perhaps", "on or off");
    bad("-nic user,model=ne2k_isa,romfile=x", "romfile");
    bad("-nic user,restrict=maybe", "restrict");
    bad("-nic user,ipv6=maybe", "ipv6");
    bad("-nic user,smb=x", "smb");
    bad("-nic user,x", "KEY=VALUE");
}
END_TEST

START_TEST(netdev_option)
{
    good("-netdev user,id=a -device ne2k_isa,netdev=b,mac=52:54:00:00:00:01 "
         "-netdev socket,id=b,udp=h:1,localaddr=:2 -device ne2k_pci,netdev=a,id=n "
         "-device ne2k_pci -object filter-dump,id=f,netdev=b,file=x");
    ck_assert_uint_eq(o.nics, 3);
    ck_assert_int_eq(o.nic[0].net, 1);
    ck_assert_int_eq(o.nic[1].net, 0);
    ck_assert_int_eq(o.nic[2].net, -1); /* no cable */
    ck_assert_str_eq(o.netdev[1].dump, "dir/x");
    ck_assert_str_eq(o.netdev[1].remote, "h:1");
    ck_assert_str_eq(o.netdev[1].local, ":2");
    good("-nic dgram,local.type=inet,local.port=1,local.host=a,remote.type=inet,remote.host=b,"
         "remote.port=2");
    ck_assert_str_eq(o.netdev[0].local, "a:1");
    ck_assert_str_eq(o.netdev[0].remote, "b:2");
    good("-nic dgram,local.type=unix,local.path=/a,remote.type=unix,remote.path=b");
    ck_assert_int_eq(o.netdev[0].kind, NET_UNIX);
    ck_assert_str_eq(o.netdev[0].local, "/a");
    ck_assert_str_eq(o.netdev[0].remote, "dir/b");
    bad("-netdev user", "id=");
    bad("-netdev id=a", "type first");
    bad("-netdev user,id=a", "no adapter");
    bad("-netdev user,id=a -netdev user,id=a", "taken");
    bad("-netdev none,id=a", "none");
    bad("-netdev user,id=a -device ne2k_pci,netdev=a -device ne2k_pci,netdev=a", "already");
    bad("-device ne2k_pci,netdev=a", "id=a");
    bad("-device ne2k_pci,bus=pci.0", "bus");
    bad("-nic socket,udp=h:1", "both ends");
    bad("-nic socket,frob=1", "frob");
    bad("-nic dgram,local.type=fd", "fd");
    bad("-nic dgram,local.frob=fd", "frob");
    good("-nic tap,ifname=tap7,script=no,downscript=no");
    ck_assert_str_eq(o.netdev[0].local, "tap7");
    bad("-nic tap", "ifname");
    bad("-nic tap,ifname=tap0,script=/etc/up", "script");
    bad("-nic tap,fd=3", "ifname");
    bad("-object rng,id=x", "rng");
    bad("-object filter-dump,id=x", "filter-dump");
    bad("-object filter-dump,frob=x", "frob");
}
END_TEST

/* --- machines --------------------------------------------------------------------------------- */

struct side {
    struct nets nets;
    struct oxbow *m;
};

static bool no_input(void *ctx UNUSED, int fd UNUSED)
{
    return false;
}

static void side_open(struct side *s)
{
    struct oxbow_config cfg;

    oxbow_config_init(&cfg);
    cfg.ram_mb = 1;
    nets_wire(&s->nets, &o, &cfg);
    s->m = oxbow_new(&cfg, &e);
    ck_assert_msg(s->m != NULL, "%s", e.text);
    ck_assert_msg(nets_open(&s->nets, &o, s->m, no_input, NULL, &e), "%s", e.text);
}

static void side_close(struct side *s)
{
    nets_close(&s->nets);
    oxbow_free(s->m);
}

static void send(struct side *s, const uint8_t *frame, size_t len)
{
    struct net *net = &s->nets.port[0].net;

    net->ops->send(net, frame, len);
}

START_TEST(wire_speed)
{
    static const uint8_t frame[1514] = {0xff};
    struct side s;

    good("-device ne2k_isa -device ne2k_pci");
    side_open(&s);
    ck_assert(!oxbow_net_input(s.m, 2, frame, 60));
    ck_assert(!oxbow_net_input(s.m, 9, frame, 60));
    ck_assert(!oxbow_net_input(s.m, 0, frame, 1523));
    ck_assert(!oxbow_input_pending(s.m));
    unsigned taken = 0;
    while (oxbow_net_input(s.m, 0, frame, sizeof frame)) {
        taken++;
    }
    ck_assert_uint_eq(taken, 256);
    ck_assert(oxbow_net_input(s.m, 1, frame, 42)); /* a wire of its own */
    oxbow_net_link(s.m, 1, false);

    /* A saved machine has the same frames before it. */
    size_t len;
    uint8_t *state = oxbow_save(s.m, &len, &e);
    struct side t;
    side_open(&t);
    ck_assert_msg(oxbow_load(t.m, state, len, &e), "%s", e.text);
    ck_assert_uint_eq(oxbow_hash(s.m), oxbow_hash(t.m));

    /* (1514 + 24) bytes of 800 ns each. */
    uint64_t us = 256 * 1538 * 8 / 10, ips = oxbow_ips(s.m), end = us * (ips / 1000000);
    struct oxbow *both[] = {s.m, t.m};
    for (unsigned n = 0; n < 2; n++) {
        oxbow_run(both[n], end - 1000);
        ck_assert(oxbow_input_pending(both[n]));
        oxbow_run(both[n], 5000);
        ck_assert(!oxbow_input_pending(both[n]));
    }
    ck_assert_uint_eq(oxbow_hash(s.m), oxbow_hash(t.m));
    free(state);
    side_close(&s);
    side_close(&t);
}
END_TEST

START_TEST(sockets)
{
    static const uint8_t frame[60] = {0xff, 1, 2, 3};
    char base[] = "/tmp/oxbow-net-XXXXXX", line[400];
    struct side a, b;
    size_t len;

    ck_assert_ptr_nonnull(mkdtemp(base));
    snprintf(line, sizeof line, "-nic dgram,local.type=unix,local.path=%s/a,remote.path=%s/b,"
             "dump=%s/d", base, base, base);
    good(line);
    side_open(&a);
    snprintf(line, sizeof line, "-nic dgram,local.type=unix,local.path=%s/b,remote.path=%s/a", base,
             base);
    good(line);
    side_open(&b);
    ck_assert(nets_turn(&b.nets, true, &e));
    ck_assert(!oxbow_input_pending(b.m));
    send(&a, frame, sizeof frame);
    send(&a, frame, sizeof frame);
    ck_assert(nets_turn(&b.nets, true, &e));
    ck_assert(oxbow_input_pending(b.m));
    send(&b, frame, 50);
    ck_assert(nets_turn(&a.nets, false, &e));
    ck_assert(oxbow_input_pending(a.m));
    side_close(&a);
    send(&b, frame, sizeof frame); /* to nobody */
    side_close(&b);

    snprintf(line, sizeof line, "%s/d", base);
    uint8_t *dump = hostfile_read(line, &len, &e);
    ck_assert_uint_eq(len, 24 + 3 * 16 + 60 + 60 + 50);
    ck_assert_uint_eq(get32(dump), 0xa1b2c3d4);
    ck_assert_uint_eq(get32(dump + 20), 1);
    ck_assert_uint_eq(get32(dump + 32), 60);
    ck_assert_int_eq(memcmp(dump + 40, frame, 60), 0);
    free(dump);
    unlink(line);
    ck_assert_int_eq(rmdir(base), 0); /* the sockets are gone */
}
END_TEST

START_TEST(udp)
{
    static const uint8_t frame[60] = {0xff, 1, 2, 3};
    struct side a, b;

    good("-nic socket,udp=127.0.0.1:17471,localaddr=127.0.0.1:17470");
    side_open(&a);
    good("-nic socket,udp=127.0.0.1:17470,localaddr=127.0.0.1:17471");
    side_open(&b);
    send(&a, frame, sizeof frame);
    for (unsigned n = 0; n < 1000 && !oxbow_input_pending(b.m); n++) {
        ck_assert(nets_turn(&b.nets, true, &e));
        host_sleep_us(1000);
    }
    ck_assert(oxbow_input_pending(b.m));
    side_close(&a);
    side_close(&b);
}
END_TEST

static void refused(const char *line, const char *part)
{
    struct side s;
    struct oxbow_config cfg;

    good(line);
    oxbow_config_init(&cfg);
    cfg.ram_mb = 1;
    nets_wire(&s.nets, &o, &cfg);
    s.m = oxbow_new(&cfg, &e);
    ck_assert(!nets_open(&s.nets, &o, s.m, no_input, NULL, &e));
    ck_assert_msg(strstr(e.text, part) != NULL, "%s: %s", line, e.text);
    side_close(&s);
}

START_TEST(refused_sockets)
{
    refused("-nic socket,udp=nowhere,localaddr=:1", "HOST:PORT");
    refused("-nic socket,udp=127.0.0.1:1,localaddr=127.0.0.1:", "HOST:PORT");
    refused("-nic socket,udp=127.0.0.1:1,localaddr=203.0.113.1:17472", "can't be opened");
    refused("-nic socket,mcast=10.0.0.1:1", "not a group");
    refused("-nic dgram,local.type=unix,local.path=/nonexistent/a,remote.path=/b",
            "can't be opened");
    refused("-nic tap,ifname=no/such", "tap");
    refused("-nic socket,udp=127.0.0.1:1,localaddr=127.0.0.1:17473,dump=/nonexistent/d",
            "/nonexistent/d");
}
END_TEST

/* --- user-mode network ------------------------------------------------------------------------ */

#ifdef HAVE_SLIRP

START_TEST(user_network)
{
    /* Who has 10.0.2.2?  Tell 10.0.2.15. */
    static const uint8_t arp[42] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 0x12, 0x34,
                                    0x56, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 0x52, 0x54, 0, 0x12, 0x34,
                                    0x56, 10, 0, 2, 15, 0, 0, 0, 0, 0, 0, 10, 0, 2, 2};
    char path[] = "/tmp/oxbow-net-XXXXXX", line[400];
    struct side s;
    size_t len;
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    close(fd);
    snprintf(line, sizeof line, "-nic user,hostfwd=tcp:127.0.0.1:17474-:22,hostfwd=udp::17475-:1,"
             "guestfwd=tcp:10.0.2.100:7-cmd:cat,dump=%s", path);
    good(line);
    side_open(&s);
    ck_assert(nets_turn(&s.nets, true, &e));
    ck_assert(!oxbow_input_pending(s.m));
    send(&s, arp, sizeof arp);
    ck_assert(oxbow_input_pending(s.m)); /* the answer is there at once */
    oxbow_run(s.m, 1000000);
    ck_assert(!oxbow_input_pending(s.m));
    for (unsigned n = 0; n < 100; n++) { /* a second: timers run */
        oxbow_run(s.m, oxbow_ips(s.m) / 100);
        ck_assert(nets_turn(&s.nets, true, &e));
    }
    side_close(&s);
    uint8_t *dump = hostfile_read(path, &len, &e);
    ck_assert_uint_gt(len, 24 + 2 * 16 + 42 + 42);
    const uint8_t *reply = dump + 24 + 16 + 42 + 16;
    ck_assert_int_eq(memcmp(reply, arp + 6, 6), 0);
    ck_assert_int_eq(memcmp(reply + 28, "\x0a\x00\x02\x02", 4), 0);
    free(dump);
    unlink(path);
}
END_TEST

START_TEST(user_refused)
{
    refused("-nic user,hostfwd=22", "hostfwd=22");
    refused("-nic user,hostfwd=tcp::99999-:22", "hostfwd=");
    refused("-nic user,hostfwd=tcp::22-:0", "hostfwd=");
    refused("-nic user,hostfwd=tcp:x:22-:22", "hostfwd=");
    refused("-nic user,hostfwd=tcp:203.0.113.1:17476-:22", "17476");
    refused("-nic user,guestfwd=tcp:10.0.2.100:7-frob", "guestfwd=");
    refused("-nic user,guestfwd=tcp:10.0.2.2:7-cmd:cat", "guestfwd=");
}
END_TEST

#else

START_TEST(user_network)
{
    refused("-nic user", "libslirp");
}
END_TEST

START_TEST(user_refused)
{
    refused("-netdev user,id=n -device ne2k_pci,netdev=n", "-netdev socket");
}
END_TEST

#endif

int main(void)
{
    Suite *s = suite_create("net");
    TCase *t = tcase_create("net");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, nic_option);
    tcase_add_test(t, netdev_option);
    tcase_add_test(t, wire_speed);
    tcase_add_test(t, sockets);
    tcase_add_test(t, udp);
    tcase_add_test(t, refused_sockets);
    tcase_add_test(t, user_network);
    tcase_add_test(t, user_refused);
    suite_add_tcase(s, t);
    return suite_run(s);
}
