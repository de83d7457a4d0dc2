import type { Attack } from './attack.ts'
import { garbage, halfFrames, silentStreams, smallHalves, strangersBlobs } from './byte-attacks.ts'
import { manyPeers, silentConnections } from './connection-attacks.ts'
import { impostor, strangeFrames } from './coordinator-attacks.ts'
import { lyingStates, lyingTokens } from './lie-attacks.ts'
import { adverts, floods, greeters, invites, joins } from './member-attacks.ts'

/** Every attack that there is, each tried over and over beside the others. */
export const ATTACKS: readonly Attack[] = [
  impostor,
  strangeFrames,
  halfFrames,
  smallHalves,
  silentStreams,
  garbage,
  strangersBlobs,
  silentConnections,
  manyPeers,
  joins,
  greeters,
  invites,
  adverts,
  floods,
  lyingTokens,
  lyingStates
]
