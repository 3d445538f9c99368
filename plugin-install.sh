#!/bin/sh
# Puts a binary into bin/ of the Helm plugin: the installed thebot-lint where there is one, else a build of this source.
set -eu
mkdir -p bin
if installed=$(command -v thebot-lint); then
  cp "$installed" bin/thebot-lint
else
  cargo build --locked --release
  cp "${CARGO_TARGET_DIR:-target}/release/thebot-lint" bin/thebot-lint
fi
