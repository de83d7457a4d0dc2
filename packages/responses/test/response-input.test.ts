import t from 'tap'
import { toChatMessages } from '../src/response-input.ts'

t.test('refusals are text of an item too', t => {
  const item = {
    role: 'assistant',
    content: [
      { type: 'refusal', refusal: 'No.' },
      { type: 'output_text', text: ' Sorry.' }
    ]
  }
  t.same(toChatMessages([item], 'input'), [{ role: 'assistant', content: 'No. Sorry.' }])
  t.end()
})
