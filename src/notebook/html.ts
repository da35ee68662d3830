/** Text as HTML. What comes from elsewhere is escaped: names of jobs are anybody's. Pure. */

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (char) => entities[char]!)

/** HTML, of which every part from elsewhere was escaped. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

type Part = Html | string | number | readonly Part[]

const written = (part: Part): string => {
  if (part instanceof Html) return part.text
  if (typeof part === 'string' || typeof part === 'number') return escapeHtml(String(part))
  return part.map(written).join('')
}

/** html`<b>${name}</b>`: what is put in is escaped, unless it is HTML already. */
export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(texts.map((text, at) => text + (at < parts.length ? written(parts[at]!) : '')).join(''))
}

/** Notebooks have a light and a dark look: the colors are those around. */
const cellStyle = 'text-align:left;padding:2px 12px 2px 0;white-space:nowrap'

export function table(heads: readonly string[], rows: readonly (readonly Part[])[]): Html {
  const head = heads.map((text) => html`<th style="${cellStyle}">${text}</th>`)
  const body = rows.map(
    (row) => html`<tr>${row.map((part) => html`<td style="${cellStyle}">${part}</td>`)}</tr>`,
  )
  return html`<table style="border-collapse:collapse"><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table>`
}
