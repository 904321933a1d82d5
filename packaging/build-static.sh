#!/usr/bin/env bash
# Builds the program as one static binary and checks that it is one. Prints where it lies and how large it is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() { echo "build-static: $*" >&2 && exit 1; }

target=$(uname -m)-unknown-linux-gnu
binary=${CARGO_TARGET_DIR:-target}/$target/release/testflinger-server

# What --version says. Nothing of it depends on when or where the program is built.
TESTFLINGER_BUILD="$(git describe --always --dirty --exclude='*' --abbrev=12), $(git log -1 --format=%cs), static"
export TESTFLINGER_BUILD

# Paths in messages of panics would otherwise say where it was built: the same commit gives the same bytes in every directory.
sources=$PWD=/testflinger-server crates=${CARGO_HOME:-$HOME/.cargo}=/cargo
export CFLAGS="${CFLAGS:-} -ffile-prefix-map=$sources -ffile-prefix-map=$crates"
RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=$sources --remap-path-prefix=$crates"

# Without --target the flags would also reach build scripts and procedural macros, which cannot be static. Random numbers come
# from the system call: a static program finds no weak symbol for it, and the way round needs /dev/urandom.
RUSTFLAGS="$RUSTFLAGS -C target-feature=+crt-static --cfg getrandom_backend=\"linux_getrandom\"" \
    cargo build --release --locked --bin testflinger-server --target "$target"

linked=$(ldd "$binary" 2>&1) || true
[[ $linked == *"statically linked"* || $linked == *"not a dynamic executable"* ]] || die "$binary is not static: $linked"
# A static binary that is not position independent would be loaded at the same address each time.
readelf --file-header "$binary" | grep -q 'Type: *DYN' || die "$binary is not position independent"
version=$(env -i "$binary" --version) || die "$binary does not run"

echo "$PWD/$binary: $version, $(stat --format=%s "$binary") bytes, static-pie"
