import { availableParallelism, homedir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { benchApi } from './api.ts'
import { benchAttacks } from './attacks.ts'
import { benchCallers } from './callers.ts'
import { benchChaos } from './chaos.ts'
import { benchFairness } from './fairness.ts'
import { benchGrammar } from './grammar.ts'
import { benchHostile } from './hostile.ts'
import { benchHub, renderHub } from './hub.ts'
import { benchImages, parseImageModels } from './images.ts'
import { llamaPrograms } from './llama-programs.ts'
import { benchOverhead, renderOverhead } from './overhead.ts'
import { benchPrefix } from './prefix.ts'
import {
  renderApi,
  renderCallers,
  renderFairness,
  renderGrammar,
  renderPrefix,
  renderSplit,
  renderStore
} from './render.ts'
import { renderAttacks } from './render-attacks.ts'
import { renderChaos } from './render-chaos.ts'
import { renderHostile } from './render-hostile.ts'
import { renderImages } from './render-images.ts'
import { renderSpeech } from './render-speech.ts'
import { renderTuning } from './render-tuning.ts'
import { benchSpeech, parseSpeechParts } from './speech.ts'
import { benchSplit } from './split.ts'
import { benchStore } from './store.ts'
import { benchTuning } from './tuning.ts'
import { usage } from './usage.ts'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: 'smollm2-135m' },
    threads: { type: 'string', default: String(availableParallelism()) },
    rounds: { type: 'string' },
    'prompt-tokens': { type: 'string' },
    'decode-tokens': { type: 'string', default: '64' },
    without: { type: 'string', default: '' },
    coordinator: { type: 'boolean', default: false },
    postgres: { type: 'boolean', default: false },
    cache: { type: 'string', default: join(homedir(), '.cache', 'resultity-bench') },
    seconds: { type: 'string' },
    concurrency: { type: 'string', default: '128' },
    store: { type: 'string', default: 'sqlite' },
    connections: { type: 'string', default: '64' },
    streams: { type: 'string', default: '5000' },
    stages: { type: 'string' },
    callers: { type: 'string', default: '1,4,8,16' },
    'prompt-words': { type: 'string', default: '32' },
    'answer-tokens': { type: 'string', default: '128' },
    'node-args': { type: 'string', default: '' },
    beside: { type: 'string', multiple: true, default: [] },
    rate: { type: 'string', default: '1' },
    lines: { type: 'string', default: '5000' },
    tokenizer: { type: 'string' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    minutes: { type: 'string' },
    python: { type: 'string' },
    nodes: { type: 'string' },
    tiny: { type: 'boolean', default: false },
    gguf: { type: 'boolean', default: false },
    side: { type: 'string', default: '512' },
    'over-nodes': { type: 'boolean', default: false },
    long: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    clients: { type: 'string', default: '8' },
    only: { type: 'string' },
    case: { type: 'string' },
    'cases-file': { type: 'string', default: 'hostile-cases.json' },
    replay: { type: 'string' },
    models: { type: 'string' },
    runs: { type: 'string', default: '100' },
    first: { type: 'string', default: '0' },
    tokens: { type: 'string', default: '200' },
    against: { type: 'string', default: '../before' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false }
  }
})

const seconds = (usual: number): number => Number(values.seconds ?? usual)
const rounds = (usual: number): number => Number(values.rounds ?? usual)
const log = (line: string): boolean => process.stderr.write(`${line}\n`)

async function split(): Promise<string> {
  const report = await benchSplit({
    model: values.model,
    cacheDir: values.cache,
    threads: Number(values.threads),
    rounds: rounds(5),
    workload: { promptTokens: Number(values['prompt-tokens'] ?? 128), decodeTokens: Number(values['decode-tokens']) },
    without: new Set(values.without.split(',')),
    log
  })
  return values.json ? `${JSON.stringify(report)}\n` : renderSplit(report)
}

async function overhead(): Promise<string> {
  const report = await benchOverhead({
    model: values.model,
    cacheDir: values.cache,
    against: values.against,
    stages: Number(values.stages ?? 3),
    threads: Number(values.threads),
    rounds: rounds(10),
    workload: { promptTokens: Number(values['prompt-tokens'] ?? 128), decodeTokens: Number(values['decode-tokens']) },
    log
  })
  return values.json ? `${JSON.stringify(report)}\n` : renderOverhead(report)
}

async function llamaCpp(): Promise<string> {
  const programs = await llamaPrograms({ cacheDir: values.cache, jobs: Number(values.jobs), log })
  return values.json ? `${JSON.stringify(programs)}\n` : `${Object.values(programs).join('\n')}\n`
}

async function tuning(): Promise<string> {
  const report = await benchTuning({
    model: values.model,
    cacheDir: values.cache,
    threads: Number(values.threads),
    rounds: rounds(3),
    workload: { promptTokens: Number(values['prompt-tokens'] ?? 128), decodeTokens: Number(values['decode-tokens']) },
    only: new Set((values.only ?? '').split(',').filter(name => name !== '')),
    log
  })
  return values.json ? `${JSON.stringify(report)}\n` : renderTuning(report)
}

