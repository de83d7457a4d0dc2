import type { FileContent } from '@resultity/interface'
import { resultity } from '#gen'
import {
  bytes,
  checkVersion,
  integer,
  integer64,
  layerRange,
  list,
  milliseconds,
  sha256FromWire,
  sha256ToWire,
  text
} from './field-checks.ts'
import { decodeGenerated, encodeGenerated, type FrameCodec, violation } from './frame-codec.ts'
import type {
  Assign,
  AssignmentState,
  AssignmentUpdate,
  BlobSource,
  CoordinatorMessage,
  NodeMessage
} from './membership-messages.ts'
import { CONTENTS_MAX, PROTOCOL_VERSION } from './protocols.ts'
import { errorFromWire, errorToWire } from './wire-error.ts'

const wire = resultity.membership.v1
type WireNodeMessage = resultity.membership.v1.NodeMessage.$Properties
type WireCoordinatorMessage = resultity.membership.v1.CoordinatorMessage.$Properties

const ADVERT_BYTES_MAX = 32 * 1024
const INVITE_CHARACTERS_MAX = 4096
const ID_CHARACTERS_MAX = 128
const NAME_CHARACTERS_MAX = 256
const REASON_CHARACTERS_MAX = 512
const SOURCES_MAX = 64
/** At some 55 bytes each they fit a frame. */
const MEMBERS_MAX = 4096
const MULTIADDRS_MAX = 16
const MULTIADDR_CHARACTERS_MAX = 512
const CONTEXT_LENGTH_MAX = 16_777_216
const SESSIONS_MAX = 4096
const MANIFEST_BYTES_MAX = 64 * 1024 * 1024
const HEARTBEAT_INTERVAL_MS_MAX = 10 * 60 * 1000
const HEARTBEAT_MISSES_MAX = 100

/** `membership.proto` numbers the states from 1; 0 is a state that the sender forgot. */
const states: readonly AssignmentState[] = ['fetching', 'building', 'testing', 'ready', 'failed', 'released', 'linking']

/** The node's side of {@link MEMBERSHIP_PROTOCOL}. */
export const membershipNodeCodec: FrameCodec<NodeMessage, CoordinatorMessage> = {
  encode: (message, headroom) => encodeGenerated(wire.NodeMessage, nodeMessageToWire(message), headroom),
  decode: frame => coordinatorMessageFromWire(decodeGenerated(wire.CoordinatorMessage, frame, 'membership')),
  fault: error => ({ type: 'goodbye', reason: error.message.slice(0, REASON_CHARACTERS_MAX) })
}

/** The coordinator's side of {@link MEMBERSHIP_PROTOCOL}. */
export const membershipCoordinatorCodec: FrameCodec<CoordinatorMessage, NodeMessage> = {
  encode: (message, headroom) => encodeGenerated(wire.CoordinatorMessage, coordinatorMessageToWire(message), headroom),
  decode: frame => nodeMessageFromWire(decodeGenerated(wire.NodeMessage, frame, 'membership')),
  fault: error => ({ type: 'refused', error })
}

function nodeMessageToWire(message: NodeMessage): WireNodeMessage {
  switch (message.type) {
    case 'hello':
      return {
        hello: { protocolVersion: PROTOCOL_VERSION, advert: message.advert, invite: message.invite ?? '' }
      }
    case 'heartbeat':
      return { heartbeat: { sequence: message.sequence, advert: message.advert ?? null } }
    case 'assignment': {
      const state = states.indexOf(message.state) + 1
      const error = message.error === undefined ? null : errorToWire(message.error)
      const { selfTestSha256, unreachedPeer = '', contents = [], ...rest } = message
      const listed = { contents: contents.map(contentToWire) }
      return { assignment: { ...rest, ...listed, state, error, unreachedPeer, ...digestToWire(selfTestSha256) } }
    }
    case 'goodbye':
      return { goodbye: { reason: message.reason } }
  }
}

function coordinatorMessageToWire(message: CoordinatorMessage): WireCoordinatorMessage {
  switch (message.type) {
    case 'welcome':
      return { welcome: { ...message, protocolVersion: PROTOCOL_VERSION } }
    case 'refused':
      return { refused: { error: errorToWire(message.error) } }
    case 'assign':
      return { assign: assignToWire(message) }
    case 'release':
      return { release: message }
    case 'heartbeat_ack':
      return { heartbeatAck: { sequence: message.sequence, members: [...(message.members ?? [])] } }
  }
}

