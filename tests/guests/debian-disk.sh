# Sourced by the recipes of Debian disks.

# debian_disk ROOT FOLDER SIZE APPEND: makes FOLDER/debian.img, SIZE MB, of the tree ROOT, with GRUB as boot loader;
# APPEND goes to the kernel's command line.
debian_disk()
{
    kernel=$(basename "$1"/boot/vmlinuz-*)
    initrd=$(basename "$1"/boot/initrd.img-*)
    mkdir -p "$1/boot/grub"
    cat >"$1/boot/grub/grub.cfg" <<END
serial --unit=0 --speed=115200
terminal_input console serial
terminal_output console serial
set timeout=1
menuentry Debian {
    linux /boot/$kernel root=/dev/sda1 ro console=tty0 console=ttyS0,115200 $4
    initrd /boot/$initrd
}
END
    # One partition at sector 2048; the boot loader lies before it.
    mke2fs -q -t ext4 -O ^metadata_csum,^64bit -d "$1" "$2/part" "$3M"
    grub=packages/grub-pc-bin/usr/lib/grub/i386-pc
    grub-mkimage -O i386-pc -d "$grub" -p '(hd0,msdos1)/boot/grub' -o "$2/core.img" \
        biosdisk part_msdos ext2 linux normal configfile serial terminal
    truncate -s "$(($3 + 1))M" "$2/debian.img"
    dd if="$2/part" of="$2/debian.img" bs=1M seek=1 conv=notrunc,sparse status=none
    head -c 440 "$grub/boot.img" | dd of="$2/debian.img" conv=notrunc status=none
    dd if="$2/core.img" of="$2/debian.img" bs=512 seek=1 conv=notrunc status=none
    printf '2048,,83,*\n' | sfdisk -q "$2/debian.img"
    rm "$2/part" "$2/core.img"
}
