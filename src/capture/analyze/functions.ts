import type { ts as TypeScript } from 'ts-morph'
import type { FunctionNode } from '../analysis.ts'
import type { Reading } from './reading.ts'
import { symbolsOf } from './symbols.ts'
import { typescript } from './syntax.ts'

/** Notes functions and classes, with what their own text says. */
export function functionsOf(reading: Reading) {
  const ts = typescript()
  const { source, functions, functionOf } = reading
  const { startOf, has, exportModifiers, nameOf, labelOf, isFunctionNode, paramsAt } = reading.syntax
  const { ownDecorators, isDecorated } = symbolsOf(reading)

  const addFunction = (node: TypeScript.Node, parent: number): number => {
    const index = functions.length
    functionOf.set(node, index)
    const isClass = ts.isClassLike(node)
    const signature = node as TypeScript.SignatureDeclaration
    const parameters = isClass ? [] : signature.parameters.filter((p) => p.name.getText(source) !== 'this')
    const counted = parameters.findIndex((p) => p.initializer !== undefined || p.dotDotDotToken !== undefined)
    const entry: FunctionNode = {
      kind: isClass
        ? 'class'
        : ts.isArrowFunction(node)
          ? 'arrow'
          : ts.isMethodDeclaration(node)
            ? 'method'
            : ts.isGetAccessor(node)
              ? 'getter'
              : ts.isSetAccessor(node)
                ? 'setter'
                : ts.isConstructorDeclaration(node)
                  ? 'constructor'
                  : 'function',
      name: nameOf(node),
      start: startOf(node),
      end: node.end,
      at: isClass ? startOf(node) : paramsAt(signature),
      async: has(node, ts.SyntaxKind.AsyncKeyword),
      generator: (node as { asteriskToken?: unknown }).asteriskToken !== undefined,
      length: counted < 0 ? parameters.length : counted,
      parent,
      captures: [],
      uses: [],
      blank: ts.isSourceFile(node.parent) ? exportModifiers(node) : [],
    }
    if (!isClass && ts.isClassLike(node.parent)) {
      entry.owner = functionOf.get(node.parent)!
      entry.isStatic = has(node, ts.SyntaxKind.StaticKeyword)
      entry.isPrivate = ts.isPrivateIdentifier((node as TypeScript.MethodDeclaration).name ?? node)
    }
    if (isClass) {
      const members = node.members
      const privates = members.filter((m) => m.name !== undefined && ts.isPrivateIdentifier(m.name))
      entry.privates = privates.length > 0
      entry.privateNames = privates
        .filter((m) => ts.isPropertyDeclaration(m) && !has(m, ts.SyntaxKind.StaticKeyword))
        .map((m) => (m.name as TypeScript.PrivateIdentifier).text)
      entry.staticPrivateNames = privates
        .filter((m) => ts.isPropertyDeclaration(m) && has(m, ts.SyntaxKind.StaticKeyword))
        .map((m) => (m.name as TypeScript.PrivateIdentifier).text)
      const open = node.getChildren(source).find((c) => c.kind === ts.SyntaxKind.OpenBraceToken)
      entry.classBody = open?.end ?? node.end
      const made = members.find((m) => ts.isConstructorDeclaration(m) && m.body !== undefined)
      if (made) {
        const body = (made as TypeScript.ConstructorDeclaration).body as TypeScript.Block
        entry.constructorBody = startOf(body) + 1
        entry.at = paramsAt(made as TypeScript.ConstructorDeclaration)
      }
      const base = node.heritageClauses?.find((c) => c.token === ts.SyntaxKind.ExtendsKeyword)?.types[0]
      if (base) entry.heritage = ts.isIdentifier(base.expression) ? base.expression.text : true
      if (isDecorated(node)) entry.decorated = true
      entry.blank.push(...ownDecorators(node))
      for (const member of members) entry.blank.push(...ownDecorators(member))
    }
    if (entry.name === '') {
      const label = labelOf(node)
      if (label !== '') entry.label = label
    }
    functions.push(entry)
    return index
  }

  /** The lexical this, super, new.target or arguments that the arrows around `node` close over. */
  const markLexical = (node: TypeScript.Node, what: NonNullable<FunctionNode['lexical']>['what']) => {
    for (let n = node.parent; n !== undefined && !ts.isSourceFile(n); n = n.parent) {
      if (ts.isArrowFunction(n)) {
        const entry = functions[functionOf.get(n)!]
        if (entry && !entry.lexical) entry.lexical = { what, at: startOf(node) }
        continue
      }
      if (what === 'super' && ts.isMethodDeclaration(n)) {
        const entry = functions[functionOf.get(n)!]
        if (entry && !entry.lexical) entry.lexical = { what, at: startOf(node) }
      }
      if (isFunctionNode(n) || ts.isPropertyDeclaration(n) || ts.isClassStaticBlockDeclaration(n)) return
    }
  }

  return { addFunction, markLexical }
}
