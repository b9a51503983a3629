#!/bin/sh
# Make .peer-venv: the predecessor, which tests of interoperability and the benchmark run.
#
# It has packages of the same names as ours, so the two never share an environment.
set -eu
cd "$(dirname "$0")/.."
. tools/lib.sh

venv=.peer-venv
# its test package, which brings the applications to drive, needs the extra
peer='gridworks-proactor[tests]==4.1.13'

[ -f "$venv/peer.stamp" ] && [ "$(cat "$venv/peer.stamp")" = "$peer" ] &&
    "$venv/bin/python" -c '' >/dev/null 2>&1 && exit 0
need_python
say "Setting up $venv with $peer; this takes a minute, once."
make_venv "$venv"
quietly "$venv/setup.log" "$venv/bin/python" -m pip install --quiet "$peer" ||
    die "Installing $peer failed; pip's own words are above."
printf '%s' "$peer" >"$venv/peer.stamp"
