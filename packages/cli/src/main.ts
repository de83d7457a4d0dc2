import { MeshError } from '@resultity/interface'
import { Command, CommanderError } from 'commander'
import { addCommand } from './command.ts'
import { chatCommand } from './commands/chat.ts'
import { coordinatorCommand } from './commands/coordinator.ts'
import { keysCommands } from './commands/keys.ts'
import { modelsCommand } from './commands/models.ts'
import { nodeCommand } from './commands/node.ts'
import { planCommand } from './commands/plan.ts'
import { pullCommand } from './commands/pull.ts'
import { statusCommand } from './commands/status.ts'
import { upCommand } from './commands/up.ts'
import { versionCommand } from './commands/version.ts'
import { type CliContext, EXIT_CANCELED, EXIT_FAILED, EXIT_OK, EXIT_USAGE } from './context.ts'
import { tellParent } from './daemon/parent-channel.ts'
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
  keysCommands,
  versionCommand
]

/**
 * Runs one `resultity` command to its end.
 *
 * @returns the exit code: 0, 1 when it failed, 2 when the command line or a setting is wrong
 */
export async function main(context: CliContext): Promise<number> {
  let exitCode = EXIT_OK
  // what is made from here on, by libraries too, is for this user alone
  process.umask(0o077)
  const program = new Command('resultity')
    .description('Runs one language model over several machines, with an OpenAI-compatible API.')
    .version(version, '--version', 'print the version')
    .configureHelp({ showGlobalOptions: false })
    .configureOutput({
      writeOut: text => context.stdout.write(text),
      writeErr: text => context.stderr.write(text),
      getOutHelpWidth: () => context.stdout.columns ?? 100,
      getErrHelpWidth: () => context.stderr.columns ?? 100
    })
    .showHelpAfterError('(add --help for what is possible)')
    .exitOverride()
  for (const definition of commands) {
    addCommand(program, context, definition, code => {
      exitCode = code
    })
  }
  try {
    await program.parseAsync(context.args, { from: 'user' })
    return exitCode
  } catch (error) {
    return reportError(error, context)
  }
}

function reportError(error: unknown, context: CliContext): number {
  // commander has already printed its message, or the help that was asked for
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE
  const meshError = MeshError.from(error)
  const { code, message, hint } = meshError
  if (code === 'canceled') return EXIT_CANCELED
  tellParent({ type: 'error', code, message, hint })
  if (context.args.includes('--json')) {
    context.stderr.write(`${JSON.stringify({ error: { code, message, hint } })}\n`)
  } else {
    context.stderr.write(`error: ${message}\n${hint ? `  ${hint}\n` : ''}`)
  }
  // a bug of ours: without its stack nobody can mend it
  if (code === 'internal' && meshError.cause instanceof Error) context.stderr.write(`${meshError.cause.stack}\n`)
  return code === 'settings_invalid' ? EXIT_USAGE : EXIT_FAILED
}
