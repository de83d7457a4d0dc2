import { createHmac, timingSafeEqual } from 'node:crypto'
import { type Clock, MeshError } from '@resultity/interface'
import type { StoredFile } from '@resultity/store'

export interface PictureLinksComponents {
  readonly clock: Clock
  /** Of all coordinators that share the files. */
  readonly secret: Uint8Array
}

/** What a link says beside its file. */
export interface LinkProof {
  /** Unix seconds. */
  readonly expires: number
  readonly signature: string
}

type LinkedFile = Pick<StoredFile, 'id' | 'namespace'>

/** Where pictures are fetched by a link. */
export const LINKED_PICTURES_PATH = '/v1/images/files'

/** As long as OpenAI's. */
export const LINK_MS = 60 * 60_000

/**
 * Links to pictures: who has one may fetch the picture, without a key, until it expires. Each holds for one file of one namespace,
 * and is signed (HMAC with SHA-256), so that none can be guessed or made longer.
 */
export class PictureLinks {
  readonly #components: PictureLinksComponents

  constructor(components: PictureLinksComponents) {
    this.#components = components
  }

  /** @param origin where clients reach the API */
  link(file: LinkedFile, origin: string): string {
    const expires = Math.floor((this.#components.clock.now() + LINK_MS) / 1000)
    return `${origin}${LINKED_PICTURES_PATH}/${file.id}?expires=${expires}&signature=${this.#sign(file, expires)}`
  }

  /** @throws MeshError `permission_denied` for a link that was not made here, or that has expired */
  verify(file: LinkedFile, { expires, signature }: LinkProof): void {
    const [made, wanted] = [signature, this.#sign(file, expires)].map(text => Buffer.from(text))
    const genuine = made !== undefined && wanted !== undefined && made.length === wanted.length
    if (!genuine || !timingSafeEqual(made, wanted)) throw refused('was not made here')
    if (expires * 1000 <= this.#components.clock.now()) throw refused('has expired')
  }

  #sign({ id, namespace }: LinkedFile, expires: number): string {
    // JSON, so that no other three values are written alike
    const signed = JSON.stringify([namespace, id, expires])
    return createHmac('sha256', this.#components.secret).update(signed).digest('base64url')
  }
}

function refused(what: string): MeshError {
  return new MeshError('permission_denied', `this link to a picture ${what}`, {
    hint: 'Make the picture again, or ask for b64_json to keep it yourself.'
  })
}
