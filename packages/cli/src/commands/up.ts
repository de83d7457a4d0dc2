import { join } from 'node:path'
import { MeshError } from '@resultity/interface'
import { MeshApi } from '../api/mesh-api.ts'
import { answerPrinter, Conversation, formatFigures } from '../chat/conversation.ts'
import type { CommandDefinition, CommandRun } from '../command.ts'
import { EXIT_OK } from '../context.ts'
import type { ChildDaemon } from '../daemon/child-daemon.ts'
import { lockDirectory } from '../daemon/directory-lock.ts'
import { createLogger } from '../daemon/logger.ts'
import { keepPrivate } from '../daemon/private-files.ts'
import { StopSignal } from '../daemon/stop-signal.ts'
import { LocalMesh } from '../local-mesh/local-mesh.ts'
import { readyLine, waitUntilPlaced } from '../local-mesh/placed.ts'
import { describeMesh } from '../local-mesh/report.ts'
import { Progress } from '../output/progress.ts'
import { cyan, dim, red, text } from '../output/text.ts'
import type { ResolvedSettings } from '../settings/resolve.ts'

/** Asked when nothing else is; every model in the catalogue knows the answer. */
const FIRST_QUESTION = 'What is the capital of France?'
const FIRST_ANSWER_TOKENS_MAX = 200

export const upCommand: CommandDefinition = {
  name: 'up',
  summary: 'Runs a whole mesh on this machine: a coordinator and nodes, each a process of its own.',
  settings: [
    'nodes',
    'stages',
    'model',
    'alias',
    'http',
    'corsOrigin',
    'allowedHost',
    'open',
    'apiKey',
    'data',
    'threads',
    'memory',
    'spinning',
    'engine',
    'tuning',
    'contextLength',
    'sessions',
    'truncateInputs',
    'prefillChunk',
    'reusePrompts',
    'nodeSilence',
    'blobSource',
    'hub',
    'hubTokenFile',
    'importMax',
    'quantize',
    'ffmpeg',
    'recordingHours',
    'pictureMegapixels',
    'publicUrl',
    'logLevel'
  ],
  options: [
    { flags: '--once <prompt>', summary: 'print the answer to this prompt on standard output, then stop' },
    { flags: '--no-mdns', summary: 'what holds anyway: this mesh is never announced on the network' }
  ],
  json: 'print one JSON line when ready, and no question is asked',
  daemon: true,
  examples: [
    'resultity up',
    'resultity up --once "What is the capital of France?"',
    'resultity up --nodes 2 --model tiny-chat --http 127.0.0.1:9000 --json'
  ],
  async run(input) {
    using stop = new StopSignal()
    try {
      return await runMesh(input, stop)
    } catch (error) {
      // asked to stop during the start: the parts that had started are stopped by now
      if (stop.signal.aborted) return EXIT_OK
      throw error
    }
  }
}

async function runMesh(input: CommandRun, stop: StopSignal): Promise<number> {
  const { settings, json, context } = input
  await using _lock = await lockDirectory(settings.data)
  await keepPrivate(settings.data, createLogger(settings.logLevel, context.err))
  using progress = new Progress(context.err)
  await using mesh = await LocalMesh.start({
    settings,
    env: context.env,
    signal: stop.signal,
    onStep: step => progress.show({ text: step }),
    onMessage: message => {
      if (message.type === 'progress') progress.show(message)
      if (message.type === 'notice') progress.note(message.text)
    },
    onLost: reportLoss(progress, settings)
  })
  const api = new MeshApi(mesh.http, settings.apiKey)
  const placed = await waitUntilPlaced(mesh, api, { signal: stop.signal, onProgress: step => progress.show(step) })
  progress[Symbol.dispose]()
  if (json) context.out.json(readyLine(mesh, placed))
  const model = placed.find(({ kind }) => kind === 'decoder')?.model
  const { once } = input.options
  if (typeof once === 'string') {
    if (model === undefined) throw noChatModel()
    await ask(once, input, api, model, stop.signal)
    return EXIT_OK
  }
  if (!json) {
    if (model !== undefined) await tryFirstQuestion(input, api, model, stop.signal)
    context.out.print(describeMesh(mesh, placed))
  }
  await stop.wait()
  if (!json) context.err.print(text`\nstopping …\n`)
  return EXIT_OK
}

function noChatModel(): MeshError {
  return new MeshError('settings_invalid', '--once: none of the models answers prompts', {
    hint: 'Add one that does with --model, such as smollm2-135m.'
  })
}

/** Asks over HTTP, as any client would: the answer on standard output, all around it on standard error. */
async function ask(
  prompt: string,
  { json, context }: CommandRun,
  api: MeshApi,
  model: string,
  signal: AbortSignal
): Promise<void> {
  context.err.print(text`\n${cyan('>')} ${prompt}\n`)
  const conversation = new Conversation(api, { model, maxTokens: FIRST_ANSWER_TOKENS_MAX })
  const printer = answerPrinter(context.out, false)
  const answer = await conversation.ask(prompt, piece => !json && printer(piece), { signal })
  if (json) context.out.json(answer)
  else context.out.print(text`\n`)
  context.err.print(text`${dim(formatFigures(answer))}\n`)
}

/** The question is a courtesy: a mesh that cannot answer it now stays up, and says why. */
async function tryFirstQuestion(input: CommandRun, api: MeshApi, model: string, signal: AbortSignal): Promise<void> {
  try {
    await ask(FIRST_QUESTION, input, api, model, signal)
  } catch (error) {
    if (signal.aborted) throw error
    input.context.err.print(text`${red(MeshError.from(error).message)}\n`)
  }
}

function reportLoss(progress: Progress, settings: ResolvedSettings): (child: ChildDaemon, reason: string) => void {
  return ({ name, pid }, reason) => {
    const log = join(settings.data, 'logs', `${name}.log`)
    progress.note(text`${red(text`${name} (process ${pid}) ended: ${reason}`)}; the others stay up. Its log: ${log}`)
  }
}
