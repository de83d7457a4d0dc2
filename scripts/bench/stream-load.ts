import { Agent, type IncomingMessage, request } from 'node:http'
import { setTimeout } from 'node:timers/promises'

export interface StreamLoadInit {
  readonly body: string
  /** Streams open at once; one that ends is begun anew. */
  readonly streams: number
  /** Measured, once all are open. */
  readonly seconds: number
  /** Called every second of them. */
  onTick(): Promise<void>
}

export interface StreamLoad {
  /** Milliseconds from the making of each event to its arrival. */
  readonly delays: readonly number[]
  /** Streams that had begun when the measurement did. */
  readonly open: number
  readonly measuredSeconds: number
  readonly failed: number
}

/** Opened at once, the connections would only measure the queue of the listening socket. */
const OPENED_PER_TICK = 100
const TICK_MS = 50

/** Longest wait for the last of them to begin. */
const BEGIN_MS_MAX = 60_000

/** Opens many streams over connections of their own and reads the time stamps in what they send. */
export async function readStreams(url: string, init: StreamLoadInit): Promise<StreamLoad> {
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })
  const delays: number[] = []
  let measuring = false
  let stopped = false
  let failed = 0
  const begun = new Set<number>()
  const onPiece = (piece: string): void => {
    if (!measuring) return
    const now = performance.timeOrigin + performance.now()
    for (let at = piece.indexOf('"@'); at >= 0; at = piece.indexOf('"@', at + 2)) {
      delays.push(now - Number(piece.slice(at + 2, piece.indexOf(' ', at))))
    }
  }
  const open = (stream: number): void => {
    const post = request(`${url}/v1/chat/completions`, { method: 'POST', agent }, response => {
      if (response.statusCode !== 200) failed++
      response.once('data', () => begun.add(stream))
      read(response, onPiece, () => {
        if (!stopped) open(stream)
      })
    })
    post.on('error', () => {
      if (!stopped) failed++
    })
    post.end(init.body)
  }
  for (let count = 0; count < init.streams; count++) {
    open(count)
    if (count % OPENED_PER_TICK === OPENED_PER_TICK - 1) await setTimeout(TICK_MS)
  }
  const givenUpAt = performance.now() + BEGIN_MS_MAX
  while (begun.size < init.streams && performance.now() < givenUpAt) await setTimeout(100)
  const opened = begun.size
  measuring = true
  const startedMs = performance.now()
  for (let second = 0; second < init.seconds; second++) {
    await setTimeout(1000)
    await init.onTick()
  }
  const measuredSeconds = (performance.now() - startedMs) / 1000
  stopped = true
  agent.destroy()
  return { delays, open: opened, measuredSeconds, failed }
}

function read(response: IncomingMessage, onPiece: (piece: string) => void, onEnd: () => void): void {
  response.setEncoding('latin1')
  response.on('data', onPiece)
  response.on('end', onEnd)
  // a stream that is cut short counts where the request failed
  response.on('error', () => {})
}
