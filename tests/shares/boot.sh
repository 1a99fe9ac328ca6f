#!/bin/bash
# What User-Mode Linux runs in place of init: its kernel mounts shares of its own servers, twice, as
# two machines would, and tests run on them. See tests/telemetry/delivery/test_spool_shares.py.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t tmpfs tmp /run && mount -t tmpfs tmp /mnt
mount -t tmpfs tmp /dev/shm 2>/dev/null
ip link set lo up

# The kernel's modules are not where modprobe looks.
mkdir -p /run/modules/lib && ln -s /usr/lib/uml/modules /run/modules/lib/modules
printf '#!/bin/sh\nexec /usr/sbin/modprobe -d /run/modules "$@"\n' > /run/modprobe
chmod +x /run/modprobe && echo /run/modprobe > /proc/sys/kernel/modprobe

mkdir -p /mnt/store /mnt/here /mnt/there /mnt/samba
mount -t tmpfs store /mnt/store && mkdir /mnt/store/share
case $SHARE in
cifs)
    modprobe -d /run/modules cifs
    cat > /mnt/samba/smb.conf <<CONF
[global]
interfaces = lo
bind interfaces only = yes
private dir = /mnt/samba
lock directory = /mnt/samba
state directory = /mnt/samba
cache directory = /mnt/samba
pid directory = /mnt/samba
ncalrpc dir = /mnt/samba/ncalrpc
log file = /mnt/samba/log
map to guest = Bad User
guest account = root
disable spoolss = yes
[share]
path = /mnt/store/share
read only = no
guest ok = yes
CONF
    smbd -D -s /mnt/samba/smb.conf 2>/dev/null
    for _ in $(seq 50); do (echo > /dev/tcp/127.0.0.1/445) 2>/dev/null && break; sleep 0.1; done
    # As Azure mounts its Files: https://learn.microsoft.com/azure/storage/files/storage-how-to-use-files-linux
    for place in here there; do
        mount -t cifs //127.0.0.1/share /mnt/$place -o guest,vers=3.1.1,nosharesock,actimeo=30,mfsymlinks
    done ;;
nfs3 | nfs4)
    for module in nfs nfsv3 nfsv4 nfsd; do modprobe -d /run/modules $module; done
    mount -t tmpfs tmp /var/lib/nfs
    mkdir -p /var/lib/nfs/rpc_pipefs /var/lib/nfs/v4recovery && touch /var/lib/nfs/etab /var/lib/nfs/rmtab
    mount -t nfsd nfsd /proc/fs/nfsd
    exportfs -o rw,no_root_squash,insecure,fsid=0,no_subtree_check 127.0.0.1:/mnt/store/share
    rpcbind -w 2>/dev/null; rpc.mountd 2>/dev/null; rpc.nfsd 4
    echo 1 > /proc/fs/nfsd/v4_end_grace
    for place in here there; do
        if [ "$SHARE" = nfs4 ]; then
            mount -t nfs 127.0.0.1:/ /mnt/$place -o vers=4.1,nosharecache
        else
            mount -t nfs 127.0.0.1:/mnt/store/share /mnt/$place -o vers=3,nosharecache,nolock
        fi
    done ;;
esac
echo "mounted: $(findmnt -n -o FSTYPE /mnt/here) $(findmnt -n -o FSTYPE /mnt/there)"
cd "$REPO" || exit
export PYTHONDONTWRITEBYTECODE=1 HYPOTHESIS_STORAGE_DIRECTORY=/run/hypothesis VIEWS=/mnt/here:/mnt/there
"$PYTHON" -m pytest -p no:cacheprovider --basetemp=/mnt/here/tests -q --durations=12 $TESTS ${WHICH:+-k "${WHICH//,/ or }"}
echo "ended: $?"
exec "$PYTHON" -c 'import ctypes; ctypes.CDLL(None).reboot(0x4321FEDC)'
