import { addRoute, type ById, listOf, parseInput, Resource } from '@resultity/api-kit'
import { INVITE_SECONDS_MAX, INVITE_USES_MAX, inviteLabelSchema } from '@resultity/interface'
import type { Invites } from '@resultity/placement'
import type { InvitedNode, StoredInvite } from '@resultity/store'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'

export interface InviteRouteComponents {
  readonly invites: Invites
}

const DAY_SECONDS = 24 * 60 * 60

const newInviteSchema = z
  .strictObject({
    label: inviteLabelSchema.nullish(),
    /** Nodes that may join by it; null: any number. */
    uses: z.int().min(1).max(INVITE_USES_MAX).nullable().default(1),
    expires_in_seconds: z.int().min(1).max(INVITE_SECONDS_MAX).default(DAY_SECONDS)
  })
  .meta({ id: 'NewInvite' })

const inviteViewSchema = z
  .object({
    id: z.string(),
    object: z.literal('invite'),
    label: z.string().nullable(),
    /** Peer id of the coordinator that signed it. */
    coordinator: z.string(),
    /** Unix seconds. */
    created_at: z.int(),
    expires_at: z.int(),
    uses: z.int(),
    uses_max: z.int().nullable(),
    revoked_at: z.int().nullable()
  })
  .meta({ id: 'Invite' })

const createdInviteSchema = inviteViewSchema
  .extend({
    /** For `resultity node --join`. Only this answer has it. */
    token: z.string()
  })
  .meta({ id: 'CreatedInvite' })

const invitedNodeSchema = z
  .object({ peer_id: z.string(), object: z.literal('invited_node'), invite: z.string(), joined_at: z.int() })
  .meta({ id: 'InvitedNode' })

const removedSchema = z.object({
  peer_id: z.string(),
  object: z.literal('invited_node'),
  deleted: z.literal(true)
})

const invitesResource = new Resource('/v1/admin/invites', { errors: [401, 403] })
const nodesResource = new Resource('/v1/admin/invited-nodes', { errors: [401, 403], param: 'peer_id' })

const createInvite = invitesResource.create({
  id: 'createInvite',
  summary: 'Makes an invite, by which nodes of other machines may join. Only this answer has its token.',
  body: newInviteSchema,
  bodyOptional: true,
  json: createdInviteSchema,
  errors: [503]
})

const listInvites = invitesResource.list({
  id: 'listInvites',
  summary: 'Invites, without their tokens, newest first.',
  json: listOf('InviteList', inviteViewSchema)
})

const revokeInvite = invitesResource.action('revoke', {
  id: 'revokeInvite',
  summary: 'Ends an invite for good. Nodes that joined by it stay.',
  json: inviteViewSchema
})

const listInvitedNodes = nodesResource.list({
  id: 'listInvitedNodes',
  summary: 'Nodes that joined by an invite, and may join again.',
  json: listOf('InvitedNodeList', invitedNodeSchema)
})

const removeInvitedNode = nodesResource.remove({
  id: 'removeInvitedNode',
  summary: 'Lets a node go that joined by an invite, and ends that invite; the node needs another to join again.',
  json: removedSchema
})

/** `/v1/admin/invites`, `/v1/admin/invited-nodes`. */
export function addInviteRoutes(server: FastifyInstance, { invites }: InviteRouteComponents): void {
  addRoute(server, createInvite, async request => {
    const body = request.body === undefined ? {} : request.body
    const { label, uses, expires_in_seconds: seconds } = parseInput(newInviteSchema, body)
    const { invite, token } = await invites.create({ label: label ?? null, usesMax: uses, ttlMs: seconds * 1000 })
    return { ...view(invite), token }
  })
  addRoute(server, listInvites, async () => ({ object: 'list', data: (await invites.list()).map(view) }))
  addRoute<ById>(server, revokeInvite, async request => view(await invites.revoke(request.params.id)))
  addRoute(server, listInvitedNodes, async () => ({ object: 'list', data: (await invites.nodes()).map(nodeView) }))
  addRoute<{ Params: { peer_id: string } }>(server, removeInvitedNode, async request => {
    const { peer_id: peerId } = request.params
    await invites.removeNode(peerId)
    return { peer_id: peerId, object: 'invited_node', deleted: true }
  })
}

function view(invite: StoredInvite): z.infer<typeof inviteViewSchema> {
  return {
    id: invite.id,
    object: 'invite',
    label: invite.label,
    coordinator: invite.coordinator,
    created_at: seconds(invite.createdAtMs),
    expires_at: seconds(invite.expiresAtMs),
    uses: invite.uses,
    uses_max: invite.usesMax,
    revoked_at: invite.revokedAtMs === null ? null : seconds(invite.revokedAtMs)
  }
}

function nodeView({ peerId, inviteId, joinedAtMs }: InvitedNode): z.infer<typeof invitedNodeSchema> {
  return { peer_id: peerId, object: 'invited_node', invite: inviteId, joined_at: seconds(joinedAtMs) }
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000)
}