function assignToWire(assign: Assign): resultity.membership.v1.Assign.$Properties {
  const {
    manifestSha256,
    range,
    sources,
    activationType: _f32,
    next,
    previousPeer = '',
    contents = [],
    ...rest
  } = assign
  return {
    ...rest,
    manifestSha256: sha256ToWire(manifestSha256),
    first: range.first,
    end: range.end,
    sources: sources.map(source => ({ peerId: source.peerId, multiaddrs: [...source.multiaddrs] })),
    activationType: wire.ActivationType.F32,
    next: next === undefined ? null : { peerId: next.peerId, multiaddrs: [...next.multiaddrs] },
    previousPeer,
    contents: contents.map(contentToWire)
  }
}

function contentToWire({ file, sha256, verified }: FileContent): resultity.membership.v1.FileContent.$Properties {
  return { file: sha256ToWire(file), sha256: sha256ToWire(sha256), verified }
}

function contentsFromWire(
  wired: readonly resultity.membership.v1.FileContent.$Properties[] | null | undefined,
  field: string
): { contents?: FileContent[] } {
  const contents = list(wired, field, CONTENTS_MAX).map(({ file, sha256, verified }) => ({
    file: sha256FromWire(file, `${field}.file`),
    sha256: sha256FromWire(sha256, `${field}.sha256`),
    verified: verified === true
  }))
  if (new Set(contents.map(({ file }) => file)).size !== contents.length) throw violation(`${field} names a file twice`)
  return contents.length === 0 ? {} : { contents }
}

function nodeMessageFromWire(message: WireNodeMessage): NodeMessage {
  if (message.heartbeat) {
    const advert = message.heartbeat.advert
    return {
      type: 'heartbeat',
      sequence: integer64(message.heartbeat.sequence, 'heartbeat.sequence'),
      advert: advert && advert.length > 0 ? bytes(advert, 'heartbeat.advert', ADVERT_BYTES_MAX) : undefined
    }
  }
  if (message.hello) {
    checkVersion(message.hello.protocolVersion, 'the membership protocol')
    const invite = text(message.hello.invite, 'hello.invite', INVITE_CHARACTERS_MAX)
    return {
      type: 'hello',
      advert: bytes(message.hello.advert, 'hello.advert', ADVERT_BYTES_MAX),
      ...(invite === '' ? {} : { invite })
    }
  }
  if (message.assignment) return assignmentFromWire(message.assignment)
  if (message.goodbye) {
    return { type: 'goodbye', reason: text(message.goodbye.reason, 'goodbye.reason', REASON_CHARACTERS_MAX) }
  }
  throw violation('a message of a node has no body that this version knows')
}

function assignmentFromWire(wired: resultity.membership.v1.AssignmentUpdate.$Properties): AssignmentUpdate {
  const state = states[(wired.state ?? 0) - 1]
  if (state === undefined) throw violation(`assignment.state is ${wired.state ?? 0}, which this version does not know`)
  const unreachedPeer = text(wired.unreachedPeer, 'assignment.unreached_peer', ID_CHARACTERS_MAX)
  const unreached = state === 'linking' && unreachedPeer !== ''
  return {
    type: 'assignment',
    placementId: text(wired.placementId, 'assignment.placement_id', ID_CHARACTERS_MAX, 1),
    state,
    bytesDone: integer64(wired.bytesDone, 'assignment.bytes_done'),
    bytesTotal: integer64(wired.bytesTotal, 'assignment.bytes_total'),
    decodeMsPerLayer: milliseconds(wired.decodeMsPerLayer, 'assignment.decode_ms_per_layer'),
    prefillMsPerPositionLayer: milliseconds(
      wired.prefillMsPerPositionLayer,
      'assignment.prefill_ms_per_position_layer'
    ),
    fixedDecodeMs: milliseconds(wired.fixedDecodeMs, 'assignment.fixed_decode_ms'),
    memoryBytes: integer64(wired.memoryBytes, 'assignment.memory_bytes'),
    selfTestSha256: digestFromWire(wired.selfTestSha256),
    ...(state === 'ready' ? contentsFromWire(wired.contents, 'assignment.contents') : {}),
    error: state === 'failed' || unreached ? errorFromWire(wired.error) : undefined,
    ...(unreached ? { unreachedPeer } : {})
  }
}

