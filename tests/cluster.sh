#!/usr/bin/env bash
# A cluster on this machine: Slurm's own daemons with our launch file, and two network namespaces as two hosts. Needs root, and
# Debian's slurm-wlm, munge, openmpi-bin and iproute2; installs nothing.
#
#     tests/cluster.sh PROGRAM VERIFIER
#
# 1. examples/launch/ddp.sbatch with four ranks; audited with a replay.
# 2. The same with one rank killed: the job is requeued and goes on; the same results.
# 3. Four ranks on two hosts, with MPI over TCP between them, 20 ms of delay and 0.1 % loss: the same results.
set -euo pipefail
program=$(realpath "$1") verifier=$(realpath "$2")
repository=$(cd "$(dirname "$0")/.." && pwd)
for tool in munged slurmctld slurmd sbatch srun mpirun.openmpi ip tc; do
    command -v "$tool" >/dev/null || { echo "expected $tool, got none: apt-get install slurm-wlm munge openmpi-bin iproute2" >&2; exit 2; }
done
[ "$(id -u)" = 0 ] || { echo 'expected root, which starts daemons and network namespaces' >&2; exit 2; }

work=$(mktemp -d)
chmod 755 "$work"
mkdir -p "$work/bin" "$work/home" "$work/tree"
ln -s "$program" "$work/bin/spectramind"
ln -s "$verifier" "$work/bin/spectramind-verify"
export PATH="$work/bin:$PATH" HOME="$work/home" OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export GIT_CONFIG_GLOBAL=/dev/null
daemons=()
clean() {
    local status=$?
    if [ -n "${SLURM_CONF-}" ]; then scancel --full --user=root >/dev/null 2>&1 || true; fi
    for pid in "${daemons[@]}"; do kill "$pid" 2>/dev/null || true; done
    for space in one two; do ip netns delete "$space" 2>/dev/null || true; done
    sleep 1
    if [ "$status" != 0 ]; then tail -n 20 "$work"/*.log "$work"/tree/*.out 2>/dev/null || true; fi
    for process in /proc/[0-9]*; do
        case $(readlink "$process/cwd" 2>/dev/null) in
            "$work"/tree*) [ "$process" = "/proc/$$" ] || { echo "$(basename "$process") is left" >&2; status=1; } ;;
        esac
    done
    rm -rf "$work"
    exit "$status"
}
trap clean EXIT

# A tree of its own, as a user has it, and the results of one process.
cd "$work/tree"
cp -r "$repository/configs" .
printf '/runs/\n/data/\n*.out\n' > .gitignore
git init --quiet
git add --all
git -c user.name=Test -c user.email=test@example.org commit --quiet --message=configs
run=(trainer.max_epochs=30 trainer.limit_train_batches=8 trainer.limit_val_batches=2 trainer.limit_test_batches=2 trainer.max_time=null
    trainer.checkpoint.every_n_epochs=1 trainer.early_stopping=null trainer.accelerator=cpu trainer.dataloader.workers=1)
spectramind train trainer=ddp trainer.devices=1 trainer.num_nodes=1 "${run[@]}" run.dir=runs/alone >/dev/null 2>"$work/alone.log"
same() {
    for file in steps.jsonl checkpoints/final.safetensors predictions.csv; do
        cmp "runs/alone/$file" "$1/$file"
    done
    spectramind-verify audit "$1" --program installed --replay >"$work/audit.log" || { cat "$work/audit.log"; return 1; }
    echo "$2: the results of one process; audited and replayed by one"
}

# Slurm: one node that calls itself of eight processors.
host=$(hostname -s)
mkdir -p "$work/slurm/state" "$work/slurm/spool" /run/munge
if [ ! -e /etc/munge/munge.key ]; then
    dd if=/dev/urandom of=/etc/munge/munge.key bs=1 count=1024 status=none
fi
chown -R munge:munge /etc/munge /run/munge /var/log/munge /var/lib/munge
chmod 400 /etc/munge/munge.key
chmod 755 /run/munge
if ! munge -n </dev/null >/dev/null 2>&1; then
    runuser -u munge -- munged --force
    daemons+=("$(cat /run/munge/munged.pid)")
fi
cat > "$work/slurm/slurm.conf" <<EOF
ClusterName=test
SlurmctldHost=$host
SlurmUser=root
AuthType=auth/munge
StateSaveLocation=$work/slurm/state
SlurmdSpoolDir=$work/slurm/spool
SlurmctldPidFile=$work/slurm/slurmctld.pid
SlurmdPidFile=$work/slurm/slurmd.pid
SlurmctldPort=16817
SlurmdPort=16818
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
MpiDefault=pmix
JobRequeue=1
MinJobAge=600
ReturnToService=2
NodeName=$host CPUs=8 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
EOF
export SLURM_CONF="$work/slurm/slurm.conf"
slurmctld -D >"$work/slurmctld.out.log" 2>&1 &
daemons+=($!)
slurmd -D >"$work/slurmd.out.log" 2>&1 &
daemons+=($!)
for _ in $(seq 60); do
    sinfo --noheader --format=%T 2>/dev/null | grep -qx idle && break
    sleep 1
done
sinfo --noheader --format='%D node(s), %T' | sed 's/^/Slurm: /'

# Until the job has ended as it should.
finished() {
    local state
    for _ in $(seq 600); do
        state=$(scontrol show job "$1" | sed -n 's/.*JobState=\([A-Z_]*\).*/\1/p')
        case $state in
            COMPLETED) return 0 ;;
            PENDING | RUNNING | COMPLETING | REQUEUED | CONFIGURING) sleep 1 ;;
            *) echo "job $1: expected it to complete, got $state" >&2; cat "slurm-$1.out" >&2; return 1 ;;
        esac
    done
    echo "job $1: not done in time" >&2
    return 1
}
submit() {
    sbatch --parsable --nodes=1 --ntasks-per-node=4 --gpus-per-node=0 --output='slurm-%j.out' \
        "$repository/examples/launch/ddp.sbatch" "${run[@]}"
}
job=$(submit)
finished "$job"
same "runs/ddp-$job" 'Slurm, four ranks'