async function callers(): Promise<string> {
  const numbers = (text: string): number[] => text.split(',').map(Number)
  const report = await benchCallers({
    model: values.model,
    cacheDir: values.cache,
    stages: numbers(values.stages ?? '1,3'),
    callers: numbers(values.callers),
    threads: Number(values.threads),
    rounds: rounds(5),
    promptWords: Number(values['prompt-words']),
    answerTokens: Number(values['answer-tokens']),
    nodeArgs: values['node-args'].split(' ').filter(text => text !== ''),
    beside: new Map(values.beside.map(text => [text.split('=', 1)[0] ?? '', text.slice(text.indexOf('=') + 1)])),
    log
  })
  return values.json ? `${JSON.stringify(report)}\n` : renderCallers(report)
}

async function prefix(): Promise<string> {
  const report = await benchPrefix({
    model: values.model,
    cacheDir: values.cache,
    stages: (values.stages ?? '1,3').split(',').map(Number),
    threads: Number(values.threads),
    rounds: rounds(3),
    promptTokens: Number(values['prompt-tokens'] ?? 1000),
    log
  })
  return values.json ? `${JSON.stringify(report)}\n` : renderPrefix(report)
}

async function store(): Promise<string> {
  const report = await benchStore({ seconds: seconds(5), concurrency: Number(values.concurrency), log })
  return values.json ? `${JSON.stringify(report)}\n` : renderStore(report)
}

async function api(): Promise<string> {
  const report = await benchApi({
    store: values.store,
    seconds: seconds(5),
    connections: Number(values.connections),
    streams: Number(values.streams),
    log
  })
  return values.json ? `${JSON.stringify(report)}\n` : renderApi(report)
}

async function fairness(): Promise<string> {
  const report = await benchFairness({
    model: values.model,
    cacheDir: values.cache,
    stages: Number(values.stages ?? 2),
    threads: Number(values.threads),
    rounds: rounds(5),
    seconds: seconds(30),
    rate: Number(values.rate),
    lines: Number(values.lines),
    log
  })
  return values.json ? `${JSON.stringify(report)}\n` : renderFairness(report)
}

async function grammar(): Promise<string> {
  const root = join(import.meta.dirname, '../../..')
  const report = benchGrammar({ root, tokenizer: values.tokenizer, rounds: rounds(5) })
  return values.json ? `${JSON.stringify(report)}\n` : renderGrammar(report)
}

/** An aim was missed: that is what the command ends with. */
let missed = false

async function speech(): Promise<string> {
  const report = await benchSpeech({
    models: (values.models ?? 'whisper-tiny.en,whisper-base').split(','),
    cacheDir: values.cache,
    threads: Number(values.threads),
    rounds: rounds(3),
    python: values.python,
    parts: parseSpeechParts(values.only),
    nodes: (values.nodes ?? '1,2,4').split(',').map(Number),
    minutes: Number(values.minutes ?? 10),
    long: values.long,
    log
  })
  missed = report.missed.length > 0
  return values.json ? `${JSON.stringify(report)}\n` : renderSpeech(report)
}

async function hub(): Promise<string> {
  const report = await benchHub({ nodes: Number(values.nodes ?? 3), tiny: values.tiny, gguf: values.gguf, log })
  return values.json ? `${JSON.stringify(report)}\n` : renderHub(report)
}

async function images(): Promise<string> {
  const report = await benchImages({
    models: parseImageModels(values.models),
    cacheDir: values.cache,
    threads: Number(values.threads),
    rounds: rounds(3),
    python: values.python,
    side: Number(values.side),
    nodes: values['over-nodes'],
    log
  })
  missed = report.missed.length > 0
  return values.json ? `${JSON.stringify(report)}\n` : renderImages(report)
}

async function hostile(): Promise<string> {
  const result = await benchHostile({
    seed: Number(values.seed),
    minutes: Number(values.minutes ?? 5),
    clients: Number(values.clients),
    only: values.only,
    case: values.case === undefined ? undefined : Number(values.case),
    replay: values.replay,
    casesFile: values['cases-file'],
    log
  })
  missed = result.missed.length > 0
  return values.json ? `${JSON.stringify(result)}\n` : renderHostile(result)
}

async function attacks(): Promise<string> {
  const result = await benchAttacks({
    seed: Number(values.seed),
    minutes: Number(values.minutes ?? 5),
    only: values.only,
    log
  })
  missed = result.missed.length > 0
  return values.json ? `${JSON.stringify(result)}\n` : renderAttacks(result)
}

async function chaos(): Promise<string> {
  const result = await benchChaos({
    coordinator: values.coordinator ? (values.postgres ? 'postgres' : 'sqlite') : undefined,
    models: (values.models ?? 'smollm2-135m,tiny-chat').split(','),
    cacheDir: values.cache,
    seed: Number(values.seed),
    runs: Number(values.runs),
    first: Number(values.first),
    tokens: Number(values.tokens),
    log
  })
  missed = result.missed.length > 0
  return values.json ? `${JSON.stringify(result)}\n` : renderChaos(result)
}

const benches = new Map([
  ['split', split],
  ['overhead', overhead],
  ['llama.cpp', llamaCpp],
  ['tuning', tuning],
  ['callers', callers],
  ['prefix', prefix],
  ['store', store],
  ['api', api],
  ['fairness', fairness],
  ['grammar', grammar],
  ['speech', speech],
  ['hub', hub],
  ['images', images],
  ['hostile', hostile],
  ['attacks', attacks],
  ['chaos', chaos]
])
const bench = benches.get(positionals[0] ?? '')
if (values.help || bench === undefined) {
  process.stderr.write(usage)
  process.exit(values.help ? 0 : 2)
}
const text = await bench()
// at once: a library that is loaded here ends the process with 0 when nothing is left to do
process.stdout.write(text, () => process.exit(missed ? 1 : 0))
