import type { Refusal } from './refusal.ts'

/** What qsub says when it does not take a job (`qsub: …`), and what to do about it. First match counts. */
export const refusals: readonly Refusal[] = [
  {
    says: /cannot connect to server|could not connect to|connection (refused|timed out)|no route to host|Communication failure|End of File|Server could not connect to MOM|System error/i,
    hint: 'the PBS server does not answer just now; the same submission may go through later',
    transient: true,
  },
  { says: /Unknown queue/i, hint: '`qstat -Q` lists the queues; set resources.queue' },
  {
    says: /Queue is not enabled|Queue (is )?not (started|enabled)/i,
    hint: 'the queue takes no jobs now; `qstat -Q` shows which do, set resources.queue',
  },
  {
    says: /exceeds? (queue|server).*resource limits|Job violates queue and\/or server resource limits|violates.*resource limits/i,
    hint: 'it asks for more time, cores or memory than the queue allows; `qstat -Qf` shows resources_max, ask for less or set resources.queue',
  },
  {
    says: /would exceed.*limit|Maximum number of jobs already in queue|exceed.*limit.*(queue|user|group|project)|job limit/i,
    isLimit: true,
    hint: 'as many of your jobs are in the queue as the site allows; wait until some have ended, or use a larger chunk',
  },
  {
    says: /Array job exceeds server or queue size limit|requested number of array jobs exceeds|array.*(size )?limit|maximum array size/i,
    hint: 'the site allows fewer array members (max_array_size); use a larger chunk',
  },
  {
    says: /illegal -J value|illegal.*array|Bad Job Array Request|%.*not/i,
    hint: 'this PBS takes no such array request; before OpenPBS 20 it knows no limit of members that run at once: leave `concurrency` out',
  },
  {
    says: /Unauthorized Request|Access to queue is denied|not authorized|Bad UID for job execution/i,
    hint: 'this account may not submit there; another resources.queue or resources.account, or ask your site',
  },
  {
    says: /Invalid (account|project)|account.*(invalid|required|unknown)|project.*(invalid|required|not)/i,
    hint: 'set resources.account to a project that you may charge',
  },
  {
    says: /Unknown resource/i,
    hint: 'the server does not know that resource; `qstat -Bf` and `pbsnodes -a` show those it has',
  },
  {
    says: /Illegal attribute or resource value|Bad resource list|illegal -l value/i,
    hint: 'check resources and native',
  },
  {
    says: /illegal -W value|dependency|Invalid dependency/i,
    hint: "a dependency is written as PBS has it: 'afterok:123.server'",
  },
]
