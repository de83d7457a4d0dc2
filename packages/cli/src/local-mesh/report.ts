import { formatRange } from '@resultity/interface'
import pc from 'picocolors'
import { formatTable, shortPeer } from '../output/table.ts'
import { DEFAULT_HTTP_PORT } from '../settings/schema.ts'
import type { LocalMesh } from './local-mesh.ts'
import type { PlacedModel } from './placed.ts'

/** Who runs what, where the API and the status are, and what to try next. */
export function describeMesh(mesh: LocalMesh, placed: readonly PlacedModel[]): string {
  const rows = [mesh.coordinator, ...mesh.nodes].map(({ name, pid, ready: { peerId } }) => [
    name,
    String(pid),
    shortPeer(peerId),
    layersOf(peerId, placed)
  ])
  const url = mesh.http === `http://127.0.0.1:${DEFAULT_HTTP_PORT}` ? '' : ` --url ${mesh.http}`
  return [
    '',
    formatTable(['process', 'pid', 'peer', 'layers'], rows),
    `  API     ${pc.cyan(`${mesh.http}/v1`)}  (OpenAI-compatible; any key)`,
    `  status  ${pc.cyan(`${mesh.http}/v1/mesh/placements`)}  or  npx resultity status${url}`,
    `  next    ${pc.bold(`npx resultity chat${url}`)}   in another terminal; Ctrl-C here stops everything`,
    ''
  ].join('\n')
}

function layersOf(peerId: string, placed: readonly PlacedModel[]): string {
  const served = placed.flatMap(({ model, stages }) =>
    stages.filter(stage => stage.peerId === peerId).map(stage => `${formatRange(stage.range)} of ${model}`)
  )
  return served.join(', ') || pc.dim('none')
}
