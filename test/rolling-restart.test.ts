import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { type Swarm, type SwarmNode, swarmFor } from '@resultity/testkit'
import { EventSourceParserStream } from 'eventsource-parser/stream'
import { test } from 'tap'
import { eventually, meshNodes, slotsTaken } from './mesh-state.ts'

const bin = fileURLToPath(import.meta.resolve('@resultity/cli/bin/resultity.js'))

const ask = (content: string, more: object = {}) => ({
  model: 'tiny-chat',
  messages: [{ role: 'user', content }],
  max_tokens: 300,
  ignore_eos: true,
  temperature: 0,
  ...more
})

/** What clients ask beside each other. */
const asked: Readonly<Record<string, object>> = {
  greedy: ask('What is the capital of France?'),
  drawn: ask('Tell me about bread.', { temperature: 1.1, seed: 7, frequency_penalty: 0.4 }),
  'two choices': ask('Count to ten.', { temperature: 0.9, seed: 3, n: 2 })
}

/** Nodes that hand over, for as long as it takes on a busy machine. */
const patient = ['--drain-deadline=600']

interface Answer {
  readonly choices: readonly { readonly message: { readonly content: string } }[]
  readonly mesh: { readonly reroutes?: { readonly count: number; readonly exact: boolean } }
}

test('a rolling restart of all nodes under load loses nothing', async t => {
  // with one to spare, a second restart meets what the first has left
  const meshes = [
    { name: 'one node to spare', nodes: 4, restarts: 2 },
    { name: 'none to spare', nodes: 3, restarts: 3 }
  ]
  for (const { name, nodes, restarts } of meshes) {
    await t.test(name, async t => {
      const swarm = await swarmFor(t, { nodes, stages: 3, nodeArgs: patient })
      const alone = Object.entries(asked).map(
        async ([one, body]) => [one, (await answer(swarm, body)).choices] as const
      )
      const undisturbed = new Map<string, unknown>(await Promise.all(alone))

      let stopping = false
      const told: { readonly name: string; readonly answer: Answer }[] = []
      const clients = Object.entries(asked).map(async ([name, body]) => {
        while (!stopping) told.push({ name, answer: await answer(swarm, body) })
      })
      for (const node of swarm.nodes.slice(0, restarts)) {
        const before = told.length
        await eventually(
          'answers are being made',
          async () => slotsTaken(await meshNodes(swarm.url)),
          taken => taken > 0
        )
        await node.kill('SIGTERM')
        await restart(swarm, node, nodes)
        t.match(node.logs().join('\n'), 'nothing is left to hand over', `${node.name} leaves with nothing`)
        await eventually(
          'answers go on',
          async () => told.length,
          count => count > before
        )
      }
      stopping = true
      await Promise.all(clients)

      const different = told.filter(
        one => JSON.stringify(one.answer.choices) !== JSON.stringify(undisturbed.get(one.name))
      )
      t.same(different, [], `all of ${told.length} answers are as they would have been`)
      t.ok(
        told.some(({ answer }) => answer.mesh.reroutes !== undefined),
        'some of them were handed over'
      )
      t.notOk(
        told.some(({ answer }) => answer.mesh.reroutes?.exact === false),
        'exactly'
      )
    })
  }
})

test('"resultity node drain" waits until the node has left', async t => {
  const swarm = await swarmFor(t, { nodes: 3, stages: 2, nodeArgs: patient })
  const undisturbed = await answer(swarm, asked.drawn ?? {})
  const serving = await meshNodes(swarm.url)
  const busy = serving.find(({ stages }) => stages.length > 0)
  const node = swarm.nodes.find(({ peerId }) => peerId === busy?.peerId)
  if (node === undefined) throw new Error('some node serves a stage')
  const begun = Promise.withResolvers<void>()
  const answering = streamed(swarm, asked.drawn ?? {}, begun.resolve)
  await begun.promise
  const drained = await run('node', 'drain', '--data', node.dataDir, '--json')
  t.match(drained, { code: 0, stdout: new RegExp(`"pid":${node.pid},"state":"drained","cut_off":0`) })
  t.equal(await answering, textOf(undisturbed))
  await swarm.untilNodes(2)
  t.match(await run('node', 'drain', '--data', node.dataDir), { code: 2, stderr: /no daemon runs on/ })
  t.match(
    await run('node', 'drain', '--data', swarm.coordinator.dataDir),
    { code: 2, stderr: /what runs is no node/ },
    'it never stops another kind of daemon'
  )
  t.ok((await fetch(`${swarm.url}/healthz`)).ok)
})

test('where nobody can take its layers, a node lets its answers end, and takes no new ones', async t => {
  const swarm = await swarmFor(t, { nodes: 1, nodeArgs: patient })
  const undisturbed = await answer(swarm, asked.drawn ?? {})
  const begun = Promise.withResolvers<void>()
  const answering = streamed(swarm, asked.drawn ?? {}, begun.resolve)
  await begun.promise
  const [node] = swarm.nodes
  const gone = node?.kill('SIGTERM')
  await eventually(
    'it says so',
    () => readFile(`${node?.dataDir}/drain.json`, 'utf8').catch(() => ''),
    said => said !== ''
  )
  const refused = await fetch(`${swarm.url}/v1/chat/completions`, post(ask('And now?')))
  t.equal(refused.status, 503)
  t.match(await refused.json(), { error: { code: 'layers_missing' } })
  t.equal(await answering, textOf(undisturbed))
  await gone
  t.match(node?.logs().join('\n'), 'nothing is left to hand over')
})

/** Starts a node again as the same peer, and waits until it is back. */
async function restart(swarm: Swarm, { dataDir }: SwarmNode, nodes: number): Promise<void> {
  await swarm.addNode({ args: [`--data=${dataDir}`] })
  await swarm.untilNodes(nodes)
}

function post(body: object): RequestInit {
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
}

async function answer(swarm: Swarm, body: object): Promise<Answer> {
  const response = await fetch(`${swarm.url}/v1/chat/completions`, post(body))
  if (!response.ok) throw new Error(await response.text())
  return response.json()
}

/** The same as a stream. @returns its text */
async function streamed(swarm: Swarm, body: object, onPiece: () => void): Promise<string> {
  const response = await fetch(`${swarm.url}/v1/chat/completions`, post({ ...body, stream: true }))
  if (!response.ok || response.body === null) throw new Error(await response.text())
  const events = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream())
  let text = ''
  for await (const { data } of events) {
    if (data === '[DONE]') return text
    const { choices, error } = JSON.parse(data)
    if (error !== undefined) throw new Error(data)
    text += choices[0]?.delta.content ?? ''
    if (text !== '') onPiece()
  }
  throw new Error('the stream broke off')
}

function textOf({ choices: [choice] }: Answer): string {
  return choice?.message.content ?? ''
}

async function run(...args: readonly string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [bin, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code: child.exitCode, stdout, stderr }
}
