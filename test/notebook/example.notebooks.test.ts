import { afterAll, it } from 'vitest'
import { makeDesk } from './desk.ts'
import { runExample } from './example.ts'

const desk = makeDesk()
afterAll(desk.remove)

it('examples/02-notebook.ipynb runs on this machine', () => runExample(desk, /local \*.*this machine/))
