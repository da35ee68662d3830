import vm from 'node:vm'

/** What Node puts beside the language's own globals, and what a CommonJS module has. */
const node = `global process Buffer console performance crypto navigator fetch queueMicrotask structuredClone
setTimeout clearTimeout setInterval clearInterval setImmediate clearImmediate atob btoa
URL URLSearchParams TextEncoder TextDecoder TextEncoderStream TextDecoderStream AbortController AbortSignal
Event EventTarget CustomEvent MessageChannel MessagePort MessageEvent BroadcastChannel WebSocket EventSource
Blob File FormData Headers Request Response DOMException Storage localStorage sessionStorage
ReadableStream ReadableStreamDefaultReader ReadableStreamBYOBReader ReadableStreamBYOBRequest
ReadableByteStreamController ReadableStreamDefaultController TransformStream TransformStreamDefaultController
WritableStream WritableStreamDefaultController WritableStreamDefaultWriter ByteLengthQueuingStrategy
CountQueuingStrategy CompressionStream DecompressionStream Crypto CryptoKey SubtleCrypto
Performance PerformanceEntry PerformanceMark PerformanceMeasure PerformanceObserver
PerformanceObserverEntryList PerformanceResourceTiming Navigator WebAssembly CloseEvent
require module exports arguments undefined`

let names: Set<string> | undefined

/** Whether every Node has a global of this name; it is then the node's own that is meant. */
export function isStandardGlobal(name: string): boolean {
  names ??= new Set([
    ...(vm.runInNewContext('Object.getOwnPropertyNames(globalThis)') as string[]),
    ...node.split(/\s+/),
  ])
  return names.has(name)
}
