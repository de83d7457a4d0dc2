import t from 'tap'
import { chatStreamErrors } from '../src/index.ts'

const chunk = (choices: object[], more: object = {}) => ({ id: 'c', created: 1, model: 'm', choices, ...more })
const choice = (delta: object, finish: string | null = null, index = 0) => ({ index, delta, finish_reason: finish })
const start = chunk([choice({ role: 'assistant', content: '' })])
const text = chunk([choice({ content: 'a' })], { usage: null })
const end = chunk([choice({}, 'stop')])
const usage = chunk([], { usage: { total_tokens: 3 } })

const cases: readonly (readonly [id: string, events: unknown[], error: RegExp | undefined])[] = [
  ['whole', [start, text, end, '[DONE]'], undefined],
  ['with usage', [start, text, end, usage, '[DONE]'], undefined],
  ['two choices', [start, chunk([choice({ role: 'assistant' }, 'stop', 1)]), end, '[DONE]'], undefined],
  ['ended by an error', [start, { error: {} }], undefined],
  ['cut', [start, text, end], /DONE/],
  ['no role', [text, end, '[DONE]'], /no role/],
  ['no end', [start, text, '[DONE]'], /0 finish reasons/],
  ['two ends', [start, end, end, '[DONE]'], /2 finish reasons/],
  ['text after the end', [start, end, text, '[DONE]'], /after its end/],
  ['another id', [start, { ...end, id: 'd' }, '[DONE]'], /id differs/],
  ['another model', [start, { ...end, model: 'n' }, '[DONE]'], /model differs/],
  ['usage too early', [start, usage, end, '[DONE]'], /last chunk/],
  ['usage twice', [start, end, usage, usage, '[DONE]'], /last chunk/],
  ['usage with choices', [start, { ...end, usage: {} }, '[DONE]'], /has choices/]
]
for (const [id, events, error] of cases) {
  t.test(id, async t => {
    const errors = chatStreamErrors(events)
    if (error === undefined) t.same(errors, [])
    else t.match(errors.join('\n'), error)
  })
}
