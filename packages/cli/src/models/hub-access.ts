import { readFile } from 'node:fs/promises'
import { MeshError, safeParse } from '@resultity/interface'
import type { HubAccess } from '@resultity/model'
import { z } from 'zod'
import type { ResolvedSettings } from '../settings/resolve.ts'
import { settingsSchema } from '../settings/schema.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** A token is one short line. */
const tokenSchema = z.string().regex(/^[\x21-\x7e]{1,512}$/)

/**
 * The hub that this process may fetch from, as its own operator has set it: by `--hub`, else by `HF_ENDPOINT`, which other
 * programs read too. `off` says who asks it, and not where it is.
 *
 * @throws MeshError `settings_invalid` for an address or a token that is none
 */
export async function hubAccess(
  { hub, hubTokenFile }: Pick<ResolvedSettings, 'hub' | 'hubTokenFile'>,
  env: Environment
): Promise<HubAccess> {
  const endpoint = env.HF_ENDPOINT === '' ? undefined : env.HF_ENDPOINT
  const parsed = safeParse(settingsSchema.shape.hub.optional(), hub === undefined || hub === 'off' ? endpoint : hub)
  if (!parsed.success || parsed.data === 'off') {
    throw new MeshError('settings_invalid', `HF_ENDPOINT is ${JSON.stringify(endpoint)}, and that is no address`, {
      hint: 'Set it to a URL such as https://huggingface.co, or leave it out.'
    })
  }
  const token = hubTokenFile === undefined ? env.HF_TOKEN?.trim() : await readToken(hubTokenFile)
  if (token !== undefined && token !== '' && !safeParse(tokenSchema, token).success) {
    const where = hubTokenFile ?? 'HF_TOKEN'
    throw new MeshError('settings_invalid', `${where} holds no token: it is too long, or has spaces`, {
      hint: 'A token is one word, such as hf_… .'
    })
  }
  return {
    ...(parsed.data === undefined ? {} : { url: parsed.data }),
    ...(token === undefined || token === '' ? {} : { token })
  }
}

async function readToken(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (cause) {
    throw new MeshError('settings_invalid', `the token in ${path} cannot be read`, {
      hint: 'Check the path of --hub-token-file and its permissions.',
      cause
    })
  }
}
