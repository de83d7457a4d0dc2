import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AudioDecoder } from '@resultity/audio'
import { encodePcm, MeshError } from '@resultity/interface'
import { fetchModel, parseModelReference } from '@resultity/model'
import type { Swarm } from '@resultity/testkit'
import { median } from './contestant.ts'
import { EngineListener } from './engine-listener.ts'
import { FasterWhisper, hasFasterWhisper } from './faster-whisper.ts'
import type { Heard, Listener } from './listener.ts'
import { SeededRandom } from './seeded-random.ts'
import {
  type MemoryRow,
  type MeshTranscript,
  startSpeechSwarm,
  transcribe,
  transcribeKilling,
  warmUp,
  watchMemory
} from './speech-mesh.ts'
import { makeRecording, paragraph, type Recording, say } from './speech-recording.ts'

/** Parts of the suite, in the order in which they are measured. */
export const speechParts = ['engine', 'voice', 'nodes'] as const
export type SpeechPart = (typeof speechParts)[number]

export interface SpeechBenchInit {
  /** References of the Whispers whose engine is measured. */
  readonly models: readonly string[]
  /** Models, imports and the recording are kept here between runs. */
  readonly cacheDir: string
  /** Of the engine and of who is compared with it; nodes have one each. */
  readonly threads: number
  readonly rounds: number
  /** A Python that has faster-whisper. */
  readonly python: string | undefined
  readonly parts: ReadonlySet<SpeechPart>
  /** Node counts that hear the recording. */
  readonly nodes: readonly number[]
  /** Of the recording. */
  readonly minutes: number
  /** Watches the memory over an hour of sound. */
  readonly long: boolean
  readonly log: (line: string) => void
}

/** One contestant on one model: medians, in seconds. */
export interface ListenerRow {
  readonly model: string
  readonly name: string
  readonly words: boolean
  readonly features: number
  readonly encoder: number
  readonly decoder: number
  /** Faster-whisper's encoder and decoder over ours: above 1 we are faster. Median of the rounds' ratios. */
  readonly ratio?: number
  readonly sameText: boolean
}

export interface VoiceReport {
  /** Of the sound, medians of the rounds. */
  readonly soundSeconds: number
  readonly seconds: number
  readonly firstSeconds: number
  /** Seconds taken for each second of sound. */
  readonly realTimeFactor: number
}

export interface NodesRow extends Omit<MeshTranscript, 'text'> {
  /** Seconds of the first node count over these. */
  readonly speedup: number
  readonly words: number
  /** Whether all its texts are the first one. */
  readonly sameText: boolean
}

export interface SpeechReport {
  readonly threads: number
  readonly rounds: number
  readonly minutes: number
  readonly listeners: ListenerRow[]
  readonly voice?: VoiceReport
  readonly nodes: NodesRow[]
  readonly memory: MemoryRow[]
  readonly missed: string[]
}

const MESH_MODEL = 'whisper-tiny.en'
const VOICE_MODEL = 'piper-joe'
const FIXTURE = join(import.meta.dirname, '../../../packages/audio/test/fixtures/jfk.mp3')
/** Of a recording that is heard again and again, in all. */
const LONG_MINUTES = 60
/** What is said when speech is measured: another paragraph in each round. */
const VOICE_SEED = 29

/** Measures speech: the engine beside faster-whisper, a voice, and a recording over several nodes. */
export async function benchSpeech(init: SpeechBenchInit): Promise<SpeechReport> {
  const { threads, rounds, minutes, parts } = init
  await mkdir(init.cacheDir, { recursive: true })
  const listeners = parts.has('engine') ? await benchListeners(init) : []
  const voice = parts.has('voice') ? await benchVoice(init) : undefined
  const { rows: nodes, memory } = parts.has('nodes') || init.long ? await benchNodes(init) : { rows: [], memory: [] }
  const missed = [
    ...listeners.filter(row => !row.sameText).map(row => `${row.name} writes another text with ${row.model}`),
    ...nodes
      .filter(row => !row.sameText)
      .map(({ nodes, killed }) => `${nodes} nodes${killed ? ', one of which was killed,' : ''} write another text`)
  ]
  return { threads, rounds, minutes, listeners, ...(voice === undefined ? {} : { voice }), nodes, memory, missed }
}

