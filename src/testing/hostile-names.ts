/** Names of jobs that people write, and that break shells and option lines. */
export const hostileNames: readonly string[] = [
  'two words',
  "it's",
  'say "x"',
  'back\\slash\\',
  '$(touch pwned) `touch pwned` ${HOME}',
  '#hash #SBATCH --wrap',
  '"\'`\\#',
  'ünïcode ☃ 😀',
  '--flag',
  ':x=%j%%',
  '; touch pwned & | < > ! * ? [a] {b} ~',
  '2nd',
  'all',
]
