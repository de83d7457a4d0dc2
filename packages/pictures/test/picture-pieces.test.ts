import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type Picture, PiecesThread, pieceCount, pieceGrid } from '../src/index.ts'

/** Made by scripts/reference-idefics.py with Pillow. */
const reference: {
  readonly side: number
  readonly longest: number
  readonly pictures: readonly {
    readonly size: readonly [width: number, height: number]
    readonly rows: number
    readonly columns: number
    readonly tiles: number
    readonly sha256: string
  }[]
} = JSON.parse(readFileSync(join(import.meta.dirname, '../../../blip/test/fixtures/idefics-pictures.json'), 'utf8'))

const sizes = { imageSize: reference.side, longestEdge: reference.longest }

/** The picture of the reference, by its formula. */
function drawn(width: number, height: number): Picture {
  const rgb = Uint8Array.from({ length: 3 * width * height }, (_, index) => {
    const c = index % 3
    const x = Math.floor(index / 3) % width
    const y = Math.floor(index / (3 * width))
    const checks = ((Math.floor(x / 5) + Math.floor(y / 7)) % 2) * 90
    return (x * 7 + y * 13 + c * 50 + ((x * y * (c + 1)) % 61) * 3 + checks) % 256
  })
  return { width, height, rgb }
}

t.test('pictures are cut as the published processor cuts them, byte by byte', async t => {
  await using thread = new PiecesThread()
  for (const { size, rows, columns, tiles, sha256 } of reference.pictures) {
    const [width, height] = size
    const grid = pieceGrid({ width, height }, sizes)
    t.same(grid, { rows, columns }, `${width} × ${height}`)
    const pieces = await thread.cut(drawn(width, height), sizes)
    t.equal(pieces.length, tiles)
    t.equal(pieceCount(grid), tiles)
    t.equal(
      createHash('sha256').update(Buffer.concat(pieces)).digest('hex'),
      sha256,
      `the bytes of ${width} × ${height}`
    )
  }
})

t.test('one that is brought to the size of a piece is looked at as a whole only', async t => {
  await using thread = new PiecesThread()
  const small = { imageSize: 24, longestEdge: 24 }
  t.same(pieceGrid({ width: 300, height: 200 }, small), { rows: 0, columns: 0 })
  t.equal((await thread.cut(drawn(300, 200), small)).length, 1)
})

t.test('no side has more pieces than the longest has', async t => {
  for (const size of [
    { width: 1, height: 100_000 },
    { width: 100_000, height: 1 },
    { width: 1, height: 1 }
  ]) {
    const { rows, columns } = pieceGrid(size, { imageSize: 512, longestEdge: 2048 })
    t.ok(rows >= 1 && rows <= 4 && columns >= 1 && columns <= 4)
  }
})
