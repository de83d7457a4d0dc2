import { availableParallelism } from 'node:os'
import { type GenerationEvent, type Generator, startCoordinator } from '@resultity/coordinator'
import { MeshError } from '@resultity/interface'
import { startNode } from '@resultity/node'
import { pino } from 'pino'
import type { ApiServerInit, ApiServerReply } from './api-messages.ts'

/**
 * A real coordinator over its real store, whose answers cost nothing to make: what is left is the coordinator. A real
 * node holds the placement; no token is computed on it. Started by `api.ts`, in a process of its own.
 */

/** More than there are streams. */
const PLACES_MAX = 20_000

/** Tokens of every answer that is not streamed. */
const TOKENS = 8

/** Streams whose pieces are made at one moment. */
const STREAMS_PER_TICK = 50

/** One timer for many streams: a timer each would cost more than what is measured. */
class Pace {
  readonly #groups: { next: PromiseWithResolvers<void>; streams: number }[] = []

  constructor(intervalMs: number, groups: number) {
    for (let index = 0; index < groups; index++) {
      const group = { next: Promise.withResolvers<void>(), streams: 0 }
      this.#groups.push(group)
      setTimeout(() => setInterval(() => tick(group), intervalMs), (intervalMs * index) / groups)
    }
    const tick = (group: { next: PromiseWithResolvers<void> }): void => {
      const { resolve } = group.next
      group.next = Promise.withResolvers()
      resolve()
    }
  }

  /** Where there is room: the group with the fewest streams. */
  join(): { next(): Promise<void>; leave(): void } {
    const group = this.#groups.reduce((fewest, one) => (one.streams < fewest.streams ? one : fewest))
    group.streams++
    return { next: () => group.next.promise, leave: () => group.streams-- }
  }
}

function reply(message: ApiServerReply): void {
  process.send?.(message)
}

/** Streams say when each piece was made, so that the reader can tell how long it was on its way. */
function costless({ eventIntervalMs, eventsPerStream }: ApiServerInit): Generator {
  const pace = new Pace(eventIntervalMs, PLACES_MAX / STREAMS_PER_TICK / 2)
  return {
    placesMax: PLACES_MAX,
    start: async (request, options = {}) => {
      const paced = request.tokensMax === eventsPerStream
      const turn = paced ? pace.join() : undefined
      const count = paced ? eventsPerStream : TOKENS
      const usage = { promptTokens: request.prompt.length, completionTokens: count }
      const events = async function* (): AsyncGenerator<GenerationEvent, void> {
        for (let index = 0; index < count; index++) {
          if (paced) await turn?.next()
          options.signal?.throwIfAborted()
          const text = paced ? `@${(performance.timeOrigin + performance.now()).toFixed(2)} ` : 'word '
          yield { type: 'token', text, tokenId: 5 }
        }
        yield { type: 'end', text: '', finishReason: 'length', complete: false, usage }
      }
      const route = { placementId: 'none', stages: [{ peerId: 'none', range: { first: 0, end: 4 } }] }
      return { route, usage, events: events(), [Symbol.asyncDispose]: async () => void turn?.leave() }
    }
  }
}

async function serve(init: ApiServerInit): Promise<void> {
  const logger = pino({ level: 'fatal' }, pino.destination(2))
  const coordinator = await startCoordinator({
    dataDir: `${init.dataDir}/coordinator`,
    http: { host: '127.0.0.1', port: 0 },
    listen: ['/ip4/127.0.0.1/tcp/0'],
    mdns: false,
    models: ['tiny-chat'],
    contextLength: 160,
    store: init.store,
    generator: costless(init),
    limits: { requestsMax: PLACES_MAX },
    logger
  })
  const node = await startNode({
    dataDir: `${init.dataDir}/node`,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    join: coordinator.multiaddrs(),
    mdns: false,
    threads: Math.min(2, availableParallelism()),
    labels: {},
    logger
  })
  process.on('message', request => {
    if (request === 'memory') reply({ type: 'memory', rssBytes: process.memoryUsage.rss() })
    if (request === 'stop') void Promise.all([node.close(), coordinator.close()]).then(() => process.exit(0))
  })
  reply({ type: 'ready', url: coordinator.httpUrl })
}

process.once('message', init => {
  serve(init as ApiServerInit).catch(error => {
    reply({ type: 'failed', message: MeshError.from(error).message })
    process.exit(1)
  })
})
