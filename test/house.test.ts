import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'
import { errorCodes } from '../src/core/error-codes.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The rows of the house, from the ground up. A room imports from rows below its own. */
const rows = [
  ['core'],
  ['codec', 'files', 'archive', 'threads'],
  ['capture', 'packages', 'scheduler', 'transport', 'store', 'container'],
  ['executor', 'config'],
  ['client', 'workflow'],
  ['cli', 'dashboard', 'notebook', 'testing', 'vite'],
] as const
/** The rooms of the client, from the ground up; '.' is what programs call. What runs comes from rows below; types may look up. */
const clientRows = [
  ['outcome', 'payload', 'progress', 'staging'],
  ['explain', 'in-job', 'options', 'retries'],
  ['submission'],
  ['notify'],
  ['job', 'session'],
  ['jobs', 'submit'],
  ['loops', 'map', 'place'],
  ['.'],
  ['command'],
] as const
const rooms = rows.flat()
const rowOf = (room: string): number => rows.findIndex((row) => (row as readonly string[]).includes(room))
const rowOfSix = 2

interface Arrow {
  readonly from: string
  /** The file that is imported, from the root; or a package or builtin by its name. */
  readonly to: string
}

const sources = (folder: string): string[] =>
  existsSync(join(root, folder))
    ? readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => /\.tsx?$/.test(name))
        .map((name) => join(folder, name))
    : []

/** Every import of a file, static or dynamic, of values or of types. */
function arrowsFrom(file: string): Arrow[] {
  const { importedFiles } = ts.preProcessFile(readFileSync(join(root, file), 'utf8'), true, true)
  return importedFiles.map(({ fileName }) => ({
    from: file,
    to: fileName.startsWith('.') ? relative(root, resolve(root, dirname(file), fileName)) : fileName,
  }))
}

/** Imports of values alone. */
function runsFrom(file: string): Arrow[] {
  const source = ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.Latest)
  const onlyTypes = new Set<string>()
  for (const statement of source.statements) {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) continue
    const { moduleSpecifier } = statement
    if (!moduleSpecifier || !ts.isStringLiteral(moduleSpecifier)) continue
    if (isOfTypes(statement))
      onlyTypes.add(relative(root, resolve(root, dirname(file), moduleSpecifier.text)))
  }
  return arrowsFrom(file).filter(({ to }) => !onlyTypes.has(to))
}

function isOfTypes(statement: ts.ImportDeclaration | ts.ExportDeclaration): boolean {
  if (ts.isExportDeclaration(statement)) return statement.isTypeOnly
  const clause = statement.importClause
  if (!clause || clause.isTypeOnly) return clause !== undefined
  const named = clause.namedBindings
  if (clause.name || !named || !ts.isNamedImports(named)) return false
  return named.elements.every(({ isTypeOnly }) => isTypeOnly)
}

/** 'src/executor/batch/watch.ts' -> 'executor', 'runtime/main.ts' -> 'runtime', 'src/index.ts' -> 'index.ts', 'zod' -> undefined. */
function roomOf(path: string): string | undefined {
  const [top, room] = path.split('/')
  if (top === 'runtime') return top
  return top === 'src' ? room : undefined
}

const arrows = [...sources('src'), ...sources('runtime')].flatMap(arrowsFrom)
const inside = arrows.filter(({ to }) => roomOf(to) !== undefined)
const outside = arrows.filter(({ to }) => !to.startsWith('src/') && !to.startsWith('runtime/'))
const shown = (wrong: readonly Arrow[]) => wrong.map(({ from, to }) => `${from} -> ${to}`)

