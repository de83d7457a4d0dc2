import { resultity } from '#gen'
import {
  checkVersion,
  integer,
  layerRange,
  list,
  logprob,
  sessionId,
  text,
  workClassFromWire,
  workClassToWire
} from './field-checks.ts'
import { decodeGenerated, encodeGenerated, type FrameCodec, violation } from './frame-codec.ts'
import { prefixFromWire, prefixToWire } from './prompt-prefix.ts'
import { PROTOCOL_VERSION } from './protocols.ts'
import { constraintFromWire, constraintToWire, samplingFromWire, samplingToWire } from './stage-answer.ts'
import { decodeHotFrame, type HotFields } from './stage-hot-decode.ts'
import { encodeActivations, encodeNextToken, encodeSampled } from './stage-hot-frames.ts'
import {
  type Activations,
  type Finish,
  type Hop,
  type HopAck,
  type LinkFault,
  type NextToken,
  NO_SESSION,
  type OpenSession,
  type Piece,
  type Prompt,
  type PromptScores,
  type Replayed,
  type Resume,
  type Sampled,
  type SessionOpened,
  type StageFrame,
  type TokenLogprob
} from './stage-messages.ts'
import { errorFromWire, errorToWire } from './wire-error.ts'

const wire = resultity.stage.v1
type WireFrame = resultity.stage.v1.StageFrame.$Properties

/** Above the longest context a manifest may name (16 Mi positions). */
const POSITION_MAX = 0x7fff_ffff
const PREFILL_CHUNK_MAX = 65_536
const END_TOKENS_MAX = 64
const TOP_LOGPROBS_MAX = 20
const LEASE_MS_MAX = 24 * 60 * 60 * 1000
const TELL_WITHIN_MS_MAX = 60_000
const ID_CHARACTERS_MAX = 128
const MULTIADDRS_MAX = 16
const MULTIADDR_CHARACTERS_MAX = 512
const REASON_CHARACTERS_MAX = 512
const NO_FENCE = new Uint8Array()
const BYTES_PER_FLOAT = Float32Array.BYTES_PER_ELEMENT

const finishes: readonly Finish[] = ['continues', 'end_token', 'tokens_max']

/** Both sides of {@link STAGE_PROTOCOL}. */
export const stageCodec: FrameCodec<StageFrame, StageFrame> = {
  encode(frame, headroom = 0) {
    if (frame.type === 'activations') return encodeActivations(frame, headroom)
    if (frame.type === 'next') return encodeNextToken(frame, headroom)
    if (frame.type === 'sampled' && frame.top.length === 0) return encodeSampled(frame, headroom)
    return encodeGenerated(wire.StageFrame, stageFrameToWire(frame), headroom)
  },
  decode(bytes) {
    const hot = decodeHotFrame(bytes)
    return hot === undefined ? fromWire(decodeGenerated(wire.StageFrame, bytes, 'stage')) : fromHot(hot)
  },
  fault: error => ({ type: 'fault', session: NO_SESSION, epoch: 0, error })
}

/** The message as the generated code wants it. Exported for the test that compares the hand-written encoders with it. */
export function stageFrameToWire(frame: StageFrame): WireFrame {
  switch (frame.type) {
    case 'open':
      return { open: openToWire(frame) }
    case 'opened':
      return { opened: openedToWire(frame) }
    case 'join':
      return { join: { protocolVersion: PROTOCOL_VERSION, session: frame.session, epoch: frame.epoch } }
    case 'prompt':
      return {
        prompt: { session: frame.session, epoch: frame.epoch, tokens: [...frame.tokens], kept: frame.kept ?? 0 }
      }
    case 'piece':
      return { piece: frame }
    case 'activations':
      return { activations: frame }
    case 'next':
      return { next: frame }
    case 'sampled':
      return { sampled: { ...frame, finish: finishes.indexOf(frame.finish), top: [...frame.top] } }
    case 'scores':
      return { scores: { ...frame, scores: frame.scores.map(score => ({ ...score, top: [...score.top] })) } }
    case 'replayed':
      return { replayed: frame }
    case 'probe':
      return { probe: frame }
    case 'probe_ack':
      return { probeAck: frame }
    case 'hop_ack':
      return { hopAck: frame }
    case 'link_fault':
      return { linkFault: frame }
    case 'try_hop':
      return { tryHop: { protocolVersion: PROTOCOL_VERSION, placementId: frame.placementId } }
    case 'hop_tried':
      return { hopTried: frame }
    case 'resume':
      return { resume: frame }
    case 'close':
      return { close: { ...frame, keep: frame.keep ?? false, park: frame.park ?? false } }
    case 'fault':
      return {
        fault: {
          session: frame.session,
          epoch: frame.epoch,
          error: errorToWire(frame.error),
          blamedPeer: frame.blamedPeer ?? ''
        }
      }
  }
}

