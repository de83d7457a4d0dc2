import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ggufPartPaths } from '@resultity/formats'
import { isFile } from './download.ts'

/** Written last into the folder of a commit; holds the path of the model in it, `.` for the folder itself. */
export const COMPLETE = '.complete'

export const DEFAULT_REVISION = 'main'

/** A model of a repository, and which state of it. */
export interface HubRevision {
  readonly repo: string
  /** Branch, tag or commit; default {@link DEFAULT_REVISION}. */
  readonly revision?: string | undefined
  /** Undefined: the model in its root. */
  readonly file?: string | undefined
}

/** A model that is here as a whole. */
export interface DownloadedModel {
  /** The GGUF file, or the model's folder. */
  readonly path: string
  /** Undefined where an older version, which kept branches by their names, has fetched it. */
  readonly commit: string | undefined
}

/** Whether a revision names one state for ever. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision)
}

/** Where the files of a commit are: whole downloads, and the small files of models that nodes make. */
export function commitFolder(repo: string, commit: string, directory: string): string {
  return join(repositoryFolder(repo, directory), commit.replaceAll('/', '--'))
}

function repositoryFolder(repo: string, directory: string): string {
  return join(directory, 'hub', repo.replace('/', '--'))
}

/** Which commit a branch or a tag was when its model was fetched. */
function revisionPath({ repo, revision = DEFAULT_REVISION }: HubRevision, directory: string): string {
  return join(repositoryFolder(repo, directory), 'refs', encodeURIComponent(revision))
}

/** A model that is here as a whole, so that nobody need be asked for it. */
export async function findDownload(source: HubRevision, directory: string): Promise<DownloadedModel | undefined> {
  const { repo, revision = DEFAULT_REVISION, file } = source
  const noted = isCommit(revision)
    ? revision
    : await readFile(revisionPath(source, directory), 'utf8').catch(() => undefined)
  const commit = noted !== undefined && isCommit(noted) ? noted : undefined
  const folder = commitFolder(repo, commit ?? revision, directory)
  if (file === undefined) {
    const model = await readFile(join(folder, COMPLETE), 'utf8').catch(() => undefined)
    return model === undefined ? undefined : { path: join(folder, model), commit }
  }
  const paths = ggufPartPaths(join(folder, file))
  const [path] = paths
  return path !== undefined && (await Promise.all(paths.map(isFile))).every(Boolean) ? { path, commit } : undefined
}

/** Notes which commit a branch or a tag is now, for {@link findDownload}. */
export async function noteRevision(source: HubRevision, commit: string, directory: string): Promise<void> {
  if (isCommit(source.revision ?? DEFAULT_REVISION)) return
  const path = revisionPath(source, directory)
  await mkdir(dirname(path), { recursive: true })
  // renamed into place: a reader never sees half of it
  await writeFile(`${path}.new`, commit)
  await rename(`${path}.new`, path)
}
