import { MeshError } from '@resultity/interface'

/**
 * What can be wrong with bytes that should be a picture, in `details.fault`:
 * - `empty`: no bytes
 * - `too_large`: more bytes than may be
 * - `no_picture`: no format that is known
 * - `unsupported`: a known format that is not read here
 * - `too_many_pixels`: more pixels than may be, by its head
 * - `animated`: several pictures, one after the other
 * - `truncated`: it ends before it says
 * - `damaged`: its parts contradict each other
 * - `too_costly`: decoding took more time than it may
 * - `no_alpha`: a mask that does not say what is painted
 * - `other_size`: a mask of another size than its picture
 */
export type PictureFault =
  | 'empty'
  | 'too_large'
  | 'no_picture'
  | 'unsupported'
  | 'too_many_pixels'
  | 'animated'
  | 'truncated'
  | 'damaged'
  | 'too_costly'
  | 'no_alpha'
  | 'other_size'

const hints: Readonly<Record<PictureFault, string>> = {
  empty: 'Send a file with a picture in it.',
  too_large: 'Send a smaller picture, or one that is compressed more, such as JPEG or WebP.',
  no_picture: 'Send PNG, JPEG, WebP or GIF.',
  unsupported: 'Convert it to PNG, JPEG, WebP or GIF, and send that.',
  too_many_pixels: 'Scale it down, and send that.',
  animated: 'Send one picture of it.',
  truncated: 'Send the whole file; an upload or a download broke off.',
  damaged: 'Save or convert the picture again, and send the new file.',
  too_costly: 'Send a smaller picture.',
  no_alpha: 'Send a PNG whose pixels are transparent where the picture is to be painted.',
  other_size: 'Send a mask with as many pixels a side as its picture.'
}

/** `invalid_request`, with the field in `details.param` and the fault in `details.fault`. */
export function pictureInvalid(param: string, fault: PictureFault, message: string, cause?: unknown): MeshError {
  return new MeshError('invalid_request', message, {
    hint: hints[fault],
    details: { param, fault, ...(fault === 'too_large' && { reason: 'request_too_large' }) },
    ...(cause === undefined ? {} : { cause })
  })
}
