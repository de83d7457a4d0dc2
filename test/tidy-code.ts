import { stripTypeScriptTypes } from 'node:module'
import { type Node, parse } from 'acorn'
import { read } from './tidy-sources.ts'

export interface MeasuredFunction {
  readonly name: string
  readonly line: number
  readonly lines: number
}

/** The functions of a file, with their lengths. */
export function functionsOf(path: string): MeasuredFunction[] {
  // types become blanks, so lines stay where they are
  const program = parse(stripTypeScriptTypes(read(path)), {
    ecmaVersion: 'latest',
    sourceType: 'module',
    locations: true
  })
  const found: MeasuredFunction[] = []
  visit(program, node => {
    if (!/^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type) || !node.loc) return
    const { start, end } = node.loc
    const id =
      'id' in node && node.id !== null && typeof node.id === 'object' && 'name' in node.id ? node.id.name : 'a function'
    found.push({ name: String(id), line: start.line, lines: end.line - start.line + 1 })
  })
  return found
}

/** Calls `onNode` for every node of a syntax tree. */
export function visit(value: unknown, onNode: (node: Node) => void): void {
  if (Array.isArray(value)) for (const item of value) visit(item, onNode)
  else if (isNode(value)) {
    onNode(value)
    for (const child of Object.values(value)) visit(child, onNode)
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'
}
