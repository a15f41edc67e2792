#!/usr/bin/env bash
# What a program of a release may need of the system it runs on, and how large it may be:
#
#   release/check-program.sh GLIBC PROGRAM…
#
# Fails, naming the symbols, where a program needs a newer glibc than GLIBC, or another library than glibc's own and GCC's: drivers
# of GPUs and MPI are loaded at run time.
set -euo pipefail
glibc=${1:?expected a version of glibc, such as 2.28} && shift
[ $# -gt 0 ] || { echo 'release/check-program.sh: expected programs, got none' >&2; exit 2; }
bad=0
for program; do
    symbols=$(objdump --dynamic-syms "$program")
    # A program that needs none would be one that objdump cannot read.
    grep -q 'GLIBC_2\.' <<< "$symbols" || { echo "$program: no symbol of glibc found in it" >&2; exit 1; }
    newest=$(grep -o 'GLIBC_[0-9][0-9.]*' <<< "$symbols" | sed 's/GLIBC_//' | sort -uV | tail -n 1)
    if [ "$(printf '%s\n%s\n' "$newest" "$glibc" | sort -V | tail -n 1)" != "$glibc" ]; then
        echo "$program: expected symbols of glibc $glibc or older, got up to $newest:" >&2
        grep "GLIBC_$newest)" <<< "$symbols" >&2
        bad=1
    fi
    others=$(objdump --private-headers "$program" | sed -n 's/^ *NEEDED *//p' |
        grep -vxE 'lib(c|m|dl|pthread|rt|util|gcc_s)\.so\.[0-9]+|ld-linux-x86-64\.so\.2' || true)
    if [ -n "$others" ]; then
        echo "$program: expected no library but glibc's, got ${others//$'\n'/ }" >&2
        bad=1
    fi
    size=$(stat -c %s "$program")
    if [ "$size" -ge 60000000 ]; then
        echo "$program: expected less than 60 MB, got $size bytes" >&2
        bad=1
    fi
    printf '%s: %d bytes, glibc %s or newer\n' "${program##*/}" "$size" "$newest"
done
exit "$bad"
