/** RFC 4180, with the line ends of this system's tools. */
export function csv(heads: readonly string[], rows: readonly Readonly<Record<string, unknown>>[]): string {
  const lines = [heads, ...rows.map((row) => heads.map((head) => cell(row[head])))]
  return lines.map((cells) => `${cells.map(quoted).join(',')}\n`).join('')
}

function cell(value: unknown): string {
  if (value === undefined || value === null) return ''
  if (Array.isArray(value)) return value.join(' ')
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

const quoted = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
