import { randomBytes } from 'node:crypto'
import { run } from './processes.ts'

/** Another host, as far as the network goes: an address of its own, and a loopback that nobody else reaches. */
export interface OtherHost {
  readonly netns: string
  readonly address: string
  remove(): Promise<void>
}

/** Undefined where the machine allows no network namespaces. */
export async function otherHost(): Promise<OtherHost | undefined> {
  const id = randomBytes(3)
  const name = `fc${id.toString('hex')}`
  const subnet = `10.${64 + (id[0]! % 128)}.${id[1]}`
  const ip = (...args: string[]) => run('ip', args)
  try {
    await ip('netns', 'add', name)
  } catch {
    return undefined
  }
  const remove = async () => {
    await ip('netns', 'del', name)
  }
  try {
    await ip('link', 'add', `${name}h`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name)
    await ip('addr', 'add', `${subnet}.1/30`, 'dev', `${name}h`)
    await ip('link', 'set', `${name}h`, 'up')
    await ip('-n', name, 'addr', 'add', `${subnet}.2/30`, 'dev', 'eth0')
    for (const device of ['eth0', 'lo']) await ip('-n', name, 'link', 'set', device, 'up')
  } catch (error) {
    await remove()
    throw error
  }
  return { netns: name, address: `${subnet}.2`, remove }
}
