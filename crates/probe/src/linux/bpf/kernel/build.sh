#!/bin/sh
# Compiles the program for the kernel: `sh build.sh [OUTPUT]`. Needs clang 12 or later with the BPF target, and llvm-strip.
# The object is in the repository, so only whoever changes the source needs this. Beside it stands what it was made of:
# the hash of the sources, which a test compares, and the compiler.
set -eu
cd "$(dirname "$0")"
output=${1:-processes.bpf.o}
clang=${CLANG:-clang}
strip=${LLVM_STRIP:-llvm-strip}
"$clang" -target bpfel -mcpu=v3 -O2 -g -fdebug-compilation-dir=. -Wall -Wextra -Werror -c processes.bpf.c -o "$output"
"$strip" --strip-debug "$output"
{
	cat kernel_types.h processes.bpf.c | sha256sum | cut -d ' ' -f 1
	"$clang" --version | head -n 1
} >"$output.from"
