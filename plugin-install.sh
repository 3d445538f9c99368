#!/bin/sh
# Puts a program into bin/ of the Helm plugin: a link to the installed thebot-lint where there is one, so that an
# upgrade of it upgrades the plugin, else a build of this source.
set -eu
mkdir -p bin
if installed=$(command -v thebot-lint); then
  ln -sf "$installed" bin/thebot-lint
else
  cargo build --locked --release
  cp "${CARGO_TARGET_DIR:-target}/release/thebot-lint" bin/thebot-lint
fi
