import { readdir, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, MeshError } from '@resultity/interface'
import { z } from 'zod'

/** How much disk a store of weights may take. */
export interface BlobCacheLimits {
  /** Bytes of all blobs, complete or not. Default: half of the disk, as far as it is free or the store's own. */
  readonly bytesMax?: number
  /** Bytes of the disk that stay free. Default: a twentieth of it, 2 GiB at the most. */
  readonly diskFreeBytesMin?: number
}

export interface CachedBlob {
  readonly path: string
  readonly bytes: number
  readonly lastUsedMs: number
  /** Of an attempt that broke off. */
  readonly partial: boolean
}

const DISK_SHARE = 0.5
const DISK_FREE_SHARE = 0.05
const DISK_FREE_BYTES_MAX = 2 * 1024 ** 3

const useSchema = z.record(z.string(), z.number())

/**
 * Which blobs to drop so that `bytes` are free: what broke off first, then what was used longest ago.
 *
 * @returns undefined when all of them together are not enough
 */
export function blobsToDrop(droppable: readonly CachedBlob[], bytes: number): CachedBlob[] | undefined {
  const inOrder = droppable.toSorted(
    (a, b) => Number(b.partial) - Number(a.partial) || a.lastUsedMs - b.lastUsedMs || (a.path < b.path ? -1 : 1)
  )
  const dropped: CachedBlob[] = []
  let left = bytes
  for (const blob of inOrder) {
    if (left <= 0) break
    dropped.push(blob)
    left -= blob.bytes
  }
  return left <= 0 ? dropped : undefined
}

/**
 * Keeps a store of blobs within its share of the disk. What is held is never dropped: what is served, loaded or on its way.
 */
export class BlobCache {
  readonly #root: string
  readonly #clock: Clock
  readonly #bytesMax: number
  readonly #diskFreeBytesMin: number
  /** By SHA-256: how many hold it. */
  readonly #held = new Map<string, number>()
  /** By SHA-256: bytes of those that are on their way, what is here of them included. */
  readonly #expected = new Map<string, number>()
  readonly #lastUsed: Map<string, number>
  #noting = false
  /** Rooms are made one after another, so that none counts on what another drops. */
  #tail: Promise<unknown> = Promise.resolve()

  private constructor(root: string, clock: Clock, limits: Required<BlobCacheLimits>, lastUsed: Map<string, number>) {
    this.#root = root
    this.#clock = clock
    this.#bytesMax = limits.bytesMax
    this.#diskFreeBytesMin = limits.diskFreeBytesMin
    this.#lastUsed = lastUsed
  }

  /** @param root folder with `blobs/` and `partial/` in it */
  static async open(root: string, clock: Clock, limits: BlobCacheLimits): Promise<BlobCache> {
    const disk = await statfs(root)
    const used = sumOf(await listBlobs(root, new Map()))
    const ownOrFree = disk.bavail * disk.bsize + used
    const diskFree = Math.min(DISK_FREE_BYTES_MAX, disk.blocks * disk.bsize * DISK_FREE_SHARE)
    const { bytesMax = Math.floor(ownOrFree * DISK_SHARE), diskFreeBytesMin = Math.floor(diskFree) } = limits
    return new BlobCache(root, clock, { bytesMax, diskFreeBytesMin }, await readLastUsed(root))
  }

