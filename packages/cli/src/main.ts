import { MeshError } from '@resultity/interface'
import { Command, CommanderError } from 'commander'
import { addCommand, type CommandContext } from './command.ts'
import { chatCommand } from './commands/chat.ts'
import { coordinatorCommand } from './commands/coordinator.ts'
import { inviteCommand } from './commands/invite.ts'
import { keysCommands } from './commands/keys.ts'
import { modelsCommand } from './commands/models.ts'
import { nodeCommand } from './commands/node.ts'
import { planCommand } from './commands/plan.ts'
import { pullCommand } from './commands/pull.ts'
import { statusCommand } from './commands/status.ts'
import { upCommand } from './commands/up.ts'
import { versionCommand } from './commands/version.ts'
import { type CliContext, EXIT_CANCELED, EXIT_FAILED, EXIT_OK, EXIT_PIPE, EXIT_USAGE } from './context.ts'
import { tellParent } from './daemon/parent-channel.ts'
import { Output } from './output/output.ts'
import { prose, text } from './output/text.ts'
import { version } from './version.ts'

const commands = [
  upCommand,
  coordinatorCommand,
  nodeCommand,
  chatCommand,
  modelsCommand,
  pullCommand,
  planCommand,
  statusCommand,
  inviteCommand,
  keysCommands,
  versionCommand
]

/**
 * Runs one `resultity` command to its end.
 *
 * @returns the exit code: 0, 1 when it failed, 2 when the command line or a setting is wrong
 */
export async function main({ stdout, stderr, ...surroundings }: CliContext): Promise<number> {
  const context = { ...surroundings, out: new Output(stdout), err: new Output(stderr) }
  let exitCode = EXIT_OK
  // files made from here on, by libraries too, are for this user alone
  process.umask(0o077)
  const program = new Command('resultity')
    .description('Runs one language model over several machines, with an OpenAI-compatible API.')
    .version(version, '--version', 'print the version')
    // what follows a command's name is that command's
    .enablePositionalOptions()
    .configureHelp({ showGlobalOptions: false })
    .configureOutput({
      writeOut: help => context.out.print(prose(help)),
      writeErr: message => context.err.print(prose(message)),
      getOutHelpWidth: () => stdout.columns ?? 100,
      getErrHelpWidth: () => stderr.columns ?? 100
    })
    .showHelpAfterError('(add --help for what is possible)')
    .exitOverride()
  for (const definition of commands) {
    addCommand(program, context, definition, code => {
      exitCode = code
    })
  }
  const run = async (): Promise<number> => {
    try {
      await program.parseAsync(context.args, { from: 'user' })
      return exitCode
    } catch (error) {
      return reportError(error, context)
    }
  }
  if (outlivesItsReader(context.args)) return run()
  const ended = await Promise.race([run(), context.out.broken])
  const failure = typeof ended === 'number' ? await context.out.flush() : ended
  return failure === undefined ? Number(ended) : reportBrokenOutput(failure, context)
}

/** A daemon says on standard output that it is up. If nobody reads that, it goes on. */
function outlivesItsReader([name, below]: readonly string[]): boolean {
  const command = commands.find(one => one.name === name)
  if (command === undefined || !('daemon' in command) || command.daemon !== true) return false
  return command.commands?.some(one => one.name === below) !== true
}

/** The reader has closed the output, as `head` does: not worth an error message. */
function reportBrokenOutput(failure: Error, { err }: CommandContext): number {
  const code = 'code' in failure ? String(failure.code) : failure.message
  if (code === 'EPIPE') return EXIT_PIPE
  err.print(text`error: standard output cannot be written to: ${code}\n  Is the disk full?\n`)
  return EXIT_FAILED
}

function reportError(error: unknown, { args, err }: CommandContext): number {
  // commander has already printed its message, or the help that was asked for
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE
  const meshError = MeshError.from(error)
  const { code, message, hint } = meshError
  if (code === 'canceled') return EXIT_CANCELED
  tellParent({ type: 'error', code, message, hint })
  if (args.includes('--json')) err.json({ error: { code, message, hint } })
  else err.print(text`error: ${message}\n${hint ? text`  ${prose(hint)}\n` : ''}`)
  // a bug of ours: it cannot be fixed without its stack
  if (code === 'internal' && meshError.cause instanceof Error) err.print(text`${prose(meshError.cause.stack ?? '')}\n`)
  return code === 'settings_invalid' ? EXIT_USAGE : EXIT_FAILED
}
