import type { PrivateKey } from '@libp2p/interface'
import { peerIdFromPublicKey } from '@libp2p/peer-id'
import { RecordEnvelope } from '@libp2p/peer-record'
import { type Invite, inviteSchema, MeshError, safeParse } from '@resultity/interface'

/** Domain of the signature: an invite's signature is never valid for another kind of record. */
const DOMAIN = 'resultity-invite'
const PAYLOAD_TYPE = new TextEncoder().encode('/resultity/invite/1')

/** The prefix lets scanners find one that leaked. */
const PREFIX = 'rinvite_'

/** Checked before anything is decoded. An invite with every field at its limit has some 3,700. */
export const INVITE_CHARACTERS_MAX = 4096

/** Whether a text is meant as an invite, and not as an address. */
export function isInviteToken(text: string): boolean {
  return text.startsWith(PREFIX)
}

/**
 * Signs an invite.
 * @returns text that can be pasted into a shell
 * @throws MeshError `internal` when it breaks its own schema
 */
export async function sealInvite(invite: Invite, privateKey: PrivateKey): Promise<string> {
  const checked = safeParse(inviteSchema, invite)
  if (!checked.success) throw new MeshError('internal', `an own invite is not valid: ${checked.error.message}`)
  const payload = new TextEncoder().encode(JSON.stringify(checked.data))
  const record = { domain: DOMAIN, codec: PAYLOAD_TYPE, marshal: () => payload, equals: () => false }
  const bytes = (await RecordEnvelope.seal(record, privateKey)).marshal()
  return PREFIX + Buffer.from(bytes).toString('base64url')
}

/**
 * Reads an invite, if the coordinator that it names has signed it. Whether it still holds is another question.
 *
 * @throws MeshError `invite_invalid` for a text that is none, is damaged or was changed; `invite_foreign` for one that
 * somebody else signed
 */
export async function openInvite(token: string): Promise<Invite> {
  if (token.length > INVITE_CHARACTERS_MAX) throw invalid(`it has more than ${INVITE_CHARACTERS_MAX} characters`)
  if (!/^rinvite_[A-Za-z0-9_-]+$/.test(token)) throw invalid('it has other characters than an invite')
  const { signer, json } = await read(Buffer.from(token.slice(PREFIX.length), 'base64url'))
  const invite = safeParse(inviteSchema, json)
  if (!invite.success) throw invalid('it does not have the form of an invite', invite.error)
  if (invite.data.coordinator === signer) return invite.data
  throw new MeshError('invite_foreign', `the invite names ${invite.data.coordinator}, but ${signer} signed it`, {
    hint: 'Do not use it. Ask the operator of the coordinator for another.'
  })
}

/** @throws MeshError `invite_expired` */
export function requireCurrent({ id, expiresAtMs }: Invite, nowMs: number): void {
  if (nowMs < expiresAtMs) return
  throw new MeshError('invite_expired', `invite ${id} expired at ${new Date(expiresAtMs).toISOString()}`, {
    hint: 'Have another made with "resultity invite" on the coordinator’s machine, or set this machine’s clock.'
  })
}

async function read(bytes: Uint8Array): Promise<{ readonly signer: string; readonly json: unknown }> {
  try {
    const envelope = RecordEnvelope.createFromProtobuf(bytes)
    const signed = await envelope.validate(DOMAIN)
    if (!signed || !Buffer.from(envelope.payloadType).equals(PAYLOAD_TYPE)) throw invalid('its signature does not fit')
    const json: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(envelope.payload.subarray()))
    return { signer: peerIdFromPublicKey(envelope.publicKey).toString(), json }
  } catch (cause) {
    throw cause instanceof MeshError ? cause : invalid('it is damaged', cause)
  }
}

function invalid(why: string, cause?: unknown): MeshError {
  return new MeshError('invite_invalid', `this is no valid invite: ${why}`, {
    hint: 'Copy all of what "resultity invite" printed, or have another made.',
    cause
  })
}
