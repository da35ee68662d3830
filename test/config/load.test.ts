import { chmodSync, chownSync, mkdirSync, readdirSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadStoreDir } from '../../src/config/load.ts'
import { resolveProfile } from '../../src/config/profile.ts'
import { configure, defineConfig, getConfig, resetConfig } from '../../src/config/runtime.ts'
import type { Config } from '../../src/config/types.ts'
import { folders, projectFile, siteFile, userFile } from './folders.ts'

const asRoot = process.getuid?.() === 0

// Every source says something of the same keys; leaving out the strongest must bring the next to light.
const partition = (name: string): Config => ({
  profiles: { hpc: { scheduler: 'slurm', resources: { partition: name } } },
})
const strongestFirst = ['runtime', 'environment', 'project', 'user', 'site'] as const

test.each(strongestFirst.map((kind, from) => ({ kind, present: strongestFirst.slice(from) })))(
  '$kind wins over all that are weaker',
  async ({ kind, present }) => {
    const { load, write } = folders()
    if (present.includes('project')) write(projectFile, partition('project'))
    if (present.includes('user')) write(userFile, partition('user'))
    if (present.includes('site')) write(siteFile, partition('site'))
    const loaded = await load({
      runtime: present.includes('runtime') ? partition('runtime') : {},
      env: present.includes('environment') ? { FARCALL_PARTITION: 'environment' } : {},
    })
    const { profile, sources } = resolveProfile(loaded)
    expect(profile.resources.partition).toBe(kind)
    expect(sources.get('resources.partition')?.kind).toBe(kind)
  },
)

test('layers are merged by key, lists are replaced whole, and each value keeps its source', async () => {
  const { load, home, cwd, siteDir } = folders({
    [siteFile]: {
      profiles: { hpc: { scheduler: 'slurm', host: 'login', environment: { modules: ['a', 'b'] } } },
    },
    [userFile]: { defaultProfile: 'hpc', profiles: { hpc: { user: 'me' }, mine: { scheduler: 'direct' } } },
    [projectFile]: { profiles: { hpc: { environment: { modules: ['c'] }, resources: { account: 'abc' } } } },
  })
  const loaded = await load({ env: { FARCALL_PORT: '2222', FARCALL_TIME: '3600' } })
  const { name, profile, sources } = resolveProfile(loaded)
  expect(name).toBe('hpc')
  expect(profile).toEqual({
    scheduler: 'slurm',
    host: 'login',
    port: 2222,
    user: 'me',
    transport: 'ssh',
    workdir: '$HOME/.farcall',
    queryInterval: '10s',
    filePoll: '2s',
    grace: '120s',
    keep: 'failed',
    keepFor: '7d',
    keepBlobs: '30d',
    interrupt: 'cancel',
    resources: { account: 'abc', time: 3600 },
    environment: { node: 'auto', modules: ['c'] },
  })
  const project = join(cwd, 'farcall.config.json')
  const user = join(home, '.config/farcall/config.json')
  const site = join(siteDir, 'config.json')
  expect(loaded.files).toEqual([project, user, site])
  expect(Object.fromEntries(sources)).toMatchObject({
    scheduler: { kind: 'site', name: site },
    user: { kind: 'user', name: user },
    port: { kind: 'environment', name: 'FARCALL_PORT' },
    'environment.modules': { kind: 'project', name: project },
    'environment.node': { kind: 'default' },
    queryInterval: { kind: 'default' },
  })
})

test('without any configuration the built-in profile runs here, without a scheduler', async () => {
  const { name, profile } = resolveProfile(await folders().load())
  expect(name).toBe('local')
  expect(profile).toMatchObject({ scheduler: 'direct', transport: 'local', grace: '2s' })
  expect(profile.host).toBeUndefined()
})

test.each([
  ['the file nearest to the working directory', 'home/project/farcall.config.yaml', 'near'],
  ['a file in a folder above', 'home/.farcallrc', 'above'],
])('%s is found', async (_title, path, name) => {
  const { load, cwd } = folders({
    'home/.farcallrc': 'defaultProfile: above',
    [path]: `defaultProfile: ${name}`,
  })
  mkdirSync(join(cwd, 'deep/er'), { recursive: true })
  expect((await load({ cwd: join(cwd, 'deep/er') })).selected).toBe(name)
})

test('the search stops at the home folder', async () => {
  const { load } = folders({ 'farcall.config.yaml': 'defaultProfile: outside' })
  expect((await load()).files).toEqual([])
})

