import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../../src/core/errors.ts'
import { findAccess, type Here } from '../../../src/executor/kubernetes/kubeconfig.ts'

const pem = '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n'

function here(files: Record<string, string>, env: Record<string, string> = {}): Here {
  return { env, home: '/home/me', read: (path) => files[path] }
}

const lab = `
clusters: [{ name: c, cluster: { server: 'https://10.0.0.1:6443/', certificate-authority: ca.crt } }]
users: [{ name: u, user: { token: t0ken } }]
contexts: [{ name: lab, context: { cluster: c, user: u, namespace: research } }]
current-context: lab
`

describe('a kubeconfig', () => {
  it('is looked for where kubectl looks', () => {
    const files = { '/home/me/.kube/config': lab, '/home/me/.kube/ca.crt': pem }
    expect(findAccess({}, here(files))).toEqual({
      server: 'https://10.0.0.1:6443',
      namespace: 'research',
      authority: pem,
      insecure: false,
      credentials: { token: 't0ken' },
    })
    const named = { '/etc/k': lab, '/etc/ca.crt': pem }
    expect(findAccess({}, here(named, { KUBECONFIG: '/etc/k' })).namespace).toBe('research')
    expect(findAccess({ kubeconfig: '/etc/k', namespace: 'other' }, here(named)).namespace).toBe('other')
  })

  it('may be in several files, of which the first to say something counts', () => {
    const files = {
      '/a': 'current-context: two\ncontexts: [{ name: two, context: { cluster: c2, user: u } }]',
      '/b': `${lab}`,
      '/d': 'clusters: [{ name: c2, cluster: { server: http://b, insecure-skip-tls-verify: true } }, { name: c, cluster: { server: http://never } }]',
      '/ca.crt': pem,
    }
    const access = findAccess({}, here(files, { KUBECONFIG: '/a:/missing:/b:/d' }))
    expect(access).toEqual({
      server: 'http://b',
      namespace: 'default',
      insecure: true,
      credentials: { token: 't0ken' },
    })
    const other = findAccess({ context: 'lab' }, here(files, { KUBECONFIG: '/a:/b:/d' }))
    expect(other).toMatchObject({ server: 'https://10.0.0.1:6443', insecure: false })
  })

  it('is not needed in a pod', () => {
    const account = '/var/run/secrets/kubernetes.io/serviceaccount'
    const files = { [`${account}/token`]: 't', [`${account}/ca.crt`]: pem, [`${account}/namespace`]: 'ns\n' }
    const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' }
    expect(findAccess({}, here(files, env))).toEqual({
      server: 'https://[fd00::1]:443',
      namespace: 'ns',
      authority: pem,
      insecure: false,
      credentials: { tokenFile: `${account}/token` },
    })
  })

  it('may name a program that logs in', () => {
    const exec = `{ apiVersion: client.authentication.k8s.io/v1beta1, command: ./login, args: [--x, 1], env: [{ name: A, value: b }], installHint: get it, provideClusterInfo: true }`
    const text = lab.replace('{ token: t0ken }', `{ exec: ${exec} }`)
    const { credentials } = findAccess({}, here({ '/k/c': text, '/k/ca.crt': pem }, { KUBECONFIG: '/k/c' }))
    expect(credentials.exec).toMatchObject({
      command: '/k/login',
      args: ['--x', '1'],
      env: { A: 'b' },
      installHint: 'get it',
    })
    expect(credentials.exec?.cluster).toMatchObject({ server: 'https://10.0.0.1:6443' })
  })

  it.each([
    ['there is none', undefined, /there is no kubeconfig \/k \(\$KUBECONFIG\)/],
    ['it is no YAML', 'a: [', /^\/k: /],
    ['it is no record', '- 1', /\/k: expected a kubeconfig/],
    ['it names no context', 'clusters: []', /current-context is not set/],
    [
      'its context is not there',
      lab.replace('current-context: lab', 'current-context: labs'),
      /there is no context 'labs' \(current-context\)\n.*'lab'/,
    ],
    [
      'its cluster is not there',
      lab.replace('cluster: c,', 'cluster: d,'),
      /there is no cluster 'd' \(contexts.lab.cluster\)/,
    ],
    [
      'the server is no address',
      lab.replace('https://10.0.0.1:6443/', 'nonsense'),
      /clusters.c.server: expected an address/,
    ],
    ['a file is missing', lab, /clusters.c.certificate-authority: \/ca.crt cannot be read/],
    [
      'half a pair',
      lab
        .replace('certificate-authority: ca.crt', 'insecure-skip-tls-verify: true')
        .replace('token: t0ken', 'client-certificate: x.crt'),
      /users.u.client-certificate: \/x.crt cannot be read/,
    ],
    [
      'an old login',
      lab
        .replace('certificate-authority: ca.crt', 'insecure-skip-tls-verify: true')
        .replace('token: t0ken', 'auth-provider: { name: gcp }'),
      /users.u.auth-provider/,
    ],
    ['a proxy', lab.replace('certificate-authority: ca.crt', 'proxy-url: http://p'), /proxy-url/],
    [
      'a token that is none',
      lab
        .replace('certificate-authority: ca.crt', 'insecure-skip-tls-verify: true')
        .replace('t0ken', '{ secret: 1 }'),
      /users.u.token: expected text, got something else/,
    ],
  ])('says what is wrong: %s', (_, text, message) => {
    const files: Record<string, string> = text === undefined ? {} : { '/k': text }
    const find = () => findAccess({}, here(files, { KUBECONFIG: '/k' }))
    expect(find).toThrow(ConfigError)
    expect(find).toThrow(message)
  })

  it('of any content is read, or refused with a word', () => {
    const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null))
    const tree = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 3 },
        leaf,
        fc.array(tie('node')),
        fc.dictionary(
          fc.constantFrom('name', 'cluster', 'user', 'context', 'server', 'exec', 'token', 'command'),
          tie('node'),
        ),
      ),
    })).node
    const config = fc.record({
      clusters: tree,
      users: tree,
      contexts: tree,
      'current-context': fc.oneof(leaf, fc.constant('a')),
    })
    fc.assert(
      fc.property(config, (value) => {
        try {
          findAccess({}, here({ '/k': JSON.stringify(value) }, { KUBECONFIG: '/k' }))
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error
        }
      }),
    )
  })
})
