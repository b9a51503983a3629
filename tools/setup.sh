#!/bin/sh
# Make .venv, or leave it as it is when it is up to date.
#
# usage: tools/setup.sh demo,web|dev
#
# `demo,web` installs what running needs, the example in docs included; `dev` adds what testing and
# checking need. PYTHON names the interpreter to use; without it, the newest is taken, and an
# environment that is there is kept.
set -eu
cd "$(dirname "$0")/.."
. tools/lib.sh

extra=$1
venv=.venv
folder=$(pwd -P)
wanted=$(cksum <pyproject.toml)

# An editable installation points to its folder, so a folder that was moved needs a new one. An
# environment that this script did not make is used as it is.
is_ours() {
    [ -f "$venv/made-in" ] || return 0
    [ "$(cat "$venv/made-in")" = "$folder" ] || return 1
    [ -z "${PYTHON:-}" ] || [ "$(cat "$venv/made-by")" = "$PYTHON" ]
}
works() { is_new_enough "$venv/bin/python"; }
is_stamped() { [ -f "$venv/$1.stamp" ] && [ "$(cat "$venv/$1.stamp")" = "$wanted" ]; }

if is_ours && works; then
    # dev holds all that demo and web do
    if is_stamped dev || is_stamped "$extra"; then exit 0; fi
else
    need_python
    say "Setting up $venv with Python $(version_of "$python"); this takes a minute, once."
    make_venv "$venv"
    printf '%s' "$folder" >"$venv/made-in"
    printf '%s' "${PYTHON:-}" >"$venv/made-by"
fi
rm -f "$venv"/*.stamp
quietly "$venv/setup.log" "$venv/bin/python" -m pip install --quiet --editable ".[$extra]" ||
    die "Installing into $venv failed; pip's own words are above."
printf '%s' "$wanted" >"$venv/$extra.stamp"
