#!/bin/sh
# Makes .venv in the current folder and installs requirements.txt into it. PYTHON names the interpreter to use;
# without it, the first of the usual names that is recent enough is taken.
set -eu

fail() {
    echo "$1" >&2
    exit 1
}

recent() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        recent "$PYTHON" || fail "PYTHON=$PYTHON is not a Python 3.10 or newer."
        echo "$PYTHON"
        return
    fi
    for name in python3 python3.14 python3.13 python3.12 python3.11 python3.10 python; do
        if recent "$name"; then
            echo "$name"
            return
        fi
    done
    fail "No Python 3.10 or newer found: install one, or name it with make PYTHON=/path/to/python3."
}

here=$(pwd -P)
if [ -f .venv/made-in ] && [ "$(cat .venv/made-in)" != "$here" ]; then
    rm -rf .venv
fi
if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    python=$(find_python)
    "$python" -c 'import ensurepip, venv' 2>/dev/null || fail \
        "$python cannot make virtual environments: install its venv module (Debian, Ubuntu: apt install python3-venv)."
    rm -rf .venv
    echo "Making .venv with $("$python" --version)"
    "$python" -m venv .venv
fi
echo "$here" > .venv/made-in
.venv/bin/python -m pip install --disable-pip-version-check -r requirements.txt
.venv/bin/python tools/install/check_environment.py
