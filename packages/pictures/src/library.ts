import sharp from 'sharp'

/** Readers of untrusted bytes; all others are blocked: they are for formats that are not served, and for files by name. */
const LOADERS = [
  'VipsForeignLoadPngBuffer',
  'VipsForeignLoadJpegBuffer',
  'VipsForeignLoadWebpBuffer',
  'VipsForeignLoadNsgifBuffer'
]

// nothing is asked for twice
sharp.cache(false)
// several pictures at once, and each on one thread
sharp.concurrency(1)
sharp.block({ operation: ['VipsForeignLoad'] })
sharp.unblock({ operation: LOADERS })

export { sharp }
