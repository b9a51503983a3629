#!/bin/sh
# See to it that the Mosquitto broker is there; say in one line what is skipped where it is not.
#
# With GWPROACTOR_REQUIRE_MOSQUITTO=1 its absence is an error instead.
set -eu
cd "$(dirname "$0")/.."
. tools/lib.sh

command -v mosquitto >/dev/null 2>&1 && exit 0
install_package mosquitto && command -v mosquitto >/dev/null 2>&1 && exit 0
remedy="To have it: $(install_command mosquitto)"
[ "${GWPROACTOR_REQUIRE_MOSQUITTO:-0}" != 1 ] ||
    die "mosquitto is needed here and could not be installed. $remedy"
say "mosquitto is missing and cannot be installed here: tests that need it are skipped. $remedy"
