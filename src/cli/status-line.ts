/** What is being done, in one line on a terminal's stderr; nothing where there is none. */
export function showStatus(wanted: boolean, stream: NodeJS.WriteStream = process.stderr) {
  const shows = wanted && stream.isTTY === true
  let shown = false
  const clear = () => {
    if (shown) stream.write('\r\x1b[K')
    shown = false
  }
  return {
    show(text: string) {
      if (!shows) return
      clear()
      stream.write(`${text} …`.slice(0, Math.max(20, (stream.columns ?? 80) - 1)))
      shown = true
    },
    clear,
  }
}
