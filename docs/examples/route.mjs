import { client, model, prompt } from './client.mjs'

const { data, response } = await client.chat.completions
  .create({
    model: await model(),
    messages: [{ role: 'user', content: prompt }],
    temperature: 0,
    max_completion_tokens: 16,
    // not of OpenAI's API: over how many nodes the layers are to be spread
    mesh: { stages: 2 }
  })
  .withResponse()
console.log(data.choices[0].message.content)
console.log(`computed by ${response.headers.get('x-resultity-route')}`)
