import { join } from 'node:path'
import { chooseWeights } from '@resultity/formats'
import { MeshError, modelInvalid } from '@resultity/interface'
import { BARK_CARD, BARK_CHECKPOINT, isBarkFolder, isVoiceFile, SECOND_EDITION, VOICES_FOLDER } from '@resultity/voice'
import type { DiffusersRepository } from './hub-diffusers.ts'
import { findHubFiles, isPlainName, type RepositoryEntry } from './hub-files.ts'

/** What says what the model is, and how it reads texts. */
const DESCRIBING = ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json', BARK_CARD]

/** Files of voices that are fetched at the most: 130 are published, in three files each. */
const VOICE_FILES_MAX = 1536

/** Whether a repository's files are those of a Bark: it keeps what its voices have said. */
export function isBarkRepository(entries: readonly Pick<RepositoryEntry, 'path'>[]): boolean {
  const voices = entries.some(({ path }) => path === VOICES_FOLDER || path.startsWith(`${VOICES_FOLDER}/`))
  return voices && entries.some(({ path }) => path === 'config.json')
}

/**
 * Fetches a Bark: what says what it is first, then its voices, of which the second edition is taken where there is one, and its weights:
 * safetensors, or the checkpoint of torch that suno publishes.
 *
 * @throws MeshError `model_invalid` for a model of another kind, `model_not_found` for one without weights that are read
 */
export async function fetchBarkFolder<Entry extends RepositoryEntry>(
  repository: Pick<DiffusersRepository<Entry>, 'name' | 'files' | 'download'>,
  directory: string
): Promise<void> {
  const files = repository.files.filter(({ type, path }) => type === 'file' && isPlainName(path))
  const names = files.map(({ path }) => path)
  const fetchAll = async (entries: readonly Entry[]): Promise<void> => {
    for (const entry of entries) await repository.download(entry, join(directory, entry.path))
  }
  await fetchAll(
    findHubFiles(repository.name, files, [
      'config.json',
      ...names.filter(name => DESCRIBING.includes(name) && name !== 'config.json')
    ])
  )
  if (!isBarkFolder(directory)) throw modelInvalid(repository.name, `has a folder "${VOICES_FOLDER}", and is no Bark`)
  await fetchAll(voiceFiles(repository))
  await fetchAll(findHubFiles(repository.name, files, weightNames(repository.name, names)))
}

function voiceFiles<Entry extends RepositoryEntry>({
  name,
  files
}: Pick<DiffusersRepository<Entry>, 'name' | 'files'>): Entry[] {
  const inFolder = (folder: string): Entry[] =>
    files.filter(({ type, path }) => {
      const file = path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : ''
      return type === 'file' && isPlainName(file) && isVoiceFile(file)
    })
  const second = inFolder(`${VOICES_FOLDER}/${SECOND_EDITION}`)
  const found = second.length > 0 ? second : inFolder(VOICES_FOLDER)
  if (found.length <= VOICE_FILES_MAX) return found
  throw modelInvalid(name, `lists ${found.length} files of voices`)
}

function weightNames(name: string, names: readonly string[]): readonly string[] {
  const choice = chooseWeights(names)
  if ('files' in choice) return choice.files
  if (names.includes(BARK_CHECKPOINT)) return [BARK_CHECKPOINT]
  throw new MeshError('model_not_found', `${name}: it ${choice.problem}`, {
    hint: choice.hint,
    details: { param: 'model' }
  })
}
