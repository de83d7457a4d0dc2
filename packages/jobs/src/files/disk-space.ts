import { statfs } from 'node:fs/promises'
import { MeshError, steadyClock } from '@resultity/interface'

/** How long a reading of the disk is valid. */
const LOOK_MS = 1000

export interface DiskSpaceInit {
  /** Where things are stored; they may be on different disks. */
  readonly directories: readonly string[]
  /** Free space below which nothing new is stored: work in progress, and deleting, need some. */
  readonly reserveBytes: number
  /** Bytes that are free in files that were made larger before, as a database's is after deletions. */
  reusableBytes?(): Promise<number>
}

/** Whether there is room on the disk for something new. */
export class DiskSpace {
  readonly #init: DiskSpaceInit
  #looked: { readonly free: Promise<number>; readonly atMs: number } | undefined

  constructor(init: DiskSpaceInit) {
    this.#init = init
  }

  /**
   * @throws MeshError `storage_low`, while there is less than the reserve
   */
  async requireSpace(): Promise<void> {
    const { reserveBytes } = this.#init
    const free = await this.free()
    if (free >= reserveBytes) return
    throw new MeshError('storage_low', `the coordinator's disk has ${free} bytes left, and keeps ${reserveBytes}`, {
      hint: 'Try again later. Reading and deleting go on; deleted requests and files make room.',
      details: { freeBytes: free, reserveBytes }
    })
  }

  /** Bytes that may be written: on the disk that has the fewest. Infinity where the system does not say. */
  async free(): Promise<number> {
    const now = steadyClock.now()
    if (this.#looked === undefined || now - this.#looked.atMs >= LOOK_MS) {
      this.#looked = { free: this.#look(), atMs: now }
    }
    return await this.#looked.free
  }

  async #look(): Promise<number> {
    const disks = await Promise.all(this.#init.directories.map(freeOn))
    const reusable = await this.#init.reusableBytes?.().catch(() => 0)
    return Math.min(...disks, Number.POSITIVE_INFINITY) + (reusable ?? 0)
  }
}

async function freeOn(directory: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(directory)
    return bavail * bsize
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
