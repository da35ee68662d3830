import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/**
 * Writes a project of that many TypeScript files. Its program imports all of them; the function of `main.ts`
 * uses four, one through a barrel, and a captured variable. It prints what it measured as JSON.
 */
export function writeProject(folder: string, count: number): void {
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
  mkdirSync(join(folder, 'src'), { recursive: true })
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(root, join(folder, 'node_modules', 'farcall'))
  write('package.json', '{"name":"project","type":"module"}')
  write('tsconfig.json', '{"compilerOptions":{"strict":true,"module":"NodeNext","target":"ES2022"}}')
  for (let i = 0; i < count - 2; i++) {
    // a tree: each file imports two others
    const uses = [2 * i + 1, 2 * i + 2].filter((child) => child < count - 2)
    write(
      `src/m${i}.ts`,
      `${uses.map((child) => `import { f${child} } from './m${child}.ts'`).join('\n')}
export interface Shape${i} { readonly width: number; readonly height: number; readonly name?: string }
const offset${i}: number = ${i}
export const table${i} = { scale: ${i}, names: ['a', 'b', 'c'] }
export function area${i}({ width, height }: Shape${i}): number {
  return width * height + offset${i}
}
export class Box${i} {
  constructor(private readonly shape: Shape${i}) {}
  grow(by: number): Box${i} { return new Box${i}({ ...this.shape, width: this.shape.width + by }) }
}
export function f${i}(n: number): number { return n + table${i}.scale${uses.map((child) => ` + f${child}(n)`).join('')} }
`,
    )
  }
  write('src/barrel.ts', [3, 4, 5].map((i) => `export * from './m${i}.ts'`).join('\n'))
  write('main.ts', program(count))
}

const program = (count: number) => `import { cluster } from 'farcall'
import { snapshot } from ${JSON.stringify(new URL('../dist/capture/snapshot.js', import.meta.url).href)}
import { f0 } from './src/m0.ts'
import { area${count - 4} } from './src/m${count - 4}.ts'
import { area4 } from './src/barrel.ts'

const [cacheDir, times] = process.argv.slice(2)
function marked(k: number) {
  return cluster((n: number): number => area${count - 4}({ width: n, height: k }) + area4({ width: n, height: 1 }))
}
const { fn, site } = (marked(Number(times)) as any)[Symbol.for('farcall.target')]
const take = async () => {
  const start = performance.now()
  const shot = snapshot(fn, site, { cacheDir })
  shot.encode({ args: [1] }, 'call')
  const taken = performance.now()
  const { code } = await shot.bundle()
  return { snapshot: taken - start, all: performance.now() - start, bytes: code.length }
}
const spent = []
for (let i = 0; i < Number(times); i++) spent.push(await take())
console.log(JSON.stringify({ spent, sum: f0(1) }))
`

/** A program with that many remote functions, or the same without cluster(). */
export function writeTypes(folder: string, count: number, remote: boolean): void {
  mkdirSync(join(folder, 'node_modules'), { recursive: true })
  symlinkSync(root, join(folder, 'node_modules', 'farcall'))
  symlinkSync(join(root, 'node_modules', '@types'), join(folder, 'node_modules', '@types'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  const compilerOptions = {
    strict: true,
    module: 'NodeNext',
    target: 'ES2022',
    lib: ['ES2023', 'ESNext.Disposable'],
    types: ['node'],
    skipLibCheck: true,
    noEmit: true,
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.ts'] }))
  const lines = [remote ? "import { cluster } from 'farcall'" : '']
  for (let i = 0; i < count; i++) {
    const fn = `(seed: number, options: { depth: number; name?: string }) => ({ seed, item${i}: [options.name ?? '', options.depth] as const })`
    lines.push(
      remote
        ? `const f${i} = cluster({ cores: ${(i % 8) + 1}, memory: '4GB' }, ${fn})`
        : `const f${i} = ${fn}`,
      `export const r${i}: number = (await f${i}(${i}, { depth: 1 })).seed`,
      remote
        ? `export const a${i}: string[] = (await f${i}.starmap([[1, { depth: 2 }]])).map((one) => one.item${i}[0])`
        : `export const a${i}: string[] = [[1, { depth: 2 }] as const].map(([n, o]) => f${i}(n, o)).map((one) => one.item${i}[0])`,
    )
  }
  writeFileSync(join(folder, 'program.ts'), lines.join('\n'))
}
