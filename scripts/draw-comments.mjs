// Draws doc comments and paragraphs of the documentation at random, for a reader to check that each needs no second
// reading. `node scripts/draw-comments.mjs --seed N` draws the same ones from the same checkout. Built-in modules only.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const USAGE = `Usage: node scripts/draw-comments.mjs [options]

  --seed N              draw these again (default: a new seed, which is printed)
  --count N             comments, and paragraphs, that are drawn (default: 10)
  --packages NAME,…     comments of these packages only (default: all)
`

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** @returns {{ seed: number, count: number, packages: readonly string[] | undefined }} @throws TypeError */
function readOptions(args) {
  const { values } = parseArgs({
    args,
    options: { seed: { type: 'string' }, count: { type: 'string', default: '10' }, packages: { type: 'string' } }
  })
  return {
    seed: values.seed === undefined ? Date.now() % 2 ** 31 : wholeNumber('--seed', values.seed),
    count: wholeNumber('--count', values.count),
    packages: values.packages?.split(',')
  }
}

function wholeNumber(name, text) {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new TypeError(`${name} is ${JSON.stringify(text)}, not a whole number of at most nine digits`)
}

/** Files below `directory`, sorted, so that the same seed means the same draw on every machine. */
function filesBelow(directory, pattern, without = /(^|\/)(dist|gen|node_modules)\//) {
  return readdirSync(join(root, directory), { recursive: true, encoding: 'utf8' })
    .filter(path => pattern.test(path) && !without.test(path))
    .map(path => join(root, directory, path))
    .toSorted()
}

/** Doc comments of a source file, with their line and the code that they describe. */
function commentsOf(path) {
  const text = readFileSync(path, 'utf8')
  return [...text.matchAll(/^[ \t]*\/\*\*[\s\S]*?\*\//gm)].map(match => ({
    place: placeOf(path, text, match.index),
    text: match[0].replaceAll(/^[ \t]+/gm, ' ').trim(),
    code: text
      .slice(match.index + match[0].length)
      .trimStart()
      .split('\n', 1)[0]
  }))
}

/** Paragraphs and list items of a page, without headings, tables and code. */
function paragraphsOf(path) {
  const text = readFileSync(path, 'utf8')
  const prose = text.replaceAll(/^```[\s\S]*?^```/gm, code => code.replaceAll(/[^\n]/g, ''))
  return [...prose.matchAll(/^(?![#|])\S[^\n]*(?:\n(?![-|#])[^\n]*\S[^\n]*)*/gm)].map(match => ({
    place: placeOf(path, text, match.index),
    text: match[0]
  }))
}

function placeOf(path, text, index) {
  return `${relative(root, path)}:${text.slice(0, index).split('\n').length}`
}

/** Numbers from 0 up to 1, the same of the same seed (mulberry32). */
function* randomNumbers(seed) {
  for (let state = seed; ; ) {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    yield ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Some of `items`, none of them twice. */
function draw(items, count, random) {
  const left = [...items]
  const drawn = []
  while (drawn.length < count && left.length > 0) {
    drawn.push(...left.splice(Math.floor(random.next().value * left.length), 1))
  }
  return drawn
}

function render({ place, text, code }) {
  return `${place}\n${text}\n${code === undefined ? '' : `${code}\n`}`
}

function main({ seed, count, packages }) {
  const random = randomNumbers(seed)
  const sources = (packages ?? readdirSync(join(root, 'packages'))).flatMap(name =>
    filesBelow(join('packages', name, 'src'), /\.ts$/)
  )
  const pages = [
    ...['README.md', '.github/CONTRIBUTING.md'].map(path => join(root, path)),
    ...filesBelow('docs', /\.md$/),
    ...readdirSync(join(root, 'packages')).map(name => join(root, 'packages', name, 'README.md'))
  ].toSorted()
  const comments = draw(sources.flatMap(commentsOf), count, random)
  const paragraphs = draw(pages.flatMap(paragraphsOf), count, random)
  process.stdout.write(`seed ${seed}\n\n`)
  for (const drawn of [...comments, ...paragraphs]) process.stdout.write(`${render(drawn)}\n`)
}

try {
  main(readOptions(process.argv.slice(2)))
} catch (error) {
  const known = error instanceof TypeError || error?.code === 'ENOENT'
  if (!known) throw error
  process.stderr.write(`${error.message}\n\n${USAGE}`)
  process.exitCode = 2
}