function openedToWire({ session, epoch, kept = 0, resumes }: SessionOpened) {
  return { session, epoch, kept, ...(resumes === undefined ? {} : { resumes: true, ...resumes }) }
}

function openToWire(open: OpenSession): resultity.stage.v1.OpenSession.$Properties {
  const { range, next, sampling, endTokens, constraint, promptTokens = [], committed = [], ...others } = open
  const { workClass, fence, prefix, ...rest } = others
  return {
    ...rest,
    protocolVersion: PROTOCOL_VERSION,
    first: range.first,
    end: range.end,
    next: next === undefined ? null : { peerId: next.peerId, multiaddrs: [...next.multiaddrs] },
    endTokens: [...endTokens],
    sampling: samplingToWire(sampling),
    constraint: constraint === undefined ? null : constraintToWire(constraint),
    promptTokens: [...promptTokens],
    committed: [...committed],
    workClass: workClassToWire(workClass),
    term: fence?.term ?? 0,
    fence: fence?.key ?? NO_FENCE,
    ...prefixToWire(prefix)
  }
}

/** The frames of every token pass the same checks, whichever decoder read them. */
function fromHot(fields: HotFields): StageFrame {
  if (fields.body === 'activations') return activationsFromWire(fields)
  return fields.body === 'next' ? nextFromWire(fields) : sampledFromWire(fields)
}

function fromWire(frame: WireFrame): StageFrame {
  if (frame.activations) return activationsFromWire(frame.activations)
  if (frame.next) return nextFromWire(frame.next)
  if (frame.sampled) return sampledFromWire(frame.sampled)
  if (frame.scores) return scoresFromWire(frame.scores)
  if (frame.replayed) return replayedFromWire(frame.replayed)
  if (frame.probe) return { type: 'probe', ...probeFromWire(frame.probe) }
  if (frame.probeAck) return { type: 'probe_ack', ...probeFromWire(frame.probeAck) }
  if (frame.hopAck) return hopAckFromWire(frame.hopAck)
  if (frame.linkFault) return linkFaultFromWire(frame.linkFault)
  if (frame.prompt) return promptFromWire(frame.prompt)
  if (frame.piece) return pieceFromWire(frame.piece)
  if (frame.open) return openFromWire(frame.open)
  if (frame.opened) {
    const { session, epoch, kept } = frame.opened
    return { type: 'opened', ...ofSession(session, epoch), ...keptFromWire(kept), ...heldFromWire(frame.opened) }
  }
  if (frame.join) {
    checkVersion(frame.join.protocolVersion, 'the stage protocol')
    return { type: 'join', ...ofSession(frame.join.session, frame.join.epoch) }
  }
  if (frame.tryHop) {
    checkVersion(frame.tryHop.protocolVersion, 'the stage protocol')
    return { type: 'try_hop', placementId: placementIdFromWire(frame.tryHop.placementId, 'try_hop') }
  }
  if (frame.hopTried) {
    return { type: 'hop_tried', placementId: placementIdFromWire(frame.hopTried.placementId, 'hop_tried') }
  }
  if (frame.resume) return resumeFromWire(frame.resume)
  if (frame.close) {
    const reason = text(frame.close.reason, 'close.reason', REASON_CHARACTERS_MAX)
    const keep = frame.close.keep === true ? { keep: true } : {}
    const park = frame.close.park === true ? { park: true } : {}
    return { type: 'close', session: sessionId(frame.close.session), reason, ...keep, ...park }
  }
  if (frame.fault) {
    const { session, epoch, error } = frame.fault
    const blamedPeer = text(frame.fault.blamedPeer, 'fault.blamed_peer', ID_CHARACTERS_MAX)
    const fault = { type: 'fault' as const, ...ofSession(session, epoch), error: errorFromWire(error) }
    return blamedPeer === '' ? fault : { ...fault, blamedPeer }
  }
  throw violation('a stage frame has no body that this version knows')
}

function placementIdFromWire(placementId: string | null | undefined, message: string): string {
  return text(placementId, `${message}.placement_id`, ID_CHARACTERS_MAX, 1)
}

function ofSession(session: Uint8Array | null | undefined, epoch: number | null | undefined) {
  return { session: sessionId(session), epoch: epoch ?? 0 }
}

