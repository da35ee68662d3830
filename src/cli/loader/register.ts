// Given to Node by --import, or imported: from here on TypeScript files can be imported.
import { register } from 'node:module'
import { extname } from 'node:path'

export const loaderUrl = import.meta.url

register(new URL(`./hooks${extname(import.meta.url)}`, import.meta.url))
// The stack then names the TypeScript line and column, from which a function is found.
process.setSourceMapsEnabled(true)
