import { formatRange } from '@resultity/interface'
import { formatTable, shortPeer } from '../output/table.ts'
import { bold, cyan, joined, type Text, text } from '../output/text.ts'
import type { LocalMesh } from './local-mesh.ts'
import { nextCommands, urlOption } from './next-commands.ts'
import type { PlacedModel } from './placed.ts'

/** Text that says who runs what, where the API and the status are, and what to try next. */
export function describeMesh(mesh: LocalMesh, placed: readonly PlacedModel[]): Text {
  const rows = [mesh.coordinator, ...mesh.nodes].map(({ name, pid, ready: { peerId } }) => [
    name,
    String(pid),
    shortPeer(peerId),
    layersOf(peerId, placed)
  ])
  const next = nextCommands(mesh.http, placed).map((command, index) => {
    return text`  ${index === 0 ? 'next  ' : '      '}  ${bold(command)}`
  })
  const lines = [
    '',
    formatTable(['process', 'pid', 'peer', 'layers'], rows),
    text`  API     ${cyan(`${mesh.http}/v1`)}  (OpenAI-compatible; any key)`,
    text`  status  ${cyan(`${mesh.http}/v1/mesh/placements`)}  or  npx resultity status${urlOption(mesh.http)}`,
    ...next,
    text`          in another terminal; Ctrl-C here stops everything`,
    ''
  ]
  return joined(lines, '\n')
}

function layersOf(peerId: string, placed: readonly PlacedModel[]): string {
  const served = placed.flatMap(({ model, stages }) =>
    stages.filter(stage => stage.peerId === peerId).map(stage => `${formatRange(stage.range)} of ${model}`)
  )
  return served.join(', ') || 'none'
}