describe('the house', () => {
  test('every source lies in a room that the design names', () => {
    const elsewhere = sources('src').filter((file) => file !== 'src/index.ts' && rowOf(roomOf(file)!) < 0)
    expect(elsewhere).toEqual([])
    expect(arrows.length).toBeGreaterThan(50)
  })

  test('each room imports only from rows below it', () => {
    const wrong = inside.filter(({ from, to }) => {
      const [here, there] = [roomOf(from)!, roomOf(to)!]
      return rowOf(here) >= 0 && here !== there && !(rowOf(there) >= 0 && rowOf(there) <= rowOf(here))
    })
    expect(shown(wrong)).toEqual([])
  })

  test('who calls or explains comes to capture by its doors', () => {
    const doors = ['snapshot', 'types', 'stack', 'cache', 'trim', 'survey/survey', 'survey/types']
    const wrong = inside.filter(
      ({ from, to }) =>
        roomOf(from) !== 'capture' &&
        roomOf(to) === 'capture' &&
        !doors.some((door) => to === `src/capture/${door}.ts`),
    )
    expect(shown(wrong)).toEqual([])
  })

  test('each room of the client runs only what rows below it have', () => {
    const clientRoom = (path: string) => relative('src/client', dirname(path)) || '.'
    const clientRow = (path: string) =>
      clientRows.findIndex((row) => (row as readonly string[]).includes(clientRoom(path)))
    const files = sources('src/client')
    expect(files.filter((file) => clientRow(file) < 0)).toEqual([])
    const wrong = files.flatMap(runsFrom).filter(({ from, to }) => {
      if (roomOf(to) !== 'client' || clientRoom(from) === clientRoom(to)) return false
      return clientRow(to) >= clientRow(from)
    })
    expect(shown(wrong)).toEqual([])
  })

  test('neighbours on the row of six never import each other', () => {
    const wrong = inside.filter(({ from, to }) => {
      const [here, there] = [roomOf(from)!, roomOf(to)!]
      return here !== there && rowOf(here) === rowOfSix && rowOf(there) === rowOfSix
    })
    expect(shown(wrong)).toEqual([])
  })

  test('of two neighbours on another row at most one knows the other', () => {
    const pairs = rooms.flatMap((a) =>
      rooms.filter((b) => a < b && rowOf(a) === rowOf(b)).map((b) => [a, b] as const),
    )
    const between = (a: string, b: string) =>
      inside.filter(({ from, to }) => roomOf(from) === a && roomOf(to) === b)
    const wrong = pairs
      .map(([a, b]) => [between(a, b), between(b, a)] as const)
      .filter((both) => both.every((one) => one.length > 0))
    expect(wrong.map((both) => shown(both.flat()))).toEqual([])
  })

  test('the runtime imports only core, codec, files, archive and threads, and nothing imports the runtime', () => {
    const wrong = inside.filter(({ from, to }) => {
      const [here, there] = [roomOf(from)!, roomOf(to)!]
      return here === 'runtime'
        ? !['runtime', 'core', 'codec', 'files', 'archive', 'threads'].includes(there)
        : there === 'runtime'
    })
    expect(shown(wrong)).toEqual([])
  })

  test('job folders, notices and their scripts are known inside executor/batch alone', () => {
    const wrong = inside.filter(
      ({ from, to }) => to.startsWith('src/executor/batch/') && !from.startsWith('src/executor/'),
    )
    expect(shown(wrong)).toEqual([])
  })

  test('core imports nothing but itself and Node', () => {
    const wrong = arrows.filter(
      ({ from, to }) => roomOf(from) === 'core' && roomOf(to) !== 'core' && !isBuiltin(to),
    )
    expect(shown(wrong)).toEqual([])
  })

  test('the Profile type is in core', () => {
    const declare = sources('src').filter((file) =>
      /^export (interface|type) Profile\b/m.test(readFileSync(join(root, file), 'utf8')),
    )
    expect(declare).toEqual(['src/core/profile.ts'])
  })

  test('imports of our own files name them in full, and stay in src and runtime', () => {
    const wrong = arrows.filter(({ from, to }) =>
      roomOf(to) === undefined
        ? to.startsWith('..') || /^(src|runtime|test|scripts|farcall)(\/|$)/.test(to)
        : !existsSync(join(root, to)) && from !== to,
    )
    expect(shown(wrong)).toEqual([])
  })

  test('builtins carry their prefix, and packages are dependencies that users get', () => {
    const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const given = { ...dependencies, ...peerDependencies }
    const packageOf = (name: string) =>
      name
        .split('/')
        .slice(0, name.startsWith('@') ? 2 : 1)
        .join('/')
    const wrong = outside.filter(
      ({ to }) => !(to.startsWith('node:') ? isBuiltin(to) : packageOf(to) in given),
    )
    expect(shown(wrong)).toEqual([])
  })
})

describe('error codes', () => {
  test('each has a page docs/errors/CODE.md, and each page a code', () => {
    const folder = join(root, 'docs/errors')
    const files = existsSync(folder) ? readdirSync(folder) : []
    const pages = files.map((name) => name.replace(/\.md$/, ''))
    expect(pages.filter((name) => name !== 'README').sort()).toEqual([...errorCodes].sort())
  })
})
