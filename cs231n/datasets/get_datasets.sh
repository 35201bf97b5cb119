#!/usr/bin/env bash
# Fetches CIFAR-10 into this folder, where notebooks of the assignment call it and look for the data.
here="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)"
exec bash "$here/../../datasets/get_datasets.sh" --folder "$here" "$@"
