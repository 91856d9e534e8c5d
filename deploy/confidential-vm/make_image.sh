#!/bin/bash
# Turn the aggregator's image into what a confidential virtual machine starts from: kernel, initrd, command line
# and a read-only disk. The command line names the disk's dm-verity hash, so that the launch measurement covers
# every byte that runs. The same image and kernel give the same four files.
#   deploy/confidential-vm/make_image.sh KERNEL MODULES [PLAN.toml [WORDS]]
# KERNEL is a vmlinuz of Linux 6.7 or later (configfs-tsm), MODULES its /lib/modules/VERSION.
# PLAN goes into the measured disk; WORDS are what cryofed is started with, instead of the aggregator.
# Needs buildah, squashfs-tools, cryptsetup-bin, busybox-static, dmsetup, cpio, kmod; root for the mount.
set -euo pipefail
kernel=$1
modules=$2
here=$(cd "$(dirname "$0")" && pwd)
image=${IMAGE:-oci:$here/../aggregator.oci:latest}
plan=${3:-}
words=${4:-}
out=$here/build
epoch=$(git -C "$here" log -1 --format=%ct)
rm -rf "$out" && mkdir -p "$out/initrd"/{bin,proc,sys,dev,root,lib/modules}

echo "== disk: the image, read-only"
container=$(buildah from "$image")
trap 'buildah rm "$container" > /dev/null' EXIT
mount=$(buildah mount "$container")
mkdir -p "$mount"/{proc,sys,dev,data,tmp}
[ -z "$plan" ] || install -D -m 644 "$plan" "$mount/etc/cryofed/plan.toml"
mksquashfs "$mount" "$out/root.squashfs" -noappend -no-progress -quiet -no-xattrs -processors 1 \
  -mkfs-time "$epoch" -all-time "$epoch"
# Salt and identity are taken from the content: random ones would change the hash at every build.
salt=$(sha256sum "$out/root.squashfs" | cut -d' ' -f1)
uuid=$(echo "$salt" | sed -E 's/^(.{8})(.{4})(.{4})(.{4})(.{12}).*/\1-\2-\3-\4-\5/')
told=$(veritysetup format --salt "$salt" --uuid "$uuid" "$out/root.squashfs" "$out/root.verity")
root_hash=$(echo "$told" | awk '/^Root hash/{print $3}')
blocks=$(echo "$told" | awk '/^Data blocks/{print $3}')

echo "== initrd: opens the disk by its hash, and starts the aggregator as user 10001"
cp /bin/busybox "$out/initrd/bin/busybox"
dmsetup=$(command -v dmsetup)
for file in "$dmsetup" $(ldd "$dmsetup" | grep -o '/[^ ]*'); do
  mkdir -p "$out/initrd$(dirname "$file")"
  cp "$file" "$out/initrd$file"
done
ln -s "$dmsetup" "$out/initrd/bin/dmsetup"
: > "$out/initrd/lib/modules/order"
for module in virtio_pci virtio_blk virtio_net squashfs dm_verity tsm sev_guest tdx_guest; do
  # What is built into the kernel, or does not exist in it, has no file.
  modprobe -d "$(dirname "$(dirname "$(dirname "$modules")")")" -S "$(basename "$modules")" \
    --show-depends "$module" 2> /dev/null | awk '/^insmod/{print $2}' >> "$out/initrd/lib/modules/order" || true
done
awk '!seen[$0]++' "$out/initrd/lib/modules/order" > "$out/order"
: > "$out/initrd/lib/modules/order"
while read -r path; do
  cp "$path" "$out/initrd/lib/modules/"
  echo "/lib/modules/$(basename "$path")" >> "$out/initrd/lib/modules/order"
done < "$out/order"
sectors=$((blocks * 8)) # of 512 bytes; blocks have 4096
echo "0 $sectors verity 1 /dev/vda /dev/vdb 4096 4096 $blocks 1 sha256 $root_hash $salt" > "$out/initrd/verity"
install -m 755 "$here/init" "$out/initrd/init"
find "$out/initrd" -exec touch -h -d "@$epoch" {} +
(cd "$out/initrd" && find . -print0 | LC_ALL=C sort -z | cpio --quiet -0 -o -H newc --reproducible -R 0:0) \
  | gzip -n > "$out/initrd.gz"
rm -r "$out/initrd" "$out/order"

cp "$kernel" "$out/vmlinuz"
echo "console=ttyS0 panic=-1 lockdown=confidentiality roothash=$root_hash${words:+ cryofed=\"$words\"}" > "$out/cmdline"
(cd "$out" && sha256sum vmlinuz initrd.gz cmdline root.squashfs root.verity)