function digestToWire(sha256: string): { selfTestSha256?: Uint8Array } {
  return sha256 === '' ? {} : { selfTestSha256: sha256ToWire(sha256) }
}

function digestFromWire(wired: Uint8Array | null | undefined): string {
  return wired === undefined || wired === null || wired.length === 0
    ? ''
    : sha256FromWire(wired, 'assignment.self_test_sha256')
}

function coordinatorMessageFromWire(message: WireCoordinatorMessage): CoordinatorMessage {
  if (message.heartbeatAck) {
    const members = list(message.heartbeatAck.members, 'heartbeat_ack.members', MEMBERS_MAX)
    return {
      type: 'heartbeat_ack',
      sequence: integer64(message.heartbeatAck.sequence, 'heartbeat_ack.sequence'),
      ...(members.length === 0
        ? {}
        : { members: members.map(peerId => text(peerId, 'heartbeat_ack.member', ID_CHARACTERS_MAX, 1)) })
    }
  }
  if (message.assign) return assignFromWire(message.assign)
  if (message.release) {
    return {
      type: 'release',
      placementId: text(message.release.placementId, 'release.placement_id', ID_CHARACTERS_MAX, 1),
      reason: text(message.release.reason, 'release.reason', REASON_CHARACTERS_MAX)
    }
  }
  if (message.refused) return { type: 'refused', error: errorFromWire(message.refused.error) }
  if (message.welcome) {
    const { protocolVersion, heartbeatIntervalMs, heartbeatMissesMax } = message.welcome
    checkVersion(protocolVersion, 'the membership protocol')
    return {
      type: 'welcome',
      heartbeatIntervalMs: integer(heartbeatIntervalMs, 'welcome.heartbeat_interval_ms', 1, HEARTBEAT_INTERVAL_MS_MAX),
      heartbeatMissesMax: integer(heartbeatMissesMax, 'welcome.heartbeat_misses_max', 1, HEARTBEAT_MISSES_MAX)
    }
  }
  throw violation('a message of a coordinator has no body that this version knows')
}

function assignFromWire(wired: resultity.membership.v1.Assign.$Properties): Assign {
  const manifestBytes = integer64(wired.manifestBytes, 'assign.manifest_bytes')
  const previousPeer = text(wired.previousPeer, 'assign.previous_peer', ID_CHARACTERS_MAX)
  if (wired.activationType) {
    throw violation(`assign.activation_type is ${wired.activationType}, which this version does not know`)
  }
  return {
    type: 'assign',
    placementId: text(wired.placementId, 'assign.placement_id', ID_CHARACTERS_MAX, 1),
    model: text(wired.model, 'assign.model', NAME_CHARACTERS_MAX),
    manifestSha256: sha256FromWire(wired.manifestSha256, 'assign.manifest_sha256'),
    manifestBytes: integer(manifestBytes, 'assign.manifest_bytes', 1, MANIFEST_BYTES_MAX),
    range: layerRange(wired.first, wired.end),
    contextLength: integer(wired.contextLength, 'assign.context_length', 1, CONTEXT_LENGTH_MAX),
    sessionsMax: integer(wired.sessionsMax, 'assign.sessions_max', 1, SESSIONS_MAX),
    sources: list(wired.sources, 'assign.sources', SOURCES_MAX).map(source => peerFromWire(source, 'source')),
    activationType: 'f32',
    ...(wired.next ? { next: peerFromWire(wired.next, 'next') } : {}),
    ...(previousPeer === '' ? {} : { previousPeer }),
    ...contentsFromWire(wired.contents, 'assign.contents')
  }
}

/** A peer and where it is: both messages have the same fields. */
function peerFromWire(
  wired: resultity.membership.v1.BlobSource.$Properties | resultity.membership.v1.NextStage.$Properties,
  field: string
): BlobSource {
  const multiaddrs = list(wired.multiaddrs, `${field}.multiaddrs`, MULTIADDRS_MAX)
  return {
    peerId: text(wired.peerId, `${field}.peer_id`, ID_CHARACTERS_MAX, 1),
    multiaddrs: multiaddrs.map(multiaddr => text(multiaddr, `${field}.multiaddr`, MULTIADDR_CHARACTERS_MAX))
  }
}
