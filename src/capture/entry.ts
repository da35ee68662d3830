import type { SplitPlan } from '../core/loops/plan.ts'
import { effectId, orderEffects } from './emit.ts'
import type { Graph } from './graph.ts'
import { lateDeclarations } from './late.ts'
import type { Part } from './part.ts'
import { initName, quote } from './slice.ts'
import { reachedByThreads } from './threads.ts'

/** The module that esbuild starts from: it exports what BundleModule says. `main` declares $main, and $env or $find. */
export function entryText(graph: Graph, main: string, split?: SplitPlan): string {
  const parts = [...graph.parts.values()].sort((a, b) => (a.file.id < b.file.id ? -1 : 1))
  const lines = [
    `import{$farcallThread,${split ? '$farcallLoops,' : ''}blank,bound,fill,hidden,own,ownPrivates,global}from"farcall-support:support";import{cluster as $cluster}from"farcall";`,
    main,
  ]
  const refs: string[] = []
  const sets: string[] = []
  for (const [index, part] of parts.entries()) {
    lines.push(`import*as $m${index} from${quote(`farcall-slice:${part.file.id}`)};`)
    sets.push(`$m${index}.$farcallSet(v.modules[${quote(part.file.id)}]||{});`)
    for (const [declaration, decision] of part.decisions)
      if (decision === 'source' && declaration.fn !== undefined)
        refs.push(
          `${quote(`${part.file.id}:${declaration.names[0]}`)}:()=>$m${index}.${declaration.names[0]}`,
        )
  }
  const runs = [...lateDeclarations(graph)].map(([d, part]) => `$m${parts.indexOf(part)}.${initName(d)}();`)
  const effects = [...orderEffects(graph).late].map(
    (path) => `require(${quote(effectId(graph.root, path))});`,
  )
  const makes: string[] = []
  for (const [index, id] of [...graph.closures.keys()].sort().entries()) {
    lines.push(`import{$farcallMake as $f${index}}from${quote(`farcall-closure:${id}`)};`)
    makes.push(`${quote(`#${id}`)}:()=>$f${index}()`)
  }
  refs.sort()
  lines.push(`
const refs={${refs.join(',')}};
const makes={${makes.join(',')}};
let names;
const unknown=(id)=>{throw new Error("this bundle has no "+id)};
export const setValues=(decode)=>{let v=decode();${sets.join('')}${effects.join('')}${runs.join('')}${runs.length + effects.length > 0 && changes(parts) ? `v=decode();${sets.join('')}` : ''}for(const id of Object.keys(v.statics))own(refs[id](),v.statics[id]);for(const id of Object.keys(v.staticPrivates))ownPrivates(refs[id](),v.staticPrivates[id]);${main.includes('$find') ? '$find();' : ''}${main.includes('$env') ? '$env(v.env);' : ''}${split ? '$farcallLoops.values(v);' : ''}};
export const resolve=(id)=>{
  if(Object.prototype.hasOwnProperty.call(refs,id))return refs[id]();
  if(id.startsWith("g:"))return global(id.slice(2));
  if(id.startsWith("b:")){const at=id.lastIndexOf(":");return require(id.slice(2,at))[id.slice(at+1)]}
  return unknown(id)
};
export const identify=(fn,within)=>{
  if(!names){names=new Map();for(const id of Object.keys(refs))names.set(refs[id](),id)}
  const id=names.get(fn);
  return id===undefined||(!within&&hidden(fn))?undefined:id
};
export const instantiate=(id)=>{
  if(id==="bound")return bound();
  if(id==="remote"){let inner,all;const object=$cluster(function(...args){const value=inner.apply(this,args);return !all?value:value instanceof Promise?value.then((one)=>[one]):[value]});return{object,fill(fields){inner=fields.fn;all=fields.gather}}}
  if(Object.prototype.hasOwnProperty.call(makes,id)){const made=makes[id]();$farcallThread.of(made[0],id,made[2]);return{object:made[0],fill(fields,properties){made[1](fields);own(made[0],properties)}}}
  const type=Object.prototype.hasOwnProperty.call(refs,id)?refs[id]():unknown(id);
  const object=blank(type);
  return{object,fill(fields,privates){fill(type,object,fields,privates)}}
};
${states(graph, parts)}${split ? splitMain(split) : 'export{$main as main};'}`)
  return lines.join('')
}

/** Whether values travel that code changes: what runs there before the function has changed them at home already. */
const changes = (parts: readonly Part[]): boolean =>
  parts.some(({ decisions }) =>
    [...decisions].some(([d, decision]) => decision === 'value' && (d.reassigned || d.mutated)),
  )

/** Runs the piece of the function that is asked for. */
const splitMain = (plan: SplitPlan): string =>
  `const $pieces=function(...a){return $farcallLoops.run($main,${JSON.stringify(plan)},this,a)};export const splits=true;export{$pieces as main};`

/** What functions in other threads see of the module's changing values; nothing where there are no such functions. */
function states(graph: Graph, parts: readonly Part[]): string {
  if (reachedByThreads(graph).size === 0) return ''
  const each = parts.map((part, index) => `[${quote(part.file.id)},$m${index}.$farcallState]`)
  return `const states=[${each.join(',')}].filter((s)=>s[1]);
export const getState=()=>{const all={};for(const[id,s]of states)all[id]=s[0]();return all};
export const setState=(all)=>{for(const[id,s]of states)s[1](all[id])};
`
}
