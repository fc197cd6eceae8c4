#!/bin/sh
# SPDX-License-Identifier: MIT
# doc/start/first-look.sh BUILDDIR - a relay, some load, and what the commands say:
# writes the page doc/start/first-look.md. In a network of its own, if it may make
# one (root); else on the ports 3340 and 3478 of 127.0.0.1.
#
#   doc/start/first-look.sh build >doc/start/first-look.md
set -eu
build=$(cd "$1" && pwd)
if test -z "${HD_FIRST_LOOK-}" && unshare -n true 2>/dev/null; then
	HD_FIRST_LOOK=1 exec unshare -n "$0" "$build"
fi
test -z "${HD_FIRST_LOOK-}" || ip link set lo up

dir=$(mktemp -d)
relay='' load=''
trap 'kill $load $relay 2>/dev/null || :; wait; rm -rf "$dir"' EXIT
export HOME="$dir" XDG_STATE_HOME="$dir" TERM=dumb COLUMNS=100
PATH=$build:$PATH

# show COMMAND... - as somebody types it, and what comes of it
show() {
	printf '\n    $ %s\n' "$*"
	"$@" 2>&1 | shown
}
shown() {
	sed "s,$dir,~,g; s,$build,build,g; s/^/    /; s/ *\$//"
}

until_well() { # COMMAND... - for half a minute
	n=0
	until "$@" >/dev/null 2>&1; do
		n=$((n + 1))
		test $n -lt 300 || { echo "$*: it does not come to that" >&2; exit 1; }
		sleep 0.1
	done
}

hyper-derp --dev >"$dir/log" 2>&1 &
relay=$!
until_well hdctl status

cat <<END
<!-- SPDX-License-Identifier: MIT -->
<!-- written by doc/start/first-look.sh: do not edit -->
# A first look

What \`./bootstrap run\` starts, and what its commands show, recorded on
$(date -u +%Y-%m-%d). To try it, run \`./bootstrap run\` and call the commands in a
second terminal; they are in the folder \`build\`.

The relay logs what it does:

    $ hyper-derp --dev
END
shown <"$dir/log"
printf '\n%s\n' 'A client sees this:'
show hdprobe --insecure 127.0.0.1:3340
hdbench --pairs 3 --rate 300 --duration 60 127.0.0.1:3340 >/dev/null 2>&1 &
load=$!
until_well sh -c 'hdctl --json status | grep -q "\"peers\": *6\b" && hdctl pairs | grep -q 0'
printf '\n%s\n' 'With three pairs of clients that send to each other:'
show hdctl status
show hdctl peers
show hdctl top -1
kill $load
wait $load 2>/dev/null || :
load=''
until_well sh -c 'hdctl --json status | grep -q "\"peers\": *0"'
printf '\n%s\n' 'They have gone. Why, and who before them:'
show hdctl trace --last 6
printf '\n%s\n' 'What is its entry in a DERP map?'
show hdctl derpmap --format yaml
