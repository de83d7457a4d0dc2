import { apiKey, model, prompt, url } from './client.mjs'

// the same model three times, each with a seed of its own; any names that are served will do
const name = await model()
const response = await fetch(`${url}/v1/chat/completions`, {
  method: 'POST',
  headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
  body: JSON.stringify({
    models: [name, name, name],
    strategy: 'vote',
    messages: [{ role: 'user', content: prompt }],
    max_completion_tokens: 32
  })
})
const body = await response.json()
if (!response.ok) throw new Error(body.error.message)
console.log(body.choices[0].message.content)
