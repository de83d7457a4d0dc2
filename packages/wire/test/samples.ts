import { MeshError } from '@resultity/interface'
import {
  type BlobRequest,
  type BlobResponse,
  blobRequestCodec,
  blobResponseCodec,
  type CoordinatorMessage,
  type FrameCodec,
  type JobEvent,
  type JobRequest,
  jobEventCodec,
  jobRequestCodec,
  membershipCoordinatorCodec,
  membershipNodeCodec,
  type NodeMessage,
  stageCodec
} from '../src/index.ts'
import { stageFrames } from './stage-samples.ts'

const sha256 = '00'.repeat(15) + 'ab'.repeat(17)
const error = new MeshError('node_lost', 'node A died', { hint: 'Try again.' })

const nothingMeasured = {
  bytesDone: 0,
  bytesTotal: 0,
  decodeMsPerLayer: 0,
  prefillMsPerPositionLayer: 0,
  fixedDecodeMs: 0,
  memoryBytes: 0,
  selfTestSha256: ''
}

const nodeMessages: Record<string, NodeMessage> = {
  hello: { type: 'hello', advert: Uint8Array.of(1, 2, 3) },
  heartbeat: { type: 'heartbeat', sequence: 2 ** 40, advert: undefined },
  'heartbeat, with advert': { type: 'heartbeat', sequence: 0, advert: Uint8Array.of(9) },
  'assignment, ready': {
    type: 'assignment',
    placementId: 'p-1',
    state: 'ready',
    bytesDone: 2 ** 33,
    bytesTotal: 2 ** 33,
    decodeMsPerLayer: 0.25,
    prefillMsPerPositionLayer: 0.125,
    fixedDecodeMs: 1.5,
    memoryBytes: 3_000_000_000,
    selfTestSha256: 'ab'.repeat(32),
    error: undefined
  },
  'assignment, ready with contents': {
    type: 'assignment',
    placementId: 'p-1',
    state: 'ready',
    ...nothingMeasured,
    error: undefined,
    contents: [
      { file: 'cd'.repeat(32), sha256, verified: true },
      { file: 'ef'.repeat(32), sha256, verified: false }
    ]
  },
  'assignment, failed': {
    type: 'assignment',
    placementId: 'p-1',
    state: 'failed',
    ...nothingMeasured,
    error
  },
  'assignment, next stage not reached': {
    type: 'assignment',
    placementId: 'p-1',
    state: 'linking',
    ...nothingMeasured,
    error,
    unreachedPeer: '12D3KooWNext'
  },
  goodbye: { type: 'goodbye', reason: 'stopping' }
}

const coordinatorMessages: Record<string, CoordinatorMessage> = {
  welcome: { type: 'welcome', heartbeatIntervalMs: 1000, heartbeatMissesMax: 3 },
  refused: { type: 'refused', error },
  assign: {
    type: 'assign',
    placementId: 'p-1',
    model: 'smollm2-135m',
    manifestSha256: sha256,
    manifestBytes: 123_456,
    range: { first: 10, end: 20 },
    contextLength: 2048,
    sessionsMax: 4,
    sources: [{ peerId: '12D3KooWSource', multiaddrs: ['/ip4/10.0.0.3/tcp/1', '/ip4/10.0.0.3/tcp/2'] }],
    activationType: 'f32'
  },
  'assign, of several stages': {
    type: 'assign',
    placementId: 'p-1',
    model: 'smollm2-135m',
    manifestSha256: sha256,
    manifestBytes: 123_456,
    range: { first: 10, end: 20 },
    contextLength: 2048,
    sessionsMax: 4,
    sources: [],
    activationType: 'f32',
    next: { peerId: '12D3KooWNext', multiaddrs: ['/ip4/10.0.0.3/tcp/1'] },
    previousPeer: '12D3KooWPrevious'
  },
  'assign, with contents': {
    type: 'assign',
    placementId: 'p-1',
    model: 'org/large',
    manifestSha256: sha256,
    manifestBytes: 123_456,
    range: { first: 10, end: 20 },
    contextLength: 2048,
    sessionsMax: 4,
    sources: [],
    activationType: 'f32',
    contents: [{ file: 'cd'.repeat(32), sha256, verified: false }]
  },
  release: { type: 'release', placementId: 'p-1', reason: 'moved' },
  'heartbeat ack': { type: 'heartbeat_ack', sequence: 7 },
  'heartbeat ack, with members': { type: 'heartbeat_ack', sequence: 7, members: ['12D3KooWMember', '12D3KooWOther'] }
}

const jobRequests: Record<string, JobRequest> = {
  request: {
    jobId: 'job-1',
    attempt: 2,
    endpoint: '/v1/embeddings',
    model: 'mini',
    manifestSha256: sha256,
    body: Buffer.from('{"input":"a"}'),
    deadlineMs: 5000
  },
  'request, for a batch': {
    jobId: 'job-1',
    attempt: 2,
    endpoint: '/v1/embeddings',
    model: 'mini',
    manifestSha256: sha256,
    body: Buffer.from('{}'),
    deadlineMs: 5000,
    workClass: 'batch'
  }
}

const jobEvents: Record<string, JobEvent> = {
  started: { type: 'started', sequence: 0 },
  chunk: { type: 'chunk', sequence: 1, chunk: Buffer.from('part') },
  result: { type: 'result', sequence: 2, result: Buffer.from('{}') },
  'job error': { type: 'error', sequence: 3, error }
}

const blobRequests: Record<string, BlobRequest> = {
  'blob request': { sha256, offset: 2 ** 35 + 1 },
  'blob request, from the start': { sha256, offset: 0 }
}

const blobResponses: Record<string, BlobResponse> = {
  header: { type: 'header', totalBytes: 2 ** 35 + 300 },
  'blob chunk': { type: 'chunk', chunk: Buffer.alloc(300, 7) },
  'blob error': { type: 'error', error }
}

/** A message with the codec that writes it and the one that reads it, types erased. */
export interface Sample {
  readonly name: string
  readonly encode: () => Uint8Array
  readonly decode: (bytes: Uint8Array) => unknown
  readonly message: unknown
}

function samplesOf<Message>(
  writer: Pick<FrameCodec<Message, unknown>, 'encode'>,
  reader: Pick<FrameCodec<unknown, Message>, 'decode'>,
  messages: Record<string, Message>
): Sample[] {
  return Object.entries(messages).map(([name, message]) => ({
    name,
    message,
    encode: () => joined(writer.encode(message)),
    decode: bytes => reader.decode(bytes)
  }))
}

export function joined(parts: Uint8Array | Uint8Array[]): Uint8Array {
  return Array.isArray(parts) ? Buffer.concat(parts) : parts
}

export const samples: readonly Sample[] = [
  ...samplesOf(stageCodec, stageCodec, stageFrames),
  ...samplesOf(membershipNodeCodec, membershipCoordinatorCodec, nodeMessages),
  ...samplesOf(membershipCoordinatorCodec, membershipNodeCodec, coordinatorMessages),
  ...samplesOf(jobRequestCodec, jobEventCodec, jobRequests),
  ...samplesOf(jobEventCodec, jobRequestCodec, jobEvents),
  ...samplesOf(blobRequestCodec, blobResponseCodec, blobRequests),
  ...samplesOf(blobResponseCodec, blobRequestCodec, blobResponses)
]
