import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import { MeshError, parseModelManifest, recipeOf, weightFiles } from '@resultity/interface'
import { ContentRecords, HubClient, RemoteModel } from '@resultity/model'
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
const files = weightFiles(manifest)
const records = await ContentRecords.open(join(dataDir, 'hub', 'contents.json'))
const sha256s: string[] = []
const left: number[] = []
for (const index of indices) {
  // made before this process was killed
  const made = records.find(files[index]?.sha256 ?? '')
  if (made !== undefined && (await store.find(made.sha256)) !== undefined) sha256s.push(made.sha256)
  else left.push(index)
}
{
  await using model = await RemoteModel.open(recipe, { client, directory: join(dataDir, 'hub') })
  model.requireLayouts(files)
  let told = 0
  const onProgress = ({ bytesDone, bytesTotal }: { bytesDone: number; bytesTotal: number }): void => {
    const fraction = bytesDone / bytesTotal
    if (fraction - told < STEP) return
    told = fraction
    reply({ kind: 'progress', fraction })
  }
  for await (const { index, sha256 } of model.make(left, store, { onProgress })) {
    await records.note([{ file: files[index]?.sha256 ?? '', sha256, verified: true }])
    sha256s.push(sha256)
  }
}
const done: MakerReply = { kind: 'done', sha256s, peakBytes: process.resourceUsage().maxRSS * 1024 }
process.send?.(done, undefined, {}, () => process.disconnect())
