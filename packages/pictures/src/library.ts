import { MeshError } from '@resultity/interface'
import type sharp from 'sharp'

export type Library = typeof sharp

/** Readers of untrusted bytes; all others are blocked: they are for formats that are not served, and for files by name. */
const LOADERS = [
  'VipsForeignLoadPngBuffer',
  'VipsForeignLoadJpegBuffer',
  'VipsForeignLoadWebpBuffer',
  'VipsForeignLoadNsgifBuffer'
]

let loading: Promise<Library> | undefined

/**
 * The library, loaded with the first picture: it takes some 20 MB, and most processes see none.
 *
 * @throws MeshError `not_implemented` on a machine that it was not made for
 */
export function loadLibrary(): Promise<Library> {
  loading ??= load()
  return loading
}

async function load(): Promise<Library> {
  const { default: library } = await import('sharp').catch((cause: unknown) => {
    throw new MeshError(
      'not_implemented',
      'pictures are neither read nor written on this machine: libvips does not load',
      {
        hint: 'Install the project again on this machine; sharp says which machines it is made for.',
        cause
      }
    )
  })
  // nothing is asked for twice
  library.cache(false)
  // several pictures at once, and each on one thread
  library.concurrency(1)
  library.block({ operation: ['VipsForeignLoad'] })
  library.unblock({ operation: LOADERS })
  return library
}
