import t from 'tap'
import { matchPath } from '../src/paths.ts'

const patterns = ['/v1/keys/{id}', '/v1/keys/{id}/rotate', '/v1/keys/mine', '/v1/{kind}/{id}', '/v1/models/{id}']
const cases = [
  ['/v1/keys/a', '/v1/keys/{id}'],
  ['/v1/keys/mine', '/v1/keys/mine'],
  ['/v1/keys/a/rotate', '/v1/keys/{id}/rotate'],
  ['/v1/models/org/name', '/v1/models/{id}'],
  ['/v1/other/a', '/v1/{kind}/{id}'],
  ['/v1/models/', undefined],
  ['/v1', undefined]
] as const
for (const [path, pattern] of cases) {
  t.test(path, async t => {
    t.equal(matchPath(patterns, path), pattern)
    t.equal(matchPath(patterns.toReversed(), path), pattern, 'in any order')
  })
}
