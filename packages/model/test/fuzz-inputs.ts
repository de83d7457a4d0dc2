import fc from 'fast-check'

const encoder = new TextEncoder()

/** Numbers that readers get wrong. */
const ODD_NUMBERS = [
  0,
  1,
  -1,
  0.5,
  7,
  255,
  65_536,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 53,
  2 ** 53 + 2,
  1e19,
  1e308,
  -1e308,
  5e-324
]

/** One change of a file: bytes from `at`, a share of its length, on. */
type Edit = (bytes: Uint8Array, at: number) => Uint8Array

const overwrite = (value: Uint8Array): Edit => {
  return (bytes, at) => {
    const changed = bytes.slice()
    changed.set(value.subarray(0, Math.max(0, bytes.length - at)), at)
    return changed
  }
}
const splice = (removed: number, added: Uint8Array): Edit => {
  return (bytes, at) => Uint8Array.from([...bytes.subarray(0, at), ...added, ...bytes.subarray(at + removed)])
}
const word = (value: bigint): Uint8Array => new Uint8Array(BigUint64Array.of(value).buffer)

const edits: fc.Arbitrary<Edit> = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 8 }).map(overwrite),
  fc
    .constantFrom(0n, 1n, 0xffn, 0xffffffffn, 1n << 31n, 1n << 53n, (1n << 63n) - 1n, (1n << 64n) - 1n)
    .map(value => overwrite(word(value))),
  fc.nat(64).map(count => splice(count, new Uint8Array())),
  fc.uint8Array({ minLength: 1, maxLength: 16 }).map(added => splice(0, added)),
  fc.constant<Edit>((bytes, at) => bytes.slice(0, at))
)

/** Files like `samples` with a few bytes changed, most of them near the beginning, where headers are. */
export function damagedBytes(samples: readonly Uint8Array[], headerBytes = 4096): fc.Arbitrary<Uint8Array> {
  const place = fc.record({ edit: edits, at: fc.nat(), inHeader: fc.integer({ min: 0, max: 9 }) })
  return fc
    .tuple(fc.constantFrom(...samples), fc.array(place, { minLength: 1, maxLength: 6 }))
    .map(([sample, places]) =>
      places.reduce((bytes, { edit, at, inHeader }) => {
        const reach = inHeader < 8 ? Math.min(headerBytes, bytes.length) : bytes.length
        return edit(bytes, reach === 0 ? 0 : at % reach)
      }, sample)
    )
}

const oddValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(...ODD_NUMBERS, null, true, '', [], {}, [[[[]]]], 'x'.repeat(5000), '\ud800', '__proto__'),
  fc.integer(),
  fc.double(),
  fc.string({ maxLength: 12 })
)

/** Numbers close to the right one pass more checks than wild ones do. */
const nearby: fc.Arbitrary<(value: number) => number> = fc.constantFrom(
  value => value + 1,
  value => value - 1,
  value => value * 2,
  value => value / 2,
  value => -value,
  value => value * 1e6
)

/** JSON documents like `sample` with some values replaced, removed, doubled or put under odd names. */
export function oddJson(sample: unknown): fc.Arbitrary<unknown> {
  const paths = pathsOf(sample)
  // what decides most stands on top, and is few among many
  const shallow = paths.filter(({ length }) => length <= 3)
  const change = fc.record({
    path: fc.oneof(fc.constantFrom(...shallow), fc.constantFrom(...paths)),
    how: fc.constantFrom('replace', 'near', 'near', 'remove', 'double', 'rename'),
    value: oddValue,
    near: nearby
  })
  return fc.array(change, { minLength: 1, maxLength: 2 }).map(changes => {
    const copy: { root: unknown } = { root: structuredClone(sample) }
    for (const { path, how, value, near } of changes) {
      const old = valueAt(copy, path)
      if (how !== 'near') alter(copy, path, how, value)
      else alter(copy, path, 'replace', typeof old === 'number' ? near(old) : value)
    }
    return copy.root
  })
}

/** Bytes of {@link oddJson}, or of the sample with some of its bytes changed. */
export function damagedJson(sample: unknown): fc.Arbitrary<Uint8Array> {
  const text = encoder.encode(JSON.stringify(sample))
  const odd = oddJson(sample).map(value => encoder.encode(JSON.stringify(value) ?? 'null'))
  return fc.oneof({ weight: 3, arbitrary: odd }, { weight: 1, arbitrary: damagedBytes([text], text.length) })
}

/** Of a list or object of thousands, the first entries stand for all. */
const ENTRIES_MAX = 40

/** Where in `{ root: sample }` there is a value. */
function pathsOf(sample: unknown): string[][] {
  const paths: string[][] = []
  const visit = (value: unknown, path: string[]): void => {
    paths.push(path)
    if (typeof value !== 'object' || value === null) return
    for (const key of Object.keys(value).slice(0, ENTRIES_MAX)) visit(Reflect.get(value, key), [...path, key])
  }
  visit(sample, ['root'])
  return paths
}

