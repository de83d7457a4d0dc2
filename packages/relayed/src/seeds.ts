import { invalidRequest } from '@resultity/interface'

/** A seed that JSON's numbers do not hold cannot be passed on. @throws MeshError `invalid_request` */
export function longSeedRefused(seed: number | string | null | undefined): void {
  if (typeof seed !== 'string') return
  throw invalidRequest(
    'seed',
    'the seed has more digits than a number of JSON holds, and the model is one of a server beside a node',
    'Send one from -9007199254740991 to 9007199254740991.'
  )
}
