import type { ChatPiece } from '@resultity/openai'
import t from 'tap'
import { doneReason, pieceOf, SaidReader, wholeOf } from '../src/said.ts'

const call = (index: number, json: string, head: object = {}): ChatPiece => ({
  delta: { tool_calls: [{ index, ...head, function: { arguments: json, ...head } }] }
})

t.test('texts come as they are, calls whole, with values', async t => {
  const reader = new SaidReader()
  const pieces: ChatPiece[] = [
    { delta: { reasoning_content: 'hm' } },
    { delta: { content: 'a' } },
    call(0, '{"x"', { id: 'call_a', name: 'f' }),
    call(0, ':1}'),
    call(1, '', { id: 'call_b', name: 'g' }),
    { delta: {}, finish_reason: 'tool_calls' }
  ]
  t.strictSame(
    pieces.flatMap(piece => reader.take(piece)).map(({ content, thinking, calls }) => thinking || content || calls),
    [
      'hm',
      'a',
      [{ id: 'call_a', function: { index: 0, name: 'f', arguments: { x: 1 } } }],
      [{ id: 'call_b', function: { index: 1, name: 'g', arguments: {} } }]
    ]
  )
})

t.test('arguments that were cut off are none', async t => {
  const reader = new SaidReader()
  reader.take(call(0, '{"x":', { id: 'c', name: 'f' }))
  t.match(reader.take({ delta: {}, finish_reason: 'length' }), [
    { calls: [{ function: { name: 'f', arguments: {} } }] }
  ])
})

t.test('pieces of completions and of chats, in part and whole', async t => {
  t.match(pieceOf({ index: 0, text: 'a', logprobs: null, finish_reason: null }), { delta: { content: 'a' } })
  t.match(pieceOf({ index: 0, delta: { content: 'a' }, finish_reason: null }), { delta: { content: 'a' } })
  const completion = wholeOf({ choices: [{ index: 0, text: 'ab', finish_reason: 'length' }] })
  t.match(completion, { delta: { content: 'ab' } })
  t.equal(doneReason(completion), 'length')
  const chat = wholeOf({ choices: [{ message: { content: 'ab', tool_calls: null }, finish_reason: 'tool_calls' }] })
  t.equal(doneReason(chat), 'stop')
})

t.test('how likely each token was, and others in its place', async t => {
  const piece = {
    delta: { content: 'a' },
    logprobs: {
      content: [{ token: 'a', logprob: -1, bytes: [97], top_logprobs: [{ token: 'b', logprob: -2, bytes: [98] }] }]
    }
  }
  t.strictSame(new SaidReader().take(piece)[0]?.logprobs, [
    { token: 'a', logprob: -1, bytes: [97], top_logprobs: [{ token: 'b', logprob: -2, bytes: [98] }] }
  ])
})
