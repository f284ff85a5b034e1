#!/bin/bash
# The network as its users see it: two containers of one daemon, a published port, and a neighbour outside, all in a
# network namespace of this test's own; looked at with the standard tools (ip, bridge, nft).
set -u
die() { echo "FAIL: $*" >&2; exit 1; }
skip() { echo "SKIP: $*"; exit 77; }

: "${SKERRY_BIN_DIR:?directory of the programs}"
[ "$(id -u)" = 0 ] || skip "needs root"
for tool in ip nft bridge nsenter busybox jq; do command -v "$tool" >/dev/null || skip "needs $tool"; done
for program in skerryd skerry skerry-oci skerry-keeper; do
  [ -x "$SKERRY_BIN_DIR/$program" ] || skip "needs $program"
done

if [ "${1:-}" != inside ]; then
  exec unshare --net --mount --propagation private "$0" inside
fi

dir=$(mktemp -d /tmp/skerry-network-XXXXXX)
daemon=
outside=
servers=()
cleanup() {
  if [ -n "$daemon" ]; then
    for name in a b; do skerry rm -f "$name" >/dev/null 2>&1; done
    kill "$daemon" 2>/dev/null; wait "$daemon" 2>/dev/null
  fi
  [ -n "$outside" ] && kill "$outside" "${servers[@]}" 2>/dev/null
  rm -rf --one-file-system "$dir"
}
trap cleanup EXIT

skerry() { "$SKERRY_BIN_DIR/skerry" --socket "$dir/run/skerryd.sock" "$@"; }
# Waits until a command succeeds, at most ten seconds.
eventually() {
  local deadline=$((SECONDS + 10))
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || return 1
    sleep 0.05
  done
}
start_daemon() {
  "$SKERRY_BIN_DIR/skerryd" --state-dir "$dir/state" --run-dir "$dir/run" --listen none \
    --cgroup-parent "skerry-net-$$" 2>>"$dir/skerryd.log" &
  daemon=$!
  eventually skerry ls || { cat "$dir/skerryd.log" >&2; die "skerryd did not come up"; }
}
# An HTTP server on ADDRESS, in the namespace of this process id.
serve_in() {
  nsenter --net="/proc/$1/ns/net" busybox httpd -f -p "$2" -h "$dir/outside" & servers+=($!)
  eventually fetch_in "$1" "http://$2/" || die "no server on $2"
}
fetch_in() { nsenter --net="/proc/$1/ns/net" timeout 3 busybox wget -q -O - "$2"; }

