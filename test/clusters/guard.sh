#!/bin/bash
# guard.sh FOLDER [ACCOUNT UID [NODE...]]: waits until whoever started it says "done" or is gone. In the second case, however it
# ended, nobody else is left to stop what it started: the processes whose folder this is, those of the account, their cgroups.
folder=$1 account=$2 uid=$3
shift $(($# < 3 ? $# : 3))
read -r word
[ "$word" = done ] && exit
cd /
for process in /proc/[0-9]*; do
  [ "${process#/proc/}" = $$ ] && continue
  if grep -qsaF "SLURM_CONF=$folder/" "$process/environ" || grep -qsaF "$folder/" "$process/cmdline" ||
    { [ -n "$uid" ] && [ "$(stat -c %u "$process" 2>/dev/null)" = "$uid" ]; }; then
    kill -KILL "${process#/proc/}" 2>/dev/null
  fi
done
[ -n "$account" ] && for _ in {1..50}; do
  userdel -f "$account" >/dev/null 2>&1
  id "$account" >/dev/null 2>&1 || break
  sleep 0.1
done
for node in "$@"; do
  for cgroup in /sys/fs/cgroup/{memory,freezer,cpuacct}/slurm_"$node"; do
    # busy until the kernel is done with the last process
    for _ in {1..50}; do
      [ -d "$cgroup" ] || break
      find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null && break
      sleep 0.1
    done
  done
done
rm -rf "$folder"
