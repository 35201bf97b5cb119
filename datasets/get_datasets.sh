#!/usr/bin/env bash
# Fetches CIFAR-10 into this folder: see README.md beside this file, or --help.
set -euo pipefail

workbook="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"

for python in "$workbook/.venv/bin/python" "$workbook/.venv/Scripts/python.exe" python3 python; do
    if "$python" -c "" >/dev/null 2>&1; then
        exec "$python" "$workbook/tools/data/fetch_cifar10.py" "$@"
    fi
done
echo "CIFAR-10: no Python found: install Python 3 and run this again" >&2
exit 1
