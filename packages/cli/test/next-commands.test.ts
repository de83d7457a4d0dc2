import t from 'tap'
import { nextCommands } from '../src/local-mesh/next-commands.ts'

const HTTP = 'http://127.0.0.1:8420'
const joe = { model: 'piper-joe', kind: 'voice' } as const
const whisper = { model: 'whisper-base', kind: 'speech' } as const
const chat = { model: 'smollm2-135m', kind: 'decoder' } as const

t.test('what is told to try next fits the models', async t => {
  t.strictSame(nextCommands(HTTP, [chat]), ['npx resultity chat'])
  t.strictSame(nextCommands('http://127.0.0.1:9000', [chat]), ['npx resultity chat --url http://127.0.0.1:9000'])
  const say = `curl ${HTTP}/v1/audio/speech -H 'content-type: application/json' -d '{"model":"piper-joe","input":"Hello from the mesh."}' -o speech.mp3`
  const hear = `curl ${HTTP}/v1/audio/transcriptions -F file=@speech.mp3 -F model=whisper-base`
  t.strictSame(nextCommands(HTTP, [whisper, joe]), [say, hear], 'what is said is heard next')
  t.strictSame(nextCommands(HTTP, [whisper, joe, chat]), ['npx resultity chat', say, hear])
  const painter = { model: 'sd-turbo', kind: 'diffusion' } as const
  const draw = `curl ${HTTP}/v1/images/generations -H 'content-type: application/json' -d '{"model":"sd-turbo","prompt":"A cat on a mat."}'`
  const look = `curl ${HTTP}/v1/images/description -F image=@picture.png -F model=blip`
  const [first, second] = nextCommands(HTTP, [{ model: 'blip', kind: 'captioner' }, painter])
  t.equal(first, String.raw`curl "$(${draw} | sed -n 's/.*"url":"\([^"]*\)".*/\1/p')" -o picture.png`)
  t.equal(second, look, 'what is drawn is described next')
  t.match(nextCommands(HTTP, [{ model: 'minilm', kind: 'encoder' }]), [/^curl \S+\/v1\/embeddings .*"minilm"/])
  t.strictSame(nextCommands(HTTP, [{ model: 'judge', kind: 'classifier' }]), [`curl ${HTTP}/v1/models`])
})

t.test('a name of a model is one word of a shell', async t => {
  const model = "it's; here"
  t.match(nextCommands(HTTP, [{ model, kind: 'speech' }]), [/ -F 'model=it'\\''s; here'$/])
  t.match(nextCommands(HTTP, [{ model, kind: 'voice' }]), [/ '\{"model":"it'\\''s; here",/])
})