function at(position: number | null | undefined): number {
  return integer(position, 'position', 0, POSITION_MAX)
}

function activationsFromWire(wired: resultity.stage.v1.Activations.$Properties): Activations {
  const count = integer(wired.count, 'activations.count', 1, PREFILL_CHUNK_MAX)
  const hidden = wired.hidden
  if (!hidden || hidden.length === 0 || hidden.length % (count * BYTES_PER_FLOAT) !== 0) {
    throw violation(`${hidden?.length ?? 0} bytes of activations do not divide into ${count} positions of f32`)
  }
  return {
    type: 'activations',
    session: sessionId(wired.session),
    epoch: wired.epoch ?? 0,
    position: at(wired.position),
    count,
    hidden
  }
}

function nextFromWire({ session, epoch, position, token }: resultity.stage.v1.NextToken.$Properties): NextToken {
  return { type: 'next', ...ofSession(session, epoch), position: at(position), token: token ?? 0 }
}

function sampledFromWire(wired: resultity.stage.v1.Sampled.$Properties): Sampled {
  const finish = finishes[wired.finish ?? 0]
  if (finish === undefined) throw violation(`sampled.finish is ${wired.finish}, which this version does not know`)
  return {
    type: 'sampled',
    ...ofSession(wired.session, wired.epoch),
    position: at(wired.position),
    token: wired.token ?? 0,
    finish,
    logprob: logprob(wired.logprob, 'sampled.logprob'),
    top: topFromWire(wired.top, 'sampled.top')
  }
}

function topFromWire(wired: resultity.stage.v1.Sampled.$Properties['top'], field: string): TokenLogprob[] {
  const top = list(wired, field, TOP_LOGPROBS_MAX)
  return top.map(entry => ({ token: entry.token ?? 0, logprob: logprob(entry.logprob, `${field}.logprob`) }))
}

function scoresFromWire(wired: resultity.stage.v1.PromptScores.$Properties): PromptScores {
  const scores = list(wired.scores, 'scores.scores', PREFILL_CHUNK_MAX)
  return {
    type: 'scores',
    ...ofSession(wired.session, wired.epoch),
    position: integer(wired.position, 'scores.position', 1, POSITION_MAX),
    scores: scores.map(score => ({
      logprob: logprob(score.logprob, 'scores.logprob'),
      top: topFromWire(score.top, 'scores.top')
    }))
  }
}

function replayedFromWire(wired: resultity.stage.v1.Replayed.$Properties): Replayed {
  const { session, epoch, position, exact } = wired
  return { type: 'replayed', ...ofSession(session, epoch), position: at(position), exact: exact ?? false }
}

function probeFromWire({ session, epoch, nonce }: resultity.stage.v1.Probe.$Properties) {
  return { ...ofSession(session, epoch), nonce: nonce ?? 0 }
}

function hopAckFromWire({ session, epoch, position }: resultity.stage.v1.HopAck.$Properties): HopAck {
  return { type: 'hop_ack', ...ofSession(session, epoch), position: at(position) }
}

function linkFaultFromWire(wired: resultity.stage.v1.LinkFault.$Properties): LinkFault {
  return {
    type: 'link_fault',
    ...ofSession(wired.session, wired.epoch),
    peerId: text(wired.peerId, 'link_fault.peer_id', ID_CHARACTERS_MAX, 1),
    silentMs: wired.silentMs ?? 0
  }
}

function promptFromWire(wired: resultity.stage.v1.Prompt.$Properties): Prompt {
  const tokens = wired.tokens ?? []
  if (tokens.length === 0) throw violation('a prompt frame has no tokens')
  return { type: 'prompt', ...ofSession(wired.session, wired.epoch), tokens, ...keptFromWire(wired.kept) }
}

function pieceFromWire({ session, epoch, position, pixels }: resultity.stage.v1.Piece.$Properties): Piece {
  if (!pixels || pixels.length === 0) throw violation('a piece of a picture has no pixels')
  return { type: 'piece', ...ofSession(session, epoch), position: at(position), pixels }
}

function keptFromWire(kept: number | null | undefined): { readonly kept?: number } {
  return kept ? { kept: integer(kept, 'kept', 0, POSITION_MAX) } : {}
}

function heldFromWire(wired: resultity.stage.v1.SessionOpened.$Properties): Pick<SessionOpened, 'resumes'> {
  if (wired.resumes !== true) return {}
  const held = integer(wired.held, 'opened.held', 0, POSITION_MAX)
  return { resumes: { held, loggedFrom: integer(wired.loggedFrom, 'opened.logged_from', 0, held) } }
}

