#!/bin/sh
# Sixteen workers on two nodes of eight GPUs: flux batch examples/launch/ddp.flux
# flux: --nodes=2
# flux: --exclusive
set -eu
exec flux run -o pmi=pmix -N 2 -n 16 -g 1 spectramind train trainer=ddp trainer.devices=8 trainer.num_nodes=2 "$@"
