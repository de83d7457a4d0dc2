import fc from 'fast-check'
import { type Scale, someOf } from './scale.ts'
import { hostileName, hostileText } from './texts.ts'

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

/** Numbers at the bounds of some type. JSON has no infinity and no NaN; a number that is too big stands for those. */
export const boundNumbers: fc.Arbitrary<number> = fc.oneof(
  fc.constantFrom(
    0,
    -0,
    1,
    -1,
    0.1,
    -0.1,
    1e-7,
    5e-324,
    1e15,
    1e16,
    1e21,
    1.797_693_134_862_315_7e308,
    -1.797_693_134_862_315_7e308,
    2 ** 31 - 1,
    2 ** 31,
    -(2 ** 31),
    2 ** 32,
    2 ** 53 - 1,
    2 ** 53,
    -(2 ** 53),
    2 ** 63,
    2 ** 64,
    123_456_789_012_345.67
  ),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true })
)

/** A thing of another type than anybody expects. */
export const oddType: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(null, true, false, '', 'x', [], {}, [[]], [{}], [null], { a: null }, { length: -1 }),
  boundNumbers,
  fc.constantFrom<Json>({ toString: 'x' }, { toJSON: 1 }, { constructor: { prototype: {} } })
)

/** Something inside itself, `depth` times. */
export function nested(depth: number, shape: 'list' | 'object' | 'both', core: Json = null): Json {
  let value: Json = core
  for (let level = 0; level < depth; level++) {
    const list: boolean = shape === 'list' || (shape === 'both' && level % 2 === 0)
    value = list ? [value] : { a: value }
  }
  return value
}

function deep(scale: Scale): fc.Arbitrary<Json> {
  // the last is deeper than any body may be, and far less than what it takes to overflow a stack while parsing
  const depth = fc.oneof(someOf(scale.depth), fc.constantFrom(63, 64, 65, scale.depth * 50))
  return fc.tuple(depth, fc.constantFrom('list', 'object', 'both')).map(([levels, shape]) => nested(levels, shape))
}

function wide(scale: Scale): fc.Arbitrary<Json> {
  return fc.tuple(someOf(scale.width * 10), oddType, fc.boolean()).map(([width, item, list]) => {
    if (list) return Array.from({ length: width }, () => item)
    return Object.fromEntries(Array.from({ length: width }, (_, index) => [`k${index}`, item]))
  })
}

/** Any JSON value, of any shape. */
export function hostileValue(scale: Scale): fc.Arbitrary<Json> {
  return fc.oneof(
    { weight: 4, arbitrary: oddType },
    { weight: 2, arbitrary: hostileText(scale) },
    { weight: 2, arbitrary: deep(scale) },
    { weight: 2, arbitrary: wide(scale) },
    { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json> },
    { weight: 1, arbitrary: fc.dictionary(hostileName(scale), oddType, { maxKeys: 6 }) as fc.Arbitrary<Json> }
  )
}
