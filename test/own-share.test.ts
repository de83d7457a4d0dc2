import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import { modelManifestSchema, requireDecoder, stageFiles } from '@resultity/interface'
import { swarmFor } from '@resultity/testkit'
import { test } from 'tap'
import { ask, routeRanges } from './chat-client.ts'

test('a stage fetches, opens and maps the weights of its own layers only', async t => {
  const swarm = await swarmFor(t, { nodes: 3, stages: 3, models: ['tiny-chat'], separateBlobs: true })
  const { route } = await ask(swarm.url, {
    model: 'tiny-chat',
    messages: [{ role: 'user', content: 'What is the capital of France?' }]
  })
  const placement = (await swarm.api.placements())[0]
  const store = await FileBlobStore.open(swarm.coordinator.dataDir)
  t.teardown(() => store[Symbol.asyncDispose]())
  const manifestSha256 = String(placement?.manifestSha256)
  const text = new TextDecoder().decode(await store.read(manifestSha256))
  const manifest = requireDecoder(modelManifestSchema.parse(JSON.parse(text)))

  t.equal(routeRanges(route).length, 3)
  for (const { peerId, range } of placement?.stages ?? []) {
    const node = swarm.nodes.find(node => node.peerId === peerId)
    if (node === undefined) throw new Error(`no node ${peerId}`)
    const own = new Set([manifestSha256, ...stageFiles(manifest, range).map(file => file.sha256)])
    // the last stage holds answers to grammars, for which it must know what tokens write
    if (range.end === manifest.config.layerCount) own.add(manifest.tokenizer.definition.sha256)
    const fetched = (await readdir(join(node.dataDir, 'blobs'))).map(name => name.replace(/^sha256-/, ''))
    t.same(new Set(fetched), own, `layers [${range.first},${range.end}): fetched`)

    const maps = await readFile(`/proc/${node.pid}/maps`, 'utf8').catch(() => '')
    const foreign = allFiles(manifest).filter(sha256 => !own.has(sha256) && maps.includes(sha256))
    t.same(foreign, [], `layers [${range.first},${range.end}): mapped`)
    // the embedding is read row by row out of its mapping, so there the names must show
    if (range.first === 0 && maps !== '') t.match(maps, manifest.embedding.sha256, 'the maps name weight files')
  }
})

function allFiles(manifest: Parameters<typeof stageFiles>[0]): string[] {
  return stageFiles(manifest, { first: 0, end: manifest.config.layerCount }).map(file => file.sha256)
}
