import type { MeshError } from '@resultity/interface'
import { resultity } from '#gen'
import { bytes, checkVersion, integer64, sha256FromWire, sha256ToWire } from './field-checks.ts'
import { decodeGenerated, encodeGenerated, type FrameCodec, violation } from './frame-codec.ts'
import { BLOB_CHUNK_BYTES, PROTOCOL_VERSION } from './protocols.ts'
import { errorFromWire, errorToWire } from './wire-error.ts'

const wire = resultity.blob.v1

/** Asks for a blob from `offset` on. */
export interface BlobRequest {
  readonly sha256: string
  /** Bytes the receiver already has. */
  readonly offset: number
}

/** A header first, then chunks until the blob is complete; an error instead of either ends the stream. */
export type BlobResponse =
  | { readonly type: 'header'; readonly totalBytes: number }
  | { readonly type: 'chunk'; readonly chunk: Uint8Array }
  | { readonly type: 'error'; readonly error: MeshError }

/** The side of {@link BLOB_PROTOCOL} that asks. */
export const blobRequestCodec: FrameCodec<BlobRequest, BlobResponse> = {
  encode({ sha256, offset }, headroom) {
    const message = { protocolVersion: PROTOCOL_VERSION, sha256: sha256ToWire(sha256), offset }
    return encodeGenerated(wire.BlobRequest, message, headroom)
  },
  decode: frame => responseFromWire(decodeGenerated(wire.BlobResponse, frame, 'blob'))
}

/** The side of {@link BLOB_PROTOCOL} that has the blob. */
export const blobResponseCodec: FrameCodec<BlobResponse, BlobRequest> = {
  encode(response, headroom = 0) {
    if (response.type === 'chunk') return encodeChunk(response.chunk, headroom)
    const message =
      response.type === 'header'
        ? { header: { totalBytes: response.totalBytes } }
        : { error: errorToWire(response.error) }
    return encodeGenerated(wire.BlobResponse, message, headroom)
  },
  decode(frame) {
    const request = decodeGenerated(wire.BlobRequest, frame, 'blob')
    checkVersion(request.protocolVersion, 'the blob protocol')
    return {
      sha256: sha256FromWire(request.sha256, 'request.sha256'),
      offset: integer64(request.offset, 'request.offset')
    }
  },
  fault: error => ({ type: 'error', error })
}

/** Bytes of the largest varint that a chunk's length needs. */
const LENGTH_VARINT_BYTES_MAX = 5
const CHUNK_TAG = 0x12 // BlobResponse.chunk = 2, length-delimited

/** The chunk by reference, behind its tag and length; byte-identical to the generated code. */
function encodeChunk(chunk: Uint8Array, headroom: number): Uint8Array[] {
  const head = Buffer.allocUnsafe(headroom + 1 + LENGTH_VARINT_BYTES_MAX)
  head[headroom] = CHUNK_TAG
  let at = headroom + 1
  let rest = chunk.length
  while (rest > 0x7f) {
    head[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  head[at++] = rest
  return [head.subarray(0, at), chunk]
}

function responseFromWire(response: resultity.blob.v1.BlobResponse.$Properties): BlobResponse {
  if (response.chunk) {
    const chunk = bytes(response.chunk, 'chunk', BLOB_CHUNK_BYTES)
    if (chunk.length === 0) throw violation('a blob chunk is empty')
    return { type: 'chunk', chunk }
  }
  if (response.header) {
    return { type: 'header', totalBytes: integer64(response.header.totalBytes, 'header.total_bytes') }
  }
  if (response.error) return { type: 'error', error: errorFromWire(response.error) }
  throw violation('a blob response has no body that this version knows')
}
