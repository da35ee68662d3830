import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { afterAll, describe, expect, it } from 'vitest'
import { makeProject, removeProjects, runProgram } from './project.ts'
import { expectWrapped, reportOf } from './report.ts'
import { node, tool } from './tools.ts'

afterAll(removeProjects)

const bundle = (folder: string, options: object) =>
  build({
    absWorkingDir: folder,
    entryPoints: ['src/main.ts'],
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    outfile: 'build/main.js',
    ...options,
  })

describe.concurrent('what cannot be captured is refused by name', () => {
  it('Bun', async () => {
    const { folder } = makeProject()
    const report = reportOf(await runProgram(tool('.bin/bun'), ['src/main.ts'], { cwd: folder }))
    expect(Object.keys(report).sort()).toEqual(['closure', 'error', 'map', 'method', 'methodError'])
    for (const { error } of Object.values(report))
      expect(error).toMatchObject({
        name: 'CaptureError',
        message: expect.stringContaining('cannot be read under Bun'),
        code: 'CAPTURE_REFUSED',
        hint: expect.stringContaining('run the program with Node'),
      })
  })

  it('Deno without permissions says itself which flag is missing', async () => {
    const { folder } = makeProject()
    const { code, stderr } = await runProgram(tool('.bin/deno'), ['run', '--no-prompt', 'src/main.ts'], {
      cwd: folder,
    })
    expect(code).not.toBe(0)
    // Which it is depends on what is loaded first.
    expect(stderr).toMatch(/--allow-(read|env)/)
  })

  it('node --permission', async () => {
    const { folder } = makeProject({ plain: true })
    const allowed = ['--permission', '--allow-fs-read=*', '--allow-fs-write=*', '--allow-child-process']
    const report = reportOf(
      await runProgram(node('24'), [...allowed, 'src/main-wrapped.ts'], { cwd: folder }),
    )
    expect(report['closure']?.error).toMatchObject({
      code: 'CAPTURE_REFUSED',
      hint: 'run without --permission',
    })
  })

  it('a build whose map is gone', async () => {
    const { folder } = makeProject()
    await bundle(folder, { sourcemap: true, minify: true })
    rmSync(join(folder, 'build/main.js.map'))
    const report = reportOf(await runProgram(node('22'), ['build/main.js'], { cwd: folder }))
    for (const { error } of Object.values(report))
      expect(error).toMatchObject({
        name: 'CaptureError',
        code: 'CAPTURE_SOURCE_MISSING',
        hint: expect.stringContaining('source maps'),
      })
  })

  it('#private fields whose names a minifier changed', async () => {
    const { folder } = makeProject()
    await bundle(folder, { sourcemap: true, minify: true })
    const report = reportOf(await runProgram(node('22'), ['build/main.js'], { cwd: folder }))
    for (const name of ['closure', 'method'])
      expect(report[name]?.error).toMatchObject({
        code: 'CAPTURE_REFUSED',
        hint: expect.stringContaining('without minifying names'),
      })
    expect(report['map']).toEqual({ remote: [101, 102, 103], local: [101, 102, 103] })
  })

  it('#private fields that a build without a map lowered', async () => {
    const { folder } = makeProject()
    await bundle(folder, {})
    const report = reportOf(await runProgram(node('22'), ['build/main.js'], { cwd: folder }))
    expect(report['method']?.error).toMatchObject({ name: 'CaptureError', code: 'CAPTURE_REFUSED' })
    expect(report['closure']).toMatchObject({ remote: { total: 11 } })
  })
})

describe('minified with a map, names kept', () => {
  it('runs there as here, errors at their line', async () => {
    const project = makeProject()
    await bundle(project.folder, { sourcemap: true, minifySyntax: true, minifyWhitespace: true })
    const report = reportOf(await runProgram(node('22'), ['build/main.js'], { cwd: project.folder }))
    expectWrapped(report, project)
  })
})
