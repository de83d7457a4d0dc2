import { setTimeout as sleep } from 'node:timers/promises'
import { client, model } from './client.mjs'

const name = await model()
const lines = ['France', 'Italy', 'Germany'].map(country =>
  JSON.stringify({
    custom_id: country,
    method: 'POST',
    url: '/v1/chat/completions',
    body: {
      model: name,
      messages: [{ role: 'user', content: `What is the capital of ${country}?` }],
      temperature: 0,
      max_tokens: 32
    }
  })
)
const file = await client.files.create({ file: new File([lines.join('\n')], 'questions.jsonl'), purpose: 'batch' })
let batch = await client.batches.create({
  input_file_id: file.id,
  endpoint: '/v1/chat/completions',
  completion_window: '24h'
})
while (!['completed', 'failed', 'expired', 'cancelled'].includes(batch.status)) {
  await sleep(500)
  batch = await client.batches.retrieve(batch.id)
}
if (batch.status !== 'completed') throw new Error(`the batch ended as ${batch.status}`)
const answers = await (await client.files.content(batch.output_file_id)).text()
for (const line of answers.trim().split('\n')) {
  const { custom_id: country, response } = JSON.parse(line)
  console.log(`${country}: ${response.body.choices[0].message.content}`)
}
