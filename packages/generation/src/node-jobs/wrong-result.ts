import { MeshError, type Route } from '@resultity/interface'

/** The error of a node whose result is none. @param what it is, such as "nothing that whisper-tiny writes" */
export function wrongResult({ stages }: Route, what: string): MeshError {
  const peerId = stages[0]?.peerId
  return new MeshError('protocol_violation', `node ${peerId}: its result is ${what}`, {
    hint: 'The node is faulty or runs another release; compare the versions on both sides.',
    details: { peerId }
  })
}
