import type { ChatPiece } from '@resultity/openai'
import t from 'tap'
import { MessageContent, piecesOf } from '../src/message-content.ts'
import type { MessageEvent } from '../src/message-schema.ts'

const text = (content: string): ChatPiece => ({ delta: { content } })
const call = (index: number, name: string): ChatPiece => ({
  delta: { tool_calls: [{ index, id: `call_${index}`, function: { name, arguments: '' } }] }
})
const args = (index: number, json: string): ChatPiece => ({
  delta: { tool_calls: [{ index, function: { arguments: json } }] }
})
const end: ChatPiece = { delta: {}, finish_reason: 'stop' }

function taken(pieces: readonly ChatPiece[]) {
  const content = new MessageContent()
  const events = pieces.flatMap(piece => content.take(piece))
  return { events, blocks: content.blocks }
}

/** A line for each event. */
function shown(event: MessageEvent): string {
  if (event.type === 'content_block_start') return `${event.index} ${event.content_block.type}`
  if (event.type === 'content_block_stop') return `${event.index} end`
  if (event.type !== 'content_block_delta') return event.type
  const { delta } = event
  if (delta.type === 'thinking_delta') return `${event.index} ${delta.thinking}`
  return `${event.index} ${delta.type === 'text_delta' ? delta.text : delta.partial_json}`
}

t.test('texts and calls are blocks, each closed before the next begins', async t => {
  const pieces = [text('a'), text('b'), call(0, 'f'), args(0, '{"x"'), args(0, ':1}'), call(1, 'g'), text('c'), end]
  const { events, blocks } = taken(pieces)
  t.same(events.map(shown), [
    '0 text',
    '0 a',
    '0 b',
    '0 end',
    '1 tool_use',
    '1 {"x"',
    '1 :1}',
    '1 end',
    '2 tool_use',
    '2 end',
    '3 text',
    '3 c',
    '3 end'
  ])
  t.same(blocks, [
    { type: 'text', text: 'ab', citations: null },
    { type: 'tool_use', id: 'toolu_0', name: 'f', input: { x: 1 } },
    { type: 'tool_use', id: 'toolu_1', name: 'g', input: {} },
    { type: 'text', text: 'c', citations: null }
  ])
  t.same(taken(piecesOf(blocks)).blocks, blocks, 'whole, they are the same')
})

t.test('an answer of nothing has no blocks, and half a call no input', async t => {
  t.same(taken([text(''), end]), { events: [], blocks: [] })
  t.match(taken([call(0, 'f'), args(0, '{"x": '), end]).blocks, [{ name: 'f', input: {} }])
})
