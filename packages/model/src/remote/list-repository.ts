import { MeshError } from '@resultity/interface'
import { DEFAULT_REVISION, type HubRevision, isCommit } from '../sources/hub-downloads.ts'
import { hubModelName } from '../sources/reference.ts'
import type { HubClient, ListedRepository } from './hub-client.ts'
import { type HubReadOptions, withTries } from './tries.ts'

/** A machine without a network goes on soon, to whatever else has the model. */
const SILENT_TRIES_MAX = 2

/**
 * What a branch, a tag or a commit has, and which commit that is. Asked once for each model: all that is read of it is read of
 * this commit.
 *
 * @throws MeshError `model_not_found`, `model_gated`, `model_unavailable`; `source_changed` when a commit was asked for and
 * another one came; the reason of the signal
 */
export async function listRepository(
  client: HubClient,
  reference: HubRevision,
  options: HubReadOptions = {}
): Promise<ListedRepository> {
  const { repo, revision = DEFAULT_REVISION } = reference
  const name = `hf:${hubModelName(reference)}`
  const listed = await withTries(
    client,
    {
      ...options,
      silentTriesMax: SILENT_TRIES_MAX,
      failed: trouble =>
        new MeshError('model_unavailable', `the model hub did not list ${name}: ${trouble.message}`, {
          hint: 'Check the network and --hub, or use a model that is on this machine: file:DIR_OR_GGUF.',
          cause: trouble
        })
    },
    () => client.repository({ repo, revision, name }, options.signal)
  )
  if (!isCommit(revision) || listed.commit === revision) return listed
  throw new MeshError('source_changed', `${name}: the hub answered with the commit ${listed.commit}`, {
    hint: 'Check the address of the hub, as HF_ENDPOINT or --hub says.'
  })
}
