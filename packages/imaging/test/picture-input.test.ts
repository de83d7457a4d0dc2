import { MeshError } from '@resultity/interface'
import { PictureCodec } from '@resultity/pictures'
import type { StoredFile } from '@resultity/store'
import t from 'tap'
import { pictureForm } from '../src/picture-form.ts'
import { PictureInput } from '../src/picture-input.ts'
import { pictureRefSchema } from '../src/picture-ref.ts'

const pictures = new PictureCodec({ limits: { bytesMax: 4096 } })
const file = await pictures.encode({ width: 4, height: 2, rgb: new Uint8Array(24).fill(9) }, { format: 'png' })
const dataUrl = `data:image/png;base64,${Buffer.from(file).toString('base64')}`
const place = { namespace: 'mine', param: 'image' }

const stored = { id: 'file-1', namespace: 'mine', bytes: file.length } as StoredFile
const fileService = {
  findInUse: async (id: string, namespace: string) => {
    if (id === 'file-huge') return { ...stored, bytes: 4097 }
    if (id === stored.id && namespace === stored.namespace) return stored
    throw new MeshError('not_found', `there is no file "${id}"`)
  },
  read: async function* () {
    yield file.subarray(0, 7)
    yield file.subarray(7)
  }
}
const input = new PictureInput({ fileService, pictures })

t.test('a picture is found however it is named', async t => {
  for (const ref of [
    'file-1',
    { file_id: 'file-1' },
    dataUrl,
    { image_url: dataUrl },
    { image_url: { url: dataUrl } },
    dataUrl.replace('image/png', 'image/jpeg;charset=x'),
    dataUrl.replaceAll('=', '')
  ]) {
    const read = pictureRefSchema.parse(ref)
    t.match(await input.check(read, place), { format: 'png', width: 4, height: 2 })
    t.match(await input.decode(read, place), { width: 4, height: 2 })
  }
})

t.test('what is no picture of the namespace is refused, naming the field; addresses are not fetched', async t => {
  const cases: Readonly<Record<string, RegExp>> = {
    'http://127.0.0.1:1/a.png': /address, and none is fetched/,
    'https://example.com/a.png': /address, and none is fetched/,
    'file:///etc/passwd': /address, and none is fetched/,
    '/etc/passwd': /neither the id of a file nor a data URL/,
    'file-../../etc': /neither/,
    'data:image/png,abc': /neither/,
    'data:image/png;base64,####': /no base64/,
    'data:image/png;base64,AAAA': /no picture/,
    'data:image/png;base64,': /no bytes/,
    'file-2': /there is no file/,
    'file-huge': /4097 bytes/,
    [dataUrl.slice(0, -40)]: /ends too soon|contradict/
  }
  for (const [ref, message] of Object.entries(cases)) {
    await t.rejects(input.check(ref, place), { code: 'invalid_request', details: { param: 'image' }, message }, ref)
  }
  await t.rejects(input.check('file-1', { ...place, namespace: 'theirs' }), { code: 'invalid_request' })
})

t.test('however many ask, few files are in memory', async t => {
  let open = 0
  let most = 0
  const counted = new PictureInput({
    pictures,
    fileService: {
      ...fileService,
      read: async function* () {
        most = Math.max(most, ++open)
        yield* fileService.read()
      }
    }
  })
  const checks = Array.from({ length: 32 }, () => counted.check('file-1', place).finally(() => open--))
  t.equal((await Promise.all(checks)).length, 32)
  t.ok(most <= 5, `${most} were read and not done with`)
  const stop = new AbortController()
  const waiting = Array.from({ length: 8 }, () => counted.check('file-1', { ...place, signal: stop.signal }))
  stop.abort(new MeshError('canceled', 'gone'))
  for (const check of waiting) await t.rejects(check, { code: 'canceled' })
  t.match(await counted.check('file-1', place), { width: 4 }, 'and none keeps a place')
})

t.test('a form with pictures is a body with their ids', async t => {
  const { bodyOf } = pictureForm(pictures.limits, { names: ['mask'], lists: ['image'] })
  t.strictSame(
    bodyOf({ prompt: 'a' }, [
      { name: 'image', id: 'file-1' },
      { name: 'mask', id: 'file-2' }
    ]),
    { prompt: 'a', image: ['file-1'], mask: 'file-2' }
  )
  t.strictSame(bodyOf({ image: ['file-0'] }, [{ name: 'image', id: 'file-1' }]), { image: ['file-0', 'file-1'] })
  t.throws(() => bodyOf({ mask: 'file-0' }, [{ name: 'mask', id: 'file-1' }]), {
    code: 'invalid_request',
    details: { param: 'mask' }
  })
})
