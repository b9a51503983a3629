#!/bin/sh
# Make the environments that tests of interoperability run, and the benchmark the first of them:
#
#   .peer-venv       the predecessor; it has packages of the same names as ours, so the two never
#                    share an environment
#   .protocol-venv   this library, from here, beside gridworks-protocol
set -eu
cd "$(dirname "$0")/.."
. tools/lib.sh

# its test package, which brings the applications to drive, needs the extra
peer='gridworks-proactor[tests]==4.1.13'
protocol='gridworks-protocol==1.3.3'
# an editable installation points to its folder, and must be done again where dependencies changed
here="$protocol $(pwd -P) $(cksum <pyproject.toml)"

# Make the environment $1, named for users $2, unless its stamp is $3; the rest is for pip.
make_once() {
    venv=$1 what=$2 stamp=$3
    shift 3
    [ -f "$venv/peer.stamp" ] && [ "$(cat "$venv/peer.stamp")" = "$stamp" ] &&
        "$venv/bin/python" -c '' >/dev/null 2>&1 && return 0
    need_python
    say "Setting up $venv with $what; this takes a minute, once."
    make_venv "$venv"
    quietly "$venv/setup.log" "$venv/bin/python" -m pip install --quiet "$@" ||
        die "Installing $what failed; pip's own words are above."
    printf '%s' "$stamp" >"$venv/peer.stamp"
}

make_once .peer-venv "$peer" "$peer" "$peer"
make_once .protocol-venv "$protocol" "$here" --editable . "$protocol"
