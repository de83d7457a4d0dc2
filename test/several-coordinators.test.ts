import { type Swarm, swarmFor } from '@resultity/testkit'
import { test } from 'tap'

const asked = {
  model: 'tiny-chat',
  messages: [{ role: 'user', content: 'What is the capital of France?' }],
  max_tokens: 100,
  ignore_eos: true,
  temperature: 0
}

test('coordinators that share nodes wait for the slots that others have', async t => {
  const [one, other] = await Promise.all([swarmFor(t, { nodes: 0, stages: 2 }), swarmFor(t, { nodes: 0, stages: 2 })])
  const args = other.coordinator.multiaddrs.map(address => `--join=${address}`)
  await Promise.all([one.addNode({ args }), one.addNode({ args })])
  for (const swarm of [one, other]) {
    await swarm.untilNodes(2)
    await swarm.untilPlaced(({ state, stages }) => state === 'ready' && stages.length === 2)
  }
  const undisturbed = await answer(other)
  // together more than a stage has slots
  const all = [one, one, one, one, other, other, other, other].map(answer)
  const expected = all.map(() => ({ status: 200, text: undisturbed.text }))
  t.same(await Promise.all(all), expected, 'nobody is told that all is taken')
})

async function answer(swarm: Swarm): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(`${swarm.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(asked)
  })
  const body = await response.json()
  return { status: response.status, text: body.choices?.[0]?.message.content ?? JSON.stringify(body) }
}
