import type { Graph } from './graph.ts'
import { nodeOf, type Place } from './locate.ts'
import { quote } from './slice.ts'

/** Takes the function that is to run into the graph, with all it names; gives the text that declares it as $main. */
export function addMain(graph: Graph, place: Place): { text: string; isClosure: boolean } {
  const { file } = place
  const node = nodeOf(place)
  const slice = quote(`farcall-slice:${file.id}`)
  if (node.kind === 'method' && node.owner !== undefined) {
    const { declared } = file.analysis.functions[node.owner]!
    graph.need(file, [declared!])
    const main = node.isStatic
      ? // without a `this` of its own it is the class, as in a call of the user's
        `const $raw=$class[${quote(node.name)}];$main=function(...a){return $raw.apply(this===undefined?$class:this,a)};Object.setPrototypeOf($main,Object.getPrototypeOf($raw));`
      : `$main=$class.prototype[${quote(node.name)}];`
    // a class that needs captured values while it is defined is there once these are
    const text = `import{${declared} as $class}from${slice};let $main;const $find=()=>{${main}};`
    return { text, isClosure: false }
  }
  if (node.declared !== undefined) {
    graph.need(file, [node.declared])
    return { text: `import{${node.declared} as $main}from${slice};`, isClosure: false }
  }
  const id = graph.addClosure(place)
  const text = `import{$farcallMake}from${quote(`farcall-closure:${id}`)};const[$main,$env]=$farcallMake();`
  return { text, isClosure: true }
}
