/*
 * Options that QEMU has and Oxbow has not; see optrefused.h.  The names are those of QEMU 5 to 9.
 */
#include "gui/optrefused.h"

#include <string.h>

struct refused {
    const char *name;
    const char *is;  /* the one value that says what is so anyway; accepted */
    const char *why; /* or what to do instead */
};

static const struct refused refused[] = {
    {"accel", "tcg", "there is no accelerator, the processor is interpreted"},
    {"enable-kvm", NULL, "there is no accelerator, the processor is interpreted"},
    {"smp", "1", "there is one processor"},
    {"monitor", "none", "there is no monitor; oxbow test runs scripts"},
    {"qmp", "none", "there is no control socket; oxbow test runs scripts"},
    {"mon", NULL, "there is no monitor; oxbow test runs scripts"},
    {"gdb", "none", "there is no debugger port"},
    {"s", NULL, "there is no debugger port"},
    {"S", NULL, "nothing could start the machine again, as there is no monitor"},
    {"net", "none", "write -nic user, or -netdev with -device"},
    {"soundhw", NULL, "write -device sb16 or adlib, and -audio sdl or wav:FILE"},
    {"vnc", "none", "there is no VNC server; use -display sdl"},
    {"spice", NULL, "there is no SPICE server; use -display sdl"},
    {"curses", NULL, "there is no screen in the terminal; use -nographic with a serial console"},
    {"sdl", NULL, "write -display sdl"},
    {"usb", NULL, "there is no USB controller"},
    {"usbdevice", NULL, "there is no USB controller"},
    {"nodefaults", NULL, "there are no default devices to leave out; name what you want"},
    {"no-user-config", NULL, "no file is read that was not named; leave the option away"},
    {"loadvm", NULL, "states are files of their own; use -loadstate FILE"},
    {"incoming", NULL, "states are files of their own; use -loadstate FILE"},
    {"writeconfig", NULL, "write the ini file by hand, one `name = value` a line"},
    {"d", NULL, "the processor keeps no log; -log warn tells of odd register accesses"},
    {"D", NULL, "the log goes to standard error; redirect that"},
    {"trace", NULL, "devices have no trace points; -log warn tells of odd register accesses"},
    {"chardev", NULL, "name the target in -serial, -parallel or -debugcon"},
    {"blockdev", NULL, "use -drive"},
    {"pflash", NULL, "there is no flash memory; use -bios FILE"},
    {"option-rom", NULL, "only -bios and -vgabios are taken from files"},
    {"daemonize", NULL, "use the shell's & with -display none"},
    {"k", NULL, "keys go by their place on the keyboard, whatever the layout"},
    {"L", NULL, "the BIOS is built in; name another with -bios FILE"},
    {"acpitable", NULL, NULL}, {"action", NULL, NULL}, {"add-fd", NULL, NULL},
    {"alt-grab", NULL, NULL}, {"async-teardown", NULL, NULL}, {"boot-once", NULL, NULL},
    {"chroot", NULL, NULL}, {"compat", NULL, NULL}, {"ctrl-grab", NULL, NULL},
    {"dfilter", NULL, NULL},
    {"dtb", NULL, NULL}, {"dump-vmstate", NULL, NULL}, {"echr", NULL, NULL},
    {"enable-fips", NULL, NULL}, {"fsdev", NULL, NULL}, {"fw_cfg", NULL, NULL}, {"g", NULL, NULL},
    {"global", NULL, NULL}, {"hdachs", NULL, NULL}, {"iscsi", NULL, NULL}, {"mem-path", NULL, NULL},
    {"mem-prealloc", NULL, NULL}, {"msg", NULL, NULL}, {"mtdblock", NULL, NULL},
    {"no-acpi", NULL, NULL}, {"no-fd-bootchk", NULL, NULL}, {"no-hpet", NULL, NULL},
    {"numa", NULL, NULL}, {"only-migratable", NULL, NULL},
    {"overcommit", NULL, NULL}, {"perfmap", NULL, NULL}, {"pidfile", NULL, NULL},
    {"plugin", NULL, NULL}, {"preconfig", NULL, NULL}, {"qmp-pretty", NULL, NULL},
    {"qtest", NULL, NULL}, {"rotate", NULL, NULL}, {"run-with", NULL, NULL}, {"runas", NULL, NULL},
    {"sandbox", NULL, NULL}, {"sd", NULL, NULL}, {"seed", NULL, NULL}, {"semihosting", NULL, NULL},
    {"set", NULL, NULL}, {"shim", NULL, NULL}, {"singlestep", NULL, NULL}, {"smbios", NULL, NULL},
    {"tb-size", NULL, NULL}, {"tpmdev", NULL, NULL}, {"uuid", NULL, NULL}, {"virtfs", NULL, NULL},
    {"virtiofs", NULL, NULL}, {"watchdog", NULL, NULL}, {"watchdog-action", NULL, NULL},
    {"win2k-hack", NULL, NULL}, {"xen-domid", NULL, NULL},
};

static const struct refused *find(const char *name)
{
    for (unsigned n = 0; n < ARRAY_LEN(refused); n++) {
        if (strcmp(refused[n].name, name) == 0) {
            return &refused[n];
        }
    }
    return NULL;
}

bool optrefused_knows(const char *name)
{
    return find(name) != NULL;
}

bool optrefused_takes_value(const char *name)
{
    const struct refused *r = find(name);

    return r && r->is;
}

bool optrefused_check(const char *name, const char *value, struct err *e)
{
    const struct refused *r = find(name);

    if (r && r->is && value && strcmp(value, r->is) == 0) {
        return true;
    }
    return err_set(e, "-%s: not available; %s", name,
                   r && r->why ? r->why : "nothing here corresponds to it, leave it away");
}
