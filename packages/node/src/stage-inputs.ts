import { longestPrefillStep, MeshError } from '@resultity/interface'
import {
  type Activations,
  type NextToken,
  type OpenSession,
  type Prompt,
  STAGE_FRAME_BYTES_MAX,
  type StageFrame
} from '@resultity/wire'

/** Beside the hidden states of a frame. */
const ACTIVATIONS_HEAD_BYTES = 1024

/** What a stage computes with. */
export type StageInput = Prompt | Activations | NextToken

/** Prompts come from the coordinator, everything else from the previous stage. */
export function isInput(frame: StageFrame, control: boolean): frame is StageInput {
  return control ? frame.type === 'prompt' : frame.type === 'activations' || frame.type === 'next'
}

/** Where the next frame begins. */
export function endOf(frame: Activations | NextToken): number {
  return frame.position + (frame.type === 'activations' ? frame.count : 1)
}

/** `protocol_violation`, which blames the previous stage. */
export function notNumbers({ position }: Activations, previousPeer: string): MeshError {
  const what = `the stage at ${previousPeer} sent hidden states for position ${position} that are no finite numbers`
  return new MeshError('protocol_violation', what, {
    hint: 'That node is faulty, or its weights are damaged or overflow on its engine; verify the model there.',
    details: { blamedPeer: previousPeer }
  })
}

/** What the previous stage may send at once: the longest prefill step, or a token. */
export function inputBytesMax({ prefillChunk }: Pick<OpenSession, 'prefillChunk'>, hiddenSize: number): number {
  const bytes = longestPrefillStep(prefillChunk) * hiddenSize * Float32Array.BYTES_PER_ELEMENT + ACTIVATIONS_HEAD_BYTES
  return Math.min(bytes, STAGE_FRAME_BYTES_MAX)
}
