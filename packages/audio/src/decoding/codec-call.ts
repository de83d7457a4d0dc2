import { MeshError } from '@resultity/interface'
import { audioInvalid } from '../audio-invalid.ts'

/**
 * Calls a decoder in WebAssembly, which traps at some of what is no sound, such as a division by zero. It is of no use
 * afterwards.
 * @throws MeshError `invalid_request`: `damaged`
 */
export async function callCodec<T>(codec: string, call: () => T | Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    const { message } = MeshError.from(error)
    throw audioInvalid('damaged', `the ${codec} stream cannot be decoded: ${message}`, error)
  }
}