test.each([
  [
    'farcall.config.ts',
    "import { defineConfig } from 'farcall'\nimport { name } from './name'\nconst x: string = name\nexport default defineConfig({ defaultProfile: x })",
  ],
  ['farcall.config.mts', 'export default { defaultProfile: "told" as const }'],
  [
    'farcall.config.js',
    "const { defineConfig } = require('farcall')\nmodule.exports = defineConfig({ defaultProfile: require('./name').name })",
  ],
  [
    'farcall.config.mjs',
    "import { defineConfig } from 'farcall'\nimport { basename } from 'node:path'\nexport default defineConfig({ defaultProfile: basename('/x/told') })",
  ],
  ['farcall.config.json', '{ "defaultProfile": "told" }'],
  ['farcall.config.yaml', 'defaultProfile: told'],
  ['.farcallrc', 'defaultProfile: told'],
  ['package.json', '{ "farcall": { "defaultProfile": "told" } }'],
])('%s is read, and nothing is left beside it', async (name, text) => {
  const { load, cwd } = folders({
    [`home/project/${name}`]: text,
    'home/project/name.ts': "export const name: string = 'told'",
  })
  expect((await load()).selected).toBe('told')
  expect(readdirSync(cwd).sort()).toEqual([name, 'name.ts'].sort())
})

test('a TypeScript file may import packages of its project, and knows where it lies', async () => {
  const { load, cwd } = folders({
    'home/project/node_modules/sites/package.json': {
      name: 'sites',
      type: 'module',
      exports: { import: './main.js' },
    },
    'home/project/node_modules/sites/main.js': "export const host = 'login.hpc.edu'",
    'home/project/lib/where.ts': 'export const where = `${import.meta.dirname}/${__filename.slice(-8)}`',
    'home/project/farcall.config.ts': `import { host } from 'sites'
import { where } from './lib/where.js'
export default { profiles: { hpc: { scheduler: 'slurm', host, user: process.env['NOT_SET_AT_ALL'], template: where } } }`,
  })
  const { profile } = resolveProfile(await load())
  expect(profile.host).toBe('login.hpc.edu')
  expect(profile.template).toBe(join(cwd, 'lib/where.ts'))
  expect('user' in profile).toBe(false)
})

test('package.json without a farcall key is passed over', async () => {
  const { load } = folders({
    'home/project/package.json': { name: 'x' },
    'home/.farcallrc': 'defaultProfile: above',
  })
  expect((await load()).selected).toBe('above')
})

test('~ and relative paths of this machine are made absolute, those of the cluster are left', async () => {
  const { load, home } = folders({
    [userFile]: {
      profiles: {
        hpc: { scheduler: 'slurm', identityFile: '~/.ssh/id', template: 'my.liquid', workdir: '~/farcall' },
      },
    },
  })
  const { profile } = resolveProfile(await load())
  expect(profile.identityFile).toBe(join(home, '.ssh/id'))
  expect(profile.template).toBe(join(home, '.config/farcall/my.liquid'))
  expect(profile.workdir).toBe('~/farcall')
})

test('queue in one layer is overridden by partition in another', async () => {
  const { load } = folders({
    [userFile]: { profiles: { hpc: { scheduler: 'pbs', resources: { queue: 'long' } } } },
    [projectFile]: { profiles: { hpc: { resources: { partition: 'short' } } } },
  })
  expect(resolveProfile(await load()).profile.resources).toEqual({ partition: 'short' })
  const { profile, sources } = resolveProfile(await load({ env: { FARCALL_QUEUE: 'debug' } }))
  expect(profile.resources).toEqual({ partition: 'debug' })
  expect(sources.get('resources.partition')?.name).toBe('FARCALL_QUEUE')
})

test('XDG_CONFIG_HOME moves the user file, and a relative one is ignored', async () => {
  const { load, root } = folders({
    'xdg/farcall/config.yaml': 'defaultProfile: there',
    [userFile]: { defaultProfile: 'here' },
  })
  expect((await load({ env: { XDG_CONFIG_HOME: join(root, 'xdg') } })).selected).toBe('there')
  expect((await load({ env: { XDG_CONFIG_HOME: 'xdg' } })).selected).toBe('here')
})

test('jobs are recorded in FARCALL_STORE, the folder of a file, XDG_STATE_HOME or the home folder', async () => {
  const { load, home, cwd } = folders({ [projectFile]: { store: 'jobs' }, [userFile]: { store: '~/mine' } })
  expect((await load({ env: { FARCALL_STORE: '/a/b' } })).storeDir).toBe('/a/b')
  expect((await load({ env: { FARCALL_STORE: '~/c' } })).storeDir).toBe(join(home, 'c'))
  expect((await load()).storeDir).toBe(join(cwd, 'jobs'))
  expect((await load({ runtime: { store: '/d' } })).storeDir).toBe('/d')
  const bare = folders()
  expect((await bare.load({ env: { XDG_STATE_HOME: '/e' } })).storeDir).toBe(`/e/farcall/${hostname()}`)
  expect((await bare.load()).storeDir).toBe(join(bare.home, `.local/state/farcall/${hostname()}`))
})

test('cacheDir comes from FARCALL_CACHE_DIR, XDG_CACHE_HOME or the home folder', async () => {
  const { load, home } = folders()
  expect((await load({ env: { FARCALL_CACHE_DIR: '/a/b' } })).cacheDir).toBe('/a/b')
  expect((await load({ env: { XDG_CACHE_HOME: '/c' } })).cacheDir).toBe('/c/farcall')
  expect((await load({ home })).cacheDir).toBe(join(home, '.cache/farcall'))
})

