import t from 'tap'
import { partText } from '../src/chat/text-parts.ts'

t.test('parts that are text are taken under all of their names', t => {
  for (const type of ['text', 'input_text', 'output_text']) t.equal(partText({ type, text: 'a' }, 'x'), 'a')
  t.equal(partText({ type: 'refusal', refusal: 'I will not.' }, 'x'), 'I will not.')
  t.end()
})

t.test('others, and such as have no text, are refused by their place', t => {
  const refused = [
    [{ type: 'image_url' }, 'x.type'],
    [{ type: 'input_audio', text: 'a' }, 'x.type'],
    [{ type: 'text' }, 'x.text'],
    [{ type: 'text', refusal: 'a' }, 'x.text'],
    [{ type: 'refusal', text: 'a' }, 'x.refusal']
  ] as const
  for (const [part, param] of refused) {
    t.throws(() => partText(part, 'x'), { code: 'invalid_request', details: { param } }, JSON.stringify(part))
  }
  t.end()
})
