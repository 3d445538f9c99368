#!/bin/sh
# Installs a released thebot-lint: downloads the archive for this machine, compares its checksum, and where GitHub's
# program `gh` is signed in, also checks who built it.
#
#     curl -fsSL https://thebot-lint.github.io/install.sh | sh
#     curl -fsSL https://thebot-lint.github.io/install.sh | sh -s -- --to /usr/local/bin --version 0.1.0
set -eu

version=0.1.0
to=${HOME:-.}/.local/bin
# A mirror has the same folders: vVERSION/ARCHIVE.
releases=${THEBOT_LINT_RELEASES:-https://github.com/thebot-lint/thebot-lint/releases/download}

# Exit code 1: there is nothing to install. 2: what was downloaded is not what was released.
fail() {
  echo "install.sh: $*" >&2
  exit 1
}

refuse() {
  echo "install.sh: $1; nothing was installed" >&2
  exit 2
}

while [ $# -gt 0 ]; do
  case $1 in
    --to) [ $# -ge 2 ] || fail "--to needs a folder"; to=$2; shift 2 ;;
    --version) [ $# -ge 2 ] || fail "--version needs a version"; version=${2#v}; shift 2 ;;
    *) fail "unknown argument $1; there are --to FOLDER and --version VERSION" ;;
  esac
done

# GitHub's runners and Git for Windows have a bash that names its system MINGW or MSYS.
case $(uname -s)/$(uname -m) in
  Linux/x86_64 | Linux/amd64) target=x86_64-unknown-linux-gnu ;;
  Linux/aarch64 | Linux/arm64) target=aarch64-unknown-linux-gnu ;;
  Darwin/x86_64) target=x86_64-apple-darwin ;;
  Darwin/arm64) target=aarch64-apple-darwin ;;
  MINGW*/x86_64 | MSYS*/x86_64) target=x86_64-pc-windows-msvc ;;
  *) fail "no program is released for $(uname -s) $(uname -m); build it with: cargo install --locked thebot-lint" ;;
esac
case $target in
  *windows*) archive=thebot-lint-v$version-$target.zip program=thebot-lint.exe ;;
  *) archive=thebot-lint-v$version-$target.tar.gz program=thebot-lint ;;
esac

download() {
  if command -v curl > /dev/null; then
    curl --fail --silent --show-error --location --retry 3 --output "$2" "$1"
  elif command -v wget > /dev/null; then
    wget -q -O "$2" "$1"
  else
    fail "curl or wget is needed"
  fi
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for file in "$archive" "$archive.sha256"; do
  download "$releases/v$version/$file" "$folder/$file" || fail "cannot download $releases/v$version/$file"
done
cd "$folder"
if command -v sha256sum > /dev/null; then
  sha256sum -c "$archive.sha256" > /dev/null || refuse "the checksum of $archive is wrong"
else
  shasum -a 256 -c "$archive.sha256" > /dev/null || refuse "the checksum of $archive is wrong"
fi
# The checksum lies beside the archive. The attestation says that the release workflow built it.
if [ -z "${THEBOT_LINT_RELEASES:-}" ] && gh auth status > /dev/null 2>&1; then
  gh attestation verify "$archive" --repo thebot-lint/thebot-lint > /dev/null ||
    refuse "the attestation of $archive cannot be verified"
fi
case $archive in
  *.zip) unzip -q "$archive" ;;
  *) tar -xzf "$archive" ;;
esac
cd - > /dev/null
mkdir -p "$to"
# Renamed into place, so that a thebot-lint that runs keeps its file.
cp "$folder/$program" "$to/.$program.new"
chmod 755 "$to/.$program.new"
mv -f "$to/.$program.new" "$to/$program"
echo "Installed $("$to/$program" --version) in $to."
case :${PATH:-}: in
  *:"$to":*) ;;
  *) echo "Add $to to PATH to run it as thebot-lint." ;;
esac
