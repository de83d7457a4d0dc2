import { createInterface } from 'node:readline/promises'
import { MeshError } from '@resultity/interface'
import type { CommandContext } from '../command.ts'
import { EXIT_OK } from '../context.ts'
import type { StopSignal } from '../daemon/stop-signal.ts'
import type { Output } from '../output/output.ts'
import { cyan, dim, prose, red, text } from '../output/text.ts'
import { answerPrinter, type Conversation, formatFigures } from './conversation.ts'

/**
 * Reads questions from the terminal and prints answers, until the input ends. Ctrl-C cancels the current answer;
 * without one it leaves.
 */
export async function runInteractive(
  conversation: Conversation,
  { stdin, out }: CommandContext,
  stop: StopSignal,
  raw: boolean
): Promise<number> {
  const terminal = createInterface({ input: stdin, output: out.stream, prompt: cyan('> ').toString() })
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
  out.print(dim(text`${conversation.model}; Ctrl-C cancels an answer, Ctrl-D ends\n`))
  terminal.prompt()
  for await (const line of terminal) {
    if (line.trim() !== '') {
      answering = new AbortController()
      await answer(conversation, line, { out, raw }, answering.signal)
      answering = undefined
    }
    terminal.prompt()
  }
  out.print(text`\n`)
  return EXIT_OK
}

async function answer(
  conversation: Conversation,
  prompt: string,
  { out, raw }: { readonly out: Output; readonly raw: boolean },
  signal: AbortSignal
): Promise<void> {
  try {
    const answered = await conversation.ask(prompt, answerPrinter(out, raw), { signal })
    out.print(text`\n${dim(formatFigures(answered))}\n`)
  } catch (error) {
    if (signal.aborted) {
      out.print(dim(text`\ncanceled\n`))
      return
    }
    // the talk goes on: the next question may find the mesh mended
    const { message, hint } = MeshError.from(error)
    out.print(text`\n${red(message)}\n${hint ? text`${prose(hint)}\n` : ''}`)
  }
}
