export { BicubicThread } from './bicubic-thread.ts'
export type { Picture, PictureFit, PictureHead } from './picture.ts'
export {
  DEFAULT_AT_ONCE,
  type DecodeOptions,
  type MaskOptions,
  PictureCodec,
  type PictureCodecInit,
  pictureMediaTypes,
  type ReadOptions,
  type WriteOptions,
  type WrittenFormat,
  writtenFormats
} from './picture-codec.ts'
export { type PictureFault, pictureInvalid } from './picture-invalid.ts'
export { DEFAULT_PICTURE_LIMITS, type PictureLimits } from './picture-limits.ts'
export { type PieceGrid, type PieceSizes, picturePieces, pieceCount, pieceGrid } from './picture-pieces.ts'
export { PiecesThread } from './pieces-thread.ts'
