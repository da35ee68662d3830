import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { aliasTargets } from '../../src/capture/aliases.ts'
import { folder } from './run.ts'

it('reads paths of a tsconfig and its base, and imports of a package.json', () => {
  const root = join(folder, 'aliases')
  mkdirSync(join(root, 'src'), { recursive: true })
  writeFileSync(
    join(root, 'tsconfig.json'),
    '{ // a comment, with "quotes"\n "extends": ["./base.json"], "compilerOptions": { "strict": true, }, }',
  )
  writeFileSync(
    join(root, 'base.json'),
    '{"compilerOptions":{"baseUrl":"src","paths":{"@/*":["./*"],"@/deep/*":["./d//*/x"],"exact":["./e.ts"]}}}',
  )
  writeFileSync(
    join(root, 'package.json'),
    '{"imports":{"#util":{"browser":"./b.js","default":"./src/util.js"},"#dep":"lodash","#lib/*.js":"./src/lib/*.js"}}',
  )
  const targets = (specifier: string) => aliasTargets(specifier, join(root, 'src'))
  expect(targets('@/a/b')).toEqual([join(root, 'src/a/b')])
  expect(targets('@/deep/q')).toEqual([join(root, 'src/d/q/x')])
  expect(targets('exact')).toEqual([join(root, 'src/e.ts')])
  expect(targets('#util')).toEqual([join(root, 'src/util.js')])
  expect(targets('#lib/x.js')).toEqual([join(root, 'src/lib/x.js')])
  expect(targets('#dep')).toEqual([])
  expect(targets('lodash')).toEqual([])
  expect(targets('./a')).toEqual([])
})
