import { MeshError } from '@resultity/interface'
import {
  type BlobRequest,
  type BlobResponse,
  blobRequestCodec,
  blobResponseCodec,
  type CoordinatorMessage,
  type FrameCodec,
  floatsToHidden,
  type JobEvent,
  type JobRequest,
  jobEventCodec,
  jobRequestCodec,
  membershipCoordinatorCodec,
  membershipNodeCodec,
  type NodeMessage,
  type OpenSession,
  type StageFrame,
  stageCodec
} from '../src/index.ts'

const session = Uint8Array.from({ length: 16 }, (_, index) => 0xf0 + index)
const sha256 = '00'.repeat(15) + 'ab'.repeat(17)
const error = new MeshError('node_lost', 'node A died', { hint: 'Try again.' })

/** On a route of one stage, with nothing that may be left out. */
const opened: OpenSession = {
  type: 'open',
  session,
  epoch: 0,
  placementId: 'p-1',
  range: { first: 0, end: 1 },
  next: undefined,
  previousPeer: '',
  promptCount: 1,
  tokensMax: 1,
  prefillChunk: 1,
  endTokens: [],
  sampling: { temperature: 0, topP: 1, seed: 0n },
  leaseMs: 1,
  logprobs: false,
  topLogprobs: 0
}

/** One frame of every kind, and of every shape that encodes differently. */
const stageFrames: Record<string, StageFrame> = {
  open: {
    type: 'open',
    session,
    epoch: 3,
    placementId: 'p-1',
    range: { first: 0, end: 12 },
    next: { peerId: '12D3KooWNext', multiaddrs: ['/ip4/10.0.0.2/tcp/4701'] },
    previousPeer: '12D3KooWPrevious',
    promptCount: 40,
    tokensMax: 64,
    prefillChunk: 32,
    endTokens: [0, 2, 32_000],
    sampling: { temperature: 0.75, topP: 0.9, seed: 0xfedc_ba98_7654_3211n },
    leaseMs: 60_000,
    logprobs: true,
    topLogprobs: 5
  },
  'open, one stage': opened,
  'open, that may not end at once': { ...opened, endTokens: [2], tokensMin: 8 },
  'open, of a second attempt': { ...opened, fence: { key: new Uint8Array(16).fill(7), term: 2 } },
  'open, with what may be kept': { ...opened, prefix: { blocks: ['00'.repeat(16), 'f7'.repeat(16)], afresh: false } },
  'open, with nothing that was kept': { ...opened, prefix: { blocks: ['a5'.repeat(16)], afresh: true } },
  'open, all of sampling': {
    ...opened,
    sampling: {
      temperature: 1,
      topP: 1,
      seed: 1n,
      topK: 40,
      minP: 0.0625,
      frequencyPenalty: -0.5,
      presencePenalty: 1.5,
      repetitionPenalty: 1.25,
      logitBias: [
        { token: 7, bias: -100 },
        { token: 49_151, bias: 2.5 }
      ]
    },
    promptTokens: [1, 300],
    promptLogprobs: true
  },
  'open, for a batch': { ...opened, workClass: 'batch' },
  'open, watched by nobody': { ...opened, tellWithinMs: 250 },
  'open, in place of another route': { ...opened, committed: [0, 300] },
  'open, held to an object': { ...opened, constraint: { type: 'json_object' } },
  'open, held to a schema': { ...opened, constraint: { type: 'json_schema', schema: '{"type":"null"}' } },
  'open, held to a pattern': { ...opened, constraint: { type: 'regex', pattern: '[a-c]+' } },
  'open, held to a choice': { ...opened, constraint: { type: 'choice', texts: ['yes', 'no'] } },
  'open, held to a grammar': { ...opened, constraint: { type: 'gbnf', grammar: 'root ::= "a"' } },
  'open, held to calls': {
    ...opened,
    constraint: {
      type: 'tool_calls',
      parallel: true,
      functions: [
        { name: 'now', parameters: '{}' },
        { name: 'add', parameters: '{"type":"object"}' }
      ]
    }
  },
  'open, held to calls in a form': {
    ...opened,
    constraint: {
      type: 'tool_calls',
      parallel: true,
      functions: [{ name: 'now', parameters: '{}' }],
      form: {
        begin: ['[TOOL_CALLS]', '['],
        beforeName: ['{'],
        quotedName: true,
        beforeArguments: [':'],
        afterArguments: ['}'],
        between: [','],
        end: [']']
      }
    }
  },
  'open, held to calls in another notation': {
    ...opened,
    constraint: {
      type: 'tool_calls',
      parallel: false,
      functions: [{ name: 'now', parameters: '{}' }],
      form: {
        begin: ['['],
        beforeName: [],
        quotedName: false,
        beforeArguments: ['('],
        notation: 'python',
        afterArguments: [')'],
        end: [']']
      }
    }
  },
  'open, held to what follows reasoning': {
    ...opened,
    constraint: {
      type: 'preceded',
      preludes: [
        [],
        [
          { type: 'literal', text: '<think>' },
          { type: 'until', text: '</think>' }
        ]
      ],
      answer: { type: 'json_object' }
    }
  },
  'open, held to one of several': {
    ...opened,
    constraint: { type: 'any_of', options: [{ type: 'json_object' }, { type: 'json_schema', schema: '{}' }] }
  },
  opened: { type: 'opened', session, epoch: 1 },
  'opened, where something was kept': { type: 'opened', session, epoch: 1, kept: 128 },
  join: { type: 'join', session, epoch: 300 },
  prompt: { type: 'prompt', session, epoch: 1, tokens: [0, 127, 128, 49_151] },
  'prompt, of which something is kept': { type: 'prompt', session, epoch: 1, tokens: [1, 2, 3], kept: 2 },
  activations: {
    type: 'activations',
    session,
    epoch: 1,
    position: 1000,
    count: 2,
    hidden: floatsToHidden(Float32Array.of(1, -2.5, 3e38, 0))
  },
  next: { type: 'next', session, epoch: 1, position: 0, token: 0xffff_ffff },
  replayed: { type: 'replayed', session, epoch: 2, position: 41, exact: true },
  'replayed otherwise': { type: 'replayed', session, epoch: 2, position: 41, exact: false },
  probe: { type: 'probe', session, epoch: 1, nonce: 0 },
  probe_ack: { type: 'probe_ack', session, epoch: 1, nonce: 300 },
  hop_ack: { type: 'hop_ack', session, epoch: 1, position: 1000 },
  link_fault: { type: 'link_fault', session, epoch: 2, peerId: '12D3KooWA', silentMs: 1250 },
  'fault, of the stage before': {
    type: 'fault',
    session,
    epoch: 1,
    error,
    blamedPeer: '12D3KooWPrevious'
  },
  try_hop: { type: 'try_hop', placementId: 'p-1' },
  hop_tried: { type: 'hop_tried', placementId: 'p-1' },
  'link_fault, broken': { type: 'link_fault', session, epoch: 2, peerId: '12D3KooWA', silentMs: 0 },
  sampled: {
    type: 'sampled',
    session,
    epoch: 1,
    position: 41,
    token: 17,
    finish: 'continues',
    logprob: 0,
    top: []
  },
  'sampled, with logprobs': {
    type: 'sampled',
    session,
    epoch: 1,
    position: 41,
    token: 17,
    finish: 'end_token',
    logprob: -0.5,
    top: [
      { token: 17, logprob: -0.5 },
      { token: 0, logprob: -1.25 }
    ]
  },
  scores: {
    type: 'scores',
    session,
    epoch: 1,
    position: 1,
    scores: [
      { logprob: -0.25, top: [] },
      { logprob: -2, top: [{ token: 5, logprob: -0.125 }] }
    ]
  },
  close: { type: 'close', session, reason: 'done' },
  'close, and keep': { type: 'close', session, reason: 'done', keep: true },
  fault: { type: 'fault', session, epoch: 2, error }
}

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