async function fetchPath(init: SpeechBenchInit, name: string): Promise<string> {
  return (await fetchModel(parseModelReference(name), { dataDir: init.cacheDir })).path
}

async function benchListeners(init: SpeechBenchInit): Promise<ListenerRow[]> {
  const python = await pythonOf(init)
  const directory = await mkdtemp(join(tmpdir(), 'resultity-bench-'))
  try {
    const samples = join(directory, 'samples')
    await using decoder = new AudioDecoder()
    await writeFile(samples, encodePcm((await decoder.decode(new Uint8Array(await readFile(FIXTURE)))).samples))
    const rows: ListenerRow[] = []
    for (const name of init.models) {
      const listener = { model: await fetchPath(init, name), samples, threads: init.threads }
      await using disposables = new AsyncDisposableStack()
      const field: Listener[] = [
        disposables.use(await EngineListener.start({ ...listener, dataDir: join(init.cacheDir, 'bench-speech') }))
      ]
      if (python !== undefined) field.push(disposables.use(await FasterWhisper.start(python, listener)))
      for (const words of [false, true]) rows.push(...(await hearInTurns(name, words, field, init)))
    }
    return rows
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** The Python that has faster-whisper, or undefined with the reason told. */
async function pythonOf({ python, log }: SpeechBenchInit): Promise<string | undefined> {
  if (python !== undefined && (await hasFasterWhisper(python))) return python
  const what = python === undefined ? 'no --python was given' : `${python} does not have it`
  log(
    `faster-whisper is left out: ${what}. Install scripts/bench/faster-whisper.requirements.txt into a Python of its own, and name that with --python.`
  )
  return undefined
}

/** Every round has every contestant hear once; one round before them does not count. */
async function hearInTurns(
  model: string,
  words: boolean,
  field: readonly Listener[],
  { rounds, log }: SpeechBenchInit
): Promise<ListenerRow[]> {
  const heard = field.map((): Heard[] => [])
  for (let round = 0; round <= rounds; round++) {
    for (const [at, listener] of field.entries()) {
      const one = await listener.hear(words)
      log(
        `round ${round}/${rounds} ${model} ${listener.name.padEnd(20)} words ${words ? 'on ' : 'off'} encoder ${ms(one.encoder)} decoder ${ms(one.decoder)} ms`
      )
      if (round > 0) heard[at]?.push(one)
    }
  }
  const ours = heard[0] ?? []
  return field.map(({ name }, at): ListenerRow => {
    const own = heard[at] ?? []
    const ratios = own.map((one, round) => work(one) / work(ours[round]))
    return {
      model,
      name,
      words,
      features: median(own.map(one => one.features)),
      encoder: median(own.map(one => one.encoder)),
      decoder: median(own.map(one => one.decoder)),
      ...(at === 0 ? {} : { ratio: median(ratios) }),
      sameText: own.every(({ text }) => text === ours[0]?.text)
    }
  })
}

function work(heard: Heard | undefined): number {
  return heard === undefined ? Number.NaN : heard.encoder + heard.decoder
}

function ms(seconds: number): string {
  return (1000 * seconds).toFixed(0).padStart(6)
}

async function startVoice(init: SpeechBenchInit): Promise<Swarm> {
  init.log('starting a mesh with a voice')
  return await startSpeechSwarm({
    nodes: 1,
    models: [`file:${await fetchPath(init, VOICE_MODEL)}`],
    threads: init.threads,
    coordinatorData: join(init.cacheDir, 'bench-voice')
  })
}

async function benchVoice(init: SpeechBenchInit): Promise<VoiceReport> {
  await using swarm = await startVoice(init)
  await using decoder = new AudioDecoder()
  const random = new SeededRandom(VOICE_SEED)
  const rounds: { readonly seconds: number; readonly first: number; readonly sound: number }[] = []
  for (let round = 0; round <= init.rounds; round++) {
    const { file, seconds, firstSeconds } = await say(swarm.url, paragraph(random))
    const sound = (await decoder.decode(file)).seconds
    init.log(`round ${round}/${init.rounds} ${sound.toFixed(1)} s of speech in ${seconds.toFixed(2)} s`)
    if (round > 0) rounds.push({ seconds, first: firstSeconds, sound })
  }
  return {
    soundSeconds: median(rounds.map(one => one.sound)),
    seconds: median(rounds.map(one => one.seconds)),
    firstSeconds: median(rounds.map(one => one.first)),
    realTimeFactor: median(rounds.map(one => one.seconds / one.sound))
  }
}

async function recordingOf(init: SpeechBenchInit): Promise<Recording> {
  await using voices = new AsyncDisposableStack()
  const { cacheDir, minutes, log } = init
  return await makeRecording({ cacheDir, minutes, log, url: async () => voices.use(await startVoice(init)).url })
}

async function benchNodes(init: SpeechBenchInit): Promise<{ readonly rows: NodesRow[]; readonly memory: MemoryRow[] }> {
  const recording = await recordingOf(init)
  const model = `file:${await fetchPath(init, MESH_MODEL)}`
  const counts = init.parts.has('nodes') ? init.nodes : []
  const heard: MeshTranscript[] = []
  const start = async (nodes: number): Promise<Swarm> => {
    init.log(`starting and warming up a mesh of ${nodes}`)
    const coordinatorData = join(init.cacheDir, `bench-speech-${nodes}`)
    const swarm = await startSpeechSwarm({ nodes, models: [model], threads: 1, coordinatorData })
    await warmUp(swarm, recording)
    return swarm
  }
  for (const nodes of counts) {
    await using swarm = await start(nodes)
    for (let round = 1; round <= init.rounds; round++) {
      const one = await transcribe(swarm.url, recording)
      init.log(`round ${round}/${init.rounds} ${nodes} nodes: ${one.seconds.toFixed(1)} s`)
      heard.push({ nodes, killed: false, ...one })
    }
    if (nodes === 1 || nodes < Math.max(...counts)) continue
    const usual = median(heard.filter(one => one.nodes === nodes).map(({ seconds }) => seconds))
    const one = await transcribeKilling(swarm, recording, usual / 2)
    init.log(`${nodes} nodes, one killed midway: ${one.seconds.toFixed(1)} s`)
    heard.push({ nodes, killed: true, ...one })
  }
  if (!init.long) return { rows: nodeRows(counts, heard), memory: [] }
  await using swarm = await start(1)
  const memory = await watchMemory(swarm, recording, Math.ceil(LONG_MINUTES / init.minutes), init.log)
  return { rows: nodeRows(counts, heard), memory }
}

function nodeRows(counts: readonly number[], heard: readonly MeshTranscript[]): NodesRow[] {
  const text = heard[0]?.text ?? ''
  const of = (nodes: number | undefined, killed: boolean): MeshTranscript[] =>
    heard.filter(one => one.nodes === nodes && one.killed === killed)
  const secondsOf = (rows: readonly MeshTranscript[]): number => median(rows.map(({ seconds }) => seconds))
  return [...counts.map(nodes => ({ nodes, killed: false })), ...heard.filter(({ killed }) => killed)].map(
    ({ nodes, killed }) => ({
      nodes,
      killed,
      seconds: secondsOf(of(nodes, killed)),
      speedup: secondsOf(of(counts[0], false)) / secondsOf(of(nodes, killed)),
      words: text.split(' ').length,
      sameText: of(nodes, killed).every(one => one.text === text)
    })
  )
}

/** @throws MeshError `invalid_request` for a part that there is not */
export function parseSpeechParts(text: string | undefined): ReadonlySet<SpeechPart> {
  if (text === undefined) return new Set(speechParts)
  return new Set(
    text.split(',').map(name => {
      const part = speechParts.find(one => one === name)
      if (part === undefined)
        throw new MeshError('invalid_request', `--only knows ${speechParts.join(', ')}, not ${name}`)
      return part
    })
  )
}
