import { readFileSync } from 'node:fs'
import { randomCheckpoint, TestHub } from '@resultity/test-hub'
import type { HubChildInit, HubChildReply } from './messages.ts'
import { randomGgufParts } from './random-gguf-parts.ts'

/** The process of the hub. Its parent starts it with its settings, and asks what it has sent. */

const { repository, shape, shards, small, gguf }: HubChildInit = JSON.parse(process.argv[2] ?? '{}')
const contents = Object.fromEntries(Object.entries(small).map(([name, path]) => [name, readFileSync(path)]))
const files = gguf ? randomGgufParts(shape, shards) : randomCheckpoint(shape, { shards, small: contents })
const hub = await TestHub.start({ repository, files })

function reply(message: HubChildReply): void {
  process.send?.(message)
}

process.on('message', () => reply({ kind: 'sent', sentTo: Object.fromEntries(hub.sentTo) }))
process.on('disconnect', () => process.exit(0))
reply({ kind: 'up', url: hub.url })
