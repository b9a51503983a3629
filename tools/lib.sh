# Shell functions shared by the scripts beside this file; sourced, never run. POSIX sh only.
#
# A message goes to standard error, so that what a command prints stays clean in a pipe.

# Interpreters tried, newest first; plain names last, for systems that have no numbered ones.
PYTHON_NAMES="python3.14 python3.13 python3.12 python3.11 python3 python"

# Users other than root often lack these, and mosquitto, apk and others live there.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin:/opt/homebrew/sbin"
export PATH

# What a user has set for other work must not reach into our environments.
unset PYTHONHOME PYTHONPATH
PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
export PIP_USER PIP_REQUIRE_VIRTUALENV PIP_DISABLE_PIP_VERSION_CHECK PIP_NO_INPUT

say() { printf '%s\n' "$*" >&2; }
die() {
    say "$*"
    exit 1
}

# Run a command whose output matters only when it fails. $1 is the file that keeps the output.
quietly() {
    quietly_log=$1
    shift
    "$@" >"$quietly_log" 2>&1 </dev/null && return 0
    cat "$quietly_log" >&2
    return 1
}

# --- packages of the system ---------------------------------------------------------------------

# The name of the system's package manager; fails where there is none that we know.
package_manager() {
    for name in apt-get dnf apk pacman brew; do
        command -v "$name" >/dev/null 2>&1 && printf '%s' "$name" && return 0
    done
    return 1
}

# The command a person would type to install package $1.
install_command() {
    case $(package_manager) in
    apt-get | dnf | brew) printf '%s install %s' "$(package_manager)" "$1" ;;
    apk) printf 'apk add %s' "$1" ;;
    pacman) printf 'pacman -S %s' "$1" ;;
    *) printf '(your package manager) install %s' "$1" ;;
    esac
}

# Whether packages can be installed without asking anybody; prints the prefix that it takes.
# Homebrew belongs to its user and refuses root.
install_prefix() {
    if [ "$(package_manager)" = brew ]; then
        [ "$(id -u)" -ne 0 ]
    elif [ "$(id -u)" -ne 0 ]; then
        sudo -n true >/dev/null 2>&1 && printf 'sudo -n'
    fi
}

# apt-get with bounds: an unreachable mirror or a held lock ends it.
apt() {
    $prefix env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Acquire::Retries=1 \
        -o Acquire::http::Timeout=20 -o DPkg::Lock::Timeout=60 "$@"
}

# Install the packages "$@" without a question; `prefix` is what install_prefix printed.
# A fresh container has no package lists, so the first failure of apt-get means: fetch them.
run_install() {
    case $(package_manager) in
    apt-get)
        apt install --no-install-recommends "$@" ||
            { apt update && apt install --no-install-recommends "$@"; }
        ;;
    dnf) $prefix dnf -q -y install "$@" ;;
    apk) $prefix apk add --no-cache "$@" ;;
    pacman) $prefix pacman -Sy --noconfirm --needed "$@" ;;
    brew) brew install --quiet "$@" ;;
    *) return 1 ;;
    esac
}

# Announce, then install package $1; fails quietly where nobody may.
install_package() {
    package_manager >/dev/null || return 1
    prefix=$(install_prefix) || return 1
    say "$1 is missing; installing it: ${prefix:+$prefix }$(install_command "$1")"
    install_log=$(mktemp) || return 1
    quietly "$install_log" run_install "$1"
    install_status=$?
    rm -f "$install_log"
    return $install_status
}

# --- Python ---------------------------------------------------------------------------------------

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
has_venv() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }
version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

# The package that gives venv and pip to the interpreter $1.
venv_package() {
    case $(package_manager) in
    apt-get) printf 'python%s-venv' "$(version_of "$1")" ;;
    pacman | brew) printf 'python' ;;
    *) printf 'python3' ;;
    esac
}

# Set `python` to the newest interpreter that serves ($PYTHON, if set, is the only candidate);
# where none does, `incomplete` is one without venv, `old` one that is too old.
find_python() {
    python='' incomplete='' old=''
    # shellcheck disable=SC2086 # the names are words; a path in PYTHON is one, spaces and all
    if [ -n "${PYTHON:-}" ]; then set -- "$PYTHON"; else set -- $PYTHON_NAMES; fi
    for name in "$@"; do
        version=$(version_of "$name") || continue
        if ! is_new_enough "$name"; then
            old=${old:-"$name is $version"}
        elif has_venv "$name"; then
            python=$name
            return 0
        else
            incomplete=${incomplete:-$name}
        fi
    done
    return 1
}

# As find_python, but ends with exactly one line that says what to do.
need_python() {
    find_python && return 0
    [ -z "$incomplete" ] || die "$incomplete ($(version_of "$incomplete")) lacks venv or pip:" \
        "install them with \`$(install_command "$(venv_package "$incomplete")")\` and run again."
    die "gwproactor needs Python 3.11 or newer, and ${old:-none was found}:" \
        "install one, or name it: make PYTHON=/path/to/python3"
}

# Make the virtual environment $1 with $python, from nothing.
make_venv() {
    rm -rf "$1"
    venv_log=$(mktemp) || return 1
    quietly "$venv_log" "$python" -m venv "$1" ||
        die "Making the environment $1 failed (see above); if venv or pip is what is missing:" \
            "\`$(install_command "$(venv_package "$python")")\`."
    rm -f "$venv_log"
}
