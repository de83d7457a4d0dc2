import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import autocannon from 'autocannon'
import type { ApiServerInit, ApiServerReply } from './api-messages.ts'
import { percentile } from './percentile.ts'
import { readStreams } from './stream-load.ts'

export interface ApiBenchInit {
  /** As the coordinator's `--store`. */
  readonly store: string
  readonly seconds: number
  readonly connections: number
  readonly streams: number
  readonly log: (line: string) => void
}

export interface ApiReport {
  readonly store: string
  /** Chat completions that are not streamed, as many at once as `connections`. */
  readonly requests: {
    readonly perSecond: number
    readonly p50Ms: number
    readonly p99Ms: number
    readonly failed: number
  }
  /** The same, one at a time: what the coordinator adds to an answer. */
  readonly alone: { readonly p50Ms: number; readonly p99Ms: number }
  /** Streams held open at once, and how long an event was on its way from its making to its reader. */
  readonly streams: {
    readonly open: number
    readonly eventsPerSecond: number
    readonly p50Ms: number
    readonly p99Ms: number
    readonly failed: number
  }
  readonly residentBytes: { readonly idle: number; readonly streaming: number }
}

/** One event of a stream every so often. */
const EVENT_INTERVAL_MS = 200
const EVENTS_PER_STREAM = 100

const question = { model: 'tiny-chat', messages: [{ role: 'user', content: 'What is the capital of France?' }] }

/** Measures a coordinator whose answers cost nothing. Its clients run in this process. */
export async function benchApi(init: ApiBenchInit): Promise<ApiReport> {
  const dataDir = await mkdtemp(join(tmpdir(), 'resultity-bench-api-'))
  const server = await startServer({
    dataDir,
    store: init.store,
    eventIntervalMs: EVENT_INTERVAL_MS,
    eventsPerStream: EVENTS_PER_STREAM
  })
  try {
    await untilReady(server.url)
    init.log('warming up')
    await load(server.url, init.connections, 3)
    const idle = await server.residentBytes()
    init.log('one request at a time')
    const alone = await load(server.url, 1, init.seconds)
    init.log(`${init.connections} requests at a time`)
    const requests = await load(server.url, init.connections, init.seconds)
    init.log(`${init.streams} streams`)
    const streams = await stream(server, init)
    return {
      store: init.store.replace(/:.*/, ''),
      requests: {
        perSecond: requests.requests.average,
        p50Ms: requests.latency.p50,
        p99Ms: requests.latency.p99,
        failed: requests.non2xx + requests.errors
      },
      alone: { p50Ms: alone.latency.p50, p99Ms: alone.latency.p99 },
      streams: streams.delays,
      residentBytes: { idle, streaming: streams.residentBytes }
    }
  } finally {
    await server.stop()
    await rm(dataDir, { recursive: true, force: true })
  }
}

/** The node's one placement takes a moment. */
async function untilReady(url: string): Promise<void> {
  while (!(await fetch(`${url}/readyz`)).ok) await setTimeout(100)
  await ask(url)
}

async function ask(url: string): Promise<void> {
  const response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', body: JSON.stringify(question) })
  if (!response.ok) throw new Error(`the coordinator answers ${response.status}: ${await response.text()}`)
  await response.text()
}

async function load(url: string, connections: number, seconds: number): Promise<autocannon.Result> {
  return autocannon({
    url: `${url}/v1/chat/completions`,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(question),
    connections,
    duration: seconds
  })
}

async function stream(server: ApiServer, { streams, seconds }: ApiBenchInit) {
  const body = JSON.stringify({ ...question, stream: true, max_tokens: EVENTS_PER_STREAM })
  let residentBytes = 0
  const { delays, open, failed, measuredSeconds } = await readStreams(server.url, {
    body,
    streams,
    seconds,
    onTick: async () => {
      residentBytes = Math.max(residentBytes, await server.residentBytes())
    }
  })
  return {
    residentBytes,
    delays: {
      open,
      eventsPerSecond: delays.length / measuredSeconds,
      p50Ms: percentile(delays, 0.5),
      p99Ms: percentile(delays, 0.99),
      failed
    }
  }
}

interface ApiServer {
  readonly url: string
  residentBytes(): Promise<number>
  stop(): Promise<void>
}

async function startServer(init: ApiServerInit): Promise<ApiServer> {
  const child = fork(fileURLToPath(new URL('./api-server.js', import.meta.url)), { stdio: ['ignore', 2, 2, 'ipc'] })
  child.send(init)
  const first = await nextReply(child)
  if (first.type !== 'ready') throw new Error(first.type === 'failed' ? first.message : 'the coordinator did not start')
  return {
    url: first.url,
    residentBytes: async () => {
      child.send('memory')
      const reply = await nextReply(child)
      return reply.type === 'memory' ? reply.rssBytes : 0
    },
    stop: async () => {
      child.send('stop')
      await once(child, 'exit')
    }
  }
}

async function nextReply(child: ChildProcess): Promise<ApiServerReply> {
  const [reply] = await once(child, 'message')
  return reply as ApiServerReply
}
