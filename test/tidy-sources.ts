import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The checkout, seen from a compiled test. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

/** Tests declare the steps of a case in one function, so theirs are not held to the limit. */
export const sources = listSources(join(root, 'packages')).filter(path => !path.includes('/src/gen/'))
export const product = sources.filter(path => path.includes('/src/'))

function listSources(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter(path => /\/(src|test)\/.*\.ts$/.test(`/${path}`) && !/(^|\/)(dist|node_modules)\//.test(path))
    .map(path => join(directory, path))
}

export function read(path: string): string {
  return readFileSync(path, 'utf8')
}

export function named(path: string): string {
  return relative(root, path)
}

export function packageOf(path: string): string {
  return named(path).split('/')[1] ?? ''
}

/** What a file imports, types and dynamic imports included. */
export function importsOf(path: string): string[] {
  const text = read(path)
  const patterns = [/^(?:import|export)\s[^'"]*?from\s+'([^']+)'/gm, /^import\s+'([^']+)'/gm, /\bimport\('([^']+)'\)/g]
  return patterns.flatMap(pattern => [...text.matchAll(pattern)].flatMap(match => match[1] ?? []))
}

/** Every test of a package, and those that cross packages. */
export const tests = [
  ...sources.filter(path => path.includes('/test/')),
  ...readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith('.ts') && !path.startsWith('dist/'))
    .map(path => join(root, 'test', path))
]

/** Comments as blanks, so that line numbers stay. Good enough for code that a formatter has laid out. */
export function withoutComments(text: string): string {
  return text
    .replaceAll(/\/\*[\s\S]*?\*\//g, comment => comment.replaceAll(/[^\n]/g, ' '))
    .replaceAll(/(^|\s)\/\/.*$/gm, '$1')
}
