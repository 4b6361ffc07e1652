# Shared by all recipes: environment, the flags --stage and --stop-stage, and stage headings. Source it from the repository root.

set -euo pipefail

# Create .venv unless a virtual environment is active, and install the package with the named extras (for example "mini"). It is
# skipped if it was done before for this pyproject.toml.
setup() {
    local extras=$1 stamp
    if [ -z "${VIRTUAL_ENV:-}" ]; then
        # Without pip it was created on a system that lacks python3-venv, which leaves it incomplete.
        [ -x .venv/bin/pip ] || find_python -m venv .venv || {
            echo "cannot create .venv: on Debian and Ubuntu, apt-get install python3-venv" >&2
            exit 2
        }
        export VIRTUAL_ENV="$PWD/.venv" PATH="$PWD/.venv/bin:$PATH"
    fi
    stamp="$VIRTUAL_ENV/.speechvq-$extras-$(cksum <pyproject.toml | cut -d' ' -f1)"
    [ -f "$stamp" ] && return
    echo "installing speechvq[$extras] into $VIRTUAL_ENV (PyTorch is several GB: some minutes)"
    # By a path, as the mode "compat" does, and not by a finder: in the folder that contains the clone, Python would take the clone itself,
    # a folder of the package's name, for the package.
    python -m pip install --quiet --disable-pip-version-check --config-settings editable_mode=compat --editable ".${extras:+[$extras]}"
    touch "$stamp"
}

# Run the first supported Python.
find_python() {
    local candidate
    for candidate in python3 python3.13 python3.12 python3.11 python3.10; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null; then
            "$candidate" "$@"
            return
        fi
    done
    echo "no Python 3.10 to 3.13 found" >&2
    exit 2
}

# Print the comment at the head of the script and exit, if --help is among the arguments. It is called before anything is installed.
help_if_asked() {
    local word script=$0
    [[ $script == /* ]] || script="${OLDPWD:-$PWD}/$script"
    for word in "$@"; do
        case "$word" in
        -h | --help)
            [ -f "$script" ] || exit 0
            sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$script"
            ! grep -q '^# .*--stage N' "$script" ||
                echo 'A stage is a part of this script, headed "== stage N: ...": --stage is the first to run, --stop-stage the last.'
            exit 0
            ;;
        esac
    done
}

# Say that the recipe's full schedule needs a GPU, and what to give instead, unless it is shortened or runs on one.
#   warn_without_gpu STEPS_OPTION DEVICE "estimate" "alternative"
warn_without_gpu() {
    [ -z "$1" ] || return 0
    case "$2" in cuda*) return 0 ;; esac
    command -v nvidia-smi >/dev/null && return 0
    echo "warning: no GPU found; $3 Shorter: $4" >&2
}

# Parse --stage N, --stop-stage N and the recipe's own flags, declared as "flag=variable" words.
stage=0 stop_stage=99
parse_flags() {
    local known=$1
    shift
    help_if_asked "$@"
    while [ $# -gt 0 ]; do
        local variable="" word
        for word in stage=stage stop-stage=stop_stage $known; do
            [ "--${word%%=*}" = "$1" ] && variable=${word#*=}
        done
        if [ -z "$variable" ] || [ $# -lt 2 ]; then
            echo "unknown flag or missing value: $1; known: --stage N --stop-stage N $(flags_of $known)" >&2
            exit 2
        fi
        printf -v "$variable" '%s' "$2"
        shift 2
    done
    if ! [[ $stage =~ ^[0-9]+$ && $stop_stage =~ ^[0-9]+$ ]]; then
        echo "--stage $stage, --stop-stage $stop_stage: give whole numbers" >&2
        exit 2
    fi
}

flags_of() {
    local word
    for word in "$@"; do printf -- '--%s VALUE ' "${word%%=*}"; done
}

# The speakers with the most training speech in a manifest, at most so many, separated by commas: the best targets.
most_speech() {
    awk -F '\t' 'NR > 1 && $3 == "train" { seconds[$2] += $4 } END { for (name in seconds) print seconds[name], name }' "$1" |
        sort -k1,1nr -k2 | head -n "$2" | cut -d ' ' -f 2- | paste -sd,
}

# `if stage 2 "train"; then ...`: true if stage 2 is selected; prints its heading.
stage() {
    [ "$1" -ge "$stage" ] && [ "$1" -le "$stop_stage" ] || return 1
    echo "== stage $1: $2"
}
