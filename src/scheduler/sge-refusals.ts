import type { Refusal } from './refusal.ts'

/** What qsub says when it does not take a job (`Unable to run job: …`), and what to do about it. First match counts. */
export const refusals: readonly Refusal[] = [
  {
    says: /commlib error|unable to (contact|send message to) qmaster|can.t connect to service|got (select|send|read) error|qmaster.*(timeout|not running)|failed receiving gdi request|Connection (refused|reset|timed out)/i,
    hint: 'the Grid Engine master does not answer just now; the same submission may go through later',
    transient: true,
  },
  {
    says: /no suitable queues/i,
    hint: "no queue could ever give all of that: ask for less (cores, memory, time, gpus), or set resources.partition; `qstat -j`'s words are above. A site that starts its nodes on demand needs native: ['-w n']",
  },
  {
    says: /unknown queue/i,
    hint: '`qconf -sql` lists the queues; set resources.partition',
  },
  {
    says: /parallel environment .*does not exist|pe .*does not exist/i,
    hint: '`qconf -spl` lists the parallel environments; set gridEngine.parallelEnvironment in the profile',
  },
  {
    says: /unknown resource/i,
    hint: '`qconf -sc` lists the resources; set gridEngine.memoryResource or gridEngine.gpuResource in the profile, or change resources.constraint, licenses or native',
  },
  {
    says: /attribute .* is not a|Could not parse|unknown resource value/i,
    hint: 'a resource has a value that is not of its type: `qconf -sc` shows the types; check resources.constraint, licenses and native',
  },
  {
    says: /requested project .*does not exist|project .*denied|no access to project|not authorized to (use|submit).*project|job is lacking a project|project.*required/i,
    hint: '`qconf -sprjl` lists the projects; set resources.account to one that you may use',
  },
  {
    says: /submit a job with more than \d+ tasks|max_aj_tasks/i,
    hint: 'the site allows fewer tasks in an array (`qconf -sconf | grep max_aj_tasks`); use a larger chunk',
  },
  {
    says: /jobs are allowed per (user|cluster)|too many jobs|max_u_jobs|max_jobs|job limit|exceeds limit/i,
    isLimit: true,
    hint: 'you have as many jobs in the queue as the site allows (`qconf -sconf | grep max_`); wait until some have ended, or put more calls into each with map and a larger chunk',
  },
  {
    says: /positive submission priority requires/i,
    hint: 'users may only lower it: set resources.priority to 0 or below',
  },
  {
    says: /invalid priority/i,
    hint: 'resources.priority is a number from -1023 to 0',
  },
  {
    says: /advance reservation/i,
    hint: '`qrstat` lists the reservations; change resources.reservation',
  },
  {
    says: /can.t resolve hostname/i,
    hint: '`qhost` lists the nodes; change resources.nodelist or resources.exclude',
  },
  {
    says: /is not a valid object name|not allowed in objectname|not allowed as objectname|Error reading answer list/i,
    hint: 'Grid Engine takes no such name: use letters, digits, - and _ in resources.account and its like',
  },
  {
    says: /host .*is (no|not a) submit host|denied: host/i,
    hint: 'jobs are submitted on another machine of that site: `qconf -ss` lists them; set host in the profile',
  },
  {
    says: /Unknown option|Wrong .* format|invalid option|option.*requires/i,
    hint: 'this Grid Engine does not know an option; check resources.native and the resource that the message names',
  },
  {
    says: /access list|no permission|not allowed to|denied/i,
    hint: 'your account may not do this here; ask the site, or remove the option',
  },
  {
    says: /(cannot|can't) .*(script|job).*too (large|big)|script.*size/i,
    hint: 'shorten environment.setup',
  },
]