function valueAt(root: object, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (holder, key) => (typeof holder === 'object' && holder !== null ? Reflect.get(holder, key) : undefined),
    root
  )
}

function alter(root: object, path: readonly string[], how: string, value: unknown): void {
  const holder = valueAt(root, path.slice(0, -1))
  const key = path.at(-1) ?? 'root'
  if (typeof holder !== 'object' || holder === null) return
  if (how === 'replace') Reflect.set(holder, key, value)
  else if (how === 'remove' && holder !== root) Reflect.deleteProperty(holder, key)
  else if (how === 'double' && Array.isArray(holder)) holder.push(structuredClone(holder[Number(key)]))
  else if (how === 'rename') {
    Object.defineProperty(holder, '__proto__', { value, enumerable: true, configurable: true, writable: true })
  }
}

/** Chat templates that a grammar grows, with all that makes much of little. */
export const grownTemplates: fc.Arbitrary<string> = fc.letrec<{ block: string; expression: string; template: string }>(
  tie => ({
    template: fc
      .array(tie('block'), { minLength: 1, maxLength: 4 })
      .map(blocks => `{% set ns = namespace(x='ab', l=[1]) %}${blocks.join('')}`),
    block: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      tie('expression').map(value => `{{ ${value} }}`),
      tie('expression').map(value => `{% set ns.x = ${value} %}`),
      fc.constant('{% set ns.x = ns.x ~ ns.x %}'),
      fc.constant('{% set ns.l = [ns.l, ns.l] %}'),
      fc.constant('{{ messages[0].content }}'),
      fc.tuple(tie('expression'), tie('block')).map(([over, inner]) => `{% for i in ${over} %}${inner}{% endfor %}`),
      fc
        .tuple(fc.constantFrom(3, 30, 9999, 99_999, 1e9), tie('block'))
        .map(([count, inner]) => `{% for i in range(${count}) %}${inner}{% endfor %}`),
      fc
        .tuple(tie('expression'), tie('block'))
        .map(([value, inner]) => `{% if ${value} %}${inner}{% else %}{% break %}{% endif %}`),
      tie('block').map(inner => `{% macro m(a) %}${inner}{{ m(a) }}{% endmacro %}{{ m(1) }}`),
      tie('block').map(inner => `{% set y %}${inner}{% endset %}`),
      tie('block').map(inner => `{% filter upper %}${inner}{% endfilter %}`)
    ),
    expression: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom(
        'ns',
        'ns.x',
        'ns.l',
        'messages',
        'tools',
        'i',
        'loop',
        'undefined_name',
        '1',
        '-1',
        '1e308',
        "'a'",
        '[]',
        '{}',
        'none'
      ),
      fc.constantFrom('range(99999)', 'range(0, 1e9)', 'range(5, 0)', "strftime_now('%Y')", "raise_exception('no')"),
      fc
        .tuple(
          tie('expression'),
          fc.constantFrom('+', '-', '*', '/', '//', '%', '**', '~', '==', '<', 'in', 'and', 'or', 'not in'),
          tie('expression')
        )
        .map(([a, op, b]) => `(${a} ${op} ${b})`),
      fc
        .tuple(
          tie('expression'),
          fc.constantFrom(
            'length',
            'tojson',
            'tojson(indent=4)',
            'tojson(indent=99999999)',
            'join',
            "join('ab')",
            'join(ns.x)',
            'upper',
            'trim',
            'list',
            'sort',
            'unique',
            'string',
            'int',
            'items',
            'first',
            'reverse',
            'indent',
            'indent(99999999)',
            "replace('a', ns.x)",
            "map(attribute='a')",
            "selectattr('a')",
            'default(1)',
            'abs'
          )
        )
        .map(([value, filter]) => `(${value} | ${filter})`),
      fc
        .tuple(
          tie('expression'),
          fc.constantFrom(
            "split('')",
            "split('a')",
            'split()',
            "replace('a', ns.x)",
            "replace('', 'aa')",
            'upper()',
            'title()',
            'strip()',
            "startswith('a')",
            'items()',
            'get(1)',
            'length'
          )
        )
        .map(([value, call]) => `${value}.${call}`),
      fc
        .tuple(tie('expression'), fc.constantFrom('[0]', '[-1]', '[::-1]', '[::0]', "['a']", '[1:1e9]'))
        .map(([value, index]) => `${value}${index}`),
      fc.tuple(tie('expression'), tie('expression')).map(([a, b]) => `[${a}, ${b}]`),
      fc.tuple(tie('expression'), tie('expression')).map(([a, b]) => `{${a}: ${b}}`)
    )
  })
).template
