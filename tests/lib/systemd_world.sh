#!/bin/bash
# Runs a script under the real systemd, as PID 1 of namespaces of its own: systemd_world.sh FOLDER
#
# FOLDER/files is laid over this machine's root, whose own files stay as they are; FOLDER/script runs as a service, and writes
# into FOLDER/out. /dev is a stand-in with the few devices that are needed.
set -euo pipefail
if [ "${2:-}" != inside ]; then
    exec unshare --pid --mount --net --ipc --uts --cgroup --fork --kill-child "$0" "$1" inside
fi
folder=$1 root=$1/mnt/root
mkdir -p "$folder/mnt" "$folder/out"
mount --make-rprivate /
mount -t tmpfs tmpfs "$folder/mnt"
mkdir "$folder"/mnt/{upper,work,root}
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/mnt/upper,workdir=$folder/mnt/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys" || mount --rbind /sys "$root/sys"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/sys/fs/cgroup"
mkdir "$root"/sys/fs/cgroup/{systemd,unified}
mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup/unified" || true
mount -t tmpfs tmpfs "$root/dev"
for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/shm"
ln -s /proc/self/fd "$root/dev/fd"
touch "$root/dev/console"

# Nothing of this machine's own is started.
rm -rf "$root"/etc/systemd/system/*.wants
cp -a "$folder/files/." "$root/"
mkdir -p "$root/opt/world" "$root/oldroot"
mount --bind "$folder" "$root/opt/world"
cat > "$root/etc/systemd/system/world.target" <<END
[Unit]
Requires=world.service
After=world.service
END
cat > "$root/etc/systemd/system/world.service" <<END
[Unit]
DefaultDependencies=no
FailureAction=exit-force
SuccessAction=exit-force
[Service]
Type=oneshot
StandardOutput=file:/opt/world/out/script
StandardError=inherit
ExecStart=/bin/bash /opt/world/script
END
ip link set lo up
cd "$root"
pivot_root . oldroot
umount -l /oldroot
exec env -i container=world PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin \
    /lib/systemd/systemd --system --unit=world.target --log-target=null
