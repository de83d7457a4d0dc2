import { client, model, prompt } from './client.mjs'

const completion = await client.chat.completions.create({
  model: await model(),
  messages: [{ role: 'user', content: prompt }],
  temperature: 0,
  max_completion_tokens: 64
})
console.log(completion.choices[0].message.content)
