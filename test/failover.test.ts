import { swarmFor } from '@resultity/testkit'
import { test } from 'tap'
import { eventually, meshNodes, slotsTaken } from './mesh-state.ts'
import { type Asked, ask, type Told } from './told-answer.ts'

const messages = [{ role: 'user', content: 'What is the capital of France?' }]
const endless = { model: 'tiny-chat', messages, max_tokens: 250, ignore_eos: true }
const long = 'What is the capital of France? '.repeat(30)
const numbers = { type: 'array', items: { type: 'integer', minimum: 0, maximum: 99 }, minItems: 150, maxItems: 150 }

/**
 * Answers that are made beside each other, in the slots that a stage has. They are long: on a fast machine a short one is
 * through before the node is lost.
 */
const drawn: Record<string, Asked> = {
  'greedy, streamed': { body: { ...endless, temperature: 0, stream: true } },
  'with penalties and logprobs, streamed': {
    body: {
      ...endless,
      temperature: 1.1,
      seed: 7,
      frequency_penalty: 0.4,
      presence_penalty: 0.2,
      repetition_penalty: 1.1,
      logprobs: true,
      top_logprobs: 2,
      stream: true
    }
  },
  'two choices, not streamed': { body: { ...endless, temperature: 0.9, seed: 3, n: 2 } }
}

const constrained: Record<string, Asked> = {
  'held to a schema, streamed': {
    body: {
      model: 'tiny-chat',
      messages,
      temperature: 1,
      seed: 11,
      max_tokens: 480,
      stream: true,
      response_format: { type: 'json_schema', json_schema: { name: 'numbers', schema: numbers, strict: true } }
    }
  },
  'behind a long prompt, not streamed': {
    body: { ...endless, messages: [{ role: 'user', content: long }], max_tokens: 150, temperature: 0 }
  }
}

const scored: Record<string, Asked> = {
  'with scores of its prompt, streamed': {
    path: '/v1/completions',
    body: {
      model: 'tiny-chat',
      prompt: long,
      echo: true,
      logprobs: 1,
      max_tokens: 150,
      ignore_eos: true,
      temperature: 0,
      stream: true
    }
  }
}

test('an answer outlives its nodes', async t => {
  const swarm = await swarmFor(t, { nodes: 4, stages: 3 })
  const all = Object.entries({ ...drawn, ...constrained, ...scored })
  const alone = all.map(async ([name, asked]): Promise<[string, Told]> => [name, await ask(swarm.url, asked)])
  const undisturbed = new Map(await Promise.all(alone))

  const cases: [name: string, stage: number, afterPieces: number, signal: NodeJS.Signals, asked: typeof drawn][] = [
    ['kill -9 of the first stage at the first token', 0, 1, 'SIGKILL', drawn],
    ['kill -9 of the middle stage in the midst', 1, 40, 'SIGKILL', drawn],
    ['kill -9 of the last stage under a constraint', 2, 5, 'SIGKILL', constrained],
    ['kill -9 of the last stage while the prompt is scored', 2, 1, 'SIGKILL', scored],
    ['kill -9 of the middle stage while prompts run', 1, 0, 'SIGKILL', constrained],
    ['a node that is stopped', 1, 20, 'SIGTERM', drawn]
  ]
  for (const [name, stage, afterPieces, signal, asked] of cases) {
    await t.test(name, async t => {
      const { route } = (await ask(swarm.url, { body: { model: 'tiny-chat', messages, max_tokens: 1 } })).mesh
      const victim = swarm.nodes.find(({ peerId }) => peerId === route[stage]?.peerId)
      let pieces = 0
      let gone: Promise<void> | undefined
      const onPiece = () => {
        if (++pieces >= afterPieces) gone ??= victim?.kill(signal)
      }
      const asking = Object.entries(asked).map(async ([name, one]) => ({
        name,
        told: await ask(swarm.url, one, onPiece)
      }))
      if (afterPieces === 0) onPiece()
      const answers = await Promise.all(asking)
      // one that is lost before the answer has begun is no loss of a route
      if (afterPieces > 0)
        t.ok(
          answers.some(({ told }) => told.mesh.reroutes !== undefined),
          'on another route'
        )
      for (const { name, told } of answers) {
        t.same(told.choices, undisturbed.get(name)?.choices, `${name}: no token is another, missing or told twice`)
        t.not(told.mesh.reroutes?.exact, false, `${name}: and the nodes saw that it is not`)
        const kept = told.mesh.route.filter((_, index) => index !== stage)
        t.same(kept, route.toSpliced(stage, 1), `${name}: the others keep their layers`)
      }
      await gone
      await eventually(
        'no slot is left behind',
        async () => slotsTaken(await meshNodes(swarm.url)),
        taken => taken === 0
      )
      if (name === cases.at(-1)?.[0]) return
      await swarm.addNode()
      await swarm.untilNodes(4)
    })
  }
})

test('and nodes that hang, before their heartbeats are missed', async t => {
  const swarm = await swarmFor(t, { nodes: 3, stages: 2, coordinatorArgs: ['--node-silence=12'] })
  const asked: Asked = { body: { ...endless, temperature: 0, stream: true } }
  const undisturbed = await ask(swarm.url, asked)
  const victim = swarm.nodes.find(({ peerId }) => peerId === undisturbed.mesh.route[1]?.peerId)
  if (victim === undefined) throw new Error('the route has a second stage')
  // a process that stands still cannot be stopped
  t.teardown(() => process.kill(victim.pid, 'SIGCONT'))
  let pieces = 0
  const told = await ask(swarm.url, asked, () => {
    if (++pieces === 3) process.kill(victim.pid, 'SIGSTOP')
  })
  t.same(told.choices, undisturbed.choices)
  t.match(told.mesh.reroutes, { exact: true })
  t.notOk(told.mesh.route.some(({ peerId }) => peerId === victim.peerId))
})
