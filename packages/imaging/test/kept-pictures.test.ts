import { MeshError, type PictureState, systemScheduler } from '@resultity/interface'
import type { Job, StoredFile } from '@resultity/store'
import t from 'tap'
import { toImagePlan } from '../src/image-plan.ts'
import { forgetKept, KeptPictures, type KeptPicturesComponents } from '../src/kept-pictures.ts'
import { servedPainter } from './support/painter.ts'

const model = await servedPainter(t)
const task = { kind: 'generation', strength: 1 } as const
const asked = { prompt: 'a', n: 2, steps: 20, size: '16x16', scheduler: 'dpmpp_2m', seed: 1 } as const
const plan = await toImagePlan(asked, model, task, {})

const jobOf = (attempts: number, detached = true) =>
  ({
    id: 'req_1',
    namespace: 'mine',
    attempts,
    body: { request: { n: 2 }, streamed: false, detached }
  }) as unknown as Job

const stateAt = (step: number): PictureState => ({
  step,
  latents: new Float32Array(16).fill(step / 7),
  carried: [new Float32Array(16).fill(-step)]
})

/** Files in memory, and what was done in which order. */
function bench() {
  const files = new Map<string, { file: StoredFile; bytes: Uint8Array }>()
  const did: string[] = []
  const unkept: MeshError[] = []
  let [nowMs, full] = [0, false]
  const fileService = {
    requireRoom: async () => {
      if (full) throw new MeshError('storage_quota_exceeded', 'full')
    },
    write: async (id: string, chunks: AsyncIterable<Uint8Array>, { namespace }: { readonly namespace: string }) => {
      let bytes = new Uint8Array()
      for await (const chunk of chunks) bytes = chunk.slice()
      const file = { id, namespace, bytes: bytes.length } as unknown as StoredFile
      files.set(id, { file, bytes })
      did.push('write')
      return file
    },
    findInUse: async (id: string) => {
      const found = files.get(id)
      if (found === undefined) throw new MeshError('not_found', id)
      return found.file
    },
    read: async function* ({ id }: StoredFile) {
      yield files.get(id)?.bytes ?? new Uint8Array()
    },
    discard: async (id: string) => void files.delete(id)
  } as unknown as KeptPicturesComponents['fileService']
  const log = { flush: async () => void did.push('flush') } as unknown as Parameters<typeof KeptPictures.open>[2]['log']
  const components: KeptPicturesComponents = {
    fileService,
    scheduler: { ...systemScheduler, monotonic: () => nowMs },
    onUnkept: error => void unkept.push(error)
  }
  const signal = new AbortController().signal
  return {
    files,
    did,
    unkept,
    fileService,
    fill: () => {
      full = true
    },
    later: (ms: number) => {
      nowMs += ms
    },
    open: async (job = jobOf(2), of = plan) =>
      await KeptPictures.open(components, { pictureStateMs: 1000 }, { job, plan: of, log, signal })
  }
}

t.test('another attempt gets the newest state of each picture, and those that are done', async t => {
  const { open, later, did, files } = bench()
  const first = await open(jobOf(1))
  first.offer(0, stateAt(3))
  later(1000)
  first.offer(0, stateAt(4))
  first.done(1, { file: Uint8Array.of(1, 2, 3), route: 'node[0,4)' })
  await first.settle(new MeshError('unavailable', 'the coordinator stops'))
  t.same(did, ['flush', 'write', 'flush', 'write'], 'what it leaves out was told for good')
  const second = await open()
  t.strictSame([...second.states], [[0, stateAt(4)]])
  t.match([...second.files], [[1, { type: 'file', route: 'node[0,4)' }]])
  t.same([...(second.files.get(1)?.file ?? [])], [1, 2, 3])
  later(1000)
  second.offer(0, stateAt(5))
  await second.settle()
  t.strictSame((await open()).states.get(0), stateAt(5))
  t.equal(files.size, 2, 'the newest is the only one')
})

t.test('states are written as often as they are due, and the last one where an attempt fails', async t => {
  const { open, later, did } = bench()
  const kept = await open(jobOf(1))
  for (const step of [1, 2, 3]) kept.offer(0, stateAt(step))
  t.same(did, [], 'none is due')
  await kept.settle(new MeshError('unavailable', 'the coordinator stops'))
  t.strictSame((await open()).states.get(0), stateAt(3))
  later(999)
  for (const code of ['canceled', 'job_lease_lost'] as const) {
    const ended = await open(jobOf(2))
    ended.offer(0, stateAt(9))
    await ended.settle(new MeshError(code, 'over'))
  }
  t.strictSame((await open()).states.get(0), stateAt(3), 'nobody goes on, or somebody else')
})

t.test('what is damaged, or of something else, is drawn again', async t => {
  const { open, later, files } = bench()
  const write = async () => {
    const kept = await open(jobOf(1))
    later(1000)
    kept.offer(0, stateAt(4))
    await kept.settle()
  }
  await write()
  for (const change of [{ seed: 2 }, { steps: 21 }, { scheduler: 'ddim' }, { prompt: 'b' }] as const) {
    const other = await toImagePlan({ ...asked, ...change }, model, task, {})
    t.equal((await open(jobOf(2), other)).states.size, 0, JSON.stringify(change))
  }
  const [[id, whole]] = [...files] as [[string, { file: StoredFile; bytes: Uint8Array }]]
  for (const at of [0, 5, 40, whole.bytes.length - 1]) {
    const bytes = whole.bytes.slice()
    bytes[at] = (bytes[at] ?? 0) ^ 1
    files.set(id, { ...whole, bytes })
    t.equal((await open()).states.size, 0, `byte ${at}`)
  }
  files.set(id, { ...whole, bytes: whole.bytes.slice(0, -4) })
  t.equal((await open()).states.size, 0, 'cut off')
  files.set(id, { ...whole, file: { ...whole.file, bytes: 1e9 } })
  t.equal((await open()).states.size, 0, 'too large to be one')
  files.set(id, whole)
  t.equal((await open()).states.size, 1)
  t.equal((await open(jobOf(1))).states.size, 0, 'a first attempt looks for none')
})

t.test('where there is no room the pictures are drawn all the same', async t => {
  const { open, fill, later, unkept, files } = bench()
  fill()
  const kept = await open(jobOf(1))
  later(1000)
  kept.offer(0, stateAt(4))
  await kept.settle()
  t.match(unkept, [{ code: 'storage_quota_exceeded' }])
  t.equal(files.size, 0)
})

t.test('nothing is kept of a job that ends with its client, nor of one that has ended', async t => {
  const { open, later, files, fileService } = bench()
  const attached = await open(jobOf(1, false))
  later(1000)
  attached.offer(0, stateAt(4))
  attached.done(1, { file: Uint8Array.of(1), route: 'node' })
  await attached.settle()
  t.equal(files.size, 0)
  const kept = await open(jobOf(1))
  later(1000)
  for (const picture of [0, 1]) kept.offer(picture, stateAt(4))
  await kept.settle()
  // one is written at a time, and the other is of no use behind the end
  t.ok(files.size > 0)
  await forgetKept(fileService, jobOf(1))
  t.equal(files.size, 0)
})
