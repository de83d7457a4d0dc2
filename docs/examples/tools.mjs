import { client, model, prompt } from './client.mjs'

const name = await model()
const tools = [
  {
    type: 'function',
    function: {
      name: 'weather',
      description: 'The weather of a city now.',
      parameters: {
        type: 'object',
        properties: { city: { enum: ['Paris', 'Rome'] } },
        required: ['city'],
        additionalProperties: false
      }
    }
  }
]
const messages = [{ role: 'user', content: prompt }]
const asked = await client.chat.completions.create({
  model: name,
  messages,
  tools,
  tool_choice: 'required',
  parallel_tool_calls: false,
  temperature: 0
})
const [{ message, finish_reason: reason }] = asked.choices
// a call that was cut off at the token limit has no whole arguments
if (reason === 'length') throw new Error('the calls were cut off: ask something shorter')
messages.push(message)
for (const call of message.tool_calls) {
  const { city } = JSON.parse(call.function.arguments)
  console.log(`the model calls ${call.function.name}(${city})`)
  messages.push({ role: 'tool', tool_call_id: call.id, content: `${city}: 21 degrees, sunny` })
}
const answered = await client.chat.completions.create({
  model: name,
  messages,
  temperature: 0,
  max_completion_tokens: 48
})
console.log(answered.choices[0].message.content)