# A world outside: a namespace with a web server behind a veth that is none of ours, without a route to the zone.
ip link set lo up
unshare --net sleep infinity & outside=$!
in_own_netns() { [ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }
eventually in_own_netns "$outside" || die "no namespace for the world outside"
ip link add wan0 type veth peer name eth0 netns "$outside"
ip addr add 10.99.0.1/24 dev wan0
ip link set wan0 up
nsenter --net="/proc/$outside/ns/net" sh -c 'ip link set lo up; ip addr add 10.99.0.2/24 dev eth0; ip link set eth0 up'
mkdir -p "$dir/outside"
echo outside > "$dir/outside/index.html"
serve_in "$outside" 10.99.0.2:80

# A root file system with busybox alone.
root=$dir/rootfs
mkdir -p "$root"/{bin,proc,sys,dev,tmp,etc,www}
cp "$(command -v busybox)" "$root/bin/busybox"
for applet in sh httpd wget sleep timeout; do ln -s busybox "$root/bin/$applet"; done
echo "a page" > "$root/www/index.html"

start_daemon
run() {  # NAME PORTS-JSON
  cat > "$dir/$1.json" <<JSON
{"name":"$1","rootfs_path":"$root","command":"/bin/httpd","args":["-f","-p","80","-h","/www"],
 "network":{"ports":$2},"resources":{"memory_limit_mb":64}}
JSON
  skerry run -d --config "$dir/$1.json" >/dev/null || { tail -5 "$dir/skerryd.log" >&2; die "run $1"; }
}
run a '["8080:80"]'
run b '[]'
ip_of() { skerry show "$1" --output json | jq -r .ip; }
a=$(ip_of a); b=$(ip_of b)
[ "$a" = 192.168.127.100 ] || die "first address is $a"
[ "$b" = 192.168.127.101 ] || die "second address is $b"

# D30, C109: host to container, container to container.
eventually timeout 3 busybox wget -q -O - "http://$a/" || die "host does not reach a"
eventually timeout 3 busybox wget -q -O - "http://$b/" || die "host does not reach b"
[ "$(skerry exec b -- /bin/timeout 3 /bin/wget -q -O - "http://$a/")" = "a page" ] || die "b does not reach a"
# C70: out by NAT only.
[ "$(skerry exec a -- /bin/timeout 3 /bin/wget -q -O - http://10.99.0.2/)" = outside ] || die "a does not reach outside"
fetch_in "$outside" "http://$a/" 2>/dev/null && die "outside reaches a by its address"
# D31: the published port, from outside, from the host, by 127.0.0.1, from a neighbour.
[ "$(fetch_in "$outside" http://10.99.0.1:8080/)" = "a page" ] || die "published port from outside"
for host in 127.0.0.1 10.99.0.1 192.168.127.1; do
  [ "$(timeout 3 busybox wget -q -O - "http://$host:8080/")" = "a page" ] || die "published port on $host"
done
[ "$(skerry exec b -- /bin/timeout 3 /bin/wget -q -O - http://192.168.127.1:8080/)" = "a page" ] || die "published port from b"

# C72: standard tools show it.
[ "$(bridge -j link show | jq "[.[] | select(.master == \"vbr0\")] | length")" = 2 ] || die "two ports on vbr0"
ip -j addr show vbr0 | jq -e '.[0].addr_info[] | select(.local == "192.168.127.1")' >/dev/null || die "bridge address"
nft list tables | grep -q skerry || die "no nft table of ours"

# A port a program of the host listens on is refused in words.
serve_in $$ 127.0.0.1:8181
cat > "$dir/c.json" <<JSON
{"name":"c","rootfs_path":"$root","command":"/bin/sleep","args":["100"],"network":{"ports":["8181:80"]}}
JSON
message=$(skerry run -d --config "$dir/c.json" 2>&1) && die "a taken host port was accepted"
case $message in *8181*"in use"*) ;; *) die "unclear: $message" ;; esac
skerry show c >/dev/null 2>&1 && die "the refused environment was left"

# X7: killed and restarted, the daemon finds them serving, and the addresses stay theirs.
kill -9 "$daemon"; wait "$daemon" 2>/dev/null
[ "$(fetch_in "$outside" http://10.99.0.1:8080/)" = "a page" ] || die "published port without the daemon"
start_daemon
[ "$(fetch_in "$outside" http://10.99.0.1:8080/)" = "a page" ] || die "published port after the restart"
[ "$(ip_of a)" = "$a" ] || die "address of a after the restart"

# C9: released on delete; the port closes; nothing is left.
skerry rm -f a >/dev/null || die "rm a"
fetch_in "$outside" http://10.99.0.1:8080/ 2>/dev/null && die "the port is open after rm"
skerry rm -f b >/dev/null || die "rm b"
# The kernel takes a pair away with its namespace, a moment later.
no_ports_on_the_bridge() { [ "$(bridge -j link show | jq "[.[] | select(.master == \"vbr0\")] | length")" = 0 ]; }
eventually no_ports_on_the_bridge || die "ports are left on vbr0"
[ -z "$(find "$dir/run/environments" -mindepth 1 2>/dev/null)" ] || die "run directories are left"
grep -q "$dir/run/environments" /proc/self/mountinfo && die "mounts are left"
echo "network: all as its users expect"
