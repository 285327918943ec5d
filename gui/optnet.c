/*
 * Network options; see optnet.h.
 */
#include "gui/optnet.h"

#include <string.h>

#include "gui/options.h"
#include "gui/optvalue.h"

enum word { WORD_OK, WORD_BAD, WORD_UNKNOWN };

static enum word judged(bool ok)
{
    return ok ? WORD_OK : WORD_BAD;
}

static enum word text(struct options *o, const char **to, const char *value, struct err *e)
{
    *to = opt_string(o, value, strlen(value), e);
    return judged(*to != NULL);
}

static enum word file(struct options *o, const char **to, const char *dir, const char *value,
                      struct err *e)
{
    if (!*value) {
        *to = NULL;
        return WORD_OK;
    }
    *to = opt_file(o, dir, value, e);
    return judged(*to != NULL);
}

/* --- adapters ------------------------------------------------------------------------------ */

static bool parse_model(const char *word, enum oxbow_nic_model *model)
{
    bool pci = strcmp(word, "ne2k_pci") == 0;

    *model = pci ? OXBOW_NIC_NE2K_PCI : OXBOW_NIC_NE2K_ISA;
    return pci || strcmp(word, "ne2k_isa") == 0;
}

static bool set_model(const char *option, const char *word, enum oxbow_nic_model *model,
                      struct err *e)
{
    return parse_model(word, model) ||
           err_set(e, "%s model=%s: there is no such adapter; use ne2k_pci or ne2k_isa", option,
                   word);
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *p = c ? strchr(digits, c >= 'A' ? c | 0x20 : c) : NULL;

    return p ? (int)(p - digits) : -1;
}

static bool set_mac(const char *option, const char *s, uint8_t *mac, struct err *e)
{
    bool ok = strlen(s) == NET_MAC * 3 - 1;

    for (unsigned n = 0; ok && n < NET_MAC; n++) {
        int high = hex_digit(s[n * 3]), low = hex_digit(s[n * 3 + 1]);

        ok = high >= 0 && low >= 0 && (n == NET_MAC - 1 || s[n * 3 + 2] == ':');
        mac[n] = (uint8_t)(ok ? high << 4 | low : 0);
    }
    if (!ok) {
        return err_set(e, "%s mac=%s: write six bytes, as in mac=52:54:00:12:34:56", option, s);
    }
    return !(mac[0] & 1) ||
           err_set(e, "%s mac=%s: this is a group address; its first byte must be even", option, s);
}

static bool set_iobase(const char *option, const char *s, uint16_t *port, struct err *e)
{
    uint64_t n;

    if (!optvalue_number(s, &n) || n < 0x200 || n > 0x3e0 || n & 0x1f) {
        return err_set(e, "%s iobase=%s: use 0x200 to 0x3e0 in steps of 0x20", option, s);
    }
    *port = (uint16_t)n;
    return true;
}

static bool set_irq(const char *option, const char *s, uint8_t *irq, struct err *e)
{
    uint64_t n;

    if (!optvalue_number(s, &n) || n > 15 || !(0x8e38u >> n & 1)) {
        return err_set(e, "%s irq=%s: use 3, 4, 5, 9, 10, 11 or 15", option, s);
    }
    *irq = (uint8_t)n;
    return true;
}

static enum word nic_word(struct options *o, struct nic_option *nic, const char *option,
                          const struct optpair *p, const char *dir, struct err *e)
{
    if (strcmp(p->key, "mac") == 0 || strcmp(p->key, "macaddr") == 0) {
        return judged(set_mac(option, p->value, nic->mac, e));
    }
    if (strcmp(p->key, "iobase") == 0) {
        return judged(set_iobase(option, p->value, &nic->iobase, e));
    }
    if (strcmp(p->key, "irq") == 0) {
        return judged(set_irq(option, p->value, &nic->irq, e));
    }
    if (strcmp(p->key, "romfile") == 0) {
        return file(o, &nic->romfile, dir, p->value, e);
    }
    if (strcmp(p->key, "link") == 0) {
        bool on;

        if (!optvalue_switch(p->value, &on)) {
            return judged(err_set(e, "%s link=%s: write on or off", option, p->value));
        }
        nic->link_off = !on;
        return WORD_OK;
    }
    return WORD_UNKNOWN;
}

static bool add_nic(struct options *o, const char *option, const struct nic_option *nic,
                    struct err *e)
{
    bool isa = nic->model == OXBOW_NIC_NE2K_ISA;

