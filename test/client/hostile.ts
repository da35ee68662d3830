/** What people write, and what breaks shells. */
export const hostile = [
  'two words',
  "it's",
  'say "hi"',
  '$(touch pwned)',
  '`touch pwned`',
  '; touch pwned',
  '# no comment',
  '-n',
  '--help',
  'ü 漢字 🎉',
  '$HOME ${PATH}',
  '* ? [a-z]',
  '%s %d \\n \\',
  '!! & | > <',
  'x'.repeat(200),
]
