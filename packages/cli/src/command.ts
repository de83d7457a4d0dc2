import { join } from 'node:path'
import { type Command, Option } from 'commander'
import type { CliContext } from './context.ts'
import type { Output } from './output/output.ts'
import { userDataDirectory } from './settings/data-directory.ts'
import { formatDefault } from './settings/reference.ts'
import { type ResolvedSettings, resolveSettings } from './settings/resolve.ts'
import { flagOf, isSwitch, type SettingName, settingsSchema, variableOf } from './settings/schema.ts'

/** Input of one run of a command. */
export interface CommandRun {
  readonly settings: ResolvedSettings
  /** The positional argument, where the command has one and it was given. */
  readonly argument: string | undefined
  /** `--json`: report for programs. */
  readonly json: boolean
  /** Options of the command alone, which are no settings. */
  readonly options: Readonly<Record<string, unknown>>
  readonly context: CommandContext
}

/** The surroundings of a command: all its output goes through {@link Output}. */
export interface CommandContext extends Omit<CliContext, 'stdout' | 'stderr'> {
  readonly out: Output
  readonly err: Output
}

export interface CommandDefinition {
  readonly name: string
  readonly summary: string
  /** Commander's notation: `<ref>` required, `[prompt]` optional. */
  readonly argument?: { readonly name: string; readonly summary: string }
  /** Settings that it takes as flags. */
  readonly settings: readonly SettingName[]
  readonly options?: readonly { readonly flags: string; readonly summary: string }[]
  /** Description of the output of `--json`; left out where the command has none. */
  readonly json?: string
  readonly examples: readonly string[]
  /** Below the user's data directory; where this command keeps its data by default. */
  readonly dataDirectory?: string
  /** Runs until it is asked to stop, whether or not its output is read. */
  readonly daemon?: boolean
  /** Commands below it: `node drain`. */
  readonly commands?: readonly CommandDefinition[]
  /** @returns the exit code */
  run(run: CommandRun): Promise<number>
}

const placeholders: Partial<Record<SettingName, string>> = {
  data: '<dir>',
  http: '<host:port>',
  corsOrigin: '<origin>',
  allowedHost: '<name>',
  listen: '<multiaddr>',
  announce: '<multiaddr>',
  join: '<invite|multiaddr>',
  model: '<ref>',
  stages: '<auto|n>',
  memory: '<size>',
  engine: '<capi|node>',
  label: '<name=value>',
  alias: '<name=model>',
  subcloud: '<name=label=value>',
  content: '<dir>',
  blobSource: '<dir>',
  url: '<url>',
  apiKey: '<key>',
  logLevel: '<level>'
}
const repeated: ReadonlySet<SettingName> = new Set([
  'corsOrigin',
  'allowedHost',
  'listen',
  'announce',
  'join',
  'model',
  'alias',
  'subcloud',
  'label',
  'blobSource',
  'upstream',
  'upstreamModel'
])

/** Commands about one thing: `keys create`, `keys list`. */
export interface CommandGroup {
  readonly name: string
  readonly summary: string
  readonly commands: readonly CommandDefinition[]
  readonly run?: never
}

/** Adds the command, or all of a group, to the program; its exit code goes to `finish`. */
export function addCommand(
  program: Command,
  context: CommandContext,
  definition: CommandDefinition | CommandGroup,
  finish: (exitCode: number) => void
): void {
  if (definition.run === undefined) {
    const group = program.command(definition.name).summary(definition.summary).description(definition.summary)
    for (const command of definition.commands) addCommand(group, context, command, finish)
    const examples = definition.commands.flatMap(({ examples: [first] }) => first ?? [])
    group.addHelpText('after', examplesText(examples))
    return
  }
  const command = program.command(definition.name).summary(definition.summary).description(definition.summary)
  // what follows the name of a command below it belongs to that
  if (definition.commands !== undefined) command.enablePositionalOptions()
  for (const below of definition.commands ?? []) addCommand(command, context, below, finish)
  if (definition.argument) command.argument(definition.argument.name, definition.argument.summary)
  for (const name of definition.settings) for (const option of settingOptions(name)) command.addOption(option)
  for (const option of definition.options ?? []) command.option(option.flags, option.summary)
  if (definition.json) command.option('--json', definition.json)
  command.addHelpText('after', examplesText(definition.examples))
  command.action(async () => {
    const options = command.opts<Record<string, unknown>>()
    const flags = Object.fromEntries(definition.settings.map(name => [name, options[name]]))
    const root = userDataDirectory(context.env, context.home)
    const settings = await resolveSettings({
      flags,
      env: context.env,
      defaultData: join(root, definition.dataDirectory ?? '')
    })
    const [argument] = command.args
    finish(await definition.run({ settings, argument, json: options.json === true, options, context }))
  })
}

function examplesText(examples: readonly string[]): string {
  return `\nExamples:\n${examples.map(line => `  $ ${line}`).join('\n')}`
}

function settingOptions(name: SettingName): Option[] {
  const usual = formatDefault(name)
  const notes = [...(repeated.has(name) ? ['repeatable'] : []), ...(usual === undefined ? [] : [`default ${usual}`])]
  const remark = notes.length > 0 ? ` (${notes.join(', ')})` : ''
  const summary = `${settingsSchema.shape[name].description}${remark} [${variableOf(name)}]`
  const flag = flagOf(name)
  if (isSwitch(name)) return [new Option(flag, summary), new Option(`--no-${flag.slice(2)}`, `turn ${flag} off`)]
  const option = new Option(`${flag} ${placeholders[name] ?? '<n>'}`, summary)
  return [repeated.has(name) ? option.argParser(collect) : option]
}

function collect(value: string, previous: readonly string[] | undefined): string[] {
  return [...(previous ?? []), value]
}
