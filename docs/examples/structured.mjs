import { client, model, prompt } from './client.mjs'

const schema = {
  type: 'object',
  properties: {
    city: { type: 'string', maxLength: 12 },
    confidence: { enum: ['low', 'high'] }
  },
  required: ['city', 'confidence'],
  additionalProperties: false
}
const completion = await client.chat.completions.create({
  model: await model(),
  messages: [{ role: 'user', content: prompt }],
  response_format: { type: 'json_schema', json_schema: { name: 'answer', schema, strict: true } },
  max_completion_tokens: 128
})
const [{ message, finish_reason: reason }] = completion.choices
// an answer that was cut off at its token limit is no whole document
if (reason !== 'stop') throw new Error(`the answer ended by "${reason}": raise max_completion_tokens`)
console.log(JSON.parse(message.content))