    if (isa && nic->romfile) {
        return err_set(e, "%s romfile=%s: only ne2k_pci has a place for a ROM", option,
                       nic->romfile);
    }
    if (!isa && (nic->iobase || nic->irq)) {
        return err_set(e, "%s: ne2k_pci gets its port and interrupt from the BIOS; leave iobase "
                          "and irq away", option);
    }
    if (o->nics == OXBOW_NICS) {
        return err_set(e, "%s: a machine has at most %d network adapters", option, OXBOW_NICS);
    }
    o->nic[o->nics++] = *nic;
    return true;
}

/* --- what they are connected to ------------------------------------------------------------- */

static bool set_kind(const char *option, const char *word, enum net_kind *kind, struct err *e)
{
    static const struct {
        const char *word;
        enum net_kind kind;
    } kinds[] = {{"user", NET_USER}, {"socket", NET_UDP}, {"dgram", NET_UDP}, {"tap", NET_TAP}};

    for (unsigned n = 0; n < ARRAY_LEN(kinds); n++) {
        if (strcmp(word, kinds[n].word) == 0) {
            *kind = kinds[n].kind;
            return true;
        }
    }
    return err_set(e, "%s %s: there is no such network; use user, socket, dgram, tap%s", option,
                   word, strcmp(option, "-nic") == 0 ? " or none" : "");
}

static enum word forward(struct options *o, const char **list, unsigned *count, const char *option,
                         const struct optpair *p, struct err *e)
{
    if (*count == NET_FORWARDS) {
        return judged(err_set(e, "%s %s=%s: at most %d of them fit", option, p->key, p->value,
                              NET_FORWARDS));
    }
    return text(o, &list[(*count)++], p->value, e);
}

static enum word user_word(struct options *o, struct net_option *n, const struct optpair *p,
                           const char *dir, struct err *e)
{
    if (strcmp(p->key, "hostfwd") == 0) {
        return forward(o, n->hostfwd, &n->hostfwds, n->option, p, e);
    }
    if (strcmp(p->key, "guestfwd") == 0) {
        return forward(o, n->guestfwd, &n->guestfwds, n->option, p, e);
    }
    if (strcmp(p->key, "restrict") == 0) {
        return judged(optvalue_switch(p->value, &n->restricted) ||
                      err_set(e, "%s restrict=%s: use on or off", n->option, p->value));
    }
    if (strcmp(p->key, "ipv6") == 0) {
        bool on = true, ok = optvalue_switch(p->value, &on);

        n->no_ipv6 = !on;
        return judged(ok || err_set(e, "%s ipv6=%s: use on or off", n->option, p->value));
    }
    if (strcmp(p->key, "tftp") == 0) {
        return file(o, &n->tftp, dir, p->value, e);
    }
    if (strcmp(p->key, "bootfile") == 0) {
        return text(o, &n->bootfile, p->value, e);
    }
    if (strcmp(p->key, "hostname") == 0) {
        return text(o, &n->hostname, p->value, e);
    }
    return WORD_UNKNOWN;
}

/* dgram names its ends in parts; host and port become HOST:PORT. */
static enum word end_word(struct options *o, struct net_option *n, const char **end,
                          const struct optpair *p, const char *part, const char *dir, struct err *e)
{
    char both[256];

    if (strcmp(part, "type") == 0) {
        n->kind = strcmp(p->value, "unix") == 0 ? NET_UNIX : NET_UDP;
        return judged(n->kind == NET_UNIX || strcmp(p->value, "inet") == 0 ||
                      err_set(e, "%s %s=%s: use inet or unix", n->option, p->key, p->value));
    }
    if (strcmp(part, "path") == 0) {
        return file(o, end, dir, p->value, e);
    }
    if (strcmp(part, "host") != 0 && strcmp(part, "port") != 0) {
        return WORD_UNKNOWN;
    }
    if (strlen(p->value) + (*end ? strlen(*end) : 0) + 2 > sizeof both) {
        return judged(err_set(e, "%s %s=%s: too long", n->option, p->key, p->value));
    }
    /* Whichever comes first waits for the other one. */
    both[0] = 0;
    if (strcmp(part, "host") == 0) {
        strcat(strcat(both, p->value), *end && (*end)[0] == ':' ? *end : ":");
    } else {
        const char *host = *end ? *end : ":";
        strncat(both, host, strcspn(host, ":"));
        strcat(strcat(both, ":"), p->value);
    }
    return text(o, end, both, e);
}