test('a key named __proto__ is refused, and pollutes nothing', async () => {
  const { load } = folders({ [projectFile]: '{ "profiles": { "__proto__": { "scheduler": "slurm" } } }' })
  await expect(load()).rejects.toThrow('farcall.config.json: profiles.__proto__: this name cannot be used')
  expect({}).not.toHaveProperty('scheduler')
})

test('a file that may not be read is an error, not an absence', async () => {
  const { load, write, root } = folders()
  chmodSync(write(userFile, { defaultProfile: 'x' }), 0)
  chmodSync(root, 0o755)
  const loading = asRoot ? asNobody(() => load()) : load()
  await expect(loading).rejects.toMatchObject({
    code: 'CONFIG_UNREADABLE',
    message: expect.stringContaining('~/.config/farcall/config.json: it cannot be read: EACCES'),
  })
})

test.runIf(asRoot)('a user file of somebody else is refused (only root can make one)', async () => {
  const { load, write } = folders()
  chownSync(write(userFile, { defaultProfile: 'x' }), 1234, 1234)
  await expect(load()).rejects.toMatchObject({
    code: 'CONFIG_UNREADABLE',
    message: expect.stringContaining('it belongs to another user (uid 1234)'),
  })
})

test.runIf(asRoot)(
  'a project file that somebody else planted above is refused unless it is named (only root can make one)',
  async () => {
    const { load, write } = folders()
    const file = write('home/farcall.config.mjs', 'globalThis.planted = true; export default {}')
    chownSync(file, 1234, 1234)
    await expect(load()).rejects.toMatchObject({
      code: 'CONFIG_UNREADABLE',
      hint: `trust it by naming it: FARCALL_CONFIG=${file}`,
    })
    expect(globalThis).not.toHaveProperty('planted')
    expect((await load({ env: { FARCALL_CONFIG: file } })).files).toEqual([file])
  },
)

test('FARCALL_CONFIG that names no file is an error', async () => {
  await expect(folders().load({ env: { FARCALL_CONFIG: 'none.yaml' } })).rejects.toMatchObject({
    code: 'CONFIG_UNREADABLE',
  })
})

test('configure() merges by key, copies what it is given, and is checked when it is used', async () => {
  const { load } = folders({
    [userFile]: { profiles: { hpc: { scheduler: 'slurm', resources: { account: 'abc' } } } },
  })
  const modules = ['gcc']
  try {
    configure(defineConfig({ profiles: { hpc: { environment: { modules } } } }))
    configure({ profiles: { hpc: { resources: { partition: 'debug' } } } })
    modules.push('late')
    const runtime = getConfig()
    expect(runtime).toEqual({
      profiles: { hpc: { environment: { modules: ['gcc'] }, resources: { partition: 'debug' } } },
    })
    expect(resolveProfile(await load({ runtime })).profile.resources).toEqual({
      account: 'abc',
      partition: 'debug',
    })
    configure({ profiles: { hpc: { port: -1 } } })
    await expect(load({ runtime: getConfig() })).rejects.toThrow(
      'configure(): profiles.hpc.port: expected a number from 1 to 65535, got -1',
    )
  } finally {
    resetConfig()
  }
})

/** Root may read everything: give it up for a moment. */
async function asNobody<T>(run: () => Promise<T>): Promise<T> {
  process.seteuid!(65534)
  try {
    return await run()
  } finally {
    process.seteuid!(0)
  }
}

test('where jobs are recorded is told without the rest, and is the same', async () => {
  const cases: { files?: Record<string, object | string>; env?: NodeJS.ProcessEnv }[] = [
    {},
    { files: { [userFile]: { store: '~/jobs', profiles: { here: { scheduler: 'direct' } } } } },
    { files: { [projectFile]: { store: './jobs' }, [userFile]: { store: '/else' } } },
    { files: { [siteFile]: { store: '/site' }, [userFile]: {} } },
    { files: { [userFile]: { store: '/else' } }, env: { FARCALL_STORE: 'mine', FARCALL_TIME: '5m' } },
    {
      files: {
        [projectFile]: { profiles: { here: { scheduler: 'direct', password: { env: 'FARCALL_MY' } } } },
      },
      env: { FARCALL_MY: 'x' },
    },
  ]
  for (const { files = {}, env = {} } of cases) {
    const { load, cwd, home, siteDir } = folders(files)
    const { storeDir } = await load({ env, profile: 'local' })
    expect(await loadStoreDir({ cwd, home, siteDir, env })).toBe(storeDir)
  }
})

test('what is odd about the record’s folder is said as by all else', async () => {
  const odd: [Record<string, object | string>, NodeJS.ProcessEnv, RegExp][] = [
    [{ [userFile]: { store: 5 } }, {}, /store: expected a path, got 5/],
    [{}, { FARCALL_STOR: 'x' }, /did you mean FARCALL_STORE/],
  ]
  for (const [files, env, words] of odd) {
    const { cwd, home, siteDir } = folders(files)
    await expect(loadStoreDir({ cwd, home, siteDir, env })).rejects.toThrow(words)
  }
})
