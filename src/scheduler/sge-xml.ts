/** An element that holds text and no other: what Grid Engine's lists are made of. */
const leaf = /<([\w-]+)(?: [^<>]*)?>([^<>]*)<\/\1>|<([\w-]+)\s*\/>/g

/**
 * The records of one kind in what `qstat -xml` says, each by the names of its elements; of two with one name the first
 * counts. What is no such thing, a banner say, is passed over.
 * @example readRecords('<job_list><state>r</state></job_list>', 'job_list') // [{ state: 'r' }]
 */
export function readRecords(text: string, name: string): Record<string, string>[] {
  return recordsIn(text, name).map((inside) => {
    const fields: Record<string, string> = Object.create(null)
    // 8.1.9 says %lt; for <, and leaves a job's name without its own end in no other way.
    for (const [, key, value, empty] of inside.matchAll(leaf)) fields[key ?? empty!] ??= plain(value ?? '')
    return fields
  })
}

/** The same as they are written. */
export function recordsIn(text: string, name: string): string[] {
  return [...text.matchAll(new RegExp(`<${name}(?: [^<>]*)?>(.*?)</${name}>`, 'gs'))].map(
    ([, inside]) => inside!,
  )
}

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

function plain(text: string): string {
  return text.replaceAll(/[&%](lt|gt|amp|quot|apos);/g, (_, entity: string) => entities[entity]!)
}
