import { setTimeout as sleep } from 'node:timers/promises'
import { apiKey, model, prompt, url } from './client.mjs'

const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' }
const accepted = await fetch(`${url}/v1/chat/completions`, {
  method: 'POST',
  headers: { ...headers, prefer: 'respond-async' },
  body: JSON.stringify({
    model: await model(),
    messages: [{ role: 'user', content: prompt }],
    temperature: 0,
    max_completion_tokens: 64
  })
})
if (accepted.status !== 202) throw new Error(await accepted.text())
// from here on the answer is made, whatever becomes of this program
const { id } = await accepted.json()
console.log(`accepted as ${id}`)
for (;;) {
  const result = await fetch(`${url}/v1/requests/${id}/result`, { headers })
  if (result.status !== 202) {
    const body = await result.json()
    if (!result.ok) throw new Error(body.error.message)
    console.log(body.choices[0].message.content)
    break
  }
  await sleep(Number(result.headers.get('retry-after') ?? 1) * 1000)
}
