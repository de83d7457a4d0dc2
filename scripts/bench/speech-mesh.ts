import { setTimeout } from 'node:timers/promises'
import { MeshError } from '@resultity/interface'
import { residentBytes, type Swarm, startSwarm } from '@resultity/testkit'
import { z } from 'zod'
import { beginningOf, type Recording } from './speech-recording.ts'

/** What warms a mesh up: long enough that every node is asked. */
const WARM_UP_SECONDS = 120
const WARM_UPS_MAX = 10
const SAMPLE_MS = 500

const answerSchema = z.looseObject({ text: z.string() })

/** A recording as a mesh of so many nodes writes it down. */
export interface MeshTranscript {
  readonly nodes: number
  /** Whether one of them was killed midway. */
  readonly killed: boolean
  readonly seconds: number
  readonly text: string
}

/** Resident memory of one process over a recording. */
export interface MemoryStretch {
  readonly peakBytes: number
  /** When the answer was there. */
  readonly afterBytes: number
}

/** Memory over one recording of several, one after the other. */
export interface MemoryRow {
  /** Minutes of sound that were heard, this recording among them. */
  readonly minutes: number
  readonly coordinator: MemoryStretch
  /** The node that takes most. */
  readonly node: MemoryStretch
}

export interface SpeechSwarmInit {
  readonly nodes: number
  /** `file:` references. */
  readonly models: readonly string[]
  /** Of each node. */
  readonly threads: number
  /** The coordinator's directory, kept so that models are imported once. */
  readonly coordinatorData: string
}

/** A coordinator and nodes as processes; each node may serve each of the models whole. */
export async function startSpeechSwarm(init: SpeechSwarmInit): Promise<Swarm> {
  return await startSwarm({ ...init, stages: 'auto' })
}

/** Has recordings heard until all nodes serve the model, which they do once there is work for them. */
export async function warmUp(swarm: Swarm, recording: Recording): Promise<void> {
  const short = beginningOf(recording, WARM_UP_SECONDS)
  for (let run = 1; run <= WARM_UPS_MAX; run++) {
    await transcribe(swarm.url, short)
    const placements = await swarm.api.placements()
    const serving = new Set(placements.filter(one => one.state === 'ready').map(one => one.stages[0]?.peerId))
    if (serving.size >= swarm.nodes.length) return
  }
  throw new MeshError('internal', `${swarm.nodes.length} nodes were not all asked to hear`)
}

/** @throws MeshError `internal` with the answer of a mesh that wrote nothing down */
export async function transcribe(url: string, { file }: Recording): Promise<{ seconds: number; text: string }> {
  const form = new FormData()
  form.append('file', new Blob([file]), 'recording.wav')
  // what is written again, because the model was unsure, is drawn from this
  form.append('seed', '7')
  const begun = performance.now()
  const response = await fetch(`${url}/v1/audio/transcriptions`, { method: 'POST', body: form })
  const body = await response.text()
  if (response.status !== 200) throw new MeshError('internal', `the mesh heard nothing: ${response.status} ${body}`)
  return { seconds: (performance.now() - begun) / 1000, text: answerSchema.parse(JSON.parse(body)).text }
}

/**
 * Kills a node while the recording is heard.
 *
 * @param afterSeconds when: half of what it takes without that
 * @throws MeshError `internal` when all was heard before
 */
export async function transcribeKilling(
  swarm: Swarm,
  recording: Recording,
  afterSeconds: number
): Promise<{ seconds: number; text: string }> {
  let done = false
  const heard = transcribe(swarm.url, recording).finally(() => {
    done = true
  })
  // who waits for it comes below
  heard.catch(() => undefined)
  await setTimeout(1000 * afterSeconds)
  if (done) throw new MeshError('internal', 'all was heard before a node could be killed')
  await swarm.nodes.at(-1)?.kill('SIGKILL')
  return await heard
}

/** Hears the recording `times` times and watches what the processes take meanwhile. */
export async function watchMemory(
  swarm: Swarm,
  recording: Recording,
  times: number,
  log: (line: string) => void
): Promise<MemoryRow[]> {
  const rows: MemoryRow[] = []
  for (let time = 1; time <= times; time++) {
    const pids = [swarm.coordinator.pid, ...swarm.nodes.map(({ pid }) => pid)]
    const peaks = pids.map(() => 0)
    const heard = new AbortController()
    const watching = watch(pids, peaks, heard.signal)
    try {
      await transcribe(swarm.url, recording)
    } finally {
      heard.abort()
      await watching
    }
    const after = await Promise.all(pids.map(residentBytes))
    const [coordinator, ...nodes] = pids.map((_, at) => ({ peakBytes: peaks[at] ?? 0, afterBytes: after[at] ?? 0 }))
    const node = nodes.toSorted((a, b) => b.peakBytes - a.peakBytes)[0]
    if (coordinator === undefined || node === undefined) throw new MeshError('internal', 'the swarm has no nodes')
    rows.push({ minutes: (time * recording.seconds) / 60, coordinator, node })
    log(`${(time * recording.seconds) / 60} minutes heard`)
  }
  return rows
}

async function watch(pids: readonly number[], peaks: number[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const [at, bytes] of (await Promise.all(pids.map(residentBytes))).entries()) {
      peaks[at] = Math.max(peaks[at] ?? 0, bytes)
    }
    await setTimeout(SAMPLE_MS, undefined, { signal }).catch(() => undefined)
  }
}