job=$(submit)
for _ in $(seq 2400); do
    [ -e "runs/ddp-$job/steps.jsonl" ] && [ "$(wc -l < "runs/ddp-$job/steps.jsonl")" -gt 20 ] && break
    sleep 0.05
done
rank=$(for pid in $(pgrep -f "$work/bin/spectramind|spectramind train"); do
    if tr '\0' '\n' 2>/dev/null < "/proc/$pid/environ" | grep -qx 'SLURM_PROCID=2' && readlink "/proc/$pid/exe" | grep -q spectramind; then
        echo "$pid"
        break
    fi
done)
kill -KILL "${rank:?no process of rank 2}"
# A job that failed is not requeued by itself: what a site's epilog or its user does.
for _ in $(seq 60); do
    scontrol show job "$job" | grep -q 'JobState=RUNNING' || break
    sleep 1
done
scontrol requeue "$job"
finished "$job"
grep -q 'going on after step' "slurm-$job.out"
same "runs/ddp-$job" 'Slurm, one of four ranks killed, requeued'

# Two hosts.
ip netns add one
ip netns add two
ip link add to-two netns one type veth peer name to-one netns two
for pair in one:to-two:10.77.0.1 two:to-one:10.77.0.2; do
    IFS=: read -r space link address <<< "$pair"
    ip -n "$space" address add "$address/24" dev "$link"
    ip -n "$space" link set "$link" up
    ip -n "$space" link set lo up
done
wire='with 20 ms there and back and 0.1 % loss'
for pair in one:to-two two:to-one; do
    IFS=: read -r space link <<< "$pair"
    if ! ip netns exec "$space" tc qdisc add dev "$link" root netem delay 10ms loss 0.1% 2>"$work/tc.log"; then
        grep -q 'qdisc kind is unknown' "$work/tc.log" || { cat "$work/tc.log" >&2; exit 1; }
        wire='(NOT CHECKED: delay and loss, as this kernel has no netem)'
    fi
done
# mpirun reaches the other host by this in the place of ssh.
cat > "$work/bin/into" <<EOF
#!/bin/sh
host=\$1
shift
case \$host in
    10.77.0.1) exec ip netns exec one sh -c "\$*" ;;
    *) exec ip netns exec two sh -c "\$*" ;;
esac
EOF
chmod +x "$work/bin/into"
ip netns exec one mpirun.openmpi --mca plm_rsh_agent "$work/bin/into" --mca oob_tcp_if_include 10.77.0.0/24 --mca btl tcp,self \
    --mca btl_tcp_if_include 10.77.0.0/24 --mca orte_keep_fqdn_hostnames 1 --oversubscribe -x PATH -x HOME -x GIT_CONFIG_GLOBAL \
    --host 10.77.0.1:2,10.77.0.2:2 -n 4 \
    spectramind train trainer=ddp trainer.devices=2 trainer.num_nodes=2 "${run[@]}" run.dir=runs/hosts >"$work/hosts.log" 2>&1
same runs/hosts "two hosts, four ranks over TCP $wire"
