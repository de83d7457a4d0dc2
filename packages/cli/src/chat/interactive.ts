import { createInterface } from 'node:readline/promises'
import { MeshError } from '@resultity/interface'
import pc from 'picocolors'
import { type CliContext, EXIT_OK } from '../context.ts'
import type { StopSignal } from '../daemon/stop-signal.ts'
import { type Conversation, formatFigures } from './conversation.ts'

/**
 * Reads questions from the terminal and prints answers, until the input ends. Ctrl-C cancels the answer under way;
 * with none under way it leaves.
 */
export async function runInteractive(
  conversation: Conversation,
  context: CliContext,
  stop: StopSignal
): Promise<number> {
  const terminal = createInterface({ input: context.stdin, output: context.stdout, prompt: pc.cyan('> ') })
  let answering: AbortController | undefined
  // at a terminal in raw mode Ctrl-C comes as a key, not as a signal
  terminal.on('SIGINT', () => {
    if (answering) answering.abort()
    else terminal.close()
  })
  stop.signal.addEventListener('abort', () => {
    answering?.abort()
    terminal.close()
  })
  context.stdout.write(pc.dim(`${conversation.model}; Ctrl-C cancels an answer, Ctrl-D ends\n`))
  terminal.prompt()
  for await (const line of terminal) {
    if (line.trim() !== '') {
      answering = new AbortController()
      await answer(conversation, line, context, answering.signal)
      answering = undefined
    }
    terminal.prompt()
  }
  context.stdout.write('\n')
  return EXIT_OK
}

async function answer(
  conversation: Conversation,
  prompt: string,
  context: CliContext,
  signal: AbortSignal
): Promise<void> {
  try {
    const answered = await conversation.ask(prompt, text => context.stdout.write(text), { signal })
    context.stdout.write(`\n${pc.dim(formatFigures(answered))}\n`)
  } catch (error) {
    if (signal.aborted) {
      context.stdout.write(pc.dim('\ncanceled\n'))
      return
    }
    // the talk goes on: the next question may find the mesh mended
    const { message, hint } = MeshError.from(error)
    context.stdout.write(`\n${pc.red(message)}\n${hint ? `${hint}\n` : ''}`)
  }
}
