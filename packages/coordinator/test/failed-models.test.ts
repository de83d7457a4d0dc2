import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkFetches } from '@resultity/test-api'
import { pino } from 'pino'
import t from 'tap'
import { type RunningCoordinator, startCoordinator } from '../src/index.ts'
import { CHAT, QUESTION } from './support/scripted-mesh.ts'

// A coordinator that is to serve several models, of which some cannot be loaded.

const TINY_CHAT = fileURLToPath(new URL('../../../model/models/tiny-chat', import.meta.url))
const directory = t.testdir()
const logged: string[] = []

/** A copy of tiny-chat with this chat template. */
async function twin(path: string, template?: string): Promise<string> {
  const folder = join(directory, path)
  await cp(TINY_CHAT, folder, { recursive: true })
  const file = join(folder, 'tokenizer_config.json')
  const config = JSON.parse(await readFile(file, 'utf8'))
  if (template !== undefined) await writeFile(file, JSON.stringify({ ...config, chat_template: template }))
  return `file:${folder}`
}

function start(models: readonly string[], more: object = {}): Promise<RunningCoordinator> {
  return startCoordinator({
    dataDir: join(directory, 'data'),
    http: { host: '127.0.0.1', port: 0 },
    listen: ['/ip4/127.0.0.1/tcp/0'],
    mdns: false,
    models,
    logger: pino({ level: 'error' }, { write: (line: string) => void logged.push(line) }),
    ...more
  })
}

const broken = await twin('broken', '{{ broken')
const missing = `file:${join(directory, 'missing.gguf')}`

t.test('of several models those are served that can be, and the others are told of', async t => {
  const told: string[] = []
  await using running = await start([broken, 'tiny-chat', missing], {
    aliases: { nick: 'tiny-chat', bad: 'broken', both: { models: ['tiny-chat', 'broken'] } },
    subclouds: { lab: { models: ['tiny-chat', 'broken'] } },
    onModelFailed: ({ reference }: { reference: string }) => void told.push(reference)
  })
  await using _ = checkFetches(running.httpUrl)
  t.strictSame(told, [broken, missing])
  t.match(running.failedModels, [
    { reference: broken, error: { code: 'model_invalid', message: /broken: the chat template cannot be parsed/ } },
    { reference: missing, error: { code: 'model_not_found', message: /missing\.gguf/ } }
  ])
  t.match(
    logged.map(line => JSON.parse(line)),
    [{ model: broken, msg: 'a model cannot be served', hint: /template/ }, { model: missing }]
  )
  const list = await (await fetch(`${running.httpUrl}/v1/models`)).json()
  t.strictSame(
    list.data.map(({ id }: { id: string }) => id),
    ['tiny-chat']
  )
  for (const name of ['broken', broken, 'bad', 'missing']) {
    const message = `the model "${name}" could not be loaded when the coordinator started`
    const error = { code: 'model_not_found', message: new RegExp(`${message}.*"tiny-chat"`) }
    const one = await fetch(`${running.httpUrl}/v1/models/${encodeURIComponent(name)}`)
    t.equal(one.status, 404)
    t.match(await one.json(), { error }, name)
    const body = JSON.stringify({ ...QUESTION, model: name })
    const asked = await fetch(`${running.httpUrl}${CHAT}`, { method: 'POST', body })
    t.equal(asked.status, 404)
    const text = await asked.text()
    t.match(JSON.parse(text), { error })
    t.notMatch(text, /cannot be parsed/, 'what is wrong is for the operator')
  }
})

t.test('when none can be served, the start fails and names each', async t => {
  await t.rejects(start([broken]), { code: 'model_invalid', message: /broken: the chat template/ })
  await t.rejects(start([broken, missing]), {
    code: 'model_invalid',
    message: /none of the 2 models .*broken: the chat template .*missing\.gguf/,
    hint: /resultity pull/
  })
})

t.test('a reference that cannot be meant ends the start before anything is loaded', async t => {
  logged.length = 0
  await t.rejects(start([broken, 'tiny-chatt']), { code: 'model_not_found', message: /"tiny-chatt"/ })
  await t.rejects(start([broken, 'ftp:x']), { code: 'invalid_request' })
  t.strictSame(logged, [])
})

t.test('two models of one name are told apart; one model by two paths is one', async t => {
  const first = await twin('one/model')
  const second = await twin('two/model', "{{ messages[-1]['content'] }}")
  {
    await using running = await start([first, second])
    const { data } = await (await fetch(`${running.httpUrl}/v1/models`)).json()
    const [one, other] = data.map(({ id }: { id: string }) => id)
    t.equal(one, 'model')
    t.match(other, /^model@[0-9a-f]{8}$/)
    for (const name of [other, second]) {
      const asked = await fetch(`${running.httpUrl}/v1/models/${encodeURIComponent(name)}`)
      t.match(await asked.json(), { id: other }, name)
    }
  }
  await using running = await start([first, await twin('three/model')])
  t.equal((await (await fetch(`${running.httpUrl}/v1/models`)).json()).data.length, 1)
})
