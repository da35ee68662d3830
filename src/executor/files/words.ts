import { nameToBytes } from '../../files/names.ts'

/**
 * A path as plain ASCII that `printf %b` of every sh makes the path again: bytes of any value get through argument lists,
 * shells and locales.
 */
export function encodeWord(path: string): string {
  let word = ''
  for (const byte of nameToBytes(path)) {
    const character = String.fromCharCode(byte)
    word += /[A-Za-z0-9_./,+@=:~-]/.test(character) ? character : `\\0${byte.toString(8).padStart(3, '0')}`
  }
  return word
}

/** `word ENCODED` sets $v. The dot keeps newlines at the end; a dash in front must not be an option. */
export const decodeWord = `word() {
  v=$(printf '%b.' "$1")
  v=\${v%.}
}
path() {
  word "$1"
  case $v in
    '~') v=$HOME ;;
    '~/'*) v=$HOME/\${v#'~/'} ;;
    /*) ;;
    *) v=./$v ;;
  esac
}
# Why nothing can be done in the folder $v, in the words of ls.
inside() {
  cd -- "$v" 2>/dev/null && return
  ls -ld -- "$v/." >/dev/null || exit 1
  echo 'Permission denied' >&2
  exit 1
}`
