import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { MeshError, parseModelManifest, recipeOf, weightFiles } from '@resultity/interface'
import { FileBlobStore, HubClient, RemoteModel } from '@resultity/model'
import type { MakerInit, MakerReply } from './messages.ts'

/** A process that makes the weight files of a range, as a node does, and runs nothing. */

/** Progress comes for every chunk. */
const STEP = 0.02

const { manifestPath, dataDir, indices, hubUrl, token }: MakerInit = JSON.parse(process.argv[2] ?? '{}')

function reply(message: MakerReply): void {
  process.send?.(message)
}

process.on('disconnect', () => process.exit(0))
const manifest = parseModelManifest(manifestPath, readFileSync(manifestPath))
const recipe = recipeOf(manifest)
if (recipe === undefined) throw new MeshError('model_invalid', `${manifestPath} has no recipe`)
await using store = await FileBlobStore.open(dataDir)
const client = new HubClient({ url: hubUrl, token })
const sha256s: string[] = []
{
  await using model = await RemoteModel.open(recipe, { client, directory: join(dataDir, 'hub') })
  model.requireLayouts(weightFiles(manifest))
  let told = 0
  const onProgress = ({ bytesDone, bytesTotal }: { bytesDone: number; bytesTotal: number }): void => {
    const fraction = bytesDone / bytesTotal
    if (fraction - told < STEP) return
    told = fraction
    reply({ kind: 'progress', fraction })
  }
  for await (const { sha256 } of model.make(indices, store, { onProgress })) sha256s.push(sha256)
}
const done: MakerReply = { kind: 'done', sha256s, peakBytes: process.resourceUsage().maxRSS * 1024 }
process.send?.(done, undefined, {}, () => process.disconnect())
