import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

/** What a function finds in its container, of which /data is a mount that is read-only. */
export async function lookInside(n: number) {
  const write = () => {
    try {
      writeFileSync('/data/y', 'no')
      return 'written'
    } catch (error) {
      return (error as NodeJS.ErrnoException).code
    }
  }
  return {
    n,
    node: process.execPath,
    data: readFileSync('/data/x', 'utf8'),
    write: write(),
    nets: readdirSync('/sys/class/net'),
    words: process.env['WORDS'],
    inside: process.env['INSIDE'],
    secret: process.env['SECRET_OF_TEST'],
  }
}
