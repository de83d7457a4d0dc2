import { formatRange } from '@resultity/interface'
import type { ApiLink, ApiNode, ApiPlacement } from '../api/answers.ts'
import { MeshApi } from '../api/mesh-api.ts'
import type { CommandDefinition } from '../command.ts'
import { EXIT_OK } from '../context.ts'
import { formatTable, shortPeer } from '../output/table.ts'
import { joined, type Text, text } from '../output/text.ts'
import { formatByteSize } from '../settings/byte-size.ts'

export const statusCommand: CommandDefinition = {
  name: 'status',
  summary: 'Shows the nodes of the mesh and who serves which layers.',
  settings: ['url', 'apiKey'],
  json: 'print nodes, placements and links that carry nothing as one JSON object',
  examples: ['resultity status', 'resultity status --url http://192.0.2.7:8420 --json'],
  async run({ settings, json, context }) {
    const api = new MeshApi(settings.url, settings.apiKey)
    const [nodes, placements, links] = await Promise.all([api.nodes(), api.placements(), api.links()])
    if (json) context.out.json({ nodes, placements, links })
    else context.out.print(describe(nodes, placements, links))
    return EXIT_OK
  }
}

function describe(nodes: readonly ApiNode[], placements: readonly ApiPlacement[], links: readonly ApiLink[]): Text {
  if (nodes.length === 0) return text`no node has joined yet\n  Start one with: resultity node --join MULTIADDR\n`
  const nodeRows = nodes.map(node => [
    node.draining ? `${shortPeer(node.peerId)} (leaving)` : shortPeer(node.peerId),
    node.hardware.cpuModel,
    shortDigest(node.kernels),
    String(node.threads),
    `${formatByteSize(node.memoryFreeBytes)} of ${formatByteSize(node.memoryOfferedBytes)}`,
    `${Object.entries(node.labels)
      .map(([name, value]) => `${name}=${value}`)
      .join(' ')}`,
    node.subclouds.join(' ')
  ])
  const stageRows = placements.flatMap(placement =>
    placement.stages.map((stage, index) => [
      index === 0 ? placement.model : '',
      index === 0 ? (placement.subcloud ?? '') : '',
      index === 0 ? placement.state : '',
      formatRange(stage.range),
      shortPeer(stage.peerId),
      describeStage(stage),
      shortDigest(stage.selfTestSha256)
    ])
  )
  const tables = [
    formatTable(['node', 'processor', 'kernels', 'threads', 'memory free', 'labels', 'subclouds'], nodeRows),
    formatTable(['model', 'subcloud', 'placement', 'layers', 'node', 'stage', 'self-test'], stageRows)
  ]
  const offeredRows = nodes.flatMap(({ peerId, offered }) =>
    offered.map(({ name, contextLength, endpoints }) => [
      name,
      shortPeer(peerId),
      contextLength === undefined ? '' : String(contextLength),
      endpoints.join(' ')
    ])
  )
  if (offeredRows.length > 0) {
    tables.push(formatTable(['model of a server beside a node', 'node', 'context', 'asked by'], offeredRows))
  }
  if (links.length === 0) return joined(tables, '\n')
  const linkRows = links.map(({ peers, why, forMs }) => [
    peers.map(shortPeer).join(' – '),
    `${Math.ceil(forMs / 1000)} s`,
    why
  ])
  return joined([...tables, formatTable(['nothing passes between', 'apart for', 'why'], linkRows)], '\n')
}

function describeStage(stage: ApiPlacement['stages'][number]): string {
  const { state, unreachedPeer, error, bytesDone = 0, bytesTotal = 0 } = stage
  if (state === 'fetching' && bytesTotal > bytesDone) {
    return `${state}, ${Math.floor((100 * bytesDone) / bytesTotal)} % of ${formatByteSize(bytesTotal)}`
  }
  return unreachedPeer === null ? state : `${state}: does not reach ${shortPeer(unreachedPeer)}: ${error}`
}

/** Enough to see which are the same. */
function shortDigest(sha256: string | null): string {
  return sha256?.slice(0, 8) ?? ''
}
