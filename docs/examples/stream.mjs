import { client, model, prompt } from './client.mjs'

const stream = await client.chat.completions.create({
  model: await model(),
  messages: [{ role: 'user', content: prompt }],
  temperature: 0,
  max_completion_tokens: 64,
  stream: true,
  stream_options: { include_usage: true }
})
for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.delta.content ?? '')
  if (chunk.usage) console.log(`\n(${chunk.usage.prompt_tokens} tokens in, ${chunk.usage.completion_tokens} out)`)
}