static enum word socket_word(struct options *o, struct net_option *n, const struct optpair *p,
                             const char *dir, struct err *e)
{
    if (strcmp(p->key, "udp") == 0 || strcmp(p->key, "mcast") == 0) {
        n->kind = p->key[0] == 'u' ? NET_UDP : NET_MCAST;
        return text(o, &n->remote, p->value, e);
    }
    if (strcmp(p->key, "localaddr") == 0) {
        return text(o, &n->local, p->value, e);
    }
    if (strncmp(p->key, "local.", 6) == 0) {
        return end_word(o, n, &n->local, p, p->key + 6, dir, e);
    }
    if (strncmp(p->key, "remote.", 7) == 0) {
        return end_word(o, n, &n->remote, p, p->key + 7, dir, e);
    }
    return WORD_UNKNOWN;
}

/* QEMU runs scripts to set the interface up; they can only be switched off here. */
static enum word tap_word(struct options *o, struct net_option *n, const struct optpair *p,
                          struct err *e)
{
    if (strcmp(p->key, "script") == 0 || strcmp(p->key, "downscript") == 0) {
        return judged(strcmp(p->value, "no") == 0 ||
                      err_set(e, "%s %s=%s: no script is run; set the interface up yourself and "
                                 "write %s=no", n->option, p->key, p->value, p->key));
    }
    return strcmp(p->key, "ifname") == 0 ? text(o, &n->local, p->value, e) : WORD_UNKNOWN;
}

static enum word net_word(struct options *o, struct net_option *n, const struct optpair *p,
                          const char *dir, struct err *e)
{
    if (strcmp(p->key, "dump") == 0) {
        return file(o, &n->dump, dir, p->value, e);
    }
    if (strcmp(p->key, "id") == 0) {
        return text(o, &n->id, p->value, e);
    }
    return n->kind == NET_USER  ? user_word(o, n, p, dir, e)
           : n->kind == NET_TAP ? tap_word(o, n, p, e)
                                : socket_word(o, n, p, dir, e);
}

static bool unknown(const struct net_option *n, const struct optpair *p, struct err *e)
{
    const char *known = "udp, mcast, localaddr, local.*, remote.*";

    if (n->kind == NET_USER) {
        known = "hostfwd, guestfwd, restrict, ipv6, tftp, bootfile, hostname";
    } else if (n->kind == NET_TAP) {
        known = "ifname, script, downscript";
    }
    return *p->key ? err_set(e, "%s %s=: this setting is not there; use %s and dump", n->option,
                             p->key, known)
                   : err_set(e, "%s %s: write KEY=VALUE; keys are %s and dump", n->option, p->value,
                             known);
}

static bool add_net(struct options *o, const struct net_option *n, struct err *e)
{
    if (n->kind == NET_TAP) {
        if (!n->local) {
            return err_set(e, "%s tap: name the interface, as in tap,ifname=tap0", n->option);
        }
    } else if (n->kind != NET_USER && (!n->remote || (n->kind != NET_MCAST && !n->local))) {
        return err_set(e, "%s: name both ends, as in socket,udp=127.0.0.1:1235,"
                          "localaddr=127.0.0.1:1234, or a group, as in socket,mcast=230.0.0.1:1234",
                       n->option);
    }
    if (o->netdevs == NETDEVS) {
        return err_set(e, "%s: at most %d networks can be connected", n->option, NETDEVS);
    }
    for (unsigned k = 0; n->id && k < o->netdevs; k++) {
        if (o->netdev[k].id && strcmp(o->netdev[k].id, n->id) == 0) {
            return err_set(e, "%s id=%s: this name is taken", n->option, n->id);
        }
    }
    o->netdev[o->netdevs++] = *n;
    return true;
}

bool opt_netdev(struct options *o, const char *value, const char *dir, struct err *e)
{
    struct net_option n = {.option = "-netdev"};
    struct optpair p;

    if (!optvalue_next(&value, &p) || (*p.key && strcmp(p.key, "type") != 0)) {
        return err_set(e, "-netdev: name the type first, as in -netdev user,id=n0");
    }
    if (!set_kind("-netdev", p.value, &n.kind, e)) {
        return false;
    }
    while (optvalue_next(&value, &p)) {
        enum word w = net_word(o, &n, &p, dir, e);

        if (w != WORD_OK) {
            return w == WORD_UNKNOWN ? unknown(&n, &p, e) : false;
        }
    }
    if (!n.id) {
        return err_set(e, "-netdev: give it a name with id=, which -device ne2k_pci,netdev= uses");
    }
    return add_net(o, &n, e);
}

