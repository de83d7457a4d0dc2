import type { SeededRandom } from '@resultity/test-mesh'
import { FIRST_FRAME_BYTES_MAX, STAGE_FRAME_BYTES_MAX } from '@resultity/wire'
import { Attacker } from '../peers/attacker.ts'
import { BLOB, CLOSED, framed, JOB, MEMBERSHIP, STAGE } from '../peers/conversation.ts'
import { type Attack, type AttackGround, reachable, runningAttack } from './attack.ts'

const PIECE_BYTES = 256 * 1024
const HALVES = 40

export const halfFrames: Attack = {
  name: '40 halves of frames of 16 MiB at once',
  refusals: ['frame_too_large', CLOSED],
  must: ['frame_too_large'],
  pauseMs: 2_000,
  async begin({ ground, random, nextIp }) {
    const stranger = await Attacker.start({ ip: nextIp(), random })
    return runningAttack([stranger], async () => {
      const node = random.pick(reachable(ground))
      const half = (index: number): Promise<string> => {
        const bytes = pieces(STAGE_FRAME_BYTES_MAX - 1)
        return index % 2 === 0 ? stranger.tell(node, STAGE, { bytes }) : stranger.tell(node, JOB, { bytes })
      }
      return Promise.all(Array.from({ length: HALVES }, (_, index) => half(index)))
    })
  }
}

export const smallHalves: Attack = {
  name: 'halves of small frames on many streams',
  refusals: ['deadline_exceeded', 'resource_exhausted', CLOSED],
  must: ['deadline_exceeded', 'resource_exhausted'],
  pauseMs: 500,
  async begin({ ground, random, nextIp }) {
    const stranger = await Attacker.start({ ip: nextIp(), random })
    return runningAttack([stranger], () => {
      const node = random.pick(reachable(ground))
      const half = framed(FIRST_FRAME_BYTES_MAX - 1, new Uint8Array(FIRST_FRAME_BYTES_MAX / 2))
      const tell = (): Promise<string> => stranger.tell(node, STAGE, { bytes: [half] })
      return Promise.all(Array.from({ length: 32 }, tell))
    })
  }
}

export const silentStreams: Attack = {
  name: 'streams on which nothing comes, more than may be open',
  refusals: ['deadline_exceeded', CLOSED],
  must: ['deadline_exceeded', CLOSED],
  pauseMs: 500,
  async begin({ ground, random, nextIp }) {
    const stranger = await Attacker.start({ ip: nextIp(), random })
    return runningAttack([stranger], () => {
      const node = random.pick(reachable(ground))
      return Promise.all([
        ...Array.from({ length: 80 }, () => stranger.tell(node, JOB)),
        ...Array.from({ length: 40 }, () => stranger.tell(node, STAGE)),
        ...Array.from({ length: 8 }, () => stranger.tell(node, BLOB)),
        ...Array.from({ length: 8 }, () => stranger.tell(ground.coordinator, BLOB))
      ])
    })
  }
}

export const garbage: Attack = {
  name: 'any bytes on any protocol',
  refusals: ['protocol_violation', 'protocol_version', 'frame_too_large', 'peer_refused', 'session_unknown', CLOSED],
  must: ['protocol_violation', 'frame_too_large'],
  pauseMs: 1_000,
  async begin({ ground, random, nextIp }) {
    const stranger = await Attacker.start({ ip: nextIp(), random })
    return runningAttack([stranger], () => {
      const tells = Array.from({ length: 12 }, () => onAnyProtocol(stranger, random, ground))
      return Promise.all(tells.map(tell => tell([anyBytes(random)])))
    })
  }
}

export const strangersBlobs: Attack = {
  name: 'blobs asked for by a stranger',
  refusals: ['peer_refused', CLOSED],
  must: ['peer_refused'],
  pauseMs: 500,
  async begin({ ground, random, nextIp }) {
    const stranger = await Attacker.start({ ip: nextIp(), random })
    const ask = { frames: [{ sha256: ground.blobSha256, offset: 0 }] }
    return runningAttack([stranger], () =>
      Promise.all([...reachable(ground), ground.coordinator].map(target => stranger.tell(target, BLOB, ask)))
    )
  }
}

function* pieces(length: number): Generator<Uint8Array> {
  yield framed(length)
  const piece = new Uint8Array(PIECE_BYTES).fill(1)
  // all but the last of them: it stays a half
  for (let sent = piece.length; sent < length; sent += piece.length) yield piece
}

/** A frame of what is no message, a length that lies, or no frame at all. */
function anyBytes(random: SeededRandom): Uint8Array {
  const body = new Uint8Array(random.bytes(random.between(1, 3000)))
  switch (random.below(3)) {
    case 0:
      return framed(body.length, body)
    case 1:
      return framed(0xffff_ffff, body)
    default:
      return Buffer.concat([body, Buffer.alloc(4, 0xff), body])
  }
}

function onAnyProtocol(
  stranger: Attacker,
  random: SeededRandom,
  ground: AttackGround
): (bytes: readonly Uint8Array[]) => Promise<string> {
  const node = random.pick(reachable(ground))
  return random.pick<(bytes: readonly Uint8Array[]) => Promise<string>>([
    bytes => stranger.tell(node, STAGE, { bytes, open: false }),
    bytes => stranger.tell(node, JOB, { bytes, open: false }),
    bytes => stranger.tell(node, BLOB, { bytes, open: false }),
    bytes => stranger.tell(ground.coordinator, MEMBERSHIP, { bytes, open: false }),
    bytes => stranger.tell(ground.coordinator, BLOB, { bytes, open: false })
  ])
}
