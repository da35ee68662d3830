import { showProgressIn } from '../client/progress/screen.ts'
import { plainLine } from '../client/progress/text.ts'
import { findScreen } from './screen.ts'
import { barHtml } from './views.ts'

// In a notebook, a map's progress is a bar in the cell where it began.
showProgressIn(() => {
  const write = findScreen()?.place?.()
  return write && ((line) => write({ 'text/html': barHtml(line).text, 'text/plain': plainLine(line) }))
})
