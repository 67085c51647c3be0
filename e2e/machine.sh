#!/bin/sh
# A small machine of its own for the README's picture: own process numbers, own name, and real programs at real work,
# watched by a real server. Called by machine.mjs inside `unshare`; $1 is the server's binary.
# Where a program is not installed, its part is left out.
set -u
# The distribution's own programs; Debian keeps those of its database out of the usual folders.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
for folder in /usr/lib/postgresql/*/bin; do [ -d "$folder" ] && PATH="$folder:$PATH"; done
export PATH

# Becomes another user and another program.
become() { user=$1; shift; exec setpriv --reuid="$user" --regid="$user" --clear-groups -- "$@"; }

database() {
  (become postgres initdb -D /srv/postgres/data -A trust -U postgres) || exit 0
  (become postgres postgres -D /srv/postgres/data -c listen_addresses= -c unix_socket_directories=/srv/postgres -c max_connections=40) &
  sleep 4
  (become postgres createdb -h /srv/postgres -U postgres shop)
  (become postgres pgbench -h /srv/postgres -U postgres -i -q -s 12 shop)
  while :; do (become www-data pgbench -h /srv/postgres -U postgres -n -c 6 -j 2 -R 90 -T 50 shop); sleep 7; done
}

web() {
  (become www-data python3 -m http.server 18431 --bind 127.0.0.1 --directory /usr/share/doc) &
  while :; do (become nobody curl -s -o /dev/null http://127.0.0.1:18431/); sleep 0.7; done
}

images() {
  while :; do
    (become www-data sh -c 'convert -size 900x700 plasma: -resize 640 /srv/images/cover.webp; sleep 2; convert /srv/images/cover.webp -blur 0x8 /srv/images/small.png')
    sleep 9
  done
}

backups() {
  while :; do
    sleep 20
    (become backup sh -c 'tar -C /usr/share -cf - doc perl | zstd -q -15 -f -o /srv/backup/share.tar.zst')
  done
}

case "$0" in
  /srv/bin/shop-database) database ;;
  /srv/bin/shop-web) web ;;
  /srv/bin/shop-images) images ;;
  /srv/bin/nightly-backup) backups ;;
  /srv/bin/init)
    if command -v initdb > /dev/null; then /srv/bin/shop-database > /dev/null 2>&1 & fi
    if command -v python3 > /dev/null; then /srv/bin/shop-web > /dev/null 2>&1 & fi
    if command -v convert > /dev/null; then /srv/bin/shop-images > /dev/null 2>&1 & fi
    if command -v zstd > /dev/null; then /srv/bin/nightly-backup > /dev/null 2>&1 & fi
    # Without the right to load BPF programs: those name processes by the pids of the first namespace, not of this one.
    setpriv --bounding-set=-bpf,-sys_admin /srv/bin/procession serve --data /srv/data --listen 127.0.0.1:0 --interval 1s
    ;;
  *)
    hostname shop-1
    mount -t tmpfs tmpfs /srv
    mkdir -p /srv/bin /srv/data /srv/postgres /srv/backup /srv/images
    cp "$1" /srv/bin/procession
    for name in init shop-database shop-web shop-images nightly-backup; do cp "$0" "/srv/bin/$name"; chmod 755 "/srv/bin/$name"; done
    chown postgres /srv/postgres
    chown backup /srv/backup
    chown www-data /srv/images
    cd /
    exec env -i PATH="$PATH" LANG=C.UTF-8 /srv/bin/init
    ;;
esac
