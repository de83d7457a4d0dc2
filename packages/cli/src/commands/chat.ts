import { MeshError } from '@resultity/interface'
import { MeshApi } from '../api/mesh-api.ts'
import { answerPrinter, Conversation, DEFAULT_SYSTEM } from '../chat/conversation.ts'
import { runInteractive } from '../chat/interactive.ts'
import type { CommandDefinition, CommandRun } from '../command.ts'
import { EXIT_OK } from '../context.ts'
import { StopSignal } from '../daemon/stop-signal.ts'
import { text } from '../output/text.ts'

/** A prompt that is piped in; longer than any context. */
const PIPED_CHARACTERS_MAX = 4 * 1024 * 1024

export const chatCommand: CommandDefinition = {
  name: 'chat',
  summary: 'Asks a model; without a prompt, talks with it until Ctrl-D.',
  argument: { name: '[prompt]', summary: 'what to ask; "-" or a pipe reads it from standard input' },
  settings: ['model', 'url', 'apiKey'],
  options: [
    { flags: '--max-tokens <n>', summary: 'longest answer, in tokens' },
    { flags: '--system <text>', summary: `what the model is told first (default "${DEFAULT_SYSTEM}"; "" for nothing)` },
    { flags: '--raw', summary: 'print the answer exactly as it came, control characters of terminals too' }
  ],
  json: 'print the answer and its figures as one JSON object',
  examples: [
    'resultity chat "What is the capital of France?"',
    'resultity chat --model tiny-chat',
    'git diff | resultity chat -'
  ],
  async run(input) {
    const { settings, argument, context } = input
    using stop = new StopSignal()
    const api = new MeshApi(settings.url, settings.apiKey)
    const model = settings.model?.[0] ?? (await firstModel(api, stop.signal))
    const conversation = new Conversation(api, {
      model,
      maxTokens: maxTokens(input.options.maxTokens),
      system: systemOf(input.options.system)
    })
    const piped = argument === '-' || (argument === undefined && !context.stdin.isTTY)
    if (argument === undefined && !piped) return runInteractive(conversation, context, stop, input.options.raw === true)
    await answerOnce(conversation, piped ? await readAll(context.stdin) : (argument ?? ''), input, stop.signal)
    return EXIT_OK
  }
}

async function answerOnce(
  conversation: Conversation,
  prompt: string,
  { json, context, options }: CommandRun,
  signal: AbortSignal
) {
  if (prompt === '')
    throw new MeshError('invalid_request', 'the prompt is empty', {
      hint: 'Give one as an argument or on standard input.'
    })
  const printer = answerPrinter(context.out, options.raw === true)
  const answer = await conversation.ask(prompt, piece => !json && printer(piece), { signal })
  if (json) context.out.json(answer)
  else context.out.print(text`\n`)
}

async function firstModel(api: MeshApi, signal: AbortSignal): Promise<string> {
  const model = (await api.models({ signal })).find(({ kind }) => kind === 'decoder')
  if (model !== undefined) return model.id
  throw new MeshError('model_not_found', `${api.url} serves no model that answers prompts`, {
    hint: 'Start the coordinator with --model REF.'
  })
}

function systemOf(text: unknown): string | undefined {
  return typeof text === 'string' ? text : undefined
}

function maxTokens(text: unknown): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (Number.isInteger(value) && value >= 1) return value
  throw new MeshError('settings_invalid', `--max-tokens: expected a whole number of 1 or more, got "${text}"`)
}

async function readAll(stdin: NodeJS.ReadStream): Promise<string> {
  let text = ''
  for await (const chunk of stdin.setEncoding('utf8')) {
    text += chunk
    if (text.length > PIPED_CHARACTERS_MAX) {
      throw new MeshError('invalid_request', `standard input is longer than ${PIPED_CHARACTERS_MAX} characters`, {
        hint: 'Send a shorter prompt.'
      })
    }
  }
  return text.trim()
}