bool opt_nic(struct options *o, const char *value, const char *dir, struct err *e)
{
    struct net_option n = {.option = "-nic", .used = true};
    struct nic_option nic = {.model = OXBOW_NIC_NE2K_PCI};
    struct optpair p;

    if (strcmp(value, "none") == 0) {
        return true;
    }
    if (!optvalue_next(&value, &p) || (*p.key && strcmp(p.key, "type") != 0)) {
        return err_set(e, "-nic: name the type first, as in -nic user,model=ne2k_pci");
    }
    if (!set_kind("-nic", p.value, &n.kind, e)) {
        return false;
    }
    while (optvalue_next(&value, &p)) {
        enum word w = strcmp(p.key, "model") == 0
                          ? judged(set_model("-nic", p.value, &nic.model, e))
                          : nic_word(o, &nic, "-nic", &p, dir, e);

        w = w == WORD_UNKNOWN ? net_word(o, &n, &p, dir, e) : w;
        if (w != WORD_OK) {
            return w == WORD_UNKNOWN ? unknown(&n, &p, e) : false;
        }
    }
    nic.net = (int)o->netdevs;
    return add_net(o, &n, e) && add_nic(o, "-nic", &nic, e);
}

/* --- -device and -object ------------------------------------------------------------------- */

bool opt_is_nic(const char *driver)
{
    enum oxbow_nic_model model;

    return parse_model(driver, &model);
}

bool opt_nic_device(struct options *o, const char *driver, const char *words, const char *dir,
                    struct err *e)
{
    struct nic_option nic = {.net = -1};
    struct optpair p;

    parse_model(driver, &nic.model);
    while (optvalue_next(&words, &p)) {
        enum word w = nic_word(o, &nic, "-device", &p, dir, e);

        if (strcmp(p.key, "netdev") == 0) {
            w = text(o, &nic.netdev, p.value, e);
        } else if (strcmp(p.key, "id") == 0) {
            w = WORD_OK; /* a name for other options of QEMU's, none of which are here */
        }
        if (w != WORD_OK) {
            return w == WORD_BAD ? false
                                 : err_set(e, "-device %s,%s=: it has the settings netdev, mac, "
                                              "iobase, irq, romfile and link", driver,
                                           *p.key ? p.key : p.value);
        }
    }
    return add_nic(o, "-device", &nic, e);
}

/* -object filter-dump,id=ID,netdev=NAME,file=FILE after the -netdev it names. */
bool opt_object(struct options *o, const char *value, const char *dir, struct err *e)
{
    struct optpair p;
    const char *dump = NULL;
    struct net_option *n = NULL;

    if (!optvalue_next(&value, &p) || strcmp(p.value, "filter-dump") != 0) {
        return err_set(e, "-object %s: there is no such object; filter-dump is the only one",
                       p.value);
    }
    while (optvalue_next(&value, &p)) {
        if (strcmp(p.key, "file") == 0) {
            if (file(o, &dump, dir, p.value, e) != WORD_OK) {
                return false;
            }
        } else if (strcmp(p.key, "netdev") == 0) {
            for (unsigned k = 0; k < o->netdevs; k++) {
                bool it = o->netdev[k].id && strcmp(o->netdev[k].id, p.value) == 0;
                n = it ? &o->netdev[k] : n;
            }
        } else if (strcmp(p.key, "id") != 0) {
            return err_set(e, "-object filter-dump,%s=: it has the settings id, netdev and file",
                           *p.key ? p.key : p.value);
        }
    }
    if (!n || !dump) {
        return err_set(e, "-object filter-dump: write netdev=NAME of a -netdev before it, and "
                          "file=FILE");
    }
    n->dump = dump;
    return true;
}

bool opt_net_check(struct options *o, struct err *e)
{
    for (unsigned n = 0; n < o->nics; n++) {
        struct nic_option *nic = &o->nic[n];

        for (unsigned k = 0; nic->netdev && nic->net < 0 && k < o->netdevs; k++) {
            if (o->netdev[k].id && strcmp(o->netdev[k].id, nic->netdev) == 0) {
                nic->net = (int)k;
            }
        }
        if (nic->netdev && nic->net < 0) {
            return err_set(e, "-device netdev=%s: there is no -netdev with id=%s", nic->netdev,
                           nic->netdev);
        }
        if (nic->netdev && o->netdev[nic->net].used) {
            return err_set(e, "-device netdev=%s: another adapter has it already", nic->netdev);
        }
        if (nic->netdev) {
            o->netdev[nic->net].used = true;
        }
    }
    for (unsigned k = 0; k < o->netdevs; k++) {
        if (!o->netdev[k].used) {
            return err_set(e, "-netdev id=%s: no adapter is connected to it; add -device "
                              "ne2k_pci,netdev=%s", o->netdev[k].id, o->netdev[k].id);
        }
    }
    return true;
}
