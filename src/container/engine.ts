import type { ContainerEngine, ContainerSpec } from '../core/container-settings.ts'
import { shellQuote } from '../core/shell.ts'

/**
 * A word of an engine's command line: text as it is; `shell`: what the node's shell makes of this, as one word;
 * `words`: the same, as several words or none.
 */
export type Word = string | { readonly shell: string } | { readonly words: string }

/** A word as job.sh has it. */
export function shellWord(word: Word): string {
  if (typeof word === 'string') return shellQuote(word)
  return 'shell' in word ? `"${word.shell}"` : word.words
}

/** Text inside double quotes of sh. */
export const inQuotes = (text: string): string => text.replace(/[\\"$`]/g, '\\$&')

/**
 * A program that runs containers. Its words name variables of job.sh (templates/parts/container.sh.liquid):
 * farcall_container, the container's name; farcall_workdir, the work folder, which is inside under the same name;
 * farcall_inside_cwd; farcall_scratch, a folder of the node; farcall_mount_N, where source N of the mounts really lies; and
 * words: farcall_limits, farcall_gpu_words, farcall_user_words, farcall_passed.
 */
export interface Engine {
  readonly name: ContainerEngine
  readonly program: string
  /** The image as it takes it; undefined: it cannot run one of that kind. */
  image(reference: string): string | undefined
  /** What is asked that it has nothing for. */
  lacks(spec: ContainerSpec): (keyof ContainerSpec)[]
  /** All words up to what runs inside. */
  words(spec: ContainerSpec, image: Word): Word[]
}

/** The image as a word: a file's path may begin with ~ or a $VARIABLE of the cluster. */
export const imageWord = (image: string): Word => (/^[~$]/.test(image) ? { shell: '$farcall_image' } : image)

/** A file, as apptainer and singularity have them, and no name in a registry. */
export const isImageFile = (reference: string): boolean =>
  /^[./~$]/.test(reference) || /\.(sif|simg|img|sqsh)$/.test(reference)

/** Folders of the work folder that belong to all jobs; caches, where the job has some, are mounted by name. */
export const othersOf = ({ caches = [] }: ContainerSpec): string[] => [
  'blobs',
  'node',
  ...(caches.length > 0 ? ['caches'] : []),
]

/** Of these settings, those that ask for something. */
export function asked(spec: ContainerSpec, keys: readonly (keyof ContainerSpec)[]): (keyof ContainerSpec)[] {
  return keys.filter((key) => {
    const value = spec[key]
    return value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0)
  })
}
