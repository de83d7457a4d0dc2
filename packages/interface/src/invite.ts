import { z } from 'zod'
import { UNPRINTABLE } from './shown-text.ts'

/** Of one invite; enough for any machine. */
export const INVITE_ADDRESSES_MAX = 8

/** Longer than any label that somebody reads. */
export const INVITE_LABEL_CHARACTERS_MAX = 64

/** A year. Whoever wants to let a node in for longer names it with `--allow-node`. */
export const INVITE_SECONDS_MAX = 365 * 24 * 60 * 60

/** Nodes that may join by one invite. */
export const INVITE_USES_MAX = 10_000

/** What an invite is for, in words. */
export const inviteLabelSchema = z
  .string()
  .min(1)
  .max(INVITE_LABEL_CHARACTERS_MAX)
  .refine(text => !UNPRINTABLE.test(text), 'control characters are not allowed')

/** What a coordinator signs, so that whoever has it may join: its bearer needs nothing else. */
export const inviteSchema = z.object({
  version: z.literal(1),
  /** Names it in lists and logs; not secret. */
  id: z.string().regex(/^[0-9a-f]{16}$/),
  /** What the coordinator knows it by. */
  secret: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  /** Id of the network: the coordinators on one database. */
  network: z.string().regex(/^[0-9a-f]{32}$/),
  /** Peer id of the coordinator that made it. */
  coordinator: z.string().min(1).max(128),
  /** Where that coordinator is reached. */
  multiaddrs: z.array(z.string().min(1).max(256)).min(1).max(INVITE_ADDRESSES_MAX),
  /** Unix time in milliseconds. */
  expiresAtMs: z.int().nonnegative(),
  label: inviteLabelSchema.nullable()
})
export type Invite = z.infer<typeof inviteSchema>
