import { GREEDY } from '@resultity/interface'
import {
  createMemoryHost,
  identityFromSeed,
  type MemoryHost,
  SimulatedNetwork,
  VirtualScheduler
} from '@resultity/test-mesh'
import { FrameStream, STAGE_PROTOCOL, type StageFrame, stageCodec } from '@resultity/wire'
import type { RouteSessionComponents, RouteSessionInit, RouteSessionLimits } from '../../src/route-session-init.ts'

export const LIMITS: RouteSessionLimits = {
  sessionOpenMs: 10_000,
  firstTokenMs: 60_000,
  promptTokenMs: 100,
  nextTokenMs: 30_000,
  tellWithinMs: 0,
  sessionLeaseMs: 120_000,
  sessionCloseMs: 1000,
  lossGraceMs: 300,
  probeAnswerMs: 500
}

/** Three tokens for a prompt of three. */
export const ANSWER: Omit<RouteSessionInit, 'route' | 'session' | 'epoch' | 'committed'> = {
  prompt: [1, 2, 3],
  tokensMax: 3,
  prefillChunk: 8,
  endTokens: new Set(),
  tokensMin: 0,
  sampling: GREEDY,
  logprobs: false,
  topLogprobs: 0,
  vocabularySize: 64,
  promptLogprobs: false,
  workClass: 'interactive',
  watched: true
}

export type StageStream = FrameStream<StageFrame, StageFrame>

/** What a stage does with a frame of its coordinator. Made anew for each stream. */
export type StageScript = (stream: StageStream, host: MemoryHost) => (frame: StageFrame) => void

export interface ScriptedStages {
  readonly scheduler: VirtualScheduler
  /** In the order of their scripts. */
  readonly peerIds: readonly string[]
  /** Of the coordinator's sessions with them. */
  readonly components: RouteSessionComponents
}

/** A coordinator and stages that follow scripts, in virtual time. */
export async function stagesByScript(scripts: readonly StageScript[]): Promise<ScriptedStages> {
  const scheduler = new VirtualScheduler({ seed: 1 })
  const network = new SimulatedNetwork({ latencyMs: () => 5, deadAfterMs: 49_000 })
  const start = async (number: number): Promise<MemoryHost> =>
    createMemoryHost(network, {
      privateKey: await identityFromSeed(new Uint8Array(32).fill(number)),
      listen: [`/ip4/10.0.0.${number}/tcp/4701`],
      agent: 'resultity-node/test',
      scheduler: scheduler.process()
    })
  const coordinator = await start(1)
  const hosts = await Promise.all(scripts.map((_, index) => start(index + 2)))
  for (const [index, script] of scripts.entries()) await serve(hosts[index] ?? coordinator, script)
  return {
    scheduler,
    peerIds: hosts.map(({ peerId }) => peerId),
    components: {
      opener: coordinator,
      scheduler: coordinator.scheduler,
      addressOf: peerId => ({ peerId, multiaddrs: hosts.find(host => host.peerId === peerId)?.multiaddrs() ?? [] }),
      onNodeLeft: () => () => {},
      suspect: () => false,
      suspectLink: () => false
    }
  }
}

async function serve(host: MemoryHost, script: StageScript): Promise<void> {
  const accept = (stream: ConstructorParameters<typeof FrameStream>[0]): void => {
    let take: (frame: StageFrame) => void = () => {}
    const frames: StageStream = new FrameStream<StageFrame, StageFrame>(
      stream,
      stageCodec,
      { onFrame: frame => take(frame), onEnd: () => {} },
      { frameBytesMax: 1 << 20, scheduler: host.scheduler }
    )
    take = script(frames, host)
  }
  await host.handle(STAGE_PROTOCOL, accept, { inboundStreamsMax: 8 })
}
