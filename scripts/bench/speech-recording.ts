import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AudioDecoder, wavHead } from '@resultity/audio'
import { encodePcm, MeshError } from '@resultity/interface'
import { SeededRandom } from './seeded-random.ts'

const RATE = 16_000
const SEED = 17
/** Sentences that are said at once; a pause follows. */
const PARAGRAPH_SENTENCES = 6
const PAUSE_SECONDS = 1

const WHO = [
  'The old sailor',
  'My neighbour',
  'A young doctor',
  'The teacher',
  'Our captain',
  'Her brother',
  'The farmer'
]
const DOES = ['carried', 'painted', 'counted', 'repaired', 'borrowed', 'described', 'remembered', 'delivered']
const WHAT = [
  'seven baskets of apples',
  'a wooden boat',
  'the broken clock',
  'three heavy books',
  'a letter',
  'the map'
]
const WHERE = ['near the river', 'behind the station', 'in the garden', 'beside the market', 'under the bridge']
const WHEN = ['before breakfast', 'on a cold morning', 'after the long meeting', 'late in the evening', 'last summer']

/** A paragraph that nobody has said before, always the same of the same source. */
export function paragraph(random: SeededRandom): string {
  const one = (words: readonly string[]): string => words[random.below(words.length)] ?? ''
  const sentence = (): string => `${one(WHO)} ${one(DOES)} ${one(WHAT)} ${one(WHERE)} ${one(WHEN)}.`
  return Array.from({ length: PARAGRAPH_SENTENCES }, sentence).join(' ')
}

/** What one text took to say. */
export interface Said {
  /** The file as it came, a WAV. */
  readonly file: Uint8Array<ArrayBuffer>
  /** From the request to its end, and to the first bytes. */
  readonly seconds: number
  readonly firstSeconds: number
}

/** Has a mesh's only voice say `text`. @throws MeshError `internal` with the answer of one that did not */
export async function say(url: string, text: string): Promise<Said> {
  const begun = performance.now()
  const response = await fetch(`${url}/v1/audio/speech`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ input: text, response_format: 'wav' })
  })
  if (response.status !== 200 || response.body === null) {
    throw new MeshError('internal', `the mesh said nothing: ${response.status} ${await response.text()}`)
  }
  const chunks: Uint8Array[] = []
  let firstMs: number | undefined
  for await (const chunk of response.body) {
    firstMs ??= performance.now() - begun
    chunks.push(chunk)
  }
  const seconds = (performance.now() - begun) / 1000
  return { file: new Uint8Array(Buffer.concat(chunks)), seconds, firstSeconds: (firstMs ?? Number.NaN) / 1000 }
}

/** A recording of a voice, at 16 kHz. */
export interface Recording {
  readonly seconds: number
  readonly file: Uint8Array<ArrayBuffer>
}

/** Where the recording of so many minutes is kept. */
function recordingPath(cacheDir: string, minutes: number): string {
  // another text is another recording
  const text = createHash('sha256')
    .update(paragraph(new SeededRandom(SEED)))
    .digest('hex')
  return join(cacheDir, 'recordings', `joe-${minutes}-minutes-${text.slice(0, 12)}.wav`)
}

export interface RecordingInit {
  readonly cacheDir: string
  readonly minutes: number
  /** Base URL of a mesh that serves a voice. Called only where the recording is not there yet. */
  url(): Promise<string>
  readonly log: (line: string) => void
}

/** A recording of exactly so many minutes, from the cache or said now, paragraph by paragraph. */
export async function makeRecording({ cacheDir, minutes, url, log }: RecordingInit): Promise<Recording> {
  const path = recordingPath(cacheDir, minutes)
  if (!existsSync(path)) {
    log(`saying ${minutes} minutes`)
    const samples = await sayFor(await url(), Math.round(60 * RATE * minutes))
    await mkdir(join(cacheDir, 'recordings'), { recursive: true })
    // one that was broken off is begun again
    await writeFile(`${path}.part`, wavFile(samples))
    await rename(`${path}.part`, path)
  }
  return { file: new Uint8Array(await readFile(path)), seconds: 60 * minutes }
}

/** The first seconds of a recording. */
export function beginningOf({ file }: Recording, seconds: number): Recording {
  const head = wavHead({ rate: RATE }).length
  const pcm = file.slice(head, head + 2 * RATE * seconds)
  return { file: join16(pcm), seconds: pcm.length / (2 * RATE) }
}

async function sayFor(url: string, count: number): Promise<Float32Array> {
  await using decoder = new AudioDecoder()
  const random = new SeededRandom(SEED)
  const samples = new Float32Array(count)
  for (let at = 0; at < count; ) {
    const { file } = await say(url, paragraph(random))
    const said = (await decoder.decode(file)).samples
    samples.set(said.subarray(0, count - at), at)
    at += said.length + PAUSE_SECONDS * RATE
  }
  return samples
}

function wavFile(samples: Float32Array): Uint8Array<ArrayBuffer> {
  return join16(encodePcm(samples))
}

function join16(pcm: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat([wavHead({ rate: RATE, dataBytes: pcm.length }), pcm]))
}
