import { MeshError } from '@resultity/interface'
import { floatsToHidden, type OpenSession, type StageFrame } from '../src/index.ts'

const session = Uint8Array.from({ length: 16 }, (_, index) => 0xf0 + index)
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
export const stageFrames: Record<string, StageFrame> = {
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
  'open, whose cache may be kept': { ...opened, parks: true },
  'open, with what was parked': { ...opened, epoch: 2, committed: [0, 300], parks: true, keepPositions: 41 },
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
  'opened, with what was parked': { type: 'opened', session, epoch: 2, resumes: { held: 300, loggedFrom: 128 } },
  'opened, where nothing was parked': { type: 'opened', session, epoch: 2, resumes: { held: 0, loggedFrom: 0 } },
  resume: { type: 'resume', session, epoch: 2, begin: 300, sendFrom: 0 },
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
  'close, and park': { type: 'close', session, reason: 'lost', park: true },
  'close, and keep': { type: 'close', session, reason: 'done', keep: true },
  fault: { type: 'fault', session, epoch: 2, error }
}
