import type { ApiCreatedKey, ApiKeyView } from '../api/answers.ts'
import type { CommandDefinition, CommandGroup, CommandRun } from '../command.ts'
import { EXIT_OK } from '../context.ts'
import { openKeyAdmin } from '../keys/key-admin.ts'
import { parseDuration, toNewKey } from '../keys/key-options.ts'
import { printResult } from '../output/print-result.ts'
import { formatTable } from '../output/table.ts'
import { type Text, text } from '../output/text.ts'
import type { SettingName } from '../settings/schema.ts'

const settings: readonly SettingName[] = ['data', 'store', 'url', 'apiKey']
const dataDirectory = 'coordinator'

const createCommand: CommandDefinition = {
  name: 'create',
  summary: 'Makes a key and prints it, this once.',
  settings,
  dataDirectory,
  options: [
    { flags: '--admin', summary: 'may do everything, in every namespace, and manage keys' },
    { flags: '--name <text>', summary: 'what it is for' },
    { flags: '--namespace <name>', summary: 'whose requests, usage and webhooks it sees ("default" when not given)' },
    { flags: '--scope <list>', summary: 'inference, read-usage, read-mesh, webhooks; the first two when not given' },
    { flags: '--expires <time>', summary: 'a date, or a time from now: 12h, 30d' },
    { flags: '--requests-per-second <n>', summary: 'most requests a second' },
    { flags: '--burst <n>', summary: 'so many of them at once' },
    { flags: '--tokens-per-minute <n>', summary: 'most tokens a minute, of prompts and answers' },
    { flags: '--concurrent-jobs <n>', summary: 'most requests queued or running at once' },
    { flags: '--subclouds <list>', summary: 'the only subclouds that it may use and see; all when not given' },
    { flags: '--limits <json>', summary: 'limits as the admin API takes them, for those of single endpoints' }
  ],
  json: 'print the key and what is known of it as one JSON object',
  examples: [
    'resultity keys create --admin',
    'resultity keys create --name laptop --expires 30d --requests-per-second 5 --tokens-per-minute 60000',
    'resultity keys create --namespace team-a --scope inference,webhooks --json'
  ],
  async run(input) {
    const key = toNewKey(input.options, Date.now())
    await using office = await openKeyAdmin(input)
    return showSecret(await office.create(key), input)
  }
}

const listCommand: CommandDefinition = {
  name: 'list',
  summary: 'Lists keys, without their secrets.',
  settings,
  dataDirectory,
  json: 'print the keys as one JSON array',
  examples: ['resultity keys list', 'resultity keys list --url https://mesh.example --json'],
  async run(input) {
    await using office = await openKeyAdmin(input)
    const keys = await office.list()
    return printResult(input, keys, describe(keys))
  }
}

const revokeCommand: CommandDefinition = {
  name: 'revoke',
  summary: 'Ends a key for good.',
  argument: { name: '<id>', summary: 'as "keys list" shows it' },
  settings,
  dataDirectory,
  json: 'print what is known of the key as one JSON object',
  examples: ['resultity keys revoke 5f3c8a1e9b7d2046'],
  async run(input) {
    await using office = await openKeyAdmin(input)
    const key = await office.revoke(input.argument ?? '')
    return printResult(input, key, text`${key.id} is revoked\n`)
  }
}

const rotateCommand: CommandDefinition = {
  name: 'rotate',
  summary: 'Gives a key a new secret and prints it, this once.',
  argument: { name: '<id>', summary: 'as "keys list" shows it' },
  settings,
  dataDirectory,
  options: [
    { flags: '--grace <time>', summary: 'for how long the old one is good too: 15m, 12h; not at all otherwise' }
  ],
  json: 'print the key and what is known of it as one JSON object',
  examples: ['resultity keys rotate 5f3c8a1e9b7d2046 --grace 1h'],
  async run(input) {
    const { grace } = input.options
    const graceSeconds = typeof grace === 'string' ? parseDuration(grace, '--grace') : 0
    await using office = await openKeyAdmin(input)
    return showSecret(await office.rotate(input.argument ?? '', graceSeconds), input)
  }
}

export const keysCommands: CommandGroup = {
  name: 'keys',
  summary: 'Makes, lists, revokes and rotates the API keys of a coordinator.',
  commands: [createCommand, listCommand, revokeCommand, rotateCommand]
}

/** The key alone on standard output, so that a script can take it. */
function showSecret(key: ApiCreatedKey, { json, context }: CommandRun): number {
  if (json) context.out.json(key)
  else {
    context.out.print(text`${key.key}\n`)
    const facts = `${key.id}, namespace ${key.namespace}, scopes ${key.scopes.join(', ')}`
    context.err.print(text`This is the only time that the key is shown (${facts}).\n`)
  }
  return EXIT_OK
}

function describe(keys: readonly ApiKeyView[]): Text {
  if (keys.length === 0) return text`there are no keys\n  Make the first with: resultity keys create --admin\n`
  const rows = keys.map(key => [
    key.id,
    key.name,
    key.namespace,
    key.scopes.join(' '),
    stateOf(key),
    key.last_used_at === null ? 'never' : day(key.last_used_at)
  ])
  return formatTable(['id', 'name', 'namespace', 'scopes', 'state', 'last used'], rows)
}

function stateOf({ revoked_at: revoked, expires_at: expires }: ApiKeyView): string {
  if (revoked !== null) return `revoked ${day(revoked)}`
  if (expires === null) return 'valid'
  return expires * 1000 <= Date.now() ? `expired ${day(expires)}` : `valid until ${day(expires)}`
}

function day(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 10)
}
