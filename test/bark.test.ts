import { join } from 'node:path'
import { swarmFor } from '@resultity/testkit'
import OpenAI from 'openai'
import { test } from 'tap'

const model = join(import.meta.dirname, '../../packages/voice/test/fixtures/tiny-bark')

const TEXT = 'Hello the mesh. What, the mesh? The mesh. Hello!'

test('a text is said by a Bark on two nodes, and the same seed says the same', async t => {
  const swarm = await swarmFor(t, { nodes: 2, models: [`file:${model}`] })
  const client = new OpenAI({ baseURL: `${swarm.url}/v1`, apiKey: 'none' })
  const say = async (
    fields: object
  ): Promise<{ readonly sound: Buffer; readonly seed: string; readonly voice: string }> => {
    const body = { model: 'tiny-bark', voice: 'en_speaker_0', input: TEXT, response_format: 'wav', ...fields } as const
    const response = await client.audio.speech.create(body)
    return {
      sound: Buffer.from(await response.arrayBuffer()),
      seed: response.headers.get('x-resultity-seed') ?? '',
      voice: decodeURIComponent(response.headers.get('x-resultity-voice') ?? '')
    }
  }

  await t.test('voices are listed with their languages', async t => {
    const response = await fetch(`${swarm.url}/v1/audio/voices`)
    const { data }: { data: { name: string; language: string; sample_rate: number; default: boolean }[] } =
      await response.json()
    t.strictSame(
      data.map(({ name, language, sample_rate: rate, default: first }) => [name, language, rate, first]),
      [
        ['announcer', 'en', 24_000, true],
        ['v2/de_speaker_1', 'de', 24_000, false],
        ['v2/en_speaker_0', 'en', 24_000, false]
      ]
    )
  })

  await t.test('what is drawn is told, and drawn again by it, whatever node says a sentence', async t => {
    const first = await say({ temperature: 1 })
    t.match(first.seed, /^\d+$/)
    t.equal(first.voice, 'v2/en_speaker_0')
    t.ok(first.sound.length > 44 + 3 * 2 * 24_000 * 0.2, 'four sentences, and pauses between')
    const [again, other] = [
      await say({ temperature: 1, seed: Number(first.seed) }),
      await say({ temperature: 1, seed: 8 })
    ]
    t.ok(again.sound.equals(first.sound))
    t.notOk(other.sound.equals(first.sound))
    const greedy = await say({ temperature: 0, seed: 1 })
    t.ok(greedy.sound.equals((await say({ temperature: 0, seed: 2 })).sound), 'without chance, the seed is nothing')
    t.notOk(greedy.sound.equals((await say({ temperature: 0, voice: 'v2/de_speaker_1' })).sound), 'a voice of its own')
  })

  await t.test('it is streamed, and what it does not do is refused by name', async t => {
    const response = await client.audio.speech.create({
      model: 'tiny-bark',
      voice: 'alloy',
      input: TEXT,
      response_format: 'pcm',
      stream_format: 'sse'
    })
    const events = (await response.text()).match(/^event: .*$/gm) ?? []
    t.equal(events.at(-1), 'event: speech.audio.done')
    t.ok(events.length > 2, `${events.length} events`)
    await t.rejects(say({ speed: 2 }), { message: /400 .*speed/ })
    await t.rejects(say({ voice: 'bob' }), { message: /400 .*no voice "bob"/ })
    await t.rejects(say({ instructions: 'Whisper.' }), { message: /400 .*instructions/ })
  })

  await t.test('a text goes on where a node is killed in the middle of it', async t => {
    const input = Array(12).fill(TEXT).join(' ')
    const wanted = (await say({ input, seed: 5, temperature: 1 })).sound
    const body = {
      model: 'tiny-bark',
      voice: 'en_speaker_0',
      input,
      response_format: 'wav',
      seed: 5,
      temperature: 1
    } as const
    // it answers once the first sentence is there
    const response = await client.audio.speech.create(body)
    await swarm.nodes[0]?.kill('SIGKILL')
    const sound = Buffer.from(await response.arrayBuffer())
    // the sizes in the head are not known before the end
    t.ok(sound.subarray(44).equals(wanted.subarray(44)))
  })
})
