import { type Swarm, swarmFor } from '@resultity/testkit'
import { type Test, test } from 'tap'
import { ask, askStreaming, postChat, routeRanges } from './chat-client.ts'
import { eventually, meshNodes, slotsTaken } from './mesh-state.ts'

/** A generation that goes on until it is stopped. */
const endless = {
  model: 'tiny-chat',
  messages: [{ role: 'user', content: 'What is the capital of France?' }],
  max_tokens: 480,
  ignore_eos: true
}

const question = { model: 'tiny-chat', messages: endless.messages }
const FRANCE = 'The capital of France is Paris.'

test('in a mesh of three stages', async t => {
  const swarm = await swarmFor(t, { nodes: 3, models: ['tiny-chat'] })
  const undisturbed = await ask(swarm.url, endless)
  const expected = undisturbed.answer.choices[0]?.message.content ?? ''
  await hangUp(t, swarm)
  for (const position of ['first', 'middle', 'last'] as const) {
    await t.test(`kill -9 of the ${position} stage: the rest goes on with the answer, and serves on`, async t => {
      await killStage(t, swarm, { first: 0, middle: 1, last: 2 }[position], expected)
    })
    await swarm.addNode()
    await eventually(
      'three stages again',
      () => ask(swarm.url, question),
      ({ route }) => routeRanges(route).length === 3
    )
  }
})

async function hangUp(t: Test, swarm: Swarm): Promise<void> {
  const slots = async (): Promise<number> => slotsTaken(await meshNodes(swarm.url))

  await t.test('a client that hangs up before the first token frees every slot on every stage', async () => {
    const controller = new AbortController()
    let asking: Promise<void> | undefined
    // an answer may be through before a heartbeat has told of its session: then it is asked for again
    const askToTheEnd = async (): Promise<void> => {
      const response = await postChat(swarm.url, endless, controller.signal).catch(() => undefined)
      await response?.text().catch(() => {})
      asking = undefined
    }
    const slotsWhileAsking = async (): Promise<number> => {
      asking ??= askToTheEnd()
      return await slots()
    }
    await eventually('the session is open', slotsWhileAsking, taken => taken > 0)
    controller.abort()
    await asking
    await eventually('the slots are free', slots, taken => taken === 0)
  })

  await t.test('and so does one that hangs up after it', async t => {
    const controller = new AbortController()
    await t.rejects(askStreaming(swarm.url, endless, () => controller.abort(), controller.signal))
    await eventually('the slots are free', slots, taken => taken === 0)
  })

  await t.test('and the next request is served', async t => {
    const { answer } = await ask(swarm.url, question)
    t.equal(answer.choices[0]?.message.content, FRANCE)
  })
}

async function killStage(t: Test, swarm: Swarm, index: number, expected: string): Promise<void> {
  const victim = await peerOfStage(swarm, index)
  const streamed = await askStreaming(swarm.url, endless, killOnce(swarm, victim))
  t.match(streamed, { text: expected, error: undefined, finishReason: 'length', done: true }, 'by two stages')

  const { answer, route } = await eventually(
    'the remaining nodes serve',
    () => ask(swarm.url, question).catch(() => ({ answer: undefined, route: '' })),
    ({ answer }) => answer !== undefined
  )
  t.equal(answer?.choices[0]?.message.content, FRANCE)
  t.notMatch(route, victim)
  t.same([routeRanges(route)[0]?.[0], routeRanges(route).at(-1)?.[1]], [0, 4])
  await eventually(
    'no slot is left behind',
    async () => slotsTaken(await meshNodes(swarm.url)),
    taken => taken === 0
  )
}

function killOnce(swarm: Swarm, peerId: string): () => void {
  let killed = false
  return () => {
    if (!killed) swarm.nodes.find(node => node.peerId === peerId)?.kill('SIGKILL')
    killed = true
  }
}

test('when the remaining nodes cannot hold the model, answers are 503 and name the missing layers', async t => {
  // each node has room for about half of the model
  const swarm = await swarmFor(t, { nodes: 2, stages: 2, models: ['tiny-chat'], memoryBytes: 5_500_000 })
  t.equal((await ask(swarm.url, question)).answer.choices[0]?.message.content, FRANCE)

  const victim = await peerOfStage(swarm, 1)
  // one choice may be through before a busy machine has shown its first piece
  const streamed = await askStreaming(swarm.url, { ...endless, n: 8 }, killOnce(swarm, victim))
  t.equal(streamed.error?.code, 'node_lost', 'an answer that has begun ends, for nobody can go on with it')
  t.equal(streamed.error?.type, 'server_error')
  t.match(streamed.error?.message, victim, 'the error names the node')
  const refused = await eventually(
    'the coordinator has seen that the node is gone',
    () => postChat(swarm.url, question),
    response => response.status === 503
  )
  const { error } = await refused.json()
  t.equal(error.code, 'layers_missing')
  t.match(error.message, /\[\d+,\d+\)/)
  t.ok(Number(refused.headers.get('retry-after')) > 0)

  await swarm.addNode()
  const { answer } = await eventually(
    'a new node takes the missing layers',
    () => ask(swarm.url, question).catch(() => ({ answer: undefined })),
    ({ answer }) => answer !== undefined
  )
  t.equal(answer?.choices[0]?.message.content, FRANCE)
})

async function peerOfStage(swarm: Swarm, index: number): Promise<string> {
  const { route } = await ask(swarm.url, question)
  return route.split(' ')[index]?.replace(/\[.*$/, '') ?? ''
}