  /** Keeps these blobs, those that are not here yet too, until what is returned is disposed. */
  hold(sha256s: readonly string[]): Disposable {
    const unique = [...new Set(sha256s)]
    const count = (by: number): void => {
      for (const sha256 of unique) {
        const left = (this.#held.get(sha256) ?? 0) + by
        if (left > 0) this.#held.set(sha256, left)
        else this.#held.delete(sha256)
        this.#lastUsed.set(sha256, this.#clock.now())
      }
      this.#noteLater()
    }
    count(1)
    let holding = true
    return {
      [Symbol.dispose]: () => {
        if (holding) count(-1)
        holding = false
      }
    }
  }

  /** Resolves once nothing is written any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tail
  }

  /**
   * Drops what must go for `bytes` more.
   * @throws MeshError `resource_exhausted` when what may be dropped is not enough; nothing is dropped then
   */
  makeRoom(bytes: number): Promise<void> {
    return this.#inTurn(() => this.#makeRoom(bytes))
  }

  /** The same for one blob, whose bytes are counted from now until {@link arrived}. */
  expect(sha256: string, bytes: number): Promise<void> {
    return this.#inTurn(async () => {
      this.#expected.set(sha256, bytes)
      try {
        await this.#makeRoom(0)
      } catch (error) {
        this.#expected.delete(sha256)
        throw error
      }
    })
  }

  /** The blob has come, or does not come any more: what is there of it is on the disk. */
  arrived(sha256: string): void {
    this.#expected.delete(sha256)
  }

  /** Several uses in a row are written once. */
  #noteLater(): void {
    if (this.#noting) return
    this.#noting = true
    this.#tail = this.#tail.then(() => {
      this.#noting = false
      return this.#writeLastUsed()
    })
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#tail.then(work)
    this.#tail = done.catch(reportedToCaller)
    return done
  }

  async #makeRoom(bytes: number): Promise<void> {
    const blobs = await listBlobs(this.#root, this.#lastUsed)
    const used = sumOf(blobs)
    const wanted = bytes + this.#bytesToCome(blobs)
    const disk = await statfs(this.#root)
    const free = disk.bavail * disk.bsize
    const tooMany = Math.max(used + wanted - this.#bytesMax, this.#diskFreeBytesMin + wanted - free)
    const droppable = blobs.filter(({ sha256 }) => !this.#held.has(sha256) && !this.#expected.has(sha256))
    const dropped = blobsToDrop(droppable, tooMany)
    if (dropped === undefined) throw noRoom(wanted, this.#bytesMax, used)
    for (const { path } of dropped) await rm(path, { force: true })
  }

  #bytesToCome(blobs: readonly ListedBlob[]): number {
    const here = new Map(blobs.filter(({ partial }) => partial).map(({ sha256, bytes }) => [sha256, bytes]))
    let bytes = 0
    for (const [sha256, whole] of this.#expected) bytes += Math.max(0, whole - (here.get(sha256) ?? 0))
    return bytes
  }

  async #writeLastUsed(): Promise<void> {
    const path = lastUsedPath(this.#root)
    const here = new Set((await listBlobs(this.#root, new Map())).map(({ sha256 }) => sha256))
    for (const sha256 of this.#lastUsed.keys()) {
      if (!here.has(sha256) && !this.#held.has(sha256)) this.#lastUsed.delete(sha256)
    }
    try {
      await writeFile(`${path}.${process.pid}`, JSON.stringify(Object.fromEntries(this.#lastUsed)))
      await rename(`${path}.${process.pid}`, path)
    } catch {
      // losing it costs the order in which blobs are dropped, never one that is in use
    }
  }
}

interface ListedBlob extends CachedBlob {
  readonly sha256: string
}

async function listBlobs(root: string, lastUsed: ReadonlyMap<string, number>): Promise<ListedBlob[]> {
  const list = async (folder: string, partial: boolean): Promise<ListedBlob[]> => {
    const names = await readdir(join(root, folder)).catch(() => [])
    const listed = await Promise.all(
      names.map(async name => {
        const path = join(root, folder, name)
        // it may have been finished or dropped since the folder was read
        const stats = await stat(path).catch(() => undefined)
        const sha256 = name.replace(/^sha256-/, '')
        const lastUsedMs = lastUsed.get(sha256) ?? stats?.mtimeMs ?? 0
        return stats?.isFile() === true ? [{ sha256, path, bytes: stats.size, partial, lastUsedMs }] : []
      })
    )
    return listed.flat()
  }
  return [...(await list('blobs', false)), ...(await list('partial', true))]
}

function sumOf(blobs: readonly CachedBlob[]): number {
  return blobs.reduce((sum, { bytes }) => sum + bytes, 0)
}

function lastUsedPath(root: string): string {
  return join(root, 'last-used.json')
}

async function readLastUsed(root: string): Promise<Map<string, number>> {
  try {
    return new Map(Object.entries(useSchema.parse(JSON.parse(await readFile(lastUsedPath(root), 'utf8')))))
  } catch {
    // the first start, or damaged: the times of the files serve
    return new Map()
  }
}

function noRoom(bytes: number, bytesMax: number, used: number): MeshError {
  return new MeshError('resource_exhausted', `there is no room on this disk for ${bytes} more bytes of weights`, {
    hint: 'Raise --blob-cache, free some of the disk, or have this node serve less at once.',
    details: { bytes, bytesMax, used }
  })
}

/** A failure is told to who asked; here it only ends the turn. */
function reportedToCaller(): void {}
