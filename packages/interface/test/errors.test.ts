import t from 'tap'
import { errorCodes, isErrorCode, MeshError } from '../src/errors.ts'
import { withParam } from '../src/invalid-request.ts'

t.test('a client is told what happened and what to do, and nothing else', async t => {
  const cause = new Error('secret')
  const error = new MeshError('node_lost', 'node a died', { hint: 'send it again.', details: { peerId: 'a' }, cause })
  t.strictSame(error.forClient(), { code: 'node_lost', message: 'node a died. Send it again.', param: null })
  const shouting = new MeshError('internal', 'it broke!', { hint: 'Try again.' })
  t.equal(shouting.forClient().message, 'it broke! Try again.')
  t.equal(new MeshError('internal', 'it broke').forClient().message, 'it broke')
})

t.test('a reason stands in for the code, and the field that is wrong is named', async t => {
  const error = new MeshError('not_found', 'no such subcloud', {
    details: { param: 'mesh', reason: 'subcloud_not_found' }
  })
  t.match(error.forClient(), { code: 'subcloud_not_found', param: 'mesh' })
  t.equal(error.code, 'not_found', 'programs of the mesh still match on the code')
  const odd = new MeshError('internal', 'x', { details: { param: 7, reason: { no: 'text' } } })
  t.match(odd.forClient(), { code: 'internal', param: null })
})

t.test('what is thrown becomes one kind of error', async t => {
  const error = new MeshError('unavailable', 'stopping')
  t.equal(MeshError.from(error), error, 'an error of the mesh stays itself')
  t.match(MeshError.from(new TypeError('x is not a function')), { code: 'internal', message: 'x is not a function' })
  t.match(MeshError.from(new Error('refused'), 'engine_failed'), {
    code: 'engine_failed',
    cause: { message: 'refused' }
  })
  t.match(MeshError.from('a text'), { code: 'internal', message: 'a text', cause: 'a text' })
  t.match(MeshError.from(AbortSignal.abort().reason), { code: 'canceled' })
})

t.test('an error can be said of the field that caused it, and keeps the rest', async t => {
  const cause = new MeshError('model_not_found', 'no such model', { hint: 'Pull it.', details: { model: 'x' } })
  const error = withParam(cause, 'judge.model')
  t.match(error, { code: 'model_not_found', hint: 'Pull it.', details: { model: 'x', param: 'judge.model' }, cause })
})

t.test('codes are known by name, and only these', async t => {
  for (const code of errorCodes) t.ok(isErrorCode(code))
  t.notOk(isErrorCode('subcloud_not_found'))
  t.notOk(isErrorCode('toString'))
  t.ok(new MeshError('node_lost', '').retryable)
  t.notOk(new MeshError('invalid_request', '').retryable)
})