function resumeFromWire({ session, epoch, begin, sendFrom }: resultity.stage.v1.Resume.$Properties): Resume {
  return {
    type: 'resume',
    ...ofSession(session, epoch),
    begin: integer(begin, 'resume.begin', 0, POSITION_MAX),
    sendFrom: integer(sendFrom, 'resume.send_from', 0, POSITION_MAX)
  }
}

function openFromWire(wired: resultity.stage.v1.OpenSession.$Properties): OpenSession {
  checkVersion(wired.protocolVersion, 'the stage protocol')
  return {
    type: 'open',
    // kept for as long as the session lives, so not a view of the frame
    session: sessionId(wired.session).slice(),
    epoch: wired.epoch ?? 0,
    placementId: text(wired.placementId, 'open.placement_id', ID_CHARACTERS_MAX, 1),
    range: layerRange(wired.first, wired.end),
    next: wired.next ? hopFromWire(wired.next) : undefined,
    previousPeer: text(wired.previousPeer, 'open.previous_peer', ID_CHARACTERS_MAX),
    promptCount: integer(wired.promptCount, 'open.prompt_count', 1, POSITION_MAX),
    tokensMax: integer(wired.tokensMax, 'open.tokens_max', 1, POSITION_MAX),
    prefillChunk: integer(wired.prefillChunk, 'open.prefill_chunk', 1, PREFILL_CHUNK_MAX),
    endTokens: list(wired.endTokens, 'open.end_tokens', END_TOKENS_MAX),
    sampling: samplingFromWire(wired.sampling),
    leaseMs: integer(wired.leaseMs, 'open.lease_ms', 1, LEASE_MS_MAX),
    logprobs: wired.logprobs ?? false,
    topLogprobs: integer(wired.topLogprobs, 'open.top_logprobs', 0, TOP_LOGPROBS_MAX),
    ...optionalsFromWire(wired)
  }
}

/** Absent where nobody asked for them, so that an unused field costs no byte. */
function optionalsFromWire(
  wired: resultity.stage.v1.OpenSession.$Properties
): Pick<
  OpenSession,
  | 'constraint'
  | 'promptTokens'
  | 'promptLogprobs'
  | 'workClass'
  | 'tellWithinMs'
  | 'committed'
  | 'tokensMin'
  | 'fence'
  | 'prefix'
  | 'parks'
  | 'keepPositions'
> {
  const tellWithinMs = integer(wired.tellWithinMs, 'open.tell_within_ms', 0, TELL_WITHIN_MS_MAX)
  const tokensMin = integer(wired.tokensMin, 'open.tokens_min', 0, POSITION_MAX)
  const promptTokens = list(wired.promptTokens, 'open.prompt_tokens', POSITION_MAX)
  const committed = list(wired.committed, 'open.committed', POSITION_MAX)
  const keepPositions = integer(wired.keepPositions, 'open.keep_positions', 0, POSITION_MAX)
  return {
    ...(wired.constraint ? { constraint: constraintFromWire(wired.constraint) } : {}),
    ...(promptTokens.length > 0 ? { promptTokens } : {}),
    ...(wired.promptLogprobs === true ? { promptLogprobs: true } : {}),
    ...workClassFromWire(wired.workClass),
    ...(tellWithinMs > 0 ? { tellWithinMs } : {}),
    ...(committed.length > 0 ? { committed } : {}),
    ...(tokensMin > 0 ? { tokensMin } : {}),
    ...fenceFromWire(wired),
    ...prefixFromWire(wired),
    ...(wired.parks === true ? { parks: true } : {}),
    ...(keepPositions > 0 ? { keepPositions } : {})
  }
}

function fenceFromWire({ term, fence }: resultity.stage.v1.OpenSession.$Properties): Pick<OpenSession, 'fence'> {
  // kept while the session lives, so not a view of the frame
  return term ? { fence: { term, key: sessionId(fence).slice() } } : {}
}

function hopFromWire(wired: resultity.stage.v1.Hop.$Properties): Hop {
  const multiaddrs = list(wired.multiaddrs, 'hop.multiaddrs', MULTIADDRS_MAX)
  return {
    peerId: text(wired.peerId, 'hop.peer_id', ID_CHARACTERS_MAX, 1),
    multiaddrs: multiaddrs.map(multiaddr => text(multiaddr, 'hop.multiaddr', MULTIADDR_CHARACTERS_MAX))
  }
}
