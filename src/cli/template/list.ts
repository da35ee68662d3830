import { printRows } from '../print.ts'
import { say } from '../talk.ts'
import { builtInTemplates, profileTemplates } from './files.ts'

/** @throws ConfigError */
export async function listTemplates({ json }: { json?: true }): Promise<void> {
  const rows = [...builtInTemplates(), ...(await profileTemplates())]
  printRows(
    rows,
    json ? 'json' : 'table',
    ['name', 'kind', 'file', 'found'],
    [
      { head: 'NAME', text: ({ name }) => name },
      { head: 'OF A', text: ({ kind }) => kind },
      { head: 'FILE', text: ({ file, found }) => (found ? file : `${file} (not there)`) },
    ],
  )
  if (!rows.some(({ kind }) => kind === 'profile'))
    say('no profile has a template of its own: `template` in the profile names one')
}
