#!/bin/bash
# `make install` into a directory of this test's own: what is put there works, and --undo leaves nothing.
set -u
die() { echo "FAIL: $*" >&2; exit 1; }
: "${SKERRY_BIN_DIR:?directory of the programs}"
install=$(dirname "$0")/../../tools/install
dir=$(mktemp -d /tmp/skerry-install-XXXXXX)
trap 'rm -rf "$dir"' EXIT
export DESTDIR=$dir PREFIX=/opt/skerry
root=$dir$PREFIX

"$install" >/dev/null || die "install"
"$install" >/dev/null || die "install again, over the first"
for program in skerry skerryd skerry-oci skerry-oci-microvm skerry-keeper; do
  "$root/bin/$program" --version | grep -q "[0-9]\.[0-9]" || die "$program does not run"
done
[ -x "$root/bin/skerry-agent" ] || die "no agent"
[ -x "$root/bin/skerry-tls" ] || die "no skerry-tls"
bash -n "$root/share/bash-completion/completions/skerry" || die "bash completion"
[ -s "$root/share/zsh/site-functions/_skerry" ] && [ -s "$root/share/fish/vendor_completions.d/skerry.fish" ] ||
  die "completions"
grep -q '^\.TH SKERRY' "$root/share/man/man1/skerry-run.1" || die "manual page of run"
grep -q '^\.TH SKERRYD' "$root/share/man/man8/skerryd.8" || die "manual page of skerryd"
[ -z "$(find "$root" -name '.*.new')" ] || die "half of a program is left"
"$install" --undo >/dev/null || die "undo"
[ -z "$(find "$dir" -type f)" ] || die "left after --undo: $(find "$dir" -type f | head -3)"
SKERRY_BIN_DIR=$dir "$install" 2>"$dir/error" && die "installed from nowhere"
grep -q "make build" "$dir/error" || die "unclear: $(cat "$dir/error")"
echo "install: works, and leaves nothing"
