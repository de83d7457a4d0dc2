import { MeshError } from '@resultity/interface'
import type { ApiInvite, ApiInvitedNode, NewInvite } from '../api/answers.ts'
import { MeshApi } from '../api/mesh-api.ts'
import type { CommandDefinition, CommandRun } from '../command.ts'
import { EXIT_OK } from '../context.ts'
import { explainAdminKey } from '../keys/key-admin.ts'
import { parseDuration } from '../keys/key-options.ts'
import { printResult } from '../output/print-result.ts'
import { formatTable } from '../output/table.ts'
import { joined, type Text, text } from '../output/text.ts'
import type { SettingName } from '../settings/schema.ts'

const settings: readonly SettingName[] = ['url', 'apiKey']

const listCommand: CommandDefinition = {
  name: 'list',
  summary: 'Lists invites, and the nodes that joined by one.',
  settings,
  json: 'print invites and nodes as one JSON object',
  examples: ['resultity invite list'],
  async run(input) {
    const api = apiOf(input)
    const [invites, nodes] = await explainAdminKey(api, Promise.all([api.invites(), api.invitedNodes()]))
    return printResult(input, { invites, nodes }, describe(invites, nodes))
  }
}

const revokeCommand: CommandDefinition = {
  name: 'revoke',
  summary: 'Ends an invite for good; nodes that joined by it stay.',
  argument: { name: '<id>', summary: 'as "invite list" shows it' },
  settings,
  json: 'print what is known of the invite as one JSON object',
  examples: ['resultity invite revoke 5f3c8a1e9b7d2046'],
  async run(input) {
    const api = apiOf(input)
    const invite = await explainAdminKey(api, api.revokeInvite(input.argument ?? ''))
    return printResult(input, invite, text`${invite.id} is revoked\n`)
  }
}

const removeCommand: CommandDefinition = {
  name: 'remove',
  summary: 'Lets a node go that joined by an invite, and ends that invite; it needs another to come back.',
  argument: { name: '<peer-id>', summary: 'as "invite list" shows it' },
  settings,
  json: 'print its peer id as one JSON object',
  examples: ['resultity invite remove 12D3KooW…'],
  async run(input) {
    const api = apiOf(input)
    const removed = await explainAdminKey(api, api.removeInvitedNode(input.argument ?? ''))
    return printResult(input, removed, text`${removed.peer_id} is removed\n`)
  }
}

export const inviteCommand: CommandDefinition = {
  name: 'invite',
  summary: 'Makes an invite, by which a node of another machine may join, and prints it, this once.',
  settings,
  options: [
    { flags: '--expires <time>', summary: 'a time from now: 15m, 12h, 30d; 24h when not given' },
    { flags: '--uses <n>', summary: 'nodes that may join by it, or "any" for as many as come; 1 when not given' },
    { flags: '--label <text>', summary: 'what it is for' }
  ],
  commands: [listCommand, revokeCommand, removeCommand],
  json: 'print the invite and what is known of it as one JSON object',
  examples: ['resultity invite', 'resultity invite --uses 10 --expires 1h --label attic', 'resultity invite list'],
  async run(input) {
    const api = apiOf(input)
    const invite = await explainAdminKey(api, api.createInvite(toNewInvite(input.options)))
    const { out, err } = input.context
    if (input.json) out.json(invite)
    else {
      // alone on standard output, so that a script can take it
      out.print(text`${invite.token}\n`)
      const until = new Date(invite.expires_at * 1000).toISOString()
      err.print(
        text`On the other machine: resultity node --join TOKEN\nThis is the only time that it is shown (${invite.id}, for ${usesOf(invite)}, until ${until}).\n`
      )
    }
    return EXIT_OK
  }
}

function apiOf({ settings: { url, apiKey } }: CommandRun): MeshApi {
  return new MeshApi(url, apiKey)
}

/** @throws MeshError `settings_invalid` naming the option */
function toNewInvite({ expires, uses, label }: CommandRun['options']): NewInvite {
  return {
    ...(typeof label === 'string' ? { label } : {}),
    ...(typeof expires === 'string' ? { expires_in_seconds: parseDuration(expires, '--expires') } : {}),
    ...(typeof uses === 'string' ? { uses: countOf(uses) } : {})
  }
}

function countOf(uses: string): number | null {
  if (uses === 'any') return null
  if (/^[1-9]\d{0,4}$/.test(uses)) return Number(uses)
  throw new MeshError('settings_invalid', `--uses: expected a whole number of 1 or more, or "any", got "${uses}"`, {
    hint: 'Add --help for what is possible.'
  })
}

function describe(invites: readonly ApiInvite[], nodes: readonly ApiInvitedNode[]): Text {
  if (invites.length + nodes.length === 0) return text`there are no invites\n  Make one with: resultity invite\n`
  const inviteRows = invites.map(invite => [
    invite.id,
    invite.label ?? '',
    stateOf(invite),
    `${invite.uses} of ${invite.uses_max ?? 'any'}`
  ])
  const nodeRows = nodes.map(node => [node.peer_id, node.invite, minute(node.joined_at)])
  return joined(
    [
      formatTable(['invite', 'label', 'state', 'used'], inviteRows),
      formatTable(['node', 'by invite', 'since'], nodeRows)
    ],
    '\n'
  )
}

function stateOf({ revoked_at: revoked, expires_at: expires, uses, uses_max: usesMax }: ApiInvite): string {
  if (revoked !== null) return `revoked ${minute(revoked)}`
  if (expires * 1000 <= Date.now()) return `expired ${minute(expires)}`
  return usesMax !== null && uses >= usesMax ? 'used up' : `good until ${minute(expires)}`
}

function usesOf({ uses_max: usesMax }: ApiInvite): string {
  if (usesMax === null) return 'any number of nodes'
  return usesMax === 1 ? 'one node' : `${usesMax} nodes`
}

function minute(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 16)
}
