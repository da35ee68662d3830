import type { Refusal } from './refusal.ts'

/** What sbatch says when it does not take a job (`sbatch: error: …`), and what to do about it. First match counts. */
export const refusals: readonly Refusal[] = [
  {
    says: /Unable to contact slurm controller|Socket timed out|Communication connection failure|Zero Bytes were transmitted|temporarily unable to accept job|Connection (refused|reset|timed out)|controller is in standby|Resource temporarily unavailable|Transport endpoint|No route to host/i,
    hint: 'the Slurm controller does not answer just now; the same submission may go through later',
    transient: true,
  },
  {
    says: /invalid partition|Invalid partition name/i,
    hint: '`sinfo -s` lists the partitions; set resources.partition',
  },
  {
    says: /Invalid account or account\/partition combination/i,
    hint: '`sacctmgr show associations user=$USER` lists your accounts; set resources.account, and a partition that it may use',
  },
  {
    says: /Invalid qos/i,
    hint: '`sacctmgr show associations user=$USER format=qos%60` lists yours; set resources.qos',
  },
  {
    says: /Memory (specification|required).*(can not|cannot|exceed)|memory.*limit/i,
    hint: 'no node of the partition has that much memory; lower resources.memory (`sinfo -o "%P %m"` shows MB a node)',
  },
  {
    says: /Requested time limit is invalid|Invalid --time|time limit.*(exceed|invalid)|PartitionTimeLimit/i,
    hint: 'lower resources.time; `sinfo -o "%P %l"` shows the limit of each partition',
  },
  {
    says: /(AssocMax|QOSMax|AssocGrp|QOSGrp|MaxSubmit|MaxJob|MaxWall|MaxCpu|MaxNode|MaxMem|MaxTRES|MinCpu)\w*|violates accounting\/QOS policy|job submit limit/i,
    hint: 'a limit of your account or QOS; wait until jobs have ended, or ask for less at once (cores, time, fewer tasks)',
  },
  {
    says: /Invalid job array specification/i,
    hint: 'the site allows fewer array members (`scontrol show config | grep MaxArraySize`); use a larger chunk',
  },
  {
    says: /Invalid feature specification/i,
    hint: '`sinfo -o "%N %f"` lists the features of nodes; change resources.constraint',
  },
  {
    says: /Invalid generic resource|gres specification/i,
    hint: '`sinfo -o "%P %G"` lists the GPUs of nodes; change resources.gpus',
  },
  {
    says: /Requested reservation is invalid|Access denied to requested reservation/i,
    hint: '`scontrol show reservation` lists them; change resources.reservation',
  },
  {
    says: /Invalid license specification/i,
    hint: '`scontrol show licenses` lists them; change resources.licenses',
  },
  {
    says: /Job dependency problem|Invalid dependency/i,
    hint: "Slurm's syntax is 'afterok:123'; change resources.dependency",
  },
  {
    says: /Invalid node name|Requested node.*invalid/i,
    hint: '`sinfo -N` lists the nodes; change resources.nodelist or resources.exclude',
  },
  {
    says: /Requested node configuration is not available|More processors requested than permitted|Node count specification invalid|CPU count (per node|specification)/i,
    hint: 'no node of the partition has that many cores, GPUs or that much memory together; ask for less, or set resources.partition',
  },
  {
    says: /Required (node|partition) not available|Required partition.*(down|drain|inactive)/i,
    hint: 'the partition takes no jobs now; `sinfo -s` shows those that are up',
  },
  {
    says: /unrecognized option|invalid option|Invalid --|unknown option|Invalid signal/i,
    hint: 'this Slurm does not know an option; check resources.native and the resource that the message names',
  },
  {
    says: /Only root can set|Access\/permission denied|User not permitted|Invalid user id/i,
    hint: 'your account may not do this here; ask the site, or remove the option',
  },
  {
    says: /Pathname of a file.*too long|argument too long|Script.*too large/i,
    hint: 'shorten environment.setup or the workdir',
  },
]
