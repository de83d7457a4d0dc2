import { join } from 'node:path'
import { isFile } from './download.ts'

/** Written last into a repository's folder; holds the path of the model in it, `.` for the folder itself. */
export const COMPLETE = '.complete'

export const DEFAULT_REVISION = 'main'

/** A repository, and which state of it. */
export interface HubRevision {
  readonly repo: string
  /** Branch, tag or commit; default {@link DEFAULT_REVISION}. */
  readonly revision?: string
}

/** Where whole downloads of a repository are. */
export function downloadFolder({ repo, revision = DEFAULT_REVISION }: HubRevision, directory: string): string {
  return join(directory, 'hub', repo.replace('/', '--'), revision.replaceAll('/', '--'))
}

/** Whether a repository's model is here as a whole, so that nobody need be asked for it. */
export async function isDownloaded(source: HubRevision, directory: string): Promise<boolean> {
  return await isFile(join(downloadFolder(source, directory), COMPLETE))
}
