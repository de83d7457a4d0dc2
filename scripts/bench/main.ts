import { availableParallelism, homedir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { benchApi } from './api.ts'
import { benchCallers } from './callers.ts'
import { benchChaos } from './chaos.ts'
import { benchFairness } from './fairness.ts'
import { benchGrammar } from './grammar.ts'
import { benchHostile } from './hostile.ts'
import { benchHub, renderHub } from './hub.ts'
import { benchImages, parseImageModels } from './images.ts'
import { llamaPrograms } from './llama-programs.ts'
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
import { renderChaos } from './render-chaos.ts'
import { renderHostile } from './render-hostile.ts'
import { renderImages } from './render-images.ts'
import { renderSpeech } from './render-speech.ts'
import { renderTuning } from './render-tuning.ts'
import { benchSpeech, parseSpeechParts } from './speech.ts'
import { benchSplit } from './split.ts'
import { benchStore } from './store.ts'
import { benchTuning } from './tuning.ts'

const usage = `Usage: npm run bench -- split|callers|prefix|llama.cpp|tuning|store|api|fairness|grammar|speech|images|hub|hostile|chaos [options]

split measures, in one run: the engine alone in one process, the same model as 1, 2 and 4 stages in processes of their own
over libp2p on loopback, and llama.cpp's own benchmark on the same GGUF file. That is built first where it is not there.

  --model REF         a GGUF model reference, or random:llama-1.1b-q4_0 (default: smollm2-135m)
  --threads N         threads of every contestant (default: all cores)
  --rounds N          rounds that count (default: 5)
  --prompt-tokens N   tokens of the prompt (default: 128)
  --decode-tokens N   tokens generated (default: 64)
  --without NAME,…    leave contestants out: engine, engine-spinning, engine-run-spinning, stages-1, stages-2, stages-4, llama.cpp
  --cache DIR         where models and llama.cpp are kept (default: ~/.cache/resultity-bench)

llama.cpp builds llama-bench and llama-server ahead of a measurement, from the sources that node-llama-cpp carries. It needs
git, cmake and a C++ compiler, and takes a quarter of an hour on two cores.

  --jobs N            compilers at once (default: all cores)
  --cache             as above

tuning measures what each measure of --tuning brings: it is left out alone, in processes of their own, in turns with processes
that take all; decode and prefill with 1 and with 3 stages, and the memory of nodes and coordinator. Some 40 minutes.

  --model, --threads, --prompt-tokens, --decode-tokens, --cache   as above
  --rounds N          how often each is left out (default: 3 here)
  --only NAME,…       these measures only, or all, which leaves out all at once

callers measures how many tokens a second several callers of streamed chats get together, on swarms of processes, and how
long each waits for its next token.

  --model, --threads, --rounds   as above
  --callers N,…       callers at once (default: 1,4,8,16)
  --stages N,…        stages of the model, a swarm for each (default: 1,3 here)
  --prompt-words N    words of each caller's prompt (default: 32)
  --answer-tokens N   tokens of each answer (default: 128)
  --node-args ARGS    further arguments of every node, such as --spinning=on
  --beside NAME=URL   another server of the chat API, measured in turns with ours; may be given several times

prefix measures the time to the first token of the second turn of a conversation, on swarms of processes: with what the
stages have kept of the first turn, and where nobody has asked for that.

  --model, --threads   as above
  --rounds N           rounds that count (default: 3 here)
  --stages N,…         stages of the model, a swarm for each (default: 1,3 here)
  --prompt-tokens N    tokens of the first turn, about (default: 1000 here)

store measures the job stores: SQLite, SQLite that waits for the disk, and a PostgreSQL of its own (or the one that
RESULTITY_TEST_POSTGRES names).

  --seconds N         how long each figure is measured (default: 5)
  --concurrency N     requests under way at once (default: 128)

api measures a coordinator whose answers cost nothing to make, with clients in another process: requests a second, and
streams held open at once.

  --store STORE       sqlite, or a postgres:// URL (default: sqlite)
  --connections N     requests under way at once (default: 64)
  --streams N         streams open at once, with 5 events a second each (default: 5000)

fairness measures what a batch costs whoever asks meanwhile, on a swarm of processes: requests that come by chance, their
time to the first token alone and beside a batch, and the batch's pace with and without them.

  --model, --threads, --rounds   as above
  --stages N          stages of the model (default: 2)
  --seconds N         of requests, alone and beside the batch, in each round (default: 30 here)
  --rate N            requests a second, on average (default: 1)
  --lines N           lines of each round's batch, which is cancelled at the round's end (default: 5000)

grammar measures what honest schemas cost: compiling them, and the mask of each token of their documents. The schemas are
the project's own of tools and responses, and those of the JSON Schema Test Suite.

  --tokenizer FILE    a tokenizer.json, for the vocabulary (default: tiny-chat's)
  --rounds N          rounds, of which the median counts (default: 5)

speech measures transcription and speech: the engine alone on a recording, beside faster-whisper with the same weights; a
voice over a mesh; and a long recording over several nodes of one thread each. It ends with 1 when two texts differ.

  --threads, --cache  as above
  --rounds N          rounds that count (default: 3 here)
  --models REF,…      of the engine, CTranslate2 Whispers (default: whisper-tiny.en,whisper-base here)
  --python PROGRAM    a Python that has scripts/bench/faster-whisper.requirements.txt (default: faster-whisper is left out)
  --only PART,…       engine, voice, nodes
  --nodes N,…         node counts that hear the recording (default: 1,2,4)
  --minutes N         of the recording, which the voice says once and the cache keeps; 13 at the most (default: 10 here)
  --long              watch the memory of a mesh of one node over an hour of such recordings

hub has a coordinator describe a checkpoint of 8 GB, which a hub on this machine makes up as it is read, and processes make its
layers as nodes do; both are killed in the middle. It takes some 20 GB of disk for a while.

  --nodes N           processes that make layers (default: 3 here)
  --tiny              a checkpoint of some megabytes instead
  --gguf              GGUF files with 8 bits a number instead of safetensors with 16

images measures how fast pictures are drawn, by the engine alone and beside diffusers with the same weights, and the most memory that
each takes: with a tiny model, and with random weights of Stable Diffusion 1.5's full width, which diffusers writes to the cache. It
ends with 1 when two nodes draw another picture than one.

  --threads, --cache  as above
  --rounds N          rounds that count (default: 3 here)
  --models NAME,…     tiny, sd-1.5 (default: both)
  --python PROGRAM    a Python that has scripts/bench/diffusers.requirements.txt (default: diffusers is left out)
  --side N            of the wide model's picture, in pixels (default: 512)
  --over-nodes        draw a picture of the wide model over a mesh, on one node of one thread and on two; 28 GB of memory are offered

hostile sends seeded hostile input to a swarm of processes and watches what that does to it; it ends with 1 when an aim is
missed. Half an hour of it: --minutes 30.

  --minutes N         how long (default: 5)
  --seed N            of the cases (default: 1)
  --clients N         hostile clients at once (default: 8)
  --only TEXT         only cases whose name has this in it
  --case N            only case number N of the seed
  --cases-file FILE   where cases that showed a fault are written (default: hostile-cases.json)
  --replay FILE       send the cases of such a file instead

chaos strikes nodes and links of a swarm while it answers (kill -9, SIGSTOP, SIGTERM, links that stall or are cut, two at once), and
compares each answer with the undisturbed one; it ends with 1 when one differs or fails.

  --models REF,…      models, each in 3 stages over 5 nodes (default: smollm2-135m,tiny-chat)
  --runs N            answers (default: 100)
  --seed N            of what is asked and what goes wrong (default: 1)
  --first N           number of the first run, to see one again (default: 0)
  --tokens N          of an answer (default: 200)

  --json              print one JSON document on stdout; progress stays on stderr
`

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: 'smollm2-135m' },
    threads: { type: 'string', default: String(availableParallelism()) },
    rounds: { type: 'string' },
    'prompt-tokens': { type: 'string' },
    'decode-tokens': { type: 'string', default: '64' },
    without: { type: 'string', default: '' },
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

async function chaos(): Promise<string> {
  const result = await benchChaos({
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
