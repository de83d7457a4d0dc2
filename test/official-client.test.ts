import { swarmFor } from '@resultity/testkit'
import OpenAI from 'openai'
import { zodResponseFormat } from 'openai/helpers/zod'
import { test } from 'tap'
import { z } from 'zod'

const messages = [{ role: 'user' as const, content: 'What is the capital of France?' }]

test("the official client's own helpers, on a model in three stages", async t => {
  const swarm = await swarmFor(t, { nodes: 3, models: ['tiny-chat'] })
  const client = new OpenAI({ baseURL: `${swarm.url}/v1`, apiKey: 'none', maxRetries: 0 })

  await t.test('parse gives the object that a zod schema describes', async t => {
    const answer = z.object({
      capital: z.enum(['Paris', 'Rome', 'Berlin']),
      founded: z.int().min(0).max(2025),
      tags: z.array(z.string().max(8)).max(2),
      note: z.string().max(10).nullable()
    })
    for (const seed of [1, 2, 3]) {
      const completion = await client.chat.completions.parse({
        model: 'tiny-chat',
        messages,
        seed,
        response_format: zodResponseFormat(answer, 'answer')
      })
      const parsed = completion.choices[0]?.message.parsed
      t.ok(answer.safeParse(parsed).success, JSON.stringify(parsed))
    }
  })

  await t.test('stream puts a call together', async t => {
    const stream = client.chat.completions.stream({
      model: 'tiny-chat',
      messages,
      temperature: 0,
      tool_choice: 'required',
      parallel_tool_calls: false,
      tools: [{ type: 'function', function: { name: 'go', parameters: { properties: { n: { enum: [1, 2] } } } } }]
    })
    const completion = await stream.finalChatCompletion()
    const [choice] = completion.choices
    t.equal(choice?.finish_reason, 'tool_calls')
    const [call] = choice?.message.tool_calls ?? []
    t.match(call, { type: 'function', function: { name: 'go', arguments: /^\{.*\}$/s } })
  })

  await t.test('runTools calls the function and goes on with its answer', async t => {
    const called: unknown[] = []
    const runner = client.chat.completions.runTools(
      {
        model: 'tiny-chat',
        messages,
        temperature: 0,
        tool_choice: { type: 'function', function: { name: 'go' } },
        max_tokens: 60,
        tools: [
          {
            type: 'function',
            function: {
              name: 'go',
              description: '',
              parameters: { type: 'object', properties: { n: { enum: [1, 2] } }, required: ['n'] },
              parse: JSON.parse,
              function: (values: unknown) => {
                called.push(values)
                return 'done'
              }
            }
          }
        ]
      },
      { maxChatCompletions: 1 }
    )
    await runner.done()
    t.match(called, [{ n: Number }])
    t.equal(runner.messages.at(-1)?.role, 'tool')
  })
})
