import { readKeyFile, Upstreams } from '@resultity/upstream'
import type { NodeInit } from './node-init.ts'

/**
 * Looks at the servers beside the node, and goes on looking.
 * @throws MeshError `settings_invalid`
 */
export async function openUpstreams({ upstreams: asked, logger, scheduler }: NodeInit): Promise<Upstreams | undefined> {
  if (asked === undefined || asked.targets.length === 0) return undefined
  const { targets, models, keyFile, jobsMax } = asked
  const key = keyFile === undefined ? undefined : await readKeyFile(keyFile)
  const upstreams = new Upstreams({
    targets,
    models,
    key,
    jobsMax,
    logger,
    ...(scheduler === undefined ? {} : { scheduler })
  })
  await upstreams.start()
  return upstreams
}
